package config

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Print returns the effective configuration as TOML that Load reads back to the
// same values (Path apart). What is as it would be without a line of its own is
// marked with a comment.
func Print(c Config) string {
	p := &printer{}
	if c.Path != "" {
		p.line("# effective configuration of %s", strconv.Quote(c.Path))
	} else {
		p.line("# effective configuration, from the environment")
	}
	p.key("relay", c.Relay, c.Relay == DefaultRelay)
	p.optional("token_env", c.TokenEnv)
	p.key("state_dir", c.StateDir, false)
	p.key("codex_bin", c.CodexBin, c.CodexBin == DefaultCodexBin)
	p.key("workers", int64(c.Workers), c.Workers == DefaultWorkers)
	p.key("grace", brief(c.Grace), c.Grace == DefaultGrace)
	p.key("poll_interval", brief(c.PollInterval), c.PollInterval == DefaultPollInterval)
	p.optional("last_file", c.LastFile)
	p.key("runs_keep_days", int64(c.RunsKeepDays), c.RunsKeepDays == DefaultRunsKeepDays)
	p.key("runs_keep_mb", int64(c.RunsKeepMB), c.RunsKeepMB == DefaultRunsKeepMB)
	p.optional("metrics_addr", c.MetricsAddr)
	p.key("limits", c.Limits.table(), c.Limits == Limits{})
	for _, w := range c.Watches {
		p.watch(w)
	}
	for _, s := range c.Schedules {
		p.schedule(s)
	}
	return p.String()
}

type printer struct{ strings.Builder }

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *printer) key(key string, value any, isDefault bool) {
	comment := ""
	if isDefault {
		comment = " # default"
	}
	p.line("%s = %s%s", key, literal(value), comment)
}

// optional prints a key whose default is that it is not there.
func (p *printer) optional(key, value string) {
	if value == "" {
		p.line("# %s is not set", key)
		return
	}
	p.key(key, value, false)
}

func (p *printer) watch(w Watch) {
	p.line("\n[[watch]]")
	p.key("name", w.Name, w.Name == w.Channel)
	p.key("channel", w.Channel, false)
	p.key("senders", w.Senders, slices.Equal(w.Senders, []string{DefaultSender}))
	p.key("reply_as", w.ReplyAs, w.ReplyAs == DefaultReplyAs)
	p.key("workdir", w.Workdir, false)
	p.key("sandbox", w.Sandbox, w.Sandbox == DefaultSandbox)
	p.key("network_access", w.NetworkAccess, !w.NetworkAccess)
	p.key("session", w.Session.String(), w.Session.Mode == SessionFresh)
	p.key("project_config", projectConfig(w), !w.UseProjectConfig)
	p.key("deliver", string(w.Deliver), w.Deliver == DeliverSupervisor)
	p.optional("model", w.Model)
	p.optional("profile", w.Profile)
	p.key("plugins", w.Plugins, !w.Plugins)
	p.key("config", w.CodexConfig, len(w.CodexConfig) == 0)
	p.key("extra_args", w.ExtraArgs, len(w.ExtraArgs) == 0)
	p.optional("template", w.Template)
	p.key("timeout", brief(w.Timeout), w.Timeout == DefaultTimeout)
	p.key("idle_timeout", brief(w.IdleTimeout), w.IdleTimeout == min(DefaultIdleTimeout, w.Timeout))
	p.key("coalesce", brief(w.Coalesce), w.Coalesce == 0)
	p.key("start", start(w.Start), w.Start.Mode == StartUnanswered)
	p.key("isolate", w.Isolate, !w.Isolate)
	p.key("limits", w.Limits.table(), w.Limits == Limits{})
	p.key("retry", retryTable(w.Retry), len(w.Retry) == 0)
}

func projectConfig(w Watch) string {
	if w.UseProjectConfig {
		return "use"
	}
	return "ignore"
}

// brief writes a duration without the zero minutes and seconds of String.
func brief(d time.Duration) string {
	s := d.String()
	if d != 0 && d%time.Minute == 0 {
		s = strings.TrimSuffix(s, "0s")
	}
	if d != 0 && d%time.Hour == 0 {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func start(s Start) any {
	if s.Mode == StartID {
		return s.ID
	}
	return string(s.Mode)
}

// literal writes a value as TOML on one line.
func literal(v any) string {
	switch v := v.(type) {
	case string:
		return quoteTOML(v)
	case float64:
		return floatTOML(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case []string:
		items := make([]string, len(v))
		for i, s := range v {
			items[i] = quoteTOML(s)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = literal(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		return inlineTable(v)
	}
	return fmt.Sprint(v) // integers, booleans, and go-toml's local dates
}

func inlineTable(m map[string]any) string {
	if len(m) == 0 {
		return "{}"
	}
	var items []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		items = append(items, bareOrQuoted(key)+" = "+literal(m[key]))
	}
	return "{ " + strings.Join(items, ", ") + " }"
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func bareOrQuoted(key string) string {
	if bareKey.MatchString(key) {
		return key
	}
	return quoteTOML(key)
}

// quoteTOML writes a basic string. Go's own quoting has escapes that TOML does
// not know.
func quoteTOML(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func floatTOML(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}
