package server

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"autoreview/relay"
)

// meter measures a relay for Prometheus. It names no channel and no sender:
// whoever may look at it need not be one who may read.
type meter struct {
	registry *prometheus.Registry
	posts    *prometheus.CounterVec
	streams  prometheus.Gauge
	seconds  *prometheus.HistogramVec
	failures *prometheus.CounterVec
}

func newMeter(version string) *meter {
	m := &meter{
		registry: prometheus.NewRegistry(),
		posts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "relay_posts_total", Help: "Messages that were stored, by kind. A repeated key stores nothing.",
		}, []string{"kind"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "relay_streams", Help: "Event streams that are open.",
		}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "relay_store_seconds", Help: "How long the store took, by what it did.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"op"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "relay_store_errors_total", Help: "What the store refused or could not do.",
		}, []string{"op"}),
	}
	built := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "relay_build_info", Help: "Always 1; the label is the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	built.Set(1)
	m.registry.MustRegister(built, m.posts, m.streams, m.seconds, m.failures,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// waits adds how many readers wait in a log.
func (m *meter) waits(log *relay.Log) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "relay_waiting_readers", Help: "Readers that wait for a message: streams, long polls and calls of wait_for_messages.",
	}, func() float64 { return float64(log.Waiting()) }))
}

// posted counts a stored message and writes it down.
func (s *Server) posted(m relay.Message, source string) {
	s.meter.posts.WithLabelValues(cmp.Or(string(m.Kind), "none")).Inc()
	s.journal.posted(m, source)
	s.grow()
}

func (m *meter) took(op string, began time.Time, err error) {
	m.seconds.WithLabelValues(op).Observe(time.Since(began).Seconds())
	if err != nil {
		m.failures.WithLabelValues(op).Inc()
	}
}

// timed is a store whose appends and reads are measured.
type timed struct {
	relay.Store
	meter *meter
}

func (t timed) Append(ctx context.Context, d relay.Draft) (relay.Posted, error) {
	began := time.Now()
	p, err := t.Store.Append(ctx, d)
	t.meter.took("append", began, err)
	return p, err
}

func (t timed) Read(ctx context.Context, q relay.Query) (relay.Page, error) {
	began := time.Now()
	p, err := t.Store.Read(ctx, q)
	t.meter.took("read", began, err)
	return p, err
}

// measures adds the routes for those who measure.
func (s *Server) measures(mux *http.ServeMux) {
	mux.Handle("GET /metrics", local(promhttp.HandlerFor(s.meter.registry, promhttp.HandlerOpts{Registry: s.meter.registry})))
	if !s.config.Pprof {
		return
	}
	mux.Handle("GET /debug/pprof/", local(http.HandlerFunc(pprof.Index)))
	mux.Handle("GET /debug/pprof/cmdline", local(http.HandlerFunc(pprof.Cmdline)))
	mux.Handle("GET /debug/pprof/profile", local(http.HandlerFunc(pprof.Profile)))
	mux.Handle("GET /debug/pprof/symbol", local(http.HandlerFunc(pprof.Symbol)))
	mux.Handle("GET /debug/pprof/trace", local(http.HandlerFunc(pprof.Trace)))
}

// local lets in who has a token, which the guard has asked for, and where there
// are none who is on this machine.
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, token := relay.AccessFrom(r.Context())
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if !token && (err != nil || !loopback(host)) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"ok":false,"error":"only this machine may measure, or who has a token"}` + "\n"))
			return
		}
		next.ServeHTTP(w, r)
	})
}
