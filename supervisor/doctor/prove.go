package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"autoreview/codexrun"
	"autoreview/codexrun/scripted"
	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state/sqlite"
)

// Channel is where the packets of proofs go, and their reviews. They stay there.
const Channel = "autoreview-doctor"

// ProveOptions are what a proof works with. Environment is required.
type ProveOptions struct {
	Environment Environment
	// Offline has the real Codex ask a scripted model instead of the user's.
	Offline bool
	// Host opens a relay of the proof's own with its data in dir; nil means that
	// the configured relay has to answer.
	Host func(ctx context.Context, dir string) (url string, stop func(), err error)
	// Timeout bounds the proof; 0 is the time-out of the first watch.
	Timeout time.Duration
	// Logger gets what the supervisor of the proof says; nil is silent.
	Logger *slog.Logger
}

// Prove posts a packet with a planted bug and has it reviewed by a supervisor of
// its own, with the settings of the first watch, the real Codex and the relay of
// the configuration or, where that does not answer, one of its own. It ends when
// the review was read back the way Claude Code reads it, or when Codex failed.
// Everything it made is removed, but for the messages in Channel.
func Prove(ctx context.Context, o ProveOptions) Result {
	p := &proof{o: o}
	r, err := p.run(ctx)
	if err != nil {
		r = p.failed(err)
	}
	r.Name, r.Hops, r.Facts = "proof", p.times.hops(), p.facts
	return r
}

// proof is one proof in the making.
type proof struct {
	o     ProveOptions
	dir   string // of everything it makes
	cfg   config.Config
	env   []string // of each run
	token string
	times times
	facts map[string]string
	ended chan codexrun.Result // gets how the first run ended
}

func (p *proof) run(ctx context.Context) (r Result, err error) {
	if p.dir, err = os.MkdirTemp("", "autoreview-proof-"); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(p.dir)) }()
	// A path without links: Codex names the folder by its real one.
	if p.dir, err = filepath.EvalSymlinks(p.dir); err != nil {
		return r, err
	}
	if err := p.configure(); err != nil {
		return r, err
	}
	packet, err := writeCanary(ctx, p.cfg.Watches[0].Workdir)
	if err != nil {
		return r, fmt.Errorf("making the scratch repository: %w", err)
	}
	stopModel, err := p.chooseModel()
	if err != nil {
		return r, err
	}
	defer stopModel()
	ctx, cancel := context.WithTimeoutCause(ctx, p.timeout(), errSlow)
	defer cancel()
	stopRelay, err := p.chooseRelay(ctx)
	if err != nil {
		return r, err
	}
	defer stopRelay()
	review, err := p.loop(ctx, packet)
	if err != nil {
		return r, err
	}
	return p.judge(review), nil
}

var errSlow = errors.New("the time for the proof is over")

func (p *proof) timeout() time.Duration {
	if p.o.Timeout > 0 {
		return p.o.Timeout
	}
	return p.cfg.Watches[0].Timeout
}

// configure makes the configuration of the proof: the user's, with one watch
// that has a channel, a sender, a folder and a state of its own.
func (p *proof) configure() error {
	cfg, _, err := config.Load(p.o.Environment.ConfigPath, p.o.Environment.Getenv)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	if len(cfg.Watches) == 0 {
		return errors.New("the configuration has no watch to take the settings from")
	}
	w := cfg.Watches[0]
	w.Name, w.Channel, w.Senders = "proof", Channel, []string{newCanary()}
	w.Workdir = filepath.Join(p.dir, "repository")
	w.Session, w.Coalesce = config.Session{Mode: config.SessionFresh}, 0
	w.Start = config.Start{Mode: config.StartLatest}
	w.Isolate, w.Limits, w.Retry = false, config.Limits{}, nil
	if !slices.Contains(w.ExtraArgs, "--ephemeral") {
		// Without a record the proof leaves no thread behind.
		w.ExtraArgs = append(slices.Clone(w.ExtraArgs), "--ephemeral")
	}
	cfg.Watches, cfg.Schedules, cfg.StateDir = []config.Watch{w}, nil, filepath.Join(p.dir, "state")
	cfg.LastFile, cfg.MetricsAddr, cfg.Limits, cfg.Grace = "", "", config.Limits{}, 0
	p.cfg = cfg
	if cfg.TokenEnv != "" {
		p.token = p.o.Environment.Getenv(cfg.TokenEnv)
	}
	p.facts = map[string]string{"deliver": string(w.Deliver), "sandbox": w.Sandbox, "channel": Channel}
	return nil
}

