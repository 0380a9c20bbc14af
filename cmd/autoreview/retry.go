package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"autoreview/supervisor"
	"autoreview/supervisor/control"
)

const retryHelp = `Have a job made again. One that has ended is reviewed once more, and the channel
gets one more answer; one that waits for its next attempt is tried at once.

Example:

  autoreview retry 7
`

const cancelHelp = `End a job: a run of Codex is ended, and a notice in the channel says that there
will be no review. Once its answer is saved it is too late.

Example:

  autoreview cancel 7
`

func newRetry() *cobra.Command {
	return askCommand("retry JOB", "Have a job made again", retryHelp, (*control.Client).Retry, func(j supervisor.JobStatus, id int64) string {
		if j.ID != id {
			return fmt.Sprintf("job %d asks again for what job %d was about; follow it with: autoreview logs -f %d", j.ID, id, j.ID)
		}
		return fmt.Sprintf("job %d is tried at once; follow it with: autoreview logs -f %d", j.ID, j.ID)
	})
}

func newCancel() *cobra.Command {
	return askCommand("cancel JOB", "End a job", cancelHelp, (*control.Client).Cancel, func(j supervisor.JobStatus, id int64) string {
		if j.AnswerID != 0 {
			return fmt.Sprintf("job %d is cancelled, #%d says so", id, j.AnswerID)
		}
		return fmt.Sprintf("job %d is cancelled; the notice is posted as soon as the relay answers", id)
	})
}

// askCommand is a command that asks something of a job, and says what was done.
func askCommand(use, short, long string, do func(*control.Client, context.Context, int64) (supervisor.JobStatus, error), said func(supervisor.JobStatus, int64) string) *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := numberArg("job", args)
			if err != nil {
				return err
			}
			cfg, err := findConfig(cmd, path)
			if err != nil {
				return err
			}
			c, err := dial(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			defer c.Close()
			j, err := do(c, cmd.Context(), id)
			if err != nil {
				return refusal(err)
			}
			if asJSON {
				return printJSON(cmd, j)
			}
			fmt.Fprintln(cmd.OutOrStdout(), said(j, id))
			return nil
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the job as a JSON object")
	return cmd
}
