package server_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"autoreview/relay"
	"autoreview/relay/config"
	"autoreview/relay/relaytest"
	"autoreview/relay/server"
)

// metric is the value of a series, as Prometheus reads it.
func metric(t *testing.T, url, series string) string {
	t.Helper()
	status, _, body := get(t, url+"/metrics")
	if status != http.StatusOK {
		t.Fatalf("GET /metrics: got %d %s", status, body)
	}
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("there is no %s among\n%s", series, body)
	}
	return m[1]
}

func TestMetrics(t *testing.T) {
	r := relaytest.Start(t)
	first := r.Post("proj-x", "claude", "one")
	for range 2 { // the second is a duplicate, and nothing is stored
		if _, err := r.Client().Post(t.Context(), relay.Draft{Target: "proj-x", Sender: "codex", Text: "two", Kind: relay.KindReview, ReplyTo: first.ID, Key: "k"}); err != nil {
			t.Fatal(err)
		}
	}
	for series, want := range map[string]string{
		`relay_posts_total{kind="none"}`:                    "1",
		`relay_posts_total{kind="review"}`:                  "1",
		`relay_store_seconds_count{op="append"}`:            "3",
		`relay_store_seconds_bucket{op="append",le="+Inf"}`: "3",
		`relay_streams`:         "0",
		`relay_waiting_readers`: "0",
	} {
		if got := metric(t, r.URL, series); got != want {
			t.Errorf("%s: got %s, want %s", series, got, want)
		}
	}
	_, _, body := get(t, r.URL+"/metrics")
	for _, secret := range []string{"proj-x", "claude", "codex"} {
		if strings.Contains(body, secret) {
			t.Errorf("metrics name %q", secret)
		}
	}
}

// Names, units and help are as Prometheus has them everywhere.
func TestMetricsLint(t *testing.T) {
	r := relaytest.Start(t)
	r.Post("proj-x", "claude", "one")
	_, _, body := get(t, r.URL+"/metrics")
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetricsCountStreams(t *testing.T) {
	r := relaytest.Start(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL+"/api/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
		t.Fatalf("stream: got %q, %v, want it to begin", line, err)
	}
	if got := metric(t, r.URL, "relay_streams"); got != "1" {
		t.Errorf("relay_streams: got %s, want 1", got)
	}
}

// Profiles are there only when they are asked for.
func TestProfiles(t *testing.T) {
	r := relaytest.Start(t)
	if status, _, _ := get(t, r.URL+"/debug/pprof/"); status != http.StatusNotFound {
		t.Errorf("without pprof: got %d, want 404", status)
	}
	r = relaytest.Start(t, func(c *config.Config) { c.Pprof = true })
	if status, _, body := get(t, r.URL+"/debug/pprof/"); status != http.StatusOK || !strings.Contains(body, "goroutine") {
		t.Errorf("with pprof: got %d %q, want the list of profiles", status, body)
	}
	if status, _, _ := get(t, r.URL+"/metrics", "Host", "evil.example"); status != http.StatusMisdirectedRequest {
		t.Errorf("metrics by another name: got %d, want the guard to refuse", status)
	}
}

func TestMetricsWantATokenWhereThereAreTokens(t *testing.T) {
	l := lock(t)
	for who, want := range map[string]int{"none": http.StatusUnauthorized, "wrong": http.StatusUnauthorized, "reader": http.StatusOK} {
		if got, _ := l.send(who, http.MethodGet, "/metrics", ""); got != want {
			t.Errorf("%s: got %d, want %d", who, got, want)
		}
	}
}

// Where there are no tokens, other machines may not measure.
func TestMetricsStayOnThisMachine(t *testing.T) {
	h := server.Local(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	for from, want := range map[string]int{"127.0.0.1:5": http.StatusOK, "[::1]:5": http.StatusOK, "192.0.2.7:5": http.StatusForbidden, "": http.StatusForbidden} {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("from %q: got %d, want %d", from, w.Code, want)
		}
		if r = r.WithContext(relay.WithAccess(r.Context(), relay.Access{Name: "any"})); from == "192.0.2.7:5" {
			w = httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != http.StatusOK {
				t.Errorf("from %q with a token: got %d, want 200", from, w.Code)
			}
		}
	}
}
