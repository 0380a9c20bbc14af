package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"autoreview/relay"
	"autoreview/relay/client"
)

// relayAnswer is what came of asking the relay who it is.
type relayAnswer struct {
	asked bool // false without a configuration
	info  relay.Info
	err   error
}

// up says whether a relay of ours answers and lets us in.
func (a relayAnswer) up() bool {
	return a.asked && a.err == nil && a.info.LogID != client.OriginalLog
}

// there says whether a relay answers, if only to say no.
func (a relayAnswer) there() bool {
	return a.asked && (a.err == nil || client.Denied(a.err))
}

func (s *snapshot) askRelay() relayAnswer {
	if !s.configured() {
		return relayAnswer{}
	}
	c := s.client(s.token())
	defer c.Close()
	info, err := c.Info(s.ctx)
	return relayAnswer{asked: true, info: info, err: err}
}

// checkRelay says whether a relay answers at the configured address.
func checkRelay(_ context.Context, s *snapshot) Result {
	a := s.relay()
	switch {
	case !a.asked:
		return nothing
	case a.err == nil && a.info.LogID == client.OriginalLog:
		return warn("the original Python server answers at "+s.cfg.Relay,
			"it has no cursors and no keys: it is polled, and a review can come twice after a crash", "docs/coming-from-python.md")
	case a.err == nil:
		r := ok("%s, log %s, newest message #%d", s.cfg.Relay, a.info.LogID, a.info.Head)
		r.Facts = map[string]string{"log_id": a.info.LogID, "head_id": fmt.Sprint(a.info.Head)}
		return r
	case client.Denied(a.err):
		return ok("%s answers, and does not let us in: see relay_token", s.cfg.Relay)
	case isNotRelay(a.err):
		return fail("something else answers at "+s.cfg.Relay, a.err.Error(), `another address: relay = "http://127.0.0.1:PORT" in the configuration, and relay --port PORT`)
	}
	return s.unreachable(a.err)
}

// isNotRelay says whether what answered is no relay.
func isNotRelay(err error) bool {
	if errors.Is(err, client.ErrNotRelay) {
		return true
	}
	status, is := errors.AsType[*client.StatusError](err)
	return is && status.Err == nil && status.Status < 500
}

func (s *snapshot) unreachable(err error) Result {
	detail := "no relay answers at " + s.cfg.Relay
	pid, running := s.runningSupervisor()
	switch {
	case running:
		return fail(detail, fmt.Sprintf("%v; a supervisor (pid %d) is running and waits for it", err, pid), "relay serve, or end that supervisor and start `autoreview up`")
	case isLocal(s.cfg.Relay):
		return warn(detail, err.Error(), "autoreview up, which also starts a relay; or relay serve")
	}
	return fail(detail, err.Error(), "start the relay there, or correct `relay` in the configuration")
}

// isLocal says whether `autoreview up` would host a relay at this address.
func isLocal(base string) bool {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

const (
	// skewWarn is more than what a second's resolution and a slow answer make.
	skewWarn = 5 * time.Second
	// skewFail is where times of reset and of certificates go wrong.
	skewFail = 10 * time.Minute
)

// checkClock compares the relay's clock with ours. Messages have its times, jobs
// have ours.
func checkClock(ctx context.Context, s *snapshot) Result {
	if !s.relay().there() {
		return nothing
	}
	before := s.Now()
	resp, err := s.get(ctx, "/healthz", "")
	if err != nil {
		return nothing // it answered just now; relay tells more
	}
	theirs, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return warn("the relay does not tell its time", "its answers have no Date header", "see whether a proxy stands before it")
	}
	// Date has whole seconds: on average it is half a second behind.
	skew := theirs.Add(500 * time.Millisecond).Sub(before.Add(s.Now().Sub(before) / 2))
	switch {
	case skew.Abs() > skewFail:
		return fail(clockWords(skew), "times of messages and of waiting are wrong by as much", "set the clock: timedatectl set-ntp true")
	case skew.Abs() > skewWarn:
		return warn(clockWords(skew), "times of messages and of waiting differ by as much", "set the clock: timedatectl set-ntp true")
	}
	return ok("the relay's clock and ours agree")
}

func clockWords(skew time.Duration) string {
	word := "ahead of"
	if skew < 0 {
		word = "behind"
	}
	return fmt.Sprintf("the relay's clock is %s %s ours", skew.Abs().Round(time.Second), word)
}

// checkStore asks whether a message posted now could be stored.
func checkStore(ctx context.Context, s *snapshot) Result {
	if !s.relay().up() {
		return nothing
	}
	c := s.client(s.token())
	defer c.Close()
	if err := c.Check(ctx); err != nil {
		return fail("the relay cannot store messages", err.Error(), "see its log for the reason: most often the disk is full or read-only")
	}
	return ok("the relay can store messages")
}

// get asks the relay for a path, without a body to read.
func (s *snapshot) get(ctx context.Context, path, token string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.cfg.Relay+path, nil)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	return resp, resp.Body.Close()
}
