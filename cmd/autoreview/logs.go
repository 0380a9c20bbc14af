package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"autoreview/supervisor/record"
)

const logsHelp = `Print what Codex did for a job, step by step: commands, their output, tools,
messages, and how each run ended. Without a number it is the job that runs, or
else the newest.

With --follow it goes on, as it happens, until the job has ended. The output of
a command is cut after some lines; --full prints all of it. A review is shown by
its headlines; "autoreview show" has all of it, and --json what Codex wrote.

Example:

  autoreview logs --follow
`

func newLogs() *cobra.Command {
	var path string
	var asJSON, follow, full bool
	cmd := &cobra.Command{
		Use: "logs [JOB]", Short: "Print what Codex does for a job", Long: logsHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			var id int64
			var err error
			if len(args) > 0 {
				if id, err = numberArg("job", args); err != nil {
					return err
				}
			}
			return looking(cmd, path, func(l looker) error {
				if id, err = orLatest(cmd, l, id); err != nil {
					return err
				}
				err = l.Follow(cmd.Context(), id, follow, linePrinter(cmd, asJSON, full))
				if cmd.Context().Err() != nil {
					return nil // whoever looked has seen enough
				}
				return refusal(err)
			})
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the job has ended")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object a line")
	cmd.Flags().BoolVar(&full, "full", false, "print every line of every output")
	return cmd
}

func orLatest(cmd *cobra.Command, l looker, id int64) (int64, error) {
	if id != 0 {
		return id, nil
	}
	id, ok, err := l.Latest(cmd.Context())
	if err == nil && !ok {
		err = errors.New("there has been no job yet")
	}
	return id, err
}

func linePrinter(cmd *cobra.Command, asJSON, full bool) func(record.Line) error {
	w := cmd.OutOrStdout()
	if asJSON {
		enc := json.NewEncoder(w)
		return func(l record.Line) error { return enc.Encode(l) }
	}
	colour := coloured(w)
	return func(l record.Line) error { return printLine(w, l, colour, full) }
}

// outputLines is how much of a text is printed unless all of it is wanted.
const outputLines = 20

var lineHues = map[record.Kind]string{
	record.Command: "\x1b[36m", record.Tool: "\x1b[36m", record.Message: "\x1b[32m",
	record.Error: "\x1b[31m", record.Warning: "\x1b[33m", record.Note: "\x1b[1m", record.Output: "\x1b[2m", record.Reasoning: "\x1b[2m",
}

// printLine prints a step: its time, its kind, and its text with every line of
// it in the same column.
func printLine(w io.Writer, l record.Line, colour, full bool) error {
	at := strings.Repeat(" ", 8)
	if !l.Time.IsZero() {
		at = l.Time.Local().Format("15:04:05")
	}
	lines := strings.Split(strings.TrimRight(harmless(l.Plain()), "\n"), "\n")
	if n := len(lines) - outputLines; n > 1 && !full {
		lines = append(lines[:outputLines:outputLines], fmt.Sprintf("… %d more lines; --full prints them", n))
	}
	text := strings.Join(lines, "\n"+strings.Repeat(" ", 20))
	if hue := lineHues[l.Kind]; colour && hue != "" {
		text = hue + text + "\x1b[0m"
	}
	_, err := fmt.Fprintf(w, "%s %-10s %s\n", at, l.Kind, text)
	return err
}
