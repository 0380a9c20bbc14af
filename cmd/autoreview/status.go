package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"autoreview/supervisor"
)

const statusHelp = `Say what every watch and every job is doing at this moment: queued, waiting (for
what, until when), running (what Codex does, when it gave a sign of life last),
failed (why) or done (the verdict). All jobs that have not ended are shown, and
the newest that have.

Without a running supervisor it shows what the last one left, and says so.

Example:

  autoreview status
`

func newStatus() *cobra.Command {
	var path string
	var asJSON bool
	var ended int
	cmd := &cobra.Command{
		Use: "status", Short: "Say what every watch and job is doing", Long: statusHelp, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return looking(cmd, path, func(l looker) error {
				st, err := l.Status(cmd.Context(), ended)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd, st)
				}
				return printStatus(cmd.OutOrStdout(), st, coloured(cmd.OutOrStdout()))
			})
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	cmd.Flags().IntVarP(&ended, "ended", "n", 10, "show at most `N` jobs that have ended")
	return cmd
}

func printStatus(w io.Writer, st supervisor.Status, colour bool) error {
	if r := st.ReloadRefused; r != nil {
		fmt.Fprintf(w, "the configuration was not taken at %s, the one before it goes on: %s\n\n", clock(r.Since, st.Time), oneLine(firstLine(r.Reason), 300))
	}
	t := newTable(w, colour)
	t.row("", "WATCH", "CHANNEL", "READ TO", "OPEN", "DONE", "FAILED", "STATE")
	for _, s := range st.Watches {
		t.row("", oneLine(s.Name, 40), oneLine(s.Channel, 40), fmt.Sprintf("#%d", s.ReadThrough),
			fmt.Sprint(s.Queued+s.Waiting+s.Running), fmt.Sprint(s.Done), fmt.Sprint(s.Failed), watchText(s, st.Time))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if err := printSchedules(w, st, colour); err != nil || len(st.Jobs) == 0 {
		return err
	}
	fmt.Fprintln(w)
	t = newTable(w, colour)
	t.row(ownHue, "JOB", "WATCH", "FOR", "STATE", "WHAT")
	for _, j := range st.Jobs {
		t.row(hues[j.State], fmt.Sprint(j.ID), oneLine(j.Watch, 40), subject(j), string(j.State), jobText(j, st.Time))
	}
	return t.Flush()
}

func printSchedules(w io.Writer, st supervisor.Status, colour bool) error {
	if len(st.Schedules) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := newTable(w, colour)
	t.row("", "SCHEDULE", "TASK", "WATCH", "NEXT", "LAST", "WHAT CAME OF IT")
	for _, s := range st.Schedules {
		t.row("", oneLine(s.Name, 40), s.Task, oneLine(orWord(s.Watch, "-"), 40), clockOr(s.Next, st.Time), clockOr(s.Last, st.Time), oneLine(orWord(s.Result, "-"), 100))
	}
	return t.Flush()
}

// clockOr is clock, or a dash for no time.
func clockOr(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return clock(t, now)
}

// watchText says how a watch stands.
func watchText(s supervisor.WatchStatus, now time.Time) string {
	text := string(s.State)
	switch s.State {
	case supervisor.WatchWatching:
		text += " for " + ago(s.Since, now)
	case supervisor.WatchUnreachable:
		text += fmt.Sprintf(" for %s: %s", ago(s.Since, now), oneLine(s.Reason, 80))
	}
	if !s.Paused.IsZero() {
		text = "paused for " + ago(s.Paused, now) + ", " + text
	}
	if s.Held != nil {
		text += fmt.Sprintf("; starts nothing until %s: %s (%s)", clock(s.Held.Until, now), oneLine(s.Held.Reason, 80), s.Held.Class)
	}
	return text
}

// jobText says how a job stands, without its state.
func jobText(j supervisor.JobStatus, now time.Time) string {
	switch j.State {
	case supervisor.JobDone:
		text := orWord(j.Verdict, "reviewed")
		if j.Verdict == "" && j.Schedule != "" {
			text = "posted"
		}
		if j.Class != "" {
			text += " (" + j.Class + ")"
		}
		return fmt.Sprintf("%s, #%d", text, j.AnswerID)
	case supervisor.JobFailed:
		return fmt.Sprintf("%s (%s), #%d", oneLine(j.Reason, 100), orWord(j.Class, "failed"), j.AnswerID)
	case supervisor.JobRunning:
		return runningText(j, now)
	}
	text := oneLine(j.Reason, 100)
	if j.Class != "" {
		text += " (" + j.Class + ")"
	}
	if !j.Until.IsZero() {
		text = fmt.Sprintf("until %s: %s", clock(j.Until, now), text)
	}
	return text
}

func runningText(j supervisor.JobStatus, now time.Time) string {
	text := orWord(string(j.Phase), "running")
	if j.Doing != "" {
		text += ": " + oneLine(j.Doing, 80)
	}
	text += " for " + ago(j.Since, now)
	if !j.LastEvent.IsZero() {
		text += ", last event " + ago(j.LastEvent, now) + " ago"
	}
	if j.Run != 0 {
		text += fmt.Sprintf(" (run %d, attempt %d)", j.Run, j.Attempt)
	}
	return text
}

// subject is what a job is for.
func subject(j supervisor.JobStatus) string {
	if len(j.Packets) == 0 {
		return oneLine(j.Schedule, 40)
	}
	ids := make([]string, len(j.Packets))
	for i, id := range j.Packets {
		ids[i] = fmt.Sprintf("#%d", id)
	}
	text := strings.Join(ids, " ")
	if j.Generation > 1 {
		text += fmt.Sprintf(" (%d)", j.Generation)
	}
	return text
}

func orWord(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// ago is how long ago something was, in one unit.
func ago(t, now time.Time) string {
	d := max(now.Sub(t), 0)
	switch {
	case t.IsZero():
		return "an unknown time"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// clock is a time near to now, or another one with its date.
func clock(t, now time.Time) string {
	t = t.Local()
	if t.Sub(now).Abs() < 12*time.Hour {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}

// ownHue is the terminal's own colour.
const ownHue = "\x1b[39m"

// hues are the colours of states. All sequences have the same length, which
// keeps columns in line as long as every row of a table has one.
var hues = map[supervisor.JobState]string{
	supervisor.JobQueued:  ownHue,
	supervisor.JobWaiting: "\x1b[33m",
	supervisor.JobRunning: "\x1b[36m",
	supervisor.JobFailed:  "\x1b[31m",
	supervisor.JobDone:    "\x1b[32m",
}

// table prints aligned columns.
type table struct {
	*tabwriter.Writer
	colour bool
}

func newTable(w io.Writer, colour bool) table {
	return table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0), colour}
}

// row prints a row, in a colour unless hue is "".
func (t table) row(hue string, cells ...string) {
	text := strings.Join(cells, "\t")
	if t.colour && hue != "" {
		text = hue + text + ownHue
	}
	fmt.Fprintln(t, text)
}
