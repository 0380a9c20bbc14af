package supervisor

import (
	"context"

	"autoreview/codexrun"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// LimitUse is how much of a limit by time is used at one moment.
type LimitUse struct {
	// Watch is whose limit it is, "" for one over all watches.
	Watch string
	// Limit is its key, such as "runs_per_hour".
	Limit string
	// Used is what the runs cost that were begun in the last hour or day, Most what
	// they may.
	Used, Most int64
}

// LimitUses returns how much of each limit by time is used now. It reads the runs
// of the last day, and none when there is no such limit.
func (s *Supervisor) LimitUses(ctx context.Context) ([]LimitUse, error) {
	p, now := s.plan.Load(), s.now()
	if !p.limitsTime() {
		return nil, nil
	}
	spent, err := s.state.Spent(ctx, now.Add(-limitDay))
	if err != nil {
		return nil, err
	}
	var out []LimitUse
	add := func(watch string, l config.Limits, spent []state.Spend) {
		for _, win := range windows(l) {
			recent := since(spent, now.Add(-win.span))
			if win.runs > 0 {
				out = append(out, LimitUse{watch, "runs_per_" + win.name, int64(len(recent)), win.runs})
			}
			if win.tokens > 0 {
				out = append(out, LimitUse{watch, "tokens_per_" + win.name, tokens(recent), win.tokens})
			}
		}
	}
	add("", p.cfg.Limits, spent)
	for _, w := range p.cfg.Watches {
		add(w.Name, w.Limits, spentBy(w.Name, spent))
	}
	return out, nil
}

// Account returns what Codex has recorded of the account last, which may be out of
// date; ok is false when there is no record.
func (s *Supervisor) Account() (w codexrun.Windows, ok bool) {
	if codex, knows := s.codex.(accounts); knows {
		return codex.Windows()
	}
	return codexrun.Windows{}, false
}
