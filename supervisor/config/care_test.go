package config_test

import (
	"strings"
	"testing"

	"autoreview/supervisor/config"

	"github.com/google/go-cmp/cmp"
)

// What is wrong with schedules, limits and retries is said with its place.
func TestCareProblems(t *testing.T) {
	const watch = "[[watch]]\nchannel = \"c\"\n"
	tests := []struct{ name, text, want string }{
		{"no name", watch + "[[schedule]]\ncron = \"@daily\"", `autoreview.toml:3:3: schedule.name: is missing`},
		{"no cron", watch + "[[schedule]]\nname = \"n\"", `autoreview.toml:3:3: schedule.cron: is missing`},
		{"bad cron", watch + "[[schedule]]\nname = \"n\"\ncron = \"61 * * * *\"", `autoreview.toml:5:1: schedule.cron: end of range (61)`},
		{"bad zone", watch + "[[schedule]]\nname = \"n\"\ncron = \"@daily\"\ntimezone = \"CEST\"", `autoreview.toml:6:1: schedule.timezone: there is no time zone "CEST"`},
		{"no such watch", watch + "[[schedule]]\nname = \"n\"\ncron = \"@daily\"\nwatch = \"d\"", `schedule.watch: there is no watch "d"`},
		{"which watch", watch + "[[watch]]\nchannel = \"d\"\n[[schedule]]\nname = \"n\"\ncron = \"@daily\"", `schedule.watch: is missing; want one of "c", "d"`},
		{"twice", watch + strings.Repeat("[[schedule]]\nname = \"n\"\ncron = \"@daily\"\n", 2), `autoreview.toml:7:1: schedule.name: "n" is the name of two`},
		{"unknown schedule key", watch + "[[schedule]]\nname = \"n\"\ncron = \"@daily\"\nchanel = \"c\"", `schedule.chanel: unknown key`},
		{"catch_up", watch + "[[schedule]]\nname = \"n\"\ncron = \"@daily\"\ncatch_up = \"none\"", `did you mean "skip"`},
		{"unknown task", watch + "[[schedule]]\nname = \"n\"\ncron = \"@daily\"\ntask = \"prune\"", `autoreview.toml:6:1: schedule.task: want one of "review", "digest", "retention", got "prune"; did you mean "retention"`},
		{"task as a template", watch + "[[schedule]]\nname = \"n\"\ncron = \"@daily\"\ntemplate = \"digest\"", `the built-in digest is task = "digest"`},
		{"retention in a watch", watch + "[[schedule]]\nname = \"n\"\ncron = \"@daily\"\ntask = \"retention\"\nwatch = \"c\"", `autoreview.toml:7:1: schedule.watch: a retention run launches no Codex`},
		{"retention by a template", watch + "[[schedule]]\nname = \"n\"\ncron = \"@daily\"\ntask = \"retention\"\ntemplate = \"x.md\"", `schedule.template: a retention run launches no Codex`},
		{"retention of nothing", watch + "[[schedule]]\nname = \"n\"\ncron = \"@daily\"\ntask = \"retention\"\nkeep_days = 0", `schedule.keep_days: want 1 or more, got 0`},
		{"a digest that keeps", watch + "[[schedule]]\nname = \"n\"\ncron = \"@daily\"\ntask = \"digest\"\nkeep_days = 3", `schedule.keep_days: is for task = "retention"`},
		{"no brackets", watch + "[schedule]\nname = \"n\"", `schedule: want [[schedule]] in double brackets`},
		{"limit of nothing", watch + "limits = { runs_per_day = 0 }", `watch.limits.runs_per_day: want 1 or more, got 0`},
		{"unknown limit", watch + "limits = { runs_per_week = 3 }", `watch.limits.runs_per_week: unknown key`},
		{"limits that are none", "limits = 3\n" + watch, `autoreview.toml:1:1: limits: want a table, got the integer 3`},
		{"unknown class", watch + "retry = { netwrok = { attempts = 2 } }", `watch.retry.netwrok: unknown key; did you mean "network"`},
		{"what to do", watch + "retry = { network = { do = \"give up\" } }", `watch.retry.network.do: want one of`},
		{"attempts to give up", watch + "retry = { network = { do = \"give_up\", attempts = 2 } }", `watch.retry.network.do: "give_up" has no attempts`},
		{"attempts to park", watch + "retry = { auth = { do = \"park\", attempts = 2 } }", `watch.retry.auth.attempts: "park" waits`},
		{"waits", watch + "retry = { network = { first = \"2m\", limit = \"1m\" } }", `watch.retry.network.first: 2m0s is longer than limit`},
		{"grace", "grace = \"-1s\"\n" + watch, `grace: want 0s or more`},
		{"isolate", watch + "isolate = \"yes\"", `watch.isolate: want true or false`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := problems(t, tt.text)
			if len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("problems: got %q, want one with %q", got, tt.want)
			}
		})
	}
}

func TestIsolateOutsideOfARepositoryWarns(t *testing.T) {
	_, warnings := load(t, write(t, "[[watch]]\nchannel = \"c\"\nisolate = true\n"), environ(t))
	if len(warnings) != 1 || !strings.Contains(warnings[0].Text, "no Git repository") {
		t.Errorf("warnings: got %v, want one about the repository", warnings)
	}
}

// With one watch a schedule need not name it.
func TestScheduleDefaults(t *testing.T) {
	cfg, _ := load(t, write(t, "[[watch]]\nchannel = \"c\"\n[[schedule]]\nname = \"n\"\ncron = \"@daily\"\n"), environ(t))
	want := []config.Schedule{{Name: "n", Task: config.TaskReview, Cron: "@daily", Timezone: "Local", Watch: "c", CatchUp: true}}
	if diff := cmp.Diff(want, cfg.Schedules); diff != "" {
		t.Errorf("schedules (-want +got):\n%s", diff)
	}
}

// With two watches a retention run names none of them, and a digest does.
func TestScheduleTasks(t *testing.T) {
	const text = "[[watch]]\nchannel = \"c\"\n[[watch]]\nchannel = \"d\"\n" +
		"[[schedule]]\nname = \"morning\"\ncron = \"0 8 * * *\"\nwatch = \"d\"\ntask = \"digest\"\n" +
		"[[schedule]]\nname = \"clean\"\ncron = \"@weekly\"\ntask = \"retention\"\nkeep_days = 7\n"
	cfg, _ := load(t, write(t, text), environ(t))
	want := []config.Schedule{
		{Name: "morning", Task: config.TaskDigest, Cron: "0 8 * * *", Timezone: "Local", Watch: "d", CatchUp: true},
		{Name: "clean", Task: config.TaskRetention, Cron: "@weekly", Timezone: "Local", CatchUp: true, KeepDays: 7},
	}
	if diff := cmp.Diff(want, cfg.Schedules); diff != "" {
		t.Errorf("schedules (-want +got):\n%s", diff)
	}
}
