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
}

// ClassifyStream is the class of a recorded event stream.
func ClassifyStream(stream []byte, end Ended, now time.Time) (class Class, text string, retryAt time.Time, final string) {
	o := outcome{exit: end.Exit, signal: end.Signal, stderr: end.Stderr}
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
	return v.class, v.text, v.retryAt, o.record.final
}
