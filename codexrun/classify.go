package codexrun

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// stop says why this package itself ended the process.
type stop int

const (
	notStopped  stop = iota
	stopWall         // Spec.Timeout
	stopSilent       // Spec.IdleTimeout
	stopContext      // ctx
	stopRefused      // an Observer's error
	stopLine         // a line over maxLine
	stopThread       // another thread than the one to resume
	stopLinger       // the turn was over and the process did not end
)

// outcome is all that decides a class.
type outcome struct {
	record record
	stop   stop
	cause  string // of stopContext and stopRefused
	exit   int    // exit code, -1 when ended by a signal
	signal string // name of it, "" for none
	stderr string // its end
}

// verdict is the class with the line that explains it.
type verdict struct {
	class   Class
	text    string
	retryAt time.Time
}

// classify decides by what we did ourselves, then by event types and the exit
// code, then by the message of the failure event, and last, for a process that
// ended before it had an event to send, by its standard error.
func classify(o outcome, now time.Time) verdict {
	r := o.record
	switch {
	case r.completed && (o.stop == stopLinger || o.exit == 0 && o.signal == ""):
		return classifyCompleted(r)
	case o.stop != notStopped && o.stop != stopLinger:
		return classifyStop(o)
	case r.failed != "":
		return classifyMessage(r.failed, now)
	case o.signal != "":
		return verdict{class: Killed, text: "codex was ended by signal " + o.signal}
	case o.exit != 0 && r.lastError != "" && !r.completed:
		return classifyMessage(r.lastError, now)
	}
	return classifyExit(o)
}

// classifyCompleted is for a turn that came to its end: only whether Codex let it
// do what it was there for is asked.
func classifyCompleted(r record) verdict {
	if r.called || r.denied == "" {
		return verdict{class: Completed}
	}
	return verdict{class: MCPDenied, text: oneLine(fmt.Sprintf("codex did not let the model call %s of %s: %s", r.must, r.server, r.denied))}
}

func classifyStop(o outcome) verdict {
	switch o.stop {
	case stopWall, stopSilent:
		if waitsForNetwork(o.record.retrying) {
			return verdict{class: Network, text: oneLine(o.record.retrying)}
		}
		if o.stop == stopWall {
			return verdict{class: TimeoutWall, text: "the run took longer than its timeout"}
		}
		return verdict{class: TimeoutSilent, text: "codex was silent for longer than its idle timeout"}
	case stopContext, stopRefused:
		return verdict{class: Killed, text: oneLine(o.cause)}
	case stopThread:
		return verdict{class: BadSession, text: "codex started another thread than the one to resume"}
	case stopLine:
		return verdict{class: Crashed, text: errLineTooLong.Error()}
	}
	return verdict{class: Crashed, text: "codex did not end"}
}

// waitsForNetwork tells the notice that Codex repeats for ever when it cannot
// reach the model service.
func waitsForNetwork(notice string) bool {
	return strings.Contains(strings.ToLower(notice), "waiting for network") ||
		strings.Contains(strings.ToLower(notice), "connection failed")
}

// classifyExit is for processes that ended without a failure event.
func classifyExit(o outcome) verdict {
	line := errorLine(o.stderr)
	switch o.exit {
	case 0:
		return verdict{class: Crashed, text: "codex ended without completing a turn"}
	case 1:
		if c := matchRule(startRules, o.stderr); c != "" && !o.record.turn {
			return verdict{class: c, text: line}
		}
		if o.record.turn {
			// A turn that ends like this was interrupted: SIGINT leaves exit
			// code 1 and no event.
			return verdict{class: Killed, text: orElse(line, "codex was interrupted")}
		}
	case 2:
		return verdict{class: BadConfig, text: orElse(line, "codex refused its arguments")}
	}
	return verdict{class: Crashed, text: orElse(line, fmt.Sprintf("codex ended with exit code %d", o.exit))}
}

// classifyMessage reads the message of turn.failed or of the last error.
func classifyMessage(message string, now time.Time) verdict {
	v := verdict{class: ModelError, text: oneLine(message)}
	code, isBody := bodyCode(message)
	switch {
	case isBody:
		// The service's answer as it came: only its code counts, what it says
		// may quote the conversation.
		if c, ok := bodyCodes[code]; ok {
			v.class = c
		}
	default:
		if c := matchRule(failureRules, message); c != "" {
			v.class = c
		}
	}
	if v.class == UsageLimit || v.class == RateLimited {
		v.retryAt, _ = parseRetry(message, now)
	}
	return v
}

// bodyCode reads a message that is an error body of the service.
func bodyCode(message string) (code string, isBody bool) {
	var body struct {
		Error struct {
			Type string `json:"type"`
			Code string `json:"code"`
		} `json:"error"`
	}
	if !strings.HasPrefix(strings.TrimSpace(message), "{") {
		return "", false
	}
	// A null or numeric code leaves the type to decide.
	_ = json.Unmarshal([]byte(message), &body)
	return orElse(body.Error.Code, body.Error.Type), true
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// oneLine is text without line ends, cut to a length that fits a log line.
func oneLine(text string) string {
	const most = 500
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
