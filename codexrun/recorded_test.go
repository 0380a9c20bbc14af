package codexrun_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/codexrun/codextest"
)

// recording is how one run of the real binary went.
type recording struct {
	End            end
	stdout, stderr string
}

// end is the .json of a recording.
type end struct {
	Exit   int    `json:"exit"`
	Signal string `json:"signal,omitempty"`
	// Silent says that it was ended for its silence.
	Silent bool `json:"silent,omitempty"`
	// Opens is when the service said that the limit is over, Recorded when.
	Recorded time.Time `json:"recorded,omitzero"`
	Opens    time.Time `json:"opens,omitzero"`
}

func readRecording(t *testing.T, path string) (r recording) {
	t.Helper()
	facts, err := os.ReadFile(path + ".json")
	if err != nil {
		t.Fatalf("%v (TestRecordStreams makes it)", err)
	}
	if err := json.Unmarshal(facts, &r.End); err != nil {
		t.Fatal(err)
	}
	for ext, text := range map[string]*string{".jsonl": &r.stdout, ".stderr": &r.stderr} {
		data, err := os.ReadFile(path + ext)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		*text = string(data)
	}
	return r
}

// TestClassOfEveryVersionsStreams: each way for a run to end has its class, by
// what each supported version writes when it ends like that.
func TestClassOfEveryVersionsStreams(t *testing.T) {
	for _, version := range recordedVersions {
		for _, r := range rows {
			t.Run(version+"/"+r.name, func(t *testing.T) {
				rec := readRecording(t, filepath.Join("testdata", "recorded", version, r.name))
				now := noon
				if !rec.End.Recorded.IsZero() {
					now = rec.End.Recorded
				}
				got := codexrun.Classify([]byte(rec.stdout), codexrun.Ended{
					Exit: rec.End.Exit, Signal: rec.End.Signal, Stderr: rec.stderr, Silent: rec.End.Silent,
					Server: "autoreview_relay", Must: "post_message",
				}, now)
				want := r.class
				if r.old != "" && !(codexrun.Binary{Version: version}).AtLeast(0, 150) {
					want = r.old
				}
				if got.Class != want {
					t.Errorf("class: got %s (%s), want %s", got.Class, got.Text, want)
				}
				if (got.Text == "") != (want == codexrun.Completed) || strings.Contains(got.Text, "\n") {
					t.Errorf("text of %s: got %q, want one line unless it completed", got.Class, got.Text)
				}
				checkOpens(t, got, rec.End)
			})
		}
	}
}

// checkOpens: the time that the service named is read back, to the minute that it
// is cut to.
func checkOpens(t *testing.T, got codexrun.Result, e end) {
	t.Helper()
	if e.Opens.IsZero() {
		if !got.RetryAt.IsZero() {
			t.Errorf("retry at: got %v, want none", got.RetryAt)
		}
		return
	}
	if off := e.Opens.Sub(got.RetryAt); off < -time.Second || off >= time.Minute {
		t.Errorf("retry at: got %v, want %v (%s)", got.RetryAt, e.Opens, got.Text)
	}
}

// TestRecordingsAreOfTheTestedVersions: the versions that .ci/compat tests with,
// and the pinned one, are those whose streams are recorded, and no recording is
// left over.
func TestRecordingsAreOfTheTestedVersions(t *testing.T) {
	script, err := os.ReadFile(filepath.Join("..", ".ci", "compat"))
	if err != nil {
		t.Fatal(err)
	}
	want := append(compatVersions(string(script)), codextest.PinnedVersion())
	if !slices.Equal(recordedVersions, want) {
		t.Errorf("recorded versions: got %v, want those of .ci/compat and the pinned one: %v", recordedVersions, want)
	}
	if recordedVersions[0] != codexrun.MinVersion || recordedVersions[len(recordedVersions)-1] != codexrun.NewestVersion {
		t.Errorf("recorded versions: got %v, want them from %s to %s", recordedVersions, codexrun.MinVersion, codexrun.NewestVersion)
	}
	checkDocumented(t)
	files, err := filepath.Glob(filepath.Join("testdata", "recorded", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		base := filepath.Base(file)
		name := strings.TrimSuffix(base, filepath.Ext(base))
		if !slices.ContainsFunc(rows, func(r row) bool { return r.name == name }) || !slices.Contains(recordedVersions, filepath.Base(filepath.Dir(file))) {
			t.Errorf("no row for %s", file)
		}
	}
}

// checkDocumented: the page for the user lists the same versions.
func checkDocumented(t *testing.T) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "docs", "codex.md"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+\.\d+\.\d+) \|`).FindAllStringSubmatch(string(page), -1) {
		got = append(got, m[1])
	}
	if !slices.Equal(got, recordedVersions) {
		t.Errorf("docs/codex.md: got the versions %v, want %v", got, recordedVersions)
	}
}

// compatVersions are the versions that the script tests by default.
func compatVersions(script string) []string {
	_, rest, _ := strings.Cut(script, "set -- ")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.Fields(line)
}
