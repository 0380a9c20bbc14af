package sim_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"autoreview/relay"
	"autoreview/relay/store/memory"
	"autoreview/supervisor/state"
)

// checkSpawn holds what must be so whenever a Codex is started.
func (w *world) checkSpawn(p *process) {
	for _, o := range w.aliveProcesses() {
		// One without a prompt does nothing but end.
		if o.prompted && o.spec.Dir == p.spec.Dir {
			w.fail("pid %d is started beside pid %d in %s", p.pid, o.pid, o.spec.Dir)
		}
		if o.prompted && o.thread == p.thread {
			w.fail("pid %d is started beside pid %d in thread %s", p.pid, o.pid, o.thread)
		}
	}
	runs, _ := w.state.OpenRuns(context.Background())
	i := slices.IndexFunc(runs, func(r state.Run) bool { return strings.HasSuffix(p.spec.RunDir, "/"+itoa(r.ID)) })
	if i < 0 {
		w.fail("pid %d is started for a run that nobody knows of: %s", p.pid, p.spec.RunDir)
		return
	}
	j, ok, _ := w.state.Job(context.Background(), runs[i].Job)
	if !ok || j.State != state.Running {
		w.fail("pid %d is started for job %d, which is %s", p.pid, j.ID, j.State)
	}
	// Whose review was pruned at once has to ask again, and is told of it then.
	if m := w.findKey(j.Channel, j.ReplyAs, j.Key); m != nil && m.ID > w.pruned {
		w.fail("pid %d is started for job %d, which #%d answers", p.pid, j.ID, m.ID)
	}
}

// meta is what an answer says of itself.
type meta struct {
	Packets  []int64 `json:"packets"`
	Log      string  `json:"log"`
	Terminal bool    `json:"terminal"`
	Verdict  string  `json:"verdict"`
	Class    string  `json:"class"`
}

// answer is a terminal message.
type answer struct {
	relay.Message
	meta meta
}

// findKey returns the message with a key in the log there is, nil for none.
func (w *world) findKey(channel, sender, key string) *relay.Message {
	for _, m := range w.said[w.log()] {
		if m.Target == channel && m.Sender == sender && m.Key == key {
			return &m
		}
	}
	return nil
}

func (w *world) answers(log *memory.Store) (out []answer) {
	for _, m := range w.said[log] {
		a := answer{Message: m}
		if len(m.Meta) > 0 && json.Unmarshal(m.Meta, &a.meta) != nil {
			w.fail("#%d has a meta that is none: %s", m.ID, m.Meta)
		}
		if m.Kind == relay.KindReview || a.meta.Terminal {
			out = append(out, a)
		}
	}
	return out
}

// audit holds the promise, when all is over. Who lost a log lost what nobody had
// read of it; all else is answered, once in the log that it was answered in. Only
// when that was lost as well, before anybody heard of the answer, it is said again
// in the next.
func (w *world) audit() {
	jobs, _ := w.state.Jobs(context.Background(), state.Queued, state.Waiting, state.Running, state.Answered, state.Done, state.Failed)
	said := make(map[string]int)
	for _, log := range w.logs {
		byKey := make(map[string]int)
		for _, a := range w.answers(log) {
			said[a.Key]++
			if byKey[a.Key]++; byKey[a.Key] > 1 {
				w.fail("#%d repeats the key of another answer", a.ID)
			}
			if !slices.ContainsFunc(jobs, func(j state.Job) bool { return j.Key == a.Key }) {
				w.fail("#%d answers no job", a.ID)
			}
		}
		for i, m := range w.said[log] {
			if m.ID != int64(i)+1 {
				w.fail("message %d has the id %d", i+1, m.ID)
			}
		}
	}
	for _, j := range jobs {
		ended := j.State == state.Done || j.State == state.Failed
		switch {
		case !ended && j.Schedule == "":
			w.fail("job %d is %s at the end", j.ID, j.State)
		case ended && said[j.Key] == 0:
			w.fail("job %d is %s and has no answer", j.ID, j.State)
		}
	}
	for _, watch := range w.cfg.Watches {
		for _, p := range w.packets {
			if p.channel == watch.Channel {
				w.auditPacket(watch.Name, p, jobs)
			}
		}
	}
	for _, p := range w.aliveProcesses() {
		w.fail("pid %d is left over", p.pid)
	}
}

// auditPacket: each job for a packet, of which there is one unless a person asked
// again, has one answer that names the packet.
func (w *world) auditPacket(watch string, p packet, jobs []state.Job) {
	owed, by := 0, make(map[string]bool)
	for _, j := range jobs {
		if j.Watch != watch || j.LogID != p.log || !slices.Contains(j.PacketIDs(), p.id) {
			continue
		}
		by[j.ReplyAs] = true
		if owed++; j.Generation != owed {
			w.fail("packet #%d: job %d has generation %d, want %d", p.id, j.ID, j.Generation, owed)
		}
	}
	if owed == 0 && p.log == w.logID() && p.id > w.pruned {
		w.fail("packet #%d has no job of watch %s", p.id, watch)
	}
	total := 0
	for _, log := range w.logs {
		got := 0
		for _, a := range w.answers(log) {
			if !by[a.Sender] || a.Target != p.channel || a.meta.Log != p.log || !slices.Contains(a.meta.Packets, p.id) {
				continue
			}
			got++
			w.auditAnswer(a, p)
		}
		if got > owed {
			w.fail("packet #%d has %d answers of watch %s in one log, want %d", p.id, got, watch, owed)
		}
		total += got
	}
	if total < owed || len(w.logs) == 1 && total != owed {
		w.fail("packet #%d has %d answers of watch %s, want %d", p.id, total, watch, owed)
	}
}

// auditAnswer: a review is of what it says it is of, and a notice says why.
func (w *world) auditAnswer(a answer, p packet) {
	if a.ReplyTo != 0 && !slices.Contains(a.meta.Packets, a.ReplyTo) {
		w.fail("#%d replies to #%d and answers %v", a.ID, a.ReplyTo, a.meta.Packets)
	}
	read := strings.Contains(a.Text, token.FindString(p.text))
	switch {
	case a.Kind == relay.KindReview && a.meta.Verdict == "approve" && !read:
		w.fail("#%d approves packet #%d, which its Codex has not read: %s", a.ID, p.id, strings.ReplaceAll(a.Text, "\n", " "))
	case a.Kind == relay.KindStatus && (a.meta.Class == "" || a.meta.Verdict != ""):
		w.fail("#%d is a notice with class %q and verdict %q", a.ID, a.meta.Class, a.meta.Verdict)
	}
}
