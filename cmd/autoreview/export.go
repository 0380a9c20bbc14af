package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"autoreview/relay/redact"
	"autoreview/supervisor/record"
)

const exportHelp = `Write a run as one HTML page that needs nothing else, for a bug report. Known
forms of secrets are masked, your home folder is shortened, and of the prompt
and the environment there is only a hash and names. What Codex read and said of
your code stays: read it before you send it on.

Example:

  autoreview export 12 --html -o run-12.html
`

func newExport() *cobra.Command {
	var path, out string
	var html bool
	cmd := &cobra.Command{
		Use: "export RUN --html", Short: "Write a run as a page for a bug report", Long: exportHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !html {
				return usageError{errors.New("want --html: there is no other form yet")}
			}
			_, dir, err := runArg(cmd, path, args)
			if err != nil {
				return err
			}
			return export(cmd.OutOrStdout(), out, dir)
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&html, "html", false, "as one HTML page")
	cmd.Flags().StringVarP(&out, "output", "o", "", "`file` to write to (default: standard output)")
	return cmd
}

func export(stdout io.Writer, out, dir string) error {
	if out == "" || out == "-" {
		return record.Export(stdout, dir, mask)
	}
	f, err := os.OpenFile(out, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return errors.Join(record.Export(f, dir, mask), f.Close())
}

// mask takes out secrets, and who the user is.
func mask(s string) string {
	s, _ = redact.Text(s)
	if home, err := os.UserHomeDir(); err == nil && len(home) > 1 {
		s = strings.ReplaceAll(s, home, "~")
	}
	return s
}
