package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"autoreview/supervisor/config"
	"autoreview/supervisor/control"
)

const pauseHelp = `Keep a watch from starting reviews, also over restarts, until "autoreview
resume". A review that runs goes on to its end, and packets queue up. The name
may be left out where there is one watch.

Example:

  autoreview pause proj-x
`

const resumeHelp = `Let a watch that was paused go on with everything that has queued up.

Example:

  autoreview resume proj-x
`

func newPause() *cobra.Command {
	return watchCommand("pause [WATCH]", "Keep a watch from starting reviews", pauseHelp, (*control.Client).Pause,
		"%s is paused; what runs goes on to its end, and packets queue up until: autoreview resume %[1]s")
}

func newResume() *cobra.Command {
	return watchCommand("resume [WATCH]", "Let a paused watch go on", resumeHelp, (*control.Client).Resume, "%s goes on")
}

// watchCommand is a command that asks something of a watch, and says what was
// done.
func watchCommand(use, short, long string, do func(*control.Client, context.Context, string) error, said string) *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := findConfig(cmd, path)
			if err != nil {
				return err
			}
			name, err := watchArg(cfg, args)
			if err != nil {
				return err
			}
			c, err := dial(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			defer c.Close()
			if err := do(c, cmd.Context(), name); err != nil {
				return refusal(err)
			}
			if asJSON {
				return printJSON(cmd, map[string]any{"ok": true, "watch": name})
			}
			fmt.Fprintf(cmd.OutOrStdout(), said+"\n", name)
			return nil
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

func watchArg(cfg config.Config, args []string) (string, error) {
	switch {
	case len(args) == 1:
		return args[0], nil
	case len(args) == 0 && len(cfg.Watches) == 1:
		return cfg.Watches[0].Name, nil
	}
	return "", usageError{errors.New("want the name of one watch")}
}
