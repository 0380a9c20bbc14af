package web

import (
	"container/list"
	"context"
	"runtime"
	"sync"
)

// maxCachedBytes bounds the HTML that is kept.
const maxCachedBytes = 8 << 20

// htmlCache renders texts and keeps the HTML of the messages used last. Messages
// are immutable and ids are never reused, so nothing in it goes stale.
type htmlCache struct {
	// slots bound how many texts are rendered at a time: hostile ones must not
	// take the processors from the rest of the relay.
	slots chan struct{}

	mu sync.Mutex
	// guarded by mu
	size  int
	order *list.List                   // of *cacheEntry, the one used last in front
	byKey map[messageKey]*list.Element // :: message → its place in order
}

type messageKey struct {
	log string
	id  int64
}

type cacheEntry struct {
	key  messageKey
	html rendered
}

func newHTMLCache() *htmlCache {
	return &htmlCache{
		slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		order: list.New(),
		byKey: make(map[messageKey]*list.Element),
	}
}

// render returns the HTML of a message. The error is the cause of ctx when that
// ends before there is a slot.
func (c *htmlCache) render(ctx context.Context, key messageKey, text string) (rendered, error) {
	if html, ok := c.get(key); ok {
		return html, nil
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return rendered{}, context.Cause(ctx)
	}
	defer func() { <-c.slots }()
	// Another tab may have asked for the same message meanwhile.
	if html, ok := c.get(key); ok {
		return html, nil
	}
	html := render(text)
	c.put(key, html)
	return html, nil
}

func (c *htmlCache) get(key messageKey) (rendered, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return rendered{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cacheEntry).html, true
}

func (c *htmlCache) put(key messageKey, html rendered) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[key]; ok {
		return
	}
	c.byKey[key] = c.order.PushFront(&cacheEntry{key, html})
	c.size += len(html.HTML)
	for c.size > maxCachedBytes {
		last := c.order.Remove(c.order.Back()).(*cacheEntry)
		delete(c.byKey, last.key)
		c.size -= len(last.html.HTML)
	}
}
