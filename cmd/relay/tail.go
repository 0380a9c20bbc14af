package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/relay/lastfile"
)

func newTail() *cobra.Command {
	var f relayFlags
	t := &tail{}
	var since int64
	cmd := &cobra.Command{
		Use: "tail", Short: "Print messages as they come", Long: tailHelp, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if t.lines < 0 || t.count < 0 {
				return usageError{errors.New("--lines and --count must not be negative")}
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			t.cmd, t.log = cmd, c
			t.query.Targets = []string{f.target}
			if cmd.Flags().Changed("since") {
				t.query.Since, t.hasCursor = since, true
			}
			err = t.run(cmd.Context())
			if cmd.Context().Err() != nil {
				return nil // a signal is how it is meant to end
			}
			return withHint(err)
		},
	}
	f.add(cmd, true)
	flags := cmd.Flags()
	flags.StringArrayVarP(&t.query.Senders, "sender", "s", senders(), "")
	flags.Int64Var(&since, "since", 0, "")
	flags.StringVar(&t.lastFile, "last-file", os.Getenv("LASTFILE"), "")
	flags.IntVarP(&t.lines, "lines", "n", 10, "")
	flags.IntVar(&t.count, "count", 0, "")
	flags.BoolVar(&t.asJSON, "json", false, "")
	return cmd
}

func senders() []string {
	if s := os.Getenv("WATCH_SENDER"); s != "" {
		return []string{s}
	}
	return nil
}

// interval is how often the original server is asked, 0 for the default.
func interval() time.Duration {
	n, err := strconv.Atoi(os.Getenv("INTERVAL"))
	if err != nil || n < 1 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// tail prints what comes after a cursor, for ever.
type tail struct {
	cmd   *cobra.Command
	log   *client.Client
	query relay.Query // Since is the cursor

	hasCursor bool // the cursor is the user's or that of what was printed
	lastFile  string
	lines     int // how many to begin with when there is no cursor
	count     int // how many are left to print; 0 from the start is no end
	asJSON    bool

	logID string // of the log that the cursor is for, "" before the first page
	away  bool   // the relay could not be reached, and that was said
}

// errEnough says that --count is reached.
var errEnough = errors.New("enough messages")

func (t *tail) run(ctx context.Context) error {
	defer t.log.Close()
	if err := t.readLastFile(); err != nil {
		return err
	}
	delay := time.Duration(0)
	for {
		err := t.step(ctx)
		switch {
		case errors.Is(err, errEnough):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			delay = 0
			continue
		case permanent(err):
			return err
		}
		t.sayAway(err)
		delay = min(max(2*delay, 250*time.Millisecond), 5*time.Second)
		pause(ctx, delay/2+rand.N(delay/2))
	}
}

// readLastFile takes the cursor from the file; a cursor from a flag wins.
func (t *tail) readLastFile() error {
	if t.lastFile == "" || t.hasCursor {
		return nil
	}
	id, _, err := lastfile.Read(t.lastFile)
	if bad, ok := errors.AsType[*lastfile.ContentError](err); ok {
		return hintError{bad, "remove the file to start at the beginning"}
	}
	t.query.Since, t.hasCursor = id, true
	return err
}

// step asks once and prints what has come.
func (t *tail) step(ctx context.Context) error {
	p, err := t.ask(ctx)
	if err != nil {
		return err
	}
	t.sayBack()
	if t.otherLog(p) {
		t.query.Since, t.logID = 0, p.LogID
		return nil
	}
	t.logID = p.LogID
	if t.hasCursor && p.OldestID > t.query.Since+1 && t.query.Since > 0 {
		say(t.cmd, "messages up to #%d are gone, some may have been missed", p.OldestID-1)
	}
	if err := t.print(p.Messages); err != nil {
		return err
	}
	t.query.Since, t.hasCursor = p.LatestID, true
	return nil
}

// ask reads first, and waits only for a log that it has just read: what a wait
// returned after an absence could be of another log.
func (t *tail) ask(ctx context.Context) (relay.Page, error) {
	switch {
	case !t.hasCursor:
		q := t.query
		q.Newest, q.Limit = true, max(t.lines, 1)
		p, err := t.log.Read(ctx, q)
		p.Messages = p.Messages[max(len(p.Messages)-t.lines, 0):]
		// What came since the newest message of a channel was for others.
		p.LatestID = max(p.LatestID, p.Head)
		return p, err
	case t.logID == "" || t.away:
		return t.log.Read(ctx, t.query)
	}
	return t.log.Wait(ctx, t.query, client.MaxPoll)
}

// otherLog reports whether the cursor is of another log than p, and says so.
// The original server begins a new one with every start.
func (t *tail) otherLog(p relay.Page) bool {
	switch {
	case t.logID != "" && t.logID != p.LogID:
		say(t.cmd, "this is another log (%s instead of %s), starting at its beginning", p.LogID, t.logID)
		return true
	case t.hasCursor && p.Head < t.query.Since:
		say(t.cmd, "the newest id is #%d and the last one seen was #%d: ids went back, starting at the beginning", p.Head, t.query.Since)
		return true
	}
	return false
}

func (t *tail) print(messages []relay.Message) error {
	for _, m := range messages {
		if err := t.printOne(m); err != nil {
			return err
		}
		if t.lastFile != "" {
			if err := lastfile.Write(t.lastFile, m.ID); err != nil {
				return err
			}
		}
		if t.count--; t.count == 0 {
			return errEnough
		}
	}
	return nil
}

func (t *tail) printOne(m relay.Message) error {
	if t.asJSON {
		return printJSON(t.cmd, m)
	}
	first, _, _ := strings.Cut(strings.TrimLeft(m.Text, "\r\n"), "\n")
	_, err := fmt.Fprintf(t.cmd.OutOrStdout(), "#%d [%s] %s\n", m.ID, harmless(m.Sender), harmless(strings.TrimRight(first, "\r")))
	return err
}

func (t *tail) sayAway(err error) {
	if !t.away {
		say(t.cmd, "waiting for the relay: %v", err)
	}
	t.away = true
}

func (t *tail) sayBack() {
	if t.away {
		say(t.cmd, "the relay answers again")
	}
	t.away = false
}

// permanent reports whether asking again cannot help.
func permanent(err error) bool {
	if e, ok := errors.AsType[*relay.Error](err); ok {
		return e.Code != relay.CodeUnavailable
	}
	if s, ok := errors.AsType[*client.StatusError](err); ok {
		return s.Status < http.StatusInternalServerError
	}
	_, silent := errors.AsType[*client.UnreachableError](err)
	return !silent
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
