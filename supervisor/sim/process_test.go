package sim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"time"

	"autoreview/codexrun"
	"autoreview/relay/mcptools"
)

// process is a codex. It lives in the world, not in the life that started it:
// when that one dies, it goes on.
type process struct {
	w    *world
	pid  int
	life *life
	spec codexrun.Spec

	alive    bool
	prompted bool
	script   []act
	thread   string
	said     bool // thread.started is out
	final    string
	events   []event
	news     chan struct{} // holds one token
}

// act is one thing that a process does; it returns whether the process lives on.
type act struct {
	name string
	do   func(p *process) bool
}

// event is what comes out of a process: its thread, or how it ended.
type event struct {
	thread  string
	result  *codexrun.Result
	unknown bool
}

var errDeadline = errors.New("the run took longer than its timeout")

// spawn starts a process. What it will do is the scheduler's to choose, and its
// alone: it is the only one that runs now.
func (w *world) spawn(l *life, spec codexrun.Spec) *process {
	w.pids++
	p := &process{w: w, pid: w.pids, life: l, spec: spec, alive: true, news: make(chan struct{}, 1)}
	p.thread = spec.Resume
	if p.thread == "" {
		p.thread = fmt.Sprintf("thread-%d", p.pid)
	}
	w.checkSpawn(p)
	w.processes = append(w.processes, p)
	p.script = w.chooseScript(p)
	return p
}

func (w *world) process(pid int) *process {
	i := slices.IndexFunc(w.processes, func(p *process) bool { return p.pid == pid })
	if i < 0 {
		return nil
	}
	return w.processes[i]
}

func (w *world) aliveProcesses() []*process {
	var out []*process
	for _, p := range w.processes {
		if p.alive {
			out = append(out, p)
		}
	}
	return out
}

func (p *process) prompt() error {
	p.prompted = p.alive
	return nil
}

// steppable reports whether there is something that the process does by itself.
func (p *process) steppable() bool {
	return p.alive && (p.prompted && len(p.script) > 0 || !p.prompted && p.w.isDead(p.life))
}

// step lets a process do the next thing.
func (p *process) step() string {
	if !p.prompted {
		// Its standard input was closed by the death of who started it.
		p.alive = false
		return "ends: no prompt"
	}
	a := p.script[0]
	p.script = p.script[1:]
	if !a.do(p) {
		p.alive = false
	}
	return a.name
}

// die is kill -9.
func (p *process) die() {
	if p.alive {
		p.alive = false
		p.tell(event{result: &codexrun.Result{Class: codexrun.Killed, Text: "codex was ended by signal SIGKILL", Signal: "SIGKILL", ThreadID: p.thread}})
	}
}

func (p *process) tell(e event) {
	p.events = append(p.events, e)
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// next returns the next event of a process.
func (p *process) next(ctx context.Context, deadline <-chan time.Time) (event, error) {
	for {
		if len(p.events) > 0 {
			e := p.events[0]
			p.events = p.events[1:]
			return e, nil
		}
		if ctx.Err() != nil {
			return event{}, context.Cause(ctx)
		}
		select {
		case <-p.news:
		case <-ctx.Done():
		case <-deadline:
			p.w.fence()
			return event{}, errDeadline
		}
	}
}

func (p *process) ends(res codexrun.Result) bool {
	res.ThreadID, res.Final = p.thread, p.final
	if p.said {
		res.ThreadUsage = codexrun.Usage{InputTokens: 100, OutputTokens: 10}
	}
	p.tell(event{result: &res})
	return false
}

// The acts.

func actThread() act {
	return act{"thread", func(p *process) bool {
		p.said = true
		p.w.threads[p.thread] = append(p.w.threads[p.thread], token.FindAllString(p.spec.Prompt, -1)...)
		p.tell(event{thread: p.thread})
		return true
	}}
}

func actUnknownThread() act {
	return act{"unknown thread", func(p *process) bool {
		p.tell(event{result: &codexrun.Result{Class: codexrun.BadSession, Text: "no rollout found", ExitCode: 1}, unknown: true})
		return false
	}}
}

func actFinal(text string) act {
	return act{"final", func(p *process) bool {
		p.final = text
		return true
	}}
}

func actEnd(class codexrun.Class, text string, retryIn time.Duration) act {
	return act{"end " + string(class), func(p *process) bool {
		res := codexrun.Result{Class: class, Text: text}
		if retryIn > 0 {
			res.RetryAt = p.w.now().Add(retryIn)
		}
		p.w.record(class, res.RetryAt)
		return p.ends(res)
	}}
}

// record is what Codex takes down of the account.
func (w *world) record(class codexrun.Class, resets time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch class {
	case codexrun.UsageLimit:
		w.account = codexrun.Windows{Recorded: w.now(), Windows: []codexrun.Window{{UsedPercent: 100, Resets: resets}}}
	case codexrun.Completed:
		w.account = codexrun.Windows{Recorded: w.now(), Windows: []codexrun.Window{{UsedPercent: 50, Resets: w.now().Add(time.Hour)}}}
	}
}

func actHang() act { return act{"hangs", func(*process) bool { return true }} }

// actPost calls post_message of the relay's real MCP door.
func actPost(text string) act {
	return act{"posts", func(p *process) bool {
		s := p.w.server
		if s == nil || p.spec.MCP == nil {
			return true
		}
		body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": map[string]any{
			"name": "post_message", "arguments": map[string]any{"target": p.w.jobOf(p).Target, "sender": "codex", "text": text},
		}})
		if err != nil {
			panic(err)
		}
		r := httptest.NewRequest(http.MethodPost, "/mcp", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		r.Header.Set(mcptools.HeaderJob, p.w.jobHeader(p))
		rec := httptest.NewRecorder()
		mcptools.New(mcptools.Options{Log: s.log}).ServeHTTP(rec, r)
		p.w.note("  pid %d: post_message %d %s", p.pid, rec.Code, posted.FindString(rec.Body.String()))
		return true
	}}
}

