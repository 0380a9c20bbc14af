// Command testreport runs `go test` on the packages it is given and ends with
// one table of everything that was skipped and why. The race detector is on
// where there is a C compiler; where there is none it says so. It prints the
// output of tests that fail, and a line for each package.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"text/tabwriter"
)

// event is one line of `go test -json`.
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

type report struct {
	output  map[string][]string // :: package/test → its output
	skipped []string            // lines of the table
	passed  int
	failed  []string
}

func main() {
	args := []string{"test", "-json", "-timeout", "20m"}
	if race() {
		args = append(args, "-race")
	} else {
		fmt.Fprintln(os.Stderr, "testreport: NO RACE DETECTOR: there is no C compiler (cgo) on this machine")
	}
	os.Exit(run(append(args, os.Args[1:]...)))
}

// race reports whether the race detector can be built, which takes cgo.
func race() bool {
	cc, err := exec.Command("go", "env", "CC").Output()
	if err != nil {
		return false
	}
	_, err = exec.LookPath(strings.TrimSpace(string(cc)))
	return err == nil
}

func run(args []string) int {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if !contains(args, "-race") {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		return 1
	}
	r := report{output: make(map[string][]string)}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Println(lines.Text()) // the compiler's words
			continue
		}
		r.take(e)
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "testreport: reading the results:", err)
	}
	err = cmd.Wait()
	r.close()
	if err != nil || len(r.failed) > 0 {
		return 1
	}
	return 0
}

func contains(args []string, s string) bool {
	for _, a := range args {
		if a == s {
			return true
		}
	}
	return false
}

func (r *report) take(e event) {
	key := e.Package + "/" + e.Test
	switch e.Action {
	case "output", "build-output":
		if e.Test == "" {
			r.packageLine(e)
			return
		}
		r.output[key] = append(r.output[key], e.Output)
	case "pass":
		if e.Test != "" {
			r.passed++
		}
		delete(r.output, key)
	case "skip":
		if e.Test != "" {
			r.skipped = append(r.skipped, fmt.Sprintf("%s\t%s\t%s", e.Package, e.Test, reason(r.output[key])))
		}
		delete(r.output, key)
	case "fail":
		if e.Test != "" {
			r.failed = append(r.failed, key)
			fmt.Print(strings.Join(r.output[key], ""))
		}
		delete(r.output, key)
	}
}

// packageLine prints what go test says of a package as a whole.
func (r *report) packageLine(e event) {
	if s := strings.TrimSpace(e.Output); s != "" && s != "PASS" && !strings.Contains(s, "[no test files]") {
		fmt.Print(e.Output)
	}
}

// reason is what a test said when it was skipped.
func reason(output []string) string {
	for i := len(output) - 1; i >= 0; i-- {
		s := strings.TrimSpace(output[i])
		if s == "" || strings.HasPrefix(s, "---") || strings.HasPrefix(s, "===") {
			continue
		}
		if _, after, ok := strings.Cut(s, "_test.go:"); ok {
			_, s, _ = strings.Cut(after, ": ")
		}
		return s
	}
	return "no reason given"
}

func (r *report) close() {
	if len(r.skipped) > 0 {
		fmt.Println("\nSKIPPED")
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		for _, line := range r.skipped {
			fmt.Fprintln(w, line)
		}
		w.Flush()
	}
	for _, key := range r.failed {
		fmt.Println("FAILED", key)
	}
	fmt.Printf("\n%d passed, %d failed, %d skipped\n", r.passed, len(r.failed), len(r.skipped))
}
