package codextest

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// newThreadID is a random UUID in the form of Codex's.
func newThreadID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (f *fake) threadFile(id string) string { return filepath.Join(f.dir, "threads", id) }

func (f *fake) known(id string) bool {
	if f.dir == "" {
		return true
	}
	_, err := os.Stat(f.threadFile(id))
	return err == nil
}

// remember makes the thread known, adds turns to it and returns how many it
// has: Codex counts usage over the whole thread.
func (f *fake) remember(add int) int {
	if f.dir == "" {
		return max(add, 1)
	}
	turns := f.turns(f.thread)
	if turns == 0 && f.args.fork != "" {
		turns = f.turns(f.args.fork)
	}
	turns += add
	file := f.threadFile(f.thread)
	_ = os.MkdirAll(filepath.Dir(file), 0o700)
	_ = os.WriteFile(file, []byte(strconv.Itoa(turns)), 0o600) // a failure shows as an unknown thread
	return turns
}

func (f *fake) turns(id string) int {
	data, err := os.ReadFile(f.threadFile(id))
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(string(data)) // only remember writes it
	return n
}
