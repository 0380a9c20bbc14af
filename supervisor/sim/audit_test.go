package sim_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"autoreview/relay"
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
	for _, watch := range w.cfg.Watches {
		if m := w.findKey(j.Channel, watch.ReplyAs, j.Key); watch.Name == j.Watch && m != nil {
			w.fail("pid %d is started for job %d, which #%d answers", p.pid, j.ID, m.ID)
		}
	}
}

// meta is what an answer says of itself.
type meta struct {
	Packets  []int64 `json:"packets"`
	Terminal bool    `json:"terminal"`
	Verdict  string  `json:"verdict"`
	Class    string  `json:"class"`
	Schedule string  `json:"schedule"`
	Findings []any   `json:"findings"`
}

// answer is a terminal message.
type answer struct {
	relay.Message
	meta meta
}

func (w *world) messages() []relay.Message {
	p, _ := w.store.Read(context.Background(), relay.Query{Limit: 1 << 20})
	return p.Messages
}

func (w *world) findKey(channel, sender, key string) *relay.Message {
	for _, m := range w.messages() {
		if m.Target == channel && m.Sender == sender && m.Key == key {
			return &m
		}
	}
	return nil
}

func (w *world) answers() (out []answer) {
	for _, m := range w.messages() {
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

// audit holds the promise, when all is over.
func (w *world) audit() {
	answers := w.answers()
	jobs, _ := w.state.Jobs(context.Background(), state.Queued, state.Waiting, state.Running, state.Answered, state.Done, state.Failed)
	for _, watch := range w.cfg.Watches {
		for _, p := range w.packets {
			if p.channel == watch.Channel {
				w.auditPacket(watch.Name, watch.ReplyAs, p, jobs, answers)
			}
		}
	}
	byKey := make(map[string]int)
	for _, a := range answers {
		if byKey[a.Key]++; byKey[a.Key] > 1 {
			w.fail("#%d repeats the key %q", a.ID, a.Key)
		}
		if !slices.ContainsFunc(jobs, func(j state.Job) bool { return j.Key == a.Key }) {
			w.fail("#%d answers no job", a.ID)
		}
	}
	for _, j := range jobs {
		if j.State != state.Done && j.State != state.Failed && j.Schedule == "" {
			w.fail("job %d is %s at the end", j.ID, j.State)
		}
		if ended := j.State == state.Done || j.State == state.Failed; ended && byKey[j.Key] != 1 {
			w.fail("job %d is %s and has %d answers", j.ID, j.State, byKey[j.Key])
		}
	}
	for i, m := range w.messages() {
		if m.ID != int64(i)+1 {
			w.fail("message %d has the id %d", i+1, m.ID)
		}
	}
	for _, p := range w.aliveProcesses() {
		w.fail("pid %d is left over", p.pid)
	}
}

// auditPacket: each job for a packet, of which there is one unless a person asked
// again, has one answer that names the packet.
func (w *world) auditPacket(watch, replyAs string, p packet, jobs []state.Job, answers []answer) {
	owed := 0
	for _, j := range jobs {
		if j.Watch != watch || !slices.Contains(j.PacketIDs(), p.id) {
			continue
		}
		if owed++; j.Generation != owed {
			w.fail("packet #%d: job %d has generation %d, want %d", p.id, j.ID, j.Generation, owed)
		}
	}
	if owed == 0 {
		w.fail("packet #%d has no job of watch %s", p.id, watch)
	}
	got := 0
	for _, a := range answers {
		if a.Sender != replyAs || a.Target != p.channel || !slices.Contains(a.meta.Packets, p.id) {
			continue
		}
		got++
		w.auditAnswer(a, p)
	}
	if got != owed {
		w.fail("packet #%d has %d answers by %s, want %d", p.id, got, replyAs, owed)
	}
}

// auditAnswer: a review is of what it says it is of, and a notice says why.
func (w *world) auditAnswer(a answer, p packet) {
	read := strings.Contains(a.Text, token.FindString(p.text))
	switch {
	case a.Kind == relay.KindReview && a.meta.Verdict == "approve" && !read:
		w.fail("#%d approves packet #%d, which its Codex has not read", a.ID, p.id)
	case a.Kind == relay.KindStatus && (a.meta.Class == "" || a.meta.Verdict != ""):
		w.fail("#%d is a notice with class %q and verdict %q", a.ID, a.meta.Class, a.meta.Verdict)
	}
}
