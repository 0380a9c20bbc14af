package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"autoreview/supervisor"
)

const showHelp = `Show everything about a job: how it stands, the packets it is for, its runs and
its answer.

Example:

  autoreview show 7
`

func newShow() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show JOB", Short: "Show everything about a job", Long: showHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := numberArg("job", args)
			if err != nil {
				return err
			}
			return looking(cmd, path, func(l looker) error {
				j, err := l.Job(cmd.Context(), id)
				if err != nil {
					return refusal(err)
				}
				if asJSON {
					return printJSON(cmd, j)
				}
				return printJob(cmd.OutOrStdout(), j, time.Now())
			})
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

func printJob(w io.Writer, j supervisor.JobDetail, now time.Time) error {
	t := newTable(w, false)
	t.row("", "job", fmt.Sprint(j.ID))
	t.row("", "watch", fmt.Sprintf("%s, channel %s", oneLine(j.Watch, 80), oneLine(j.Channel, 80)))
	t.row("", "for", subject(j.JobStatus))
	t.row("", "state", string(j.State))
	if text := jobText(j.JobStatus, now); text != "" {
		t.row("", "", text)
	}
	t.row("", "since", j.Created.Local().Format(time.DateTime))
	t.row("", "changed", j.Updated.Local().Format(time.DateTime))
	if j.Thread != "" {
		t.row("", "thread", j.Thread)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(j.Runs) > 0 {
		fmt.Fprintln(w)
		if err := printRuns(w, j.Runs); err != nil {
			return err
		}
	}
	for _, p := range j.Packets {
		fmt.Fprintf(w, "\n──── #%d by %s ────\n%s\n", p.ID, oneLine(p.Sender, 80), harmless(p.Text))
	}
	if j.Answer != nil {
		fmt.Fprintf(w, "\n──── answer: %s ────\n%s\n", answerText(j), harmless(j.Answer.Text))
	}
	return nil
}

func answerText(j supervisor.JobDetail) string {
	if j.AnswerID == 0 {
		return string(j.Answer.Kind) + ", not posted yet"
	}
	return fmt.Sprintf("%s #%d", j.Answer.Kind, j.AnswerID)
}
