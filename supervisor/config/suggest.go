package config

import (
	"fmt"
	"strings"

	"autoreview/relay/spelling"
)

// habits maps what the keys are called elsewhere to what they are called here.
var habits = map[string]string{
	"target": "channel", "watch_sender": "senders", "sender": "senders", "reply": "reply_as",
	"base_url": "relay", "url": "relay", "relay_url": "relay", "token": "token_env",
	"session_id": "session", "thread": "session", "resume": "session",
	"interval": "poll_interval", "lastfile": "last_file", "sandbox_mode": "sandbox",
	"cwd": "workdir", "dir": "workdir", "repo": "workdir", "codex": "codex_bin", "args": "extra_args",
	"prompt": "template", "network": "network_access", "watches": "watch", "concurrency": "workers",
}

// suggest returns the candidate that was probably meant, or "".
func suggest(got string, candidates []string) string {
	fold := strings.ReplaceAll(strings.ToLower(got), "-", "_")
	best, least := "", min(len(fold), 1+max(2, len(fold)/3))
	for _, c := range candidates {
		if habits[fold] == c {
			return c
		}
		if d := spelling.Distance(fold, strings.ReplaceAll(c, "-", "_")); d < least {
			best, least = c, d
		}
	}
	return best
}

func didYouMean(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", s)
}
