package codexrun_test

import (
	"math"
	"testing"
	"time"
	"unicode/utf8"

	"autoreview/codexrun"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
)

func TestTOMLValues(t *testing.T) {
	tests := []struct {
		value any
		want  string
	}{
		{"plain", `"plain"`},
		{"quote \" back \\ line\n tab\t bell\a nul\x00 del\x7f ü", `"quote \" back \\ line\n tab\t bell\u0007 nul\u0000 del\u007F ü"`},
		{"not utf-8 \xff", "\"not utf-8 \ufffd\""},
		{true, "true"},
		{int64(-7), "-7"},
		{uint8(7), "7"},
		{1.0, "1.0"},
		{1e30, "1e+30"},
		{math.Inf(-1), "-inf"},
		{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "2026-01-02T03:04:05Z"},
		{[]any{1, "a", []string{"b"}}, `[1,"a",["b"]]`},
		{map[string]any{"b": 1, "a b": map[string]string{}, "a.c": false}, `{"a b"={},"a.c"=false,b=1}`},
		{map[string]any{"": 1}, `{""=1}`},
	}
	for _, tt := range tests {
		got, err := codexrun.TOMLValue(tt.value)
		if err != nil || got != tt.want {
			t.Errorf("TOMLValue(%v): got %s, %v, want %s", tt.value, got, err, tt.want)
		}
		if err := toml.Unmarshal([]byte("v = "+got), &map[string]any{}); err != nil {
			t.Errorf("TOMLValue(%v): got %s, which is no TOML: %v", tt.value, got, err)
		}
	}
}

func TestTOMLRefusesWhatItCannotHold(t *testing.T) {
	for _, value := range []any{nil, struct{}{}, make(chan int), []any{nil}, map[int]any{1: 1}, uint64(math.MaxUint64)} {
		if got, err := codexrun.TOMLValue(value); err == nil {
			t.Errorf("TOMLValue(%T): got %s, want an error", value, got)
		}
	}
}

// FuzzTOMLString: every string comes back as it was from a TOML reader.
func FuzzTOMLString(f *testing.F) {
	f.Add("key", "value \" \\ \n\r\u0085")
	f.Fuzz(func(t *testing.T, key, value string) {
		want := map[string]any{"v": map[string]any{key: []any{value}}}
		text, err := codexrun.TOMLValue(want["v"])
		if err != nil {
			t.Fatalf("TOMLValue: %v", err)
		}
		got := map[string]any{}
		if err := toml.Unmarshal([]byte("v = "+text), &got); err != nil {
			t.Fatalf("%s is no TOML: %v", text, err)
		}
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return // those cannot come back as they were
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("read back (-want +got):\n%s", diff)
		}
	})
}
