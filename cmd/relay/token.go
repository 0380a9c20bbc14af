package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"autoreview/relay/token"
)

func newToken() *cobra.Command {
	cmd := &cobra.Command{
		Use: "token", Short: "Make, list and revoke tokens", Long: tokenHelp,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("relay token has no command %q, only new, list and revoke", args[0])}
			}
			return usageError{errors.New("want relay token new, list or revoke")}
		},
	}
	cmd.AddCommand(newTokenNew(), newTokenList(), newTokenRevoke())
	return cmd
}

// tokens are those of the relay with the settings of a command line.
func tokens(cmd *cobra.Command, s settingFlags) (*token.Store, error) {
	c, err := s.load(cmd)
	if err != nil {
		return nil, err
	}
	return token.Open(filepath.Join(c.Data, token.File)), nil
}

func newTokenNew() *cobra.Command {
	var s settingFlags
	var t token.Token
	var expires string
	cmd := &cobra.Command{
		Use: "new", Short: "Make a token", Long: tokenHelp, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return makeToken(cmd, s, t, expires) },
	}
	s.add(cmd, "data")
	flags := cmd.Flags()
	flags.StringVar(&t.Name, "name", "", "")
	flags.StringSliceVar(&t.Senders, "senders", nil, "")
	flags.StringSliceVar(&t.Channels, "channels", nil, "")
	flags.BoolVar(&t.ReadOnly, "read-only", false, "")
	flags.StringVar(&expires, "expires", "", "")
	return cmd
}

func makeToken(cmd *cobra.Command, s settingFlags, t token.Token, expires string) error {
	if t.Name == "" {
		return usageError{errors.New("want a name: relay token new --name claude --senders claude")}
	}
	// "--senders ''" is a mistake and must not mean "anybody".
	for _, list := range []struct {
		flag  string
		names []string
	}{{"senders", t.Senders}, {"channels", t.Channels}} {
		if cmd.Flags().Changed(list.flag) && len(list.names) == 0 {
			return usageError{fmt.Errorf("--%s: want at least one name; leave the flag out for no restriction", list.flag)}
		}
	}
	if expires != "" {
		d, err := parseAge(expires)
		if err != nil {
			return usageError{fmt.Errorf("--expires: %w", err)}
		}
		t.Expires = time.Now().Add(d).Truncate(time.Second)
	}
	store, err := tokens(cmd, s)
	if err != nil {
		return err
	}
	secret, err := store.New(t)
	if errors.Is(err, token.ErrNameTaken) {
		return hintError{err, fmt.Sprintf("revoke it first: relay token revoke %s", t.Name)}
	}
	if err != nil {
		return err
	}
	say(cmd, "token %q may %s; it is shown only now", t.Name, summary(t))
	_, err = fmt.Fprintln(cmd.OutOrStdout(), secret)
	return err
}

// summary says what a token allows.
func summary(t token.Token) string {
	text := "read and post as " + orAll(t.Senders, "anybody")
	if t.ReadOnly {
		text = "read"
	}
	text += " in " + orAll(t.Channels, "every channel")
	if !t.Expires.IsZero() {
		text += " until " + t.Expires.Local().Format(time.DateTime)
	}
	return text
}

func orAll(names []string, all string) string {
	if len(names) == 0 {
		return all
	}
	return strings.Join(names, ",")
}

const (
	day    = 24 * time.Hour
	maxAge = 100 * 365 * day
)

// parseAge reads a duration that may also be in days or weeks, as 30d or 2w.
func parseAge(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	for unit, one := range map[string]time.Duration{"d": day, "w": 7 * day} {
		if number, ok := strings.CutSuffix(s, unit); ok {
			var n int
			n, err = strconv.Atoi(number)
			d = time.Duration(min(n, int(maxAge/one)+1)) * one
		}
	}
	if err != nil || d <= 0 || d > maxAge {
		return 0, fmt.Errorf("want a time of at most 100 years, such as 12h, 30d or 2w, not %q", s)
	}
	return d, nil
}

func newTokenList() *cobra.Command {
	var s settingFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the tokens", Long: tokenHelp, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return listTokens(cmd, s, asJSON) },
	}
	s.add(cmd, "data")
	cmd.Flags().BoolVar(&asJSON, "json", false, "")
	return cmd
}

func listTokens(cmd *cobra.Command, s settingFlags, asJSON bool) error {
	store, err := tokens(cmd, s)
	if err != nil {
		return err
	}
	all, on, err := store.List()
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(cmd, all)
	}
	switch {
	case !on:
		say(cmd, "tokens are off: there is no %s", store.Path())
		return nil
	case len(all) == 0:
		sayNobody(cmd, store)
		return nil
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSENDERS\tCHANNELS\tMAY\tCREATED\tEXPIRES")
	for _, t := range all {
		may, expires := "read and post", "never"
		if t.ReadOnly {
			may = "read"
		}
		if !t.Expires.IsZero() {
			expires = t.Expires.Local().Format(time.DateTime)
		}
		if t.Expired(time.Now()) {
			expires += " (expired)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.Name, orAll(t.Senders, "anybody"), orAll(t.Channels, "all"), may, t.Created.Local().Format(time.DateTime), expires)
	}
	return w.Flush()
}

func newTokenRevoke() *cobra.Command {
	var s settingFlags
	cmd := &cobra.Command{
		Use: "revoke NAME...", Short: "Revoke tokens", Long: tokenHelp,
		RunE: func(cmd *cobra.Command, names []string) error { return revokeTokens(cmd, s, names) },
	}
	s.add(cmd, "data")
	return cmd
}

func revokeTokens(cmd *cobra.Command, s settingFlags, names []string) error {
	if len(names) == 0 {
		return usageError{errors.New("want the names of the tokens to revoke")}
	}
	store, err := tokens(cmd, s)
	if err != nil {
		return err
	}
	left := 0
	for _, name := range names {
		if left, err = store.Revoke(name); err != nil {
			return hintError{err, "relay token list shows those there are"}
		}
		say(cmd, "token %q is revoked", name)
	}
	if left == 0 {
		sayNobody(cmd, store)
	}
	return nil
}

func sayNobody(cmd *cobra.Command, store *token.Store) {
	say(cmd, "there is no token, so nobody is let in; remove %s to go without tokens", store.Path())
}
