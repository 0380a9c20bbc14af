package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"autoreview/relay"
	"autoreview/relay/redact"
)

func newPost() *cobra.Command {
	var f relayFlags
	var d relay.Draft
	var kind, meta string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "post [TEXT]", Short: "Post a message", Long: postHelp, Args: atMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			d.Target, d.Kind, d.Meta = f.target, relay.Kind(kind), json.RawMessage(meta)
			text, err := messageText(cmd, args)
			if err != nil {
				return err
			}
			d.Text = text
			return post(cmd, f, d, asJSON)
		},
	}
	f.add(cmd, true)
	flags := cmd.Flags()
	flags.StringVarP(&d.Sender, "sender", "s", "user", "")
	flags.StringVar(&kind, "kind", "", "")
	flags.Int64Var(&d.ReplyTo, "reply-to", 0, "")
	flags.StringVar(&d.Key, "key", "", "")
	flags.StringVar(&meta, "meta", "", "")
	flags.BoolVar(&asJSON, "json", false, "")
	return cmd
}

func atMostOne(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageError{fmt.Errorf("want one text, not %d: put it in quotes", len(args))}
	}
	return nil
}

// messageText is the argument, or standard input to its end.
func messageText(cmd *cobra.Command, args []string) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		return args[0], nil
	}
	in := cmd.InOrStdin()
	if f, ok := in.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		say(cmd, "type the message, then Ctrl-D")
	}
	b, err := io.ReadAll(in)
	if err != nil {
		return "", fmt.Errorf("reading the text: %w", err)
	}
	return string(b), nil
}

func post(cmd *cobra.Command, f relayFlags, d relay.Draft, asJSON bool) error {
	// An invalid object would fail in encoding, far from its flag.
	if len(d.Meta) > 0 && !json.Valid(d.Meta) {
		return usageError{fmt.Errorf("--meta must be a JSON object, not %q", string(d.Meta))}
	}
	if strings.TrimSpace(d.Text) == "" {
		return hintError{fmt.Errorf("text is required"), `give it as an argument or on standard input: git diff | relay post`}
	}
	c, err := f.client()
	if err != nil {
		return err
	}
	defer c.Close()
	p, err := c.Post(cmd.Context(), d)
	if err != nil {
		return withHint(err)
	}
	if p.Duplicate {
		say(cmd, "the key was posted before, nothing is stored")
	}
	if p.Message != nil {
		if masked := redact.Sentence(redact.Noted(p.Message.Meta)); masked != "" {
			say(cmd, "%s", masked)
		}
	}
	if !asJSON {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), p.ID)
		return err
	}
	return printJSON(cmd, struct {
		Posted    int64          `json:"posted"`
		Duplicate bool           `json:"duplicate"`
		Message   *relay.Message `json:"message"`
	}{p.ID, p.Duplicate, p.Message})
}
