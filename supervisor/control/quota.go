package control

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"autoreview/codexrun"
	"autoreview/supervisor"
)

// quota collects how much may still be spent: of the account, by what Codex has
// recorded, and of the limits of the configuration. Each look costs the same,
// however many sessions and runs there have been before the last days.
type quota struct{ s *supervisor.Supervisor }

var (
	windowDesc = prometheus.NewDesc("autoreview_codex_window_used_ratio",
		"How much of the account's window is used, by what Codex recorded last. Missing when nothing is recorded, or the window is over since.", []string{"window"}, nil)
	resetDesc = prometheus.NewDesc("autoreview_codex_window_reset_timestamp_seconds",
		"When the account's window is over, by what Codex recorded last.", []string{"window"}, nil)
	recordDesc = prometheus.NewDesc("autoreview_codex_windows_recorded_timestamp_seconds",
		"When Codex recorded the account's windows last.", nil, nil)
	limitDesc = prometheus.NewDesc("autoreview_limit",
		"How much may be spent in the last hour or day. Without a watch it is over all watches.", []string{"watch", "limit"}, nil)
	limitUsedDesc = prometheus.NewDesc("autoreview_limit_used",
		"How much of the limit is used. It may be passed by a run that was begun before.", []string{"watch", "limit"}, nil)
)

// Describe implements prometheus.Collector.
func (quota) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{windowDesc, resetDesc, recordDesc, limitDesc, limitUsedDesc} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (q quota) Collect(c chan<- prometheus.Metric) {
	if w, ok := q.s.Account(); ok {
		collectWindows(c, w, time.Now())
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	uses, err := q.s.LimitUses(ctx)
	if err != nil {
		c <- prometheus.NewInvalidMetric(limitUsedDesc, err)
		return
	}
	for _, u := range uses {
		gauge(c, limitDesc, float64(u.Most), u.Watch, u.Limit)
		gauge(c, limitUsedDesc, float64(u.Used), u.Watch, u.Limit)
	}
}

func collectWindows(c chan<- prometheus.Metric, w codexrun.Windows, now time.Time) {
	gauge(c, recordDesc, seconds(w.Recorded))
	named := make(map[string]bool)
	for i, v := range w.Windows {
		name := windowName(v.Span)
		if name == "" || named[name] {
			name = fmt.Sprint("window ", i+1)
		}
		named[name] = true
		if !v.Resets.IsZero() {
			gauge(c, resetDesc, seconds(v.Resets), name)
		}
		// What is used of the window after it is not recorded yet.
		if v.Resets.IsZero() || v.Resets.After(now) {
			gauge(c, windowDesc, v.UsedPercent/100, name)
		}
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// windowName is a window's length, as people call it; "" when it is not known.
// Codex has recorded 299 minutes for five hours.
func windowName(d time.Duration) string {
	const day = 24 * time.Hour
	if h := d.Round(time.Hour); (d - h).Abs() <= 2*time.Minute {
		d = h
	}
	switch {
	case d <= 0:
		return ""
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}
