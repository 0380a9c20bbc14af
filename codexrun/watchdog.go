package codexrun

import "time"

// watchdog is a timer that fires when it was not reset for a while. With a span
// of 0 it never fires.
type watchdog struct {
	span  time.Duration
	timer *time.Timer
}

func newWatchdog(span time.Duration) *watchdog {
	w := &watchdog{span: span}
	if span > 0 {
		w.timer = time.NewTimer(span)
	}
	return w
}

func (w *watchdog) c() <-chan time.Time {
	if w.timer == nil {
		return nil
	}
	return w.timer.C
}

func (w *watchdog) reset() {
	if w.timer != nil {
		w.timer.Reset(w.span)
	}
}

// become starts the watchdog anew with another span.
func (w *watchdog) become(span time.Duration) {
	w.stop()
	w.span, w.timer = span, time.NewTimer(span)
}

func (w *watchdog) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// timerUntil fires at a deadline, never for the zero time.
func timerUntil(deadline time.Time) <-chan time.Time {
	if deadline.IsZero() {
		return nil
	}
	return time.After(time.Until(deadline))
}
