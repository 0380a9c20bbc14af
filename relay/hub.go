package relay

import "sync"

// hub wakes waiting readers. It is a level trigger: it carries no messages, it
// only says "look again", so a slow reader is late and never misses one, and
// there is no buffer to size. The zero hub is ready to use.
type hub struct {
	mu sync.Mutex
	// waiters by channel, and those of every channel; guarded by mu.
	byTarget map[string]map[*waiter]struct{} // :: channel → its waiters
	all      map[*waiter]struct{}
	waiting  int
}

type waiter struct {
	targets []string
	woken   chan struct{} // holds at most one token
}

// register must come before the reader's first Read: what is committed after
// that Read then leaves a token.
func (h *hub) register(targets []string) *waiter {
	w := &waiter{targets: targets, woken: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting++
	if len(targets) == 0 {
		if h.all == nil {
			h.all = make(map[*waiter]struct{})
		}
		h.all[w] = struct{}{}
		return w
	}
	if h.byTarget == nil {
		h.byTarget = make(map[string]map[*waiter]struct{})
	}
	for _, t := range targets {
		if h.byTarget[t] == nil {
			h.byTarget[t] = make(map[*waiter]struct{})
		}
		h.byTarget[t][w] = struct{}{}
	}
	return w
}

func (h *hub) unregister(w *waiter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting--
	delete(h.all, w)
	for _, t := range w.targets {
		delete(h.byTarget[t], w)
		if len(h.byTarget[t]) == 0 {
			delete(h.byTarget, t)
		}
	}
}

func (h *hub) wake(target string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.byTarget[target] {
		w.wake()
	}
	for w := range h.all {
		w.wake()
	}
}

// Waiting returns how many Waits there are at this moment.
func (l *Log) Waiting() int {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	return l.hub.waiting
}

func (w *waiter) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}
