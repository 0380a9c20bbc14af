//go:build linux

package soak_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"
)

// held is what this process holds and could forget to give back.
type held struct{ goroutines, files, children int }

// holding reads it; children are those that are not reaped as well.
func holding() held {
	files, _ := os.ReadDir("/proc/self/fd")
	return held{runtime.NumGoroutine(), len(files), len(children(os.Getpid()))}
}

// children are the processes whose parent is pid, each with its name and state.
func children(pid int) (out []string) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		stat, err := os.ReadFile(file)
		end := bytes.LastIndexByte(stat, ')')
		if err != nil || end < 0 {
			continue // it has ended meanwhile
		}
		// After the name come the state and the parent, see proc_pid_stat(5).
		if f := strings.Fields(string(stat[end+1:])); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			out = append(out, string(stat[:end+1])+" "+f[0])
		}
	}
	return out
}

// marked are the processes whose environment has a variable, whoever is their
// parent.
func marked(variable string) (out []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		if env, err := os.ReadFile(file); err == nil && bytes.Contains(env, []byte(variable+"\x00")) {
			out = append(out, filepath.Base(filepath.Dir(file)))
		}
	}
	return out
}

// size is how much memory this process takes: Go's heap after a collection, and
// what the system has given it.
type size struct{ heap, rss int64 }

func measure(t *testing.T) size {
	t.Helper()
	runtime.GC()
	runtime.GC() // what finalizers and pools held on to
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return size{int64(m.HeapAlloc), residentBytes(t, os.Getpid())}
}

// residentBytes is the resident memory of a process.
func residentBytes(t *testing.T, pid int) int64 {
	t.Helper()
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	var total, resident int64
	if err == nil {
		_, err = fmt.Sscan(string(statm), &total, &resident)
	}
	if err != nil {
		t.Fatalf("reading the memory of process %d: %v", pid, err)
	}
	return resident * int64(os.Getpagesize())
}

func (s size) String() string { return fmt.Sprintf("heap %d KiB, rss %s", s.heap>>10, mib(s.rss)) }

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

const (
	look = 20 * time.Millisecond
	// calm is for how long nothing may change for a process to be at rest.
	calm = time.Second
	// restTime bounds how long that may take.
	restTime = 90 * time.Second
)

// atRest waits until this process holds the same for a while. relax drops what
// may be held for later use, such as idle connections.
func atRest(t *testing.T, relax func()) held {
	t.Helper()
	var last held
	var since time.Time
	for end := time.Now().Add(restTime); time.Now().Before(end); time.Sleep(look) {
		relax()
		if h := holding(); h != last || since.IsZero() {
			last, since = h, time.Now()
		}
		if time.Since(since) >= calm {
			return last
		}
	}
	t.Fatalf("never at rest within %s, last with %+v", restTime, last)
	return held{}
}

// back waits until this process holds exactly what it held before.
func back(t *testing.T, before held, relax func()) {
	t.Helper()
	for end := time.Now().Add(restTime); ; time.Sleep(look) {
		relax()
		now := holding()
		if now == before {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("left behind: got %+v, want %+v as before\n%s", now, before, inventory())
		}
	}
}

// inventory lists what is held, for who looks for a leak.
func inventory() string {
	var b strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
	files, _ := filepath.Glob("/proc/self/fd/*")
	for _, file := range files {
		to, _ := os.Readlink(file)
		fmt.Fprintf(&b, "file %s: %s\n", filepath.Base(file), to)
	}
	for _, c := range children(os.Getpid()) {
		fmt.Fprintf(&b, "child %s\n", c)
	}
	return b.String()
}
