package codexrun

import (
	"bytes"
	"time"
)

// What the tests in package codexrun_test reach into.
var (
	TOMLValue    = tomlValue
	ParseRetry   = parseRetry
	ParseEvent   = parseEvent
	NativeBinary = nativeBinary
	VersionIn    = versionIn
	ReadLines    = readLines
	Strays       = strays
	StartTime    = startTime
	ErrorLine    = errorLine
)

// ErrLineTooLong is what readLines says of a line over its limit.
var ErrLineTooLong = errLineTooLong

// Ended is how a process ended, for ClassifyStream.
type Ended struct {
	Exit   int
	Signal string
	Stderr string
	Wall   bool
	Silent bool
	// Server and Must are of the spec's MCPServer.
	Server, Must string
}

// ClassifyStream is the class of a recorded event stream.
func ClassifyStream(stream []byte, end Ended, now time.Time) (class Class, text string, retryAt time.Time, final string) {
	r := Classify(stream, end, now)
	return r.Class, r.Text, r.RetryAt, r.Final
}

// Classify is the result of a recorded event stream.
func Classify(stream []byte, end Ended, now time.Time) Result {
	o := outcome{exit: end.Exit, signal: end.Signal, stderr: end.Stderr}
	o.record.server, o.record.must = end.Server, end.Must
	if end.Wall {
		o.stop = stopWall
	}
	if end.Silent {
		o.stop = stopSilent
	}
	_ = readLines(bytes.NewReader(stream), maxLine, func(line []byte) {
		if e, ok := parseEvent(line); ok {
			o.record.add(e)
		}
	})
	v := classify(o, now)
	return Result{Class: v.class, Text: v.text, RetryAt: v.retryAt, Final: o.record.final}
}
