package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"autoreview/supervisor"
)

const runsHelp = `List the runs of Codex, the oldest first: for which job, how each ended, how long
it took and what it used. A job has one run for each attempt, and one more when
an answer had to be asked for again.

Example:

  autoreview runs -n 5
`

func newRuns() *cobra.Command {
	var path string
	var asJSON bool
	var limit int
	cmd := &cobra.Command{
		Use: "runs", Short: "List the runs of Codex", Long: runsHelp, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return looking(cmd, path, func(l looker) error {
				runs, err := l.Runs(cmd.Context(), limit)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd, runs)
				}
				return printRuns(cmd.OutOrStdout(), runs)
			})
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON list")
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "at most `N` runs, the newest; 0 is all")
	return cmd
}

func printRuns(w io.Writer, runs []supervisor.RunStatus) error {
	t := newTable(w, false)
	t.row("", "RUN", "JOB", "WATCH", "ATTEMPT", "STARTED", "TOOK", "CLASS", "TOKENS", "CODEX", "THREAD")
	for _, r := range runs {
		took := "-"
		if !r.Ended.IsZero() {
			took = r.Ended.Sub(r.Started).Round(100 * time.Millisecond).String()
		}
		t.row("", fmt.Sprint(r.Run), fmt.Sprint(r.Job), oneLine(r.Watch, 40), fmt.Sprint(r.Attempt), r.Started.Local().Format(time.DateTime),
			took, orWord(r.Class, "running"), fmt.Sprint(r.Tokens), orWord(r.Codex, "-"), orWord(r.Thread, "-"))
	}
	return t.Flush()
}
