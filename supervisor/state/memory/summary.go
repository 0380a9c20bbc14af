package memory

import (
	"encoding/json"
	"time"

	"autoreview/supervisor/state"
)

func (j *job) summary() state.Summary {
	out := state.Summary{Job: j.load(), Updated: j.updated}
	if j.Answer != nil {
		var meta struct {
			Verdict string `json:"verdict"`
		}
		if json.Unmarshal(j.Answer.Meta, &meta) == nil {
			out.Verdict = meta.Verdict
		}
	}
	out.Answer, out.Tree, out.Previous, out.ReplyAs = nil, state.Tree{}, time.Time{}, ""
	for i := range out.Packets {
		out.Packets[i].Text, out.Packets[i].Meta = "", nil
	}
	return out
}
