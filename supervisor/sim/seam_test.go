package sim_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// errDead is what every effect of a life answers once it has died.
var errDead = errors.New("this life is over")

// kind is what an effect touches.
type kind int

const (
	kindState kind = iota
	kindWire
	kindCodex
)

// step is an effect that waits at its seam.
type step struct {
	life  *life
	kind  kind
	label string
	// write says that the effect changes something, done that it has happened and
	// its caller does not know yet.
	write, done bool
	effect      func() error
	release     chan verdict
	// left says that the caller has gone: the effect may still arrive.
	left bool
	// by is the goroutine that waits, origin, at its first step, where it was
	// started.
	by     uint64
	origin string
}

// verdict is what the scheduler decides about a step.
type verdict struct {
	dead bool
	// fail is the error of an effect that did not happen.
	fail error
	// hold stops the effect once more after it has happened, so that something can
	// come between it and its caller's knowing; lost is then what the caller hears.
	hold bool
	lost error
}

// do makes an effect, when the scheduler says so.
func (l *life) do(ctx context.Context, s step) error {
	w := l.w
	s.life, s.release = l, make(chan verdict, 1)
	v := w.park(ctx, &s)
	switch {
	case v.dead:
		return errDead
	case v.fail != nil:
		return v.fail
	}
	err := s.effect()
	if w.isDead(l) {
		return errDead
	}
	if v.hold {
		after := step{life: l, kind: s.kind, label: s.label + outcome(err), done: true, release: make(chan verdict, 1)}
		if a := w.park(context.WithoutCancel(ctx), &after); a.dead {
			return errDead
		}
	}
	if v.lost != nil {
		return v.lost
	}
	return err
}

func outcome(err error) string {
	if err == nil {
		return " ok"
	}
	return " err " + firstLine(err.Error())
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// goroutine is the number of the calling goroutine.
func goroutine() (id uint64) {
	var b [64]byte
	text := b[:runtime.Stack(b[:], false)]
	for _, c := range bytes.TrimPrefix(text, []byte("goroutine ")) {
		if c < '0' || c > '9' {
			break
		}
		id = 10*id + uint64(c-'0')
	}
	return id
}

// origin is where the calling goroutine was started.
func origin() string {
	b := make([]byte, 16<<10)
	_, by, _ := strings.Cut(string(b[:runtime.Stack(b, false)]), "created by ")
	by, _, _ = strings.Cut(by, " in goroutine")
	return by
}

// park waits at a seam. A request is given up when its context ends; whether it
// arrives all the same is for the scheduler to decide.
func (w *world) park(ctx context.Context, s *step) verdict {
	s.by = goroutine()
	w.mu.Lock()
	if s.life.dead {
		w.mu.Unlock()
		return verdict{dead: true}
	}
	if ctx.Err() != nil {
		w.mu.Unlock()
		return verdict{fail: context.Cause(ctx)}
	}
	if w.order[s.by] == 0 {
		s.origin = origin()
	}
	w.parked = append(w.parked, s)
	w.mu.Unlock()
	select {
	case v := <-s.release:
		return v
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case s.life.dead:
		return verdict{dead: true}
	case s.kind == kindWire && s.write && !s.done:
		s.left = true
	default:
		w.unparkLocked(s)
	}
	return verdict{fail: context.Cause(ctx)}
}

func (w *world) unparkLocked(s *step) {
	w.parked = slices.DeleteFunc(w.parked, func(o *step) bool { return o == s })
}

// let ends the wait of a step.
func (w *world) let(s *step, v verdict) {
	w.mu.Lock()
	w.unparkLocked(s)
	left := s.left
	w.mu.Unlock()
	if !left {
		s.release <- v
		return
	}
	// Nobody waits for it any more: it arrives late, or never.
	if v.fail == nil && !v.dead {
		w.note("late: %s%s", s.label, outcome(s.effect()))
	}
}

// steps are the waiting steps, in the order in which their goroutines came to
// their first one. Which of two that came in the same turn was first depends on
// the machine; but the one that started them did that in one order, and their
// numbers show it.
func (w *world) steps() []*step {
	w.mu.Lock()
	defer w.mu.Unlock()
	fresh := slices.DeleteFunc(slices.Clone(w.parked), func(s *step) bool { return w.order[s.by] > 0 })
	slices.SortFunc(fresh, func(a, b *step) int {
		return cmp.Or(strings.Compare(a.label, b.label), strings.Compare(a.origin, b.origin), cmp.Compare(a.by, b.by))
	})
	for _, s := range fresh {
		if w.order[s.by] == 0 {
			w.order[s.by] = len(w.order) + 1
		}
	}
	out := slices.Clone(w.parked)
	slices.SortStableFunc(out, func(a, b *step) int { return cmp.Compare(w.order[a.by], w.order[b.by]) })
	return out
}

func (s *step) name() string {
	return fmt.Sprintf("life %d: %s", s.life.n, s.label)
}

func (w *world) isDead(l *life) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return l.dead
}
