package codexrun

import "sync"

// maxStderr is how much of the end of standard error is kept.
const maxStderr = 16 << 10

// tail is a writer that keeps the last max bytes.
type tail struct {
	max int

	mu sync.Mutex
	// guarded by mu
	buf []byte
}

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if n > t.max {
		p = p[n-t.max:]
	}
	if over := len(t.buf) + len(p) - t.max; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	t.buf = append(t.buf, p...)
	return n, nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
