package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"autoreview/relay"
)

func newFetch() *cobra.Command {
	var f relayFlags
	var q relay.Query
	var asJSON bool
	cmd := &cobra.Command{
		Use: "fetch", Short: "Print messages", Long: fetchHelp, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q.Targets = []string{f.target}
			q.Newest = !cmd.Flags().Changed("since")
			if q.Before != 0 && !q.Newest {
				return usageError{fmt.Errorf("--since and --before cannot be used together")}
			}
			return fetch(cmd, f, q, asJSON)
		},
	}
	f.add(cmd, true)
	flags := cmd.Flags()
	flags.StringArrayVarP(&q.Senders, "sender", "s", nil, "")
	flags.Int64Var(&q.Since, "since", 0, "")
	flags.Int64Var(&q.Before, "before", 0, "")
	flags.IntVarP(&q.Limit, "limit", "n", 20, "")
	flags.BoolVar(&asJSON, "json", false, "")
	return cmd
}

func fetch(cmd *cobra.Command, f relayFlags, q relay.Query, asJSON bool) error {
	c, err := f.client()
	if err != nil {
		return err
	}
	defer c.Close()
	p, err := c.Read(cmd.Context(), q)
	if err != nil {
		return withHint(err)
	}
	if asJSON {
		return printJSON(cmd, struct {
			Messages []relay.Message `json:"messages"`
			LatestID int64           `json:"latest_id"`
			OldestID int64           `json:"oldest_id"`
			relay.Info
		}{append([]relay.Message{}, p.Messages...), p.LatestID, p.OldestID, p.Info})
	}
	for i, m := range p.Messages {
		if i > 0 {
			fmt.Fprintln(cmd.OutOrStdout())
		}
		if err := printMessage(cmd.OutOrStdout(), m); err != nil {
			return err
		}
	}
	return nil
}

// printMessage prints a whole message for a person.
func printMessage(w io.Writer, m relay.Message) error {
	var b strings.Builder
	fmt.Fprintf(&b, "#%d [%s] %s", m.ID, harmless(m.Sender), clock(m.TS))
	if m.Kind != "" {
		fmt.Fprintf(&b, " %s", m.Kind)
	}
	if m.ReplyTo != 0 {
		fmt.Fprintf(&b, " to #%d", m.ReplyTo)
	}
	fmt.Fprintf(&b, "\n%s\n", strings.TrimRight(harmless(m.Text), "\n"))
	_, err := io.WriteString(w, b.String())
	return err
}

// clock is a time of the log in the local zone.
func clock(ts float64) string {
	return time.UnixMicro(int64(math.Round(ts * 1e6))).Format(time.DateTime)
}

// harmless replaces control characters: what an agent posts must not be able to
// give orders to a terminal.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return '\ufffd'
		}
		return r
	}, s)
}

func newChannels() *cobra.Command {
	var f relayFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use: "channels", Short: "List the channels", Long: channelsHelp, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return channels(cmd, f, asJSON) },
	}
	f.add(cmd, false)
	cmd.Flags().BoolVar(&asJSON, "json", false, "")
	return cmd
}

func channels(cmd *cobra.Command, f relayFlags, asJSON bool) error {
	c, err := f.client()
	if err != nil {
		return err
	}
	defer c.Close()
	list, err := c.Channels(cmd.Context())
	if err != nil {
		return withHint(err)
	}
	if asJSON {
		return printJSON(cmd, append([]relay.Channel{}, list...))
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CHANNEL\tMESSAGES\tLAST ID\tLAST AT")
	for _, ch := range list {
		if ch.LastID == 0 {
			fmt.Fprintf(w, "%s\t-\t-\t-\n", ch.Name)
			continue
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", ch.Name, ch.Count, ch.LastID, clock(ch.LastTS))
	}
	return w.Flush()
}

// printJSON prints one value on one line.
func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