// chooseModel starts the scripted model and leads Codex to it, when that was
// asked for.
func (p *proof) chooseModel() (stop func(), err error) {
	p.facts["model"] = "yours"
	if !p.o.Offline {
		return func() {}, nil
	}
	m, err := scripted.NewModel(canaryScript)
	if err != nil {
		return nil, err
	}
	home := filepath.Join(p.dir, "codex-home")
	if err = os.MkdirAll(home, 0o700); err == nil {
		p.env, err = scripted.WriteHome(home, m)
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	// What is only known to the user's own configuration is left out with it.
	w := &p.cfg.Watches[0]
	w.Model, w.Profile, w.CodexConfig, w.Plugins = "", "", nil, false
	p.facts["model"] = "scripted"
	return m.Close, nil
}

// chooseRelay takes the configured relay when it answers and lets the canary
// in, and opens one otherwise.
func (p *proof) chooseRelay(ctx context.Context) (stop func(), err error) {
	c := p.client()
	defer c.Close()
	err = p.greet(ctx, c)
	if err == nil {
		p.facts["relay"] = p.cfg.Relay
		return func() {}, nil
	}
	if p.o.Host == nil {
		return nil, fmt.Errorf("asking the relay: %w", err)
	}
	url, stop, hostErr := p.o.Host(ctx, filepath.Join(p.dir, "relay"))
	if hostErr != nil {
		return nil, fmt.Errorf("the relay does not answer (%w), and one for the proof cannot be opened: %w", err, hostErr)
	}
	p.facts["relay"] = fmt.Sprintf("one of its own, as the configured one cannot be used: %v", err)
	p.cfg.Relay, p.cfg.TokenEnv, p.token = url, "", ""
	return stop, nil
}

// greet posts a note as the canary, which is also how the channel begins.
func (p *proof) greet(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	info, err := c.Info(ctx)
	if err == nil && info.LogID == client.OriginalLog {
		return errors.New("it is the original Python server")
	}
	w := p.cfg.Watches[0]
	_, err = c.Post(ctx, relay.Draft{Target: Channel, Sender: w.Senders[0], Kind: relay.KindNote, Text: "A proof begins: a packet with a planted bug follows."})
	return err
}

func (p *proof) client() *client.Client {
	return client.New(client.Options{
		BaseURL: p.cfg.Relay, Token: p.token, UserAgent: "autoreview-doctor/" + p.o.Environment.Version,
		PollInterval: time.Second,
	})
}

// loop runs a supervisor, posts the packet and reads its review.
func (p *proof) loop(ctx context.Context, packet string) (relay.Message, error) {
	st, err := sqlite.Open(ctx, filepath.Join(p.cfg.StateDir, "state.db"))
	if err != nil {
		return relay.Message{}, err
	}
	defer st.Close()
	c := p.client()
	defer c.Close()
	p.ended = make(chan codexrun.Result, 1)
	watching := &tappedRelay{Client: c, times: &p.times, ready: make(chan struct{}), reviewed: make(chan struct{})}
	s, err := supervisor.New(supervisor.Options{
		Config: p.cfg, Relay: watching, State: st, Logger: p.o.Logger,
		Codex: &tappedCodex{times: &p.times, env: p.env, ended: p.ended},
	})
	if err != nil {
		return relay.Message{}, err
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.Run(running) }()
	defer func() {
		stop()
		<-done
	}()
	select {
	case <-watching.ready:
	case err := <-done:
		done <- err
		return relay.Message{}, fmt.Errorf("the supervisor ended: %w", err)
	case <-ctx.Done():
		return relay.Message{}, context.Cause(ctx)
	}
	m, err := p.converse(ctx, c, packet)
	if err == nil && p.cfg.Watches[0].Deliver == config.DeliverSupervisor {
		// A reader may be told of the review before its poster has the answer.
		select {
		case <-watching.reviewed:
		case <-ctx.Done():
		}
	}
	return m, err
}

// converse posts the packet and reads until its review is there or Codex has
// failed.
func (p *proof) converse(ctx context.Context, c *client.Client, packet string) (relay.Message, error) {
	w := p.cfg.Watches[0]
	p.times.begin()
	posted, err := c.Post(ctx, relay.Draft{Target: Channel, Sender: w.Senders[0], Kind: relay.KindPacket, Text: packet})
	if err != nil {
		return relay.Message{}, fmt.Errorf("posting the packet: %w", err)
	}
	p.times.mark(hopPosted)
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	type got struct {
		review relay.Message
		err    error
	}
	arrived := make(chan got, 1)
	go func() {
		m, err := p.receive(reading, posted.ID)
		arrived <- got{m, err}
	}()
	for {
		select {
		case g := <-arrived:
			if g.err == nil {
				p.times.mark(hopDelivered)
			}
			return g.review, g.err
		case res := <-p.ended:
			if res.Class != codexrun.Completed {
				cancel()
				<-arrived
				return relay.Message{}, &codexError{res}
			}
		}
	}
}

// receive waits for the review as Claude Code does: with the relay's tool, from
// the packet on.
func (p *proof) receive(ctx context.Context, packet int64) (relay.Message, error) {
	mcp := &mcpClient{url: p.cfg.Relay + "/mcp", token: p.token}
	for since := packet; ; {
		var page struct {
			Messages []relay.Message `json:"messages"`
			LatestID int64           `json:"latest_id"`
		}
		err := mcp.tool(ctx, "wait_for_messages", map[string]any{
			"target": Channel, "since_id": since, "sender": p.cfg.Watches[0].ReplyAs, "timeout_seconds": 50,
		}, &page)
		if ctx.Err() != nil {
			return relay.Message{}, context.Cause(ctx)
		}
		if err != nil {
			return relay.Message{}, fmt.Errorf("reading the review by wait_for_messages: %w", err)
		}
		for _, m := range page.Messages {
			if m.ReplyTo == packet && m.Kind == relay.KindReview {
				return m, nil
			}
		}
		since = max(since, page.LatestID)
	}
}

// codexError is a run that failed.
type codexError struct{ res codexrun.Result }

// Error is the reason and the class.
func (e *codexError) Error() string { return fmt.Sprintf("%s (%s)", e.res.Text, e.res.Class) }
