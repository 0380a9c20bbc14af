package doctor_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"autoreview/supervisor/doctor"
)

func response(kind, body string) *http.Response {
	return &http.Response{Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body))}
}

func TestDecodeResult(t *testing.T) {
	const stream = "text/event-stream"
	tests := []struct {
		name, kind, body, want, fails string
	}{
		{"json", "application/json", `{"jsonrpc":"2.0","id":7,"result":{"a":"b"}}`, "b", ""},
		{"an event after progress", stream, "event: message\ndata: {\"method\":\"notifications/progress\"}\n\n: beat\n\nevent: message\ndata: {\"id\":7,\"result\":{\"a\":\"b\"}}\n\n", "b", ""},
		{"an event without a last newline", stream, `data: {"id":7,"result":{"a":"b"}}`, "b", ""},
		{"another's answer", stream, "data: {\"id\":8,\"result\":{\"a\":\"b\"}}\n\n", "", "ended without an answer"},
		{"an error", "application/json", `{"id":7,"error":{"message":"no such tool"}}`, "", "no such tool"},
		{"a page", "text/html", "<html>", "", "not JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out struct {
				A string `json:"a"`
			}
			err := doctor.DecodeResult(response(tt.kind, tt.body), 7, &out)
			if tt.fails == "" && (err != nil || out.A != tt.want) {
				t.Errorf("got %q, %v, want %q", out.A, err, tt.want)
			}
			if tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)) {
				t.Errorf("got %v, want an error with %q", err, tt.fails)
			}
		})
	}
}

// Whatever a server sends, it is an answer or an error.
func FuzzDecodeResult(f *testing.F) {
	f.Add("application/json", `{"id":1,"result":{}}`)
	f.Add("text/event-stream", "data: {\"id\":1,\"result\":[]}\n\n")
	f.Add("text/event-stream", "data: {\"id\":1}\n")
	f.Fuzz(func(t *testing.T, kind, body string) {
		var out map[string]any
		if err := doctor.DecodeResult(response(kind, body), 1, &out); err == nil && !strings.Contains(body, "{") {
			t.Errorf("took %q for an answer: %v", body, out)
		}
	})
}