var posted = regexp.MustCompile(`posted\\*":\d+|isError":true`)

const approval = `{"verdict":"approve","summary":"I read %s.","findings":[],"tests":[],"questions":[]}`

var token = regexp.MustCompile(`token-\d+-end`)

// chooseScript decides what a process will do.
func (w *world) chooseScript(p *process) []act {
	if _, known := w.threads[p.spec.Resume]; !known && p.spec.Resume != "" {
		return []act{actUnknownThread()}
	}
	mcp := p.spec.MCP != nil
	read := append(token.FindAllString(p.spec.Prompt, -1), w.threads[p.spec.Resume]...)
	slices.Sort(read)
	final := fmt.Sprintf(approval, strings.Join(slices.Compact(read), " "))
	good := []act{actThread(), actFinal(final), actEnd(codexrun.Completed, "", 0)}
	if mcp {
		good = []act{actThread(), actPost("review by pid " + fmt.Sprint(p.pid)), actFinal("posted"), actEnd(codexrun.Completed, "", 0)}
	}
	if w.calm || w.rng.Float64() > w.faults.codex {
		return good
	}
	failures := []func() []act{
		func() []act {
			return []act{actThread(), actFinal("no verdict at all"), actEnd(codexrun.Completed, "", 0)}
		},
		func() []act { return []act{actThread(), actHang()} },
		func() []act { return []act{actThread(), actEnd(codexrun.ContextFull, "no room", 0)} },
		func() []act { return []act{actEnd(codexrun.BadConfig, "bad config", 0)} },
		func() []act { return []act{actThread(), actEnd(codexrun.ModelError, "high demand", 0)} },
		func() []act {
			return []act{actThread(), actEnd(codexrun.UsageLimit, "usage limit", 90*time.Minute)}
		},
		func() []act { return []act{actThread(), actEnd(codexrun.RateLimited, "slow down", time.Minute)} },
		func() []act { return []act{actThread(), actEnd(codexrun.Auth, "log in", 0)} },
		func() []act { return []act{actThread(), actEnd(codexrun.Network, "no network", 0)} },
		func() []act { return []act{actThread(), actFinal(final), actEnd(codexrun.Crashed, "panic", 0)} },
	}
	if mcp {
		failures = append(failures,
			func() []act {
				return []act{actThread(), actPost("one"), actPost("two"), actFinal("posted"), actEnd(codexrun.Completed, "", 0)}
			},
			func() []act { return []act{actThread(), actPost("one"), actEnd(codexrun.Crashed, "panic", 0)} },
			func() []act { return []act{actThread(), actPost("one"), actHang()} },
			func() []act {
				return []act{actThread(), actFinal("I could not post"), actEnd(codexrun.Completed, "", 0)}
			},
			func() []act { return []act{actThread(), actFinal(""), actEnd(codexrun.MCPDown, "no relay", 0)} },
		)
	}
	return failures[w.rng.IntN(len(failures))]()
}

// jobHeader is the value of X-Relay-Job, from the environment of the run.
func (w *world) jobHeader(p *process) string {
	for _, kv := range p.spec.Env {
		if v, ok := strings.CutPrefix(kv, "AUTOREVIEW_JOB="); ok {
			return v
		}
	}
	return ""
}

// jobHeader is what the model reads of it.
type jobHeader struct {
	Target string `json:"target"`
}
