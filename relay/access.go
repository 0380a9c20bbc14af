package relay

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Access is what the maker of a request may do. It travels in the request's
// context and a Log asks it in every verb, so that no door can forget to. A
// context without an Access may do everything: the relay's own process, and
// every request while tokens are off.
type Access struct {
	// Name says whose access it is, for logs and limits.
	Name string
	// Senders are who may be posted as; none means anybody.
	Senders []string
	// Channels are what may be read and posted to; none means every channel.
	Channels []string
	// ReadOnly takes away posting.
	ReadOnly bool
	// Ended, if not nil, reports whether the access has been taken back since.
	// It is asked in every verb, also while a Wait goes on: a stream that was
	// opened before brings nothing any more. It must not block.
	Ended func() bool
}

type accessKey struct{}

// WithAccess returns a context whose requests may do only what a says.
func WithAccess(ctx context.Context, a Access) context.Context {
	return context.WithValue(ctx, accessKey{}, a)
}

// AccessFrom returns the Access of a context; ok is false when it has none and
// may do everything.
func AccessFrom(ctx context.Context) (a Access, ok bool) {
	a, ok = ctx.Value(accessKey{}).(Access)
	return a, ok
}

// Reads reports whether a channel may be read.
func (a Access) Reads(channel string) bool {
	return len(a.Channels) == 0 || slices.Contains(a.Channels, channel)
}

// Readable returns the channels that the context may read, of those given.
func Readable(ctx context.Context, channels []string) []string {
	a, _ := AccessFrom(ctx)
	return slices.DeleteFunc(slices.Clone(channels), func(name string) bool { return !a.Reads(strings.TrimSpace(name)) })
}

// mayPost checks a draft whose names have been cleaned.
func mayPost(ctx context.Context, d Draft) error {
	a, err := liveAccess(ctx)
	switch {
	case err != nil:
		return err
	case a.ReadOnly:
		return forbidden("", "the token %s may only read", a.quoted())
	case len(a.Senders) > 0 && !slices.Contains(a.Senders, d.Sender):
		return forbidden("sender", "the token %s may not post as %q, only as %s", a.quoted(), d.Sender, oneOf(a.Senders))
	case !a.Reads(d.Target):
		return forbidden("target", "the token %s may not use channel %q, only %s", a.quoted(), d.Target, oneOf(a.Channels))
	}
	return nil
}

// mayRead returns q limited to what may be read: a query of all channels
// becomes one of the channels that are allowed.
func mayRead(ctx context.Context, q Query) (Query, error) {
	a, err := liveAccess(ctx)
	if err != nil {
		return q, err
	}
	if len(q.Targets) == 0 {
		q.Targets = a.Channels
		return q, nil
	}
	for _, target := range q.Targets {
		if !a.Reads(target) {
			return q, forbidden("target", "the token %s may not use channel %q, only %s", a.quoted(), target, oneOf(a.Channels))
		}
	}
	return q, nil
}

// liveAccess returns the context's access unless it was taken back.
func liveAccess(ctx context.Context) (Access, error) {
	a, _ := AccessFrom(ctx)
	if a.Ended != nil && a.Ended() {
		return a, &Error{Code: CodeUnauthorized, Text: fmt.Sprintf("the token %s was revoked or has expired", a.quoted())}
	}
	return a, nil
}

func (a Access) quoted() string { return fmt.Sprintf("%q", a.Name) }

func oneOf(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(quoted, " or ")
}
