package control

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"autoreview/codexrun"
	"autoreview/supervisor"
	"autoreview/supervisor/state"
)

// Metrics measure a supervisor for Prometheus. They are its supervisor.Meter;
// what is true at one moment is read when they are asked for.
type Metrics struct {
	registry *prometheus.Registry
	handoff  *prometheus.HistogramVec
	runs     *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	tokens   *prometheus.CounterVec
}

var _ supervisor.Meter = (*Metrics)(nil)

// NewMetrics returns Metrics that have measured nothing.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		handoff: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "autoreview_handoff_seconds", Help: "From the post of a packet to the start of the first Codex for it.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800},
		}, []string{"watch"}),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "autoreview_runs_total", Help: "Runs of Codex that ended, by how.",
		}, []string{"watch", "class"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "autoreview_run_seconds", Help: "How long runs of Codex took.",
			Buckets: []float64{1, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600},
		}, []string{"watch"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "autoreview_tokens_total", Help: "Tokens used. Cached input is part of the input, reasoning part of the output.",
		}, []string{"watch", "kind"}),
	}
	built := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "autoreview_build_info", Help: "Always 1; the label is the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	built.Set(1)
	m.registry.MustRegister(built, m.handoff, m.runs, m.seconds, m.tokens,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handed implements supervisor.Meter.
func (m *Metrics) Handed(watch string, after time.Duration) {
	m.handoff.WithLabelValues(watch).Observe(after.Seconds())
}

// Ran implements supervisor.Meter.
func (m *Metrics) Ran(watch string, class codexrun.Class, took time.Duration, used state.Usage) {
	m.runs.WithLabelValues(watch, string(class)).Inc()
	m.seconds.WithLabelValues(watch).Observe(took.Seconds())
	for kind, n := range map[string]int64{"input": used.Input, "cached": used.Cached, "output": used.Output, "reasoning": used.Reasoning} {
		m.tokens.WithLabelValues(watch, kind).Add(float64(n))
	}
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// watch adds what is read from a supervisor.
func (m *Metrics) watch(s *supervisor.Supervisor) {
	m.registry.MustRegister(standing{s}, quota{s})
}

// standing collects how a supervisor stands.
type standing struct{ s *supervisor.Supervisor }

var (
	jobsDesc = prometheus.NewDesc("autoreview_jobs", "Jobs by how they stand.", []string{"watch", "state"}, nil)
	upDesc   = prometheus.NewDesc("autoreview_watch_up", "1 while the watch hears of every packet.", []string{"watch"}, nil)
	offDesc  = prometheus.NewDesc("autoreview_watch_paused", "1 while a person keeps the watch from starting reviews.", []string{"watch"}, nil)
	heldDesc = prometheus.NewDesc("autoreview_watch_parked", "1 while the watch starts no reviews because they would fail, or cost too much.", []string{"watch"}, nil)
)

// Describe implements prometheus.Collector.
func (standing) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{jobsDesc, upDesc, offDesc, heldDesc} {
		c <- d
	}
}

// scrapeTime bounds how long the state may take to be read.
const scrapeTime = 5 * time.Second

// Collect implements prometheus.Collector.
func (st standing) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	status, err := st.s.View().Status(ctx, 0)
	if err != nil {
		c <- prometheus.NewInvalidMetric(jobsDesc, err)
		return
	}
	for _, w := range status.Watches {
		for state, n := range map[supervisor.JobState]int{
			supervisor.JobQueued: w.Queued, supervisor.JobWaiting: w.Waiting, supervisor.JobRunning: w.Running,
			supervisor.JobDone: w.Done, supervisor.JobFailed: w.Failed,
		} {
			gauge(c, jobsDesc, float64(n), w.Name, string(state))
		}
		gauge(c, upDesc, truth(w.State == supervisor.WatchWatching), w.Name)
		gauge(c, offDesc, truth(!w.Paused.IsZero()), w.Name)
		gauge(c, heldDesc, truth(w.Held != nil), w.Name)
	}
}

func gauge(c chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
