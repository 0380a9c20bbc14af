package codexrun

import "strings"

// rule maps words of a message to a class.
type rule struct {
	words string // lower case, with straight apostrophes
	class Class
}

// failureRules are for the messages of turn.failed and of final error events;
// the first that matches holds. What matches none is a ModelError.
var failureRules = []rule{
	{"hit your usage limit", UsageLimit},
	{"out of credits", Quota},
	{"hit your spend cap", Quota},
	{"spend cap set", Quota},
	{"quota exceeded", Quota},
	{"to use codex with your chatgpt plan", Quota},
	{"insufficient_quota", Quota},
	{"ran out of room in the model's context window", ContextFull},
	{"exceeds the context window", ContextFull},
	{"context_length_exceeded", ContextFull},
	{"input exceeds the maximum length", InputTooLarge},
	{"missing environment variable:", Auth}, // the provider's env_key
	{"status 401", Auth},
	{"status 403", Auth},
	{"not logged in", Auth},
	{"access token could not be refreshed", Auth},
	{"failed to refresh token", Auth},
	{"log out and sign in again", Auth},
	{"429 too many requests", RateLimited},
	{"rate limit exceeded", RateLimited},
	{"rate limit reached", RateLimited},
	{"stream disconnected before completion", Network},
	{"connection failed", Network},
	{"error sending request", Network},
	{"idle timeout waiting for", Network},
	{"request timed out", Network},
	{"codex-linux-sandbox was required but not provided", SandboxUnavailable},
}

// bodyCodes are the codes of error bodies that Codex hands on as they are.
var bodyCodes = map[string]Class{
	"context_length_exceeded": ContextFull,
	"insufficient_quota":      Quota,
	"usage_limit_reached":     UsageLimit,
	"usage_not_included":      Quota,
	"rate_limit_exceeded":     RateLimited,
	"invalid_api_key":         Auth,
	"authentication_error":    Auth,
}

// startRules are for the standard error of a process that ended with exit code
// 1 and no failure event.
var startRules = []rule{
	{"no rollout found", BadSession},
	{"already has an active writer", BadSession},
	{"thread/resume failed", BadSession},
	{"thread/fork failed", BadSession},
	{"required mcp servers failed to initialize", MCPDown},
	{"input exceeds the maximum length", InputTooLarge},
	{"not logged in", Auth},
	{"codex-linux-sandbox was required but not provided", SandboxUnavailable},
	{"error loading config", BadConfig},
	{"error parsing", BadConfig},
	{"error loading configuration", BadConfig},
	{"unknown configuration field", BadConfig},
	{"unknown variant", BadConfig},
	{"unknown feature flag", BadConfig},
	{"codex_home points to", BadConfig},
	{"is no longer supported", BadConfig},
	{"is not supported for", BadConfig},
	{"modelprovidernotconfigured", BadConfig},
	{"model provider", BadConfig},
	{"not inside a trusted directory", BadConfig},
	{"is marked as untrusted", BadConfig},
	{"no prompt provided", BadConfig},
	{"output schema", BadConfig},
	{"no such file or directory", BadConfig},
	{"invalid type:", BadConfig},
	{"missing field", BadConfig},
}

// matchRule is the class of the first rule whose words are in text, "" for
// none. Both apostrophes are one: Codex changed from the straight to the curly.
func matchRule(rules []rule, text string) Class {
	text = strings.ReplaceAll(strings.ToLower(text), "\u2019", "'")
	for _, r := range rules {
		if strings.Contains(text, r.words) {
			return r.class
		}
	}
	return ""
}

// errorLine is the line of a standard error output that tells what went wrong:
// the first that begins with "Error", with the next when it is only the heading
// of it, else the last that is no backtrace, log or notice; "" for none.
func errorLine(stderr string) string {
	last, heading := "", false
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		switch {
		case isNoise(line):
		case heading:
			return oneLine(last + " " + line)
		case hasPrefixFold(line, "error:") || hasPrefixFold(line, "error "):
			if !strings.HasSuffix(line, ":") {
				return oneLine(line)
			}
			last, heading = line, true
		default:
			last = line
		}
	}
	return oneLine(last)
}

func isNoise(line string) bool {
	return line == "" || strings.HasPrefix(line, "Reading ") || strings.HasPrefix(line, "WARNING") ||
		strings.HasPrefix(line, "warning:") || strings.HasPrefix(line, "note: run with") ||
		strings.Contains(line, "<unknown>") || line == "Stack backtrace:"
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
