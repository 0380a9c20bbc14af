//go:build linux

package soak_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program is one of the built programs while it runs.
type program struct {
	t       *testing.T
	name    string
	cmd     *exec.Cmd
	ended   chan struct{} // closed when it has ended
	metrics string        // the address
	http    http.Client
}

// start starts a program whose output goes to a file beside it.
func start(t *testing.T, log, metrics string, env []string, argv ...string) *program {
	t.Helper()
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close() // the program has its own
	p := &program{t: t, name: argv[0][strings.LastIndex(argv[0], "/")+1:], ended: make(chan struct{}), metrics: metrics}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = env, out, out
	p.http.Transport = &http.Transport{}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // its state says all
	}()
	t.Cleanup(func() {
		p.http.CloseIdleConnections()
		_ = p.cmd.Process.Kill() // after a stop there is nobody left
		<-p.ended
	})
	p.awaitMetrics()
	return p
}

// stop ends it in order.
func (p *program) stop() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			p.t.Errorf("%s: ended with %v, want 0", p.name, p.cmd.ProcessState)
		}
	case <-time.After(30 * time.Second):
		p.t.Errorf("%s did not end within 30 s of SIGTERM", p.name)
	}
}

func (p *program) awaitMetrics() {
	p.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(look) {
		_, err := p.scrape(p.t.Context())
		if err == nil {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("%s: no metrics: %v", p.name, err)
		}
	}
}

// standing is what a program takes at one moment.
type standing struct {
	rss               int64
	files, goroutines int
	samples           samples
}

// look reads it; it is fatal when the program does not answer.
func (p *program) look() standing {
	p.t.Helper()
	all, err := p.scrape(p.t.Context())
	if err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	return standing{residentBytes(p.t, p.cmd.Process.Pid), len(files), int(all.sum("go_goroutines")), all}
}

// atRest waits until the program holds the same for a while.
func (p *program) atRest() standing {
	p.t.Helper()
	var last standing
	var since time.Time
	for end := time.Now().Add(restTime); time.Now().Before(end); time.Sleep(10 * look) {
		if s := p.look(); s.files != last.files || s.goroutines != last.goroutines {
			last, since = s, time.Now()
		}
		if time.Since(since) >= calm {
			return last
		}
	}
	p.t.Fatalf("%s: never at rest within %s", p.name, restTime)
	return last
}

// back waits until the program holds no more than before.
func (p *program) back(before standing) (now standing) {
	p.t.Helper()
	for end := time.Now().Add(restTime); ; time.Sleep(10 * look) {
		now = p.look()
		if now.files <= before.files && now.goroutines <= before.goroutines {
			return now
		}
		if time.Now().After(end) {
			p.t.Errorf("%s: got %d files and %d goroutines at rest, want no more than %d and %d as early on",
				p.name, now.files, now.goroutines, before.files, before.goroutines)
			return now
		}
	}
}

// samples are what a program measures: a line of its metrics → the value.
type samples map[string]float64

func (p *program) scrape(ctx context.Context) (samples, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.metrics, nil)
	if err != nil {
		return nil, err
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking for metrics: got %s", resp.Status)
	}
	all := make(samples)
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, ok := cutLast(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); ok && err == nil && !strings.HasPrefix(name, "#") {
			all[name] = n
		}
	}
	return all, lines.Err()
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// sum adds a metric up over its labels.
func (s samples) sum(name string) (sum float64) {
	for line, v := range s {
		if metric, _, _ := strings.Cut(line, "{"); metric == name {
			sum += v
		}
	}
	return sum
}

// buckets are the counts of a histogram, by the upper bound, over its labels.
func (s samples) buckets(name string) map[float64]float64 {
	out := make(map[float64]float64)
	for line, v := range s {
		metric, labels, _ := strings.Cut(line, "{")
		_, le, ok := strings.Cut(labels, `le="`)
		le, _, _ = strings.Cut(le, `"`)
		if bound, err := strconv.ParseFloat(le, 64); ok && err == nil && metric == name+"_bucket" {
			out[bound] += v
		}
	}
	return out
}

// freeAddr is an address below the ports that systems give to outgoing
// connections.
func freeAddr(t *testing.T) string {
	t.Helper()
	for port := 16000 + os.Getpid()%1000; port < 18000; port++ {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			addr := ln.Addr().String()
			_ = ln.Close()
			return addr
		}
	}
	t.Fatal("found no free port")
	return ""
}
