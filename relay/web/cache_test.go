package web

import (
	"strings"
	"testing"
)

// The cache forgets what was not asked for the longest, and only that.
func TestCacheIsBounded(t *testing.T) {
	c := newHTMLCache()
	text := strings.Repeat("x", 200<<10)
	show := func(id int64) {
		t.Helper()
		if _, err := c.render(t.Context(), messageKey{"log", id}, text); err != nil {
			t.Fatalf("render: %v", err)
		}
	}
	for id := int64(1); id <= 300; id++ {
		show(id)
		show(1) // in use all the time
	}
	if c.size > maxCachedBytes {
		t.Errorf("size: got %d, want at most %d", c.size, maxCachedBytes)
	}
	size := 0
	for _, e := range c.byKey {
		size += len(e.Value.(*cacheEntry).html.HTML)
	}
	if size != c.size || len(c.byKey) != c.order.Len() {
		t.Errorf("books: got %d bytes in %d entries, want %d in %d", c.size, len(c.byKey), size, c.order.Len())
	}
	for id, want := range map[int64]bool{1: true, 2: false, 300: true} {
		if _, got := c.get(messageKey{"log", id}); got != want {
			t.Errorf("message %d is kept: got %v, want %v", id, got, want)
		}
	}
	if _, got := c.get(messageKey{"another log", 1}); got {
		t.Error("a message of another log was found under the same id")
	}
}
