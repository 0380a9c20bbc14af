package config

import (
	"maps"
	"slices"
	"time"
)

// Limits are how much may be spent. 0 is no limit. A round is one review, from
// its first run to its answer, with everything that is tried in between.
type Limits struct {
	RunsPerHour, RunsPerDay, RunsPerRound       int64
	TokensPerHour, TokensPerDay, TokensPerRound int64
}

// fields pairs the keys with the fields, in the order in which they are shown.
func (l *Limits) fields() []limitField {
	return []limitField{
		{"runs_per_hour", &l.RunsPerHour}, {"runs_per_day", &l.RunsPerDay}, {"runs_per_round", &l.RunsPerRound},
		{"tokens_per_hour", &l.TokensPerHour}, {"tokens_per_day", &l.TokensPerDay}, {"tokens_per_round", &l.TokensPerRound},
	}
}

type limitField struct {
	key   string
	value *int64
}

func (t *table) limits(key string) (l Limits) {
	sub := t.sub(key)
	for _, f := range l.fields() {
		*f.value = sub.integer(f.key, 0, 1)
	}
	sub.finish(nil)
	return l
}

func (l Limits) table() map[string]any {
	m := map[string]any{}
	for _, f := range l.fields() {
		if *f.value != 0 {
			m[f.key] = *f.value
		}
	}
	return m
}

// RetryRule changes one row of the table of what is done about a failure. What
// is not set stays as it is.
type RetryRule struct {
	// Do is "retry", "fresh" (retry in a fresh thread), "park" (wait, without
	// counting attempts) or "give_up"; "" is not set.
	Do string
	// Attempts is after how many to give up; 0 is not set.
	Attempts int
	// First and Limit are the first and the longest wait; 0 is not set.
	First, Limit time.Duration
}

// RetryClasses are the classes of failure that can have a RetryRule.
var RetryClasses = []string{
	"auth", "bad_config", "bad_session", "bad_verdict", "context_full", "crashed", "input_too_large", "killed", "mcp_denied", "mcp_down",
	"model_error", "network", "no_codex", "quota", "rate_limited", "sandbox_unavailable", "timeout_silent", "timeout_wall", "usage_limit",
}

func (t *table) retry() map[string]RetryRule {
	classes := t.sub("retry")
	var rules map[string]RetryRule
	for _, class := range slices.Sorted(maps.Keys(classes.values)) {
		if !slices.Contains(RetryClasses, class) {
			continue // finish says so
		}
		sub := classes.sub(class)
		rule := RetryRule{
			Do:       sub.enum("do", "", map[string]string{"giveup": "give_up", "wait": "park", "fresh_thread": "fresh"}, "retry", "fresh", "park", "give_up"),
			Attempts: int(min(sub.integer("attempts", 0, 1), 1000)),
			First:    sub.duration("first", 0, time.Second),
			Limit:    sub.duration("limit", 0, time.Second),
		}
		sub.finish(nil)
		switch {
		case rule.Do == "give_up" && (rule.Attempts > 0 || rule.First > 0 || rule.Limit > 0):
			sub.problem("do", `"give_up" has no attempts and no waits; leave the other keys out`)
		case rule.Do == "park" && rule.Attempts > 0:
			sub.problem("attempts", `"park" waits for as long as it takes; leave attempts out`)
		case rule.Limit > 0 && rule.First > rule.Limit:
			sub.problem("first", "%s is longer than limit, %s", rule.First, rule.Limit)
		}
		if rules == nil {
			rules = map[string]RetryRule{}
		}
		rules[class] = rule
	}
	classes.known = append(classes.known, RetryClasses...)
	classes.finish(nil)
	return rules
}

func retryTable(rules map[string]RetryRule) map[string]any {
	m := map[string]any{}
	for class, r := range rules {
		row := map[string]any{}
		if r.Do != "" {
			row["do"] = r.Do
		}
		if r.Attempts > 0 {
			row["attempts"] = int64(r.Attempts)
		}
		if r.First > 0 {
			row["first"] = brief(r.First)
		}
		if r.Limit > 0 {
			row["limit"] = brief(r.Limit)
		}
		m[class] = row
	}
	return m
}
