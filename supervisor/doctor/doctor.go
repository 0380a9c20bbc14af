// Package doctor finds out why reviews do not happen on a machine. Examine looks
// at everything the loop needs, from Codex's login to the relay's clock, and
// says of each thing what it saw, what is wrong and how to put it right; Repair
// does the repairs that cannot do harm; Prove sends a packet with a planted bug
// through the whole loop and times each hop.
//
// A check is a func from a snapshot of the environment to a Result. Checks run
// at the same time, each with a time limit, and only look: nothing is changed,
// no model is asked and no file is written but by Repair and Prove.
package doctor

import (
	"fmt"
	"strings"
)

// Status is what a check came to.
type Status string

// The closed set of statuses.
const (
	OK   Status = "ok"
	Warn Status = "warn" // the loop works, or may, and not as well as it could
	Fail Status = "fail" // reviews do not happen, or not safely
)

// Result is what one check saw.
type Result struct {
	// Name is the check's, the same in every version.
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Detail is what was seen, in one line.
	Detail string `json:"detail"`
	// Cause is why that is not right, Fix what to do. Both are "" for OK; Cause
	// may have several lines. Neither ever holds a secret.
	Cause string `json:"cause"`
	Fix   string `json:"fix"`
	// Fixed is what Repair did about it, "" for nothing.
	Fixed string `json:"fixed,omitempty"`
	// Facts are further things seen, by name.
	Facts map[string]string `json:"facts,omitempty"`
	// Hops are the times of Prove.
	Hops []Hop `json:"hops,omitempty"`

	repair func() (string, error) // nil when there is none that is safe
}

// Report is what an examination came to.
type Report struct {
	// Results are in the order of Names.
	Results []Result
	// LeftOut names the checks that had nothing to look at, most often because
	// another check failed.
	LeftOut []string
}

// Failed says whether any check failed.
func (r Report) Failed() bool { return r.count(Fail) > 0 }

func (r Report) count(s Status) (n int) {
	for _, res := range r.Results {
		if res.Status == s {
			n++
		}
	}
	return n
}

// nothing is what a check returns that has nothing to look at.
var nothing = Result{}

func ok(format string, args ...any) Result {
	return Result{Status: OK, Detail: fmt.Sprintf(format, args...)}
}

func warn(detail, cause, fix string) Result {
	return Result{Status: Warn, Detail: detail, Cause: cause, Fix: fix}
}

func fail(detail, cause, fix string) Result {
	return Result{Status: Fail, Detail: detail, Cause: cause, Fix: fix}
}

// worst is one result for several: the parts that are not ok, or what was
// seen when all are.
func worst(seen string, parts ...Result) Result {
	out := Result{Status: OK, Detail: seen}
	var details, causes, fixes []string
	for _, p := range parts {
		if p.Status == "" || p.Status == OK {
			continue
		}
		if p.Status == Fail || out.Status == OK {
			out.Status = p.Status
		}
		details, causes, fixes = appendNew(details, p.Detail), appendNew(causes, p.Cause), appendNew(fixes, p.Fix)
		if p.repair != nil {
			out.repair = both(out.repair, p.repair)
		}
	}
	if len(details) > 0 {
		out.Detail = strings.Join(details, "; ")
		out.Cause, out.Fix = strings.Join(causes, "\n"), strings.Join(fixes, "; ")
	}
	return out
}

func appendNew(list []string, s string) []string {
	for _, old := range list {
		if old == s {
			return list
		}
	}
	return append(list, s)
}

// both is two repairs as one.
func both(a, b func() (string, error)) func() (string, error) {
	if a == nil {
		return b
	}
	return func() (string, error) {
		did, err := a()
		if err != nil {
			return did, err
		}
		more, err := b()
		return strings.Trim(did+"; "+more, "; "), err
	}
}
