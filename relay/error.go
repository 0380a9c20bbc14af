package relay

import "fmt"

// Code classifies an Error. Doors map it to their own status.
type Code string

// The closed set of codes.
const (
	CodeInvalid     Code = "invalid"     // the caller's input is wrong
	CodeTooLarge    Code = "too_large"   // a limit on size was passed
	CodeUnavailable Code = "unavailable" // the log cannot take it now: it is closing or its disk is full

	CodeUnauthorized Code = "unauthorized" // who asks is not known, or not any more
	CodeForbidden    Code = "forbidden"    // who asks may not do this
)

// Error is a failure that the caller can understand and act on. Its text is
// written for the client and is safe to show; any other error is internal and
// must only be logged.
type Error struct {
	Code Code
	// Field is the wire name of the field at fault, "" when there is none.
	Field string
	Text  string
}

// Error returns Text.
func (e *Error) Error() string { return e.Text }

func invalid(field, format string, args ...any) *Error {
	return &Error{Code: CodeInvalid, Field: field, Text: fmt.Sprintf(format, args...)}
}

func tooLarge(field, format string, args ...any) *Error {
	return &Error{Code: CodeTooLarge, Field: field, Text: fmt.Sprintf(format, args...)}
}

func forbidden(field, format string, args ...any) *Error {
	return &Error{Code: CodeForbidden, Field: field, Text: fmt.Sprintf(format, args...)}
}

// UnknownReply is the error of a Store for a draft whose ReplyTo was never a
// message of its channel.
func UnknownReply(d Draft) *Error {
	return invalid("reply_to", "reply_to %d is not a message of channel %q", d.ReplyTo, d.Target)
}
