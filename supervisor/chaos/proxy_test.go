//go:build unix

package chaos_test

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// weather is what the proxy does to connections.
type weather int

const (
	fair   weather = iota
	refuse         // every connection is reset, old and new
	cut            // every connection is reset after some more bytes of an answer
	cutAsk         // the same with bytes of a request
	delay          // each chunk is late
	drip           // answers come in a few bytes at a time
	stall          // nothing passes
)

// proxy stands between the supervisor (and Codex, and who posts) and the relay.
type proxy struct {
	ln     net.Listener
	target string
	wg     sync.WaitGroup

	accepted, severed atomic.Int64

	mu sync.Mutex
	// guarded by mu
	rng   *rand.Rand
	now   weather
	until time.Time
	open  map[net.Conn]bool
	ended bool
}

func newProxy(t *testing.T, target string, rng *rand.Rand) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, target: target, rng: rng, open: make(map[net.Conn]bool)}
	p.wg.Go(p.serve)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) url() string { return "http://" + p.ln.Addr().String() }

// turn makes the weather for a while.
func (p *proxy) turn(to weather, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now, p.until = to, time.Now().Add(d)
	if to == refuse {
		for c := range p.open {
			p.severLocked(c)
		}
	}
}

func (p *proxy) weather() weather {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().After(p.until) {
		return fair
	}
	return p.now
}

// severLocked ends a connection, and counts it when it is a client's.
func (p *proxy) severLocked(c net.Conn) {
	reset(c)
	if c.LocalAddr().String() == p.ln.Addr().String() {
		p.severed.Add(1)
	}
}

// reset ends a connection without a word, as a crashed machine does.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func (p *proxy) sever(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.severLocked(c)
}

func (p *proxy) close() {
	_ = p.ln.Close()
	p.mu.Lock()
	p.ended = true
	for c := range p.open {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

func (p *proxy) serve() {
	for {
		c, err := p.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		p.accepted.Add(1)
		p.wg.Go(func() { p.carry(c) })
	}
}

// carry joins a connection to the relay until either side ends.
func (p *proxy) carry(c net.Conn) {
	if !p.enter(c) {
		return
	}
	defer p.leave(c)
	if p.weather() == refuse {
		p.sever(c)
		return
	}
	r, err := net.Dial("tcp", p.target)
	if err != nil || !p.enter(r) {
		p.sever(c) // a relay that is down refuses
		return
	}
	defer p.leave(r)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		p.pass(r, c, cutAsk)
	}()
	p.pass(c, r, cut)
	<-asked
}

func (p *proxy) enter(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		_ = c.Close()
		return false
	}
	p.open[c] = true
	return true
}

func (p *proxy) leave(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	_ = c.Close()
}

// pass copies one direction and ends both connections when it ends. The weather
// named scissors is the one that cuts this direction.
func (p *proxy) pass(to, from net.Conn, scissors weather) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 4096)
	left := -1 // bytes until it is cut, once it is to be
	for {
		n, err := from.Read(buf)
		data := buf[:n]
		if p.weather() == scissors && left < 0 {
			left = p.number(400)
		}
		if left >= 0 && left <= n {
			_, _ = to.Write(data[:left])
			p.sever(to)
			p.sever(from)
			return
		}
		left = max(left-n, -1)
		if p.write(to, data, scissors == cut) != nil || err != nil {
			return
		}
	}
}

func (p *proxy) write(to net.Conn, data []byte, answer bool) error {
	for p.weather() == stall {
		time.Sleep(5 * time.Millisecond)
	}
	if p.weather() == delay {
		time.Sleep(time.Duration(20+p.number(180)) * time.Millisecond)
	}
	for len(data) > 0 {
		n := len(data)
		if answer && p.weather() == drip {
			n = min(n, 1+p.number(24))
			time.Sleep(time.Duration(1+p.number(3)) * time.Millisecond)
		}
		if _, err := to.Write(data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

func (p *proxy) number(below int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rng.IntN(below)
}
