package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"autoreview/supervisor/record"
)

const replayHelp = `Show a run of Codex again from its record: what was started, every step with its
time, and how it ended. It reads the run's folder and needs no supervisor.

Example:

  autoreview replay 12
`

func newReplay() *cobra.Command {
	var path string
	var asJSON, full bool
	cmd := &cobra.Command{
		Use: "replay RUN", Short: "Show a run of Codex again", Long: replayHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			run, dir, err := runArg(cmd, path, args)
			if err != nil {
				return err
			}
			r, err := record.Read(dir)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if !asJSON {
				for _, line := range r.Facts() {
					fmt.Fprintln(cmd.OutOrStdout(), harmless(line))
				}
				fmt.Fprintln(cmd.OutOrStdout())
			}
			return record.NewTail(run, dir).Read(linePrinter(cmd, asJSON, full))
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object a line")
	cmd.Flags().BoolVar(&full, "full", false, "print every line of every output")
	return cmd
}

func runArg(cmd *cobra.Command, path string, args []string) (run int64, dir string, err error) {
	if run, err = numberArg("run", args); err != nil {
		return 0, "", err
	}
	cfg, err := findConfig(cmd, path)
	if err != nil {
		return 0, "", err
	}
	dir, err = runDir(cfg, run)
	return run, dir, err
}
