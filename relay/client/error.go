package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"autoreview/relay"
)

// ErrNotRelay says that something answered at the address which is no relay
// and not the original server either.
var ErrNotRelay = errors.New("what answers there is not a relay")

// UnreachableError says that no answer came, or not a whole one. What was asked
// for may have been done all the same.
type UnreachableError struct {
	BaseURL string
	Err     error
}

// Error names the address and the reason.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("asking the relay at %s: %v", e.BaseURL, e.Err)
}

// Unwrap returns the reason.
func (e *UnreachableError) Unwrap() error { return e.Err }

// StatusError is an answer with a status other than 2xx.
type StatusError struct {
	// Status is the HTTP status.
	Status int
	// Err is what the relay said about it, for every 4xx of a relay and for
	// its 503; nil otherwise. errors.As finds it.
	Err *relay.Error
}

// Error is the relay's text, or else the status.
func (e *StatusError) Error() string {
	if e.Err != nil {
		return e.Err.Text
	}
	return fmt.Sprintf("the relay answered %d %s", e.Status, http.StatusText(e.Status))
}

// Unwrap returns Err.
func (e *StatusError) Unwrap() error {
	if e.Err == nil {
		return nil
	}
	return e.Err
}

// Denied reports whether err is a relay's 401 or 403: the token is missing, wrong
// or does not allow the request, and repeating that will not help until it does.
func Denied(err error) bool {
	s, ok := errors.AsType[*StatusError](err)
	return ok && (s.Status == http.StatusUnauthorized || s.Status == http.StatusForbidden)
}

func (c *Client) notRelay() error {
	return fmt.Errorf("asking the relay at %s: %w", c.opts.BaseURL, ErrNotRelay)
}

// refusal is the error that an answer reports, nil for a 2xx. Only what says so
// in a relay's own words becomes a *relay.Error: a 404 of some other server
// must not pass for the relay's judgement of a draft.
func (c *Client) refusal(r answer) error {
	if r.status/100 == 2 {
		return nil
	}
	var a struct {
		OK    *bool  `json:"ok"`
		Error string `json:"error"`
		Field string `json:"field"`
	}
	err := &StatusError{Status: r.status}
	words := json.Unmarshal(r.body, &a) == nil && a.OK != nil && !*a.OK && a.Error != ""
	if words && (r.status < 500 || r.status == http.StatusServiceUnavailable) {
		err.Err = &relay.Error{Code: codeOf(r.status), Field: a.Field, Text: a.Error}
	}
	if !words {
		return fmt.Errorf("asking the relay at %s: %w", c.opts.BaseURL, err)
	}
	return err
}

func codeOf(status int) relay.Code {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return relay.CodeTooLarge
	case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusRequestTimeout:
		return relay.CodeUnavailable
	case http.StatusUnauthorized:
		return relay.CodeUnauthorized
	case http.StatusForbidden:
		return relay.CodeForbidden
	default:
		return relay.CodeInvalid
	}
}

func invalid(field, format string, args ...any) error {
	return &relay.Error{Code: relay.CodeInvalid, Field: field, Text: fmt.Sprintf(format, args...)}
}
