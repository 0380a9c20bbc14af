package supervisor

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
	"autoreview/supervisor/verdict"
)

// With deliver = "mcp" Codex posts by itself. Each run tells the relay, in a
// header of its MCP requests, which job it answers; the relay makes the job's
// first post the review and gives it the job's key. So the supervisor can tell
// whether the review is there, and can post it itself when it is not, without
// ever making two.

const (
	// mcpName is what Codex calls the relay; an unlikely name, for a server of
	// the same name in the user's configuration would clash with it.
	mcpName = "autoreview_relay"
	// jobHeader carries the job; jobEnv is the environment variable that holds
	// its value, so that it does not show in a process list.
	jobHeader, jobEnv = "X-Relay-Job", "AUTOREVIEW_JOB"

	mcpStartup, mcpTool = 15 * time.Second, 2 * time.Minute
)

// postTool is the tool by which Codex posts.
const postTool = "post_message"

// relayTools are the tools that get an approval mode of their own.
var relayTools = []string{postTool, "fetch_messages", "list_channels", "wait_for_messages"}

// addRelay gives a run the relay as an MCP server, in the name of the job.
func (l *launch) addRelay(spec *codexrun.Spec) error {
	job, err := json.Marshal(struct {
		Key     string  `json:"key"`
		Target  string  `json:"target"`
		Sender  string  `json:"sender"`
		ReplyTo int64   `json:"reply_to"`
		Packets []int64 `json:"packets"`
		Log     string  `json:"log,omitempty"`
	}{l.job.Key, l.w.Channel, l.w.ReplyAs, l.job.Newest(), l.job.PacketIDs(), l.job.LogID})
	if err != nil {
		return fmt.Errorf("encoding the job header: %w", err)
	}
	spec.MCP = &codexrun.MCPServer{
		Name: mcpName, URL: l.s.cfg.Relay + "/mcp", TokenEnv: l.s.cfg.TokenEnv,
		HeaderEnv: map[string]string{jobHeader: jobEnv}, Tools: relayTools, Must: postTool,
		StartupTimeout: mcpStartup, ToolTimeout: mcpTool,
	}
	spec.Env = append(spec.Env, jobEnv+"="+base64.RawURLEncoding.EncodeToString(job))
	return nil
}

// errNotPosted is why an answer of a completed run with deliver = "mcp" is
// posted by the supervisor.
var errNotPosted = errors.New("codex ended without posting its review")

// afterMCP is the outcome of a completed run with deliver = "mcp": the review
// that Codex posted, or else its final message.
func (s *Supervisor) afterMCP(ctx context.Context, w config.Watch, j state.Job, l launch, res codexrun.Result) outcome {
	if out, ok := s.postedByCodex(ctx, w, j, l.since); ok {
		return out
	}
	if res.Class == codexrun.MCPDenied {
		s.sayDenied(ctx, w, res.Text)
	}
	if res.Final == "" {
		return s.stopped(ctx, failure{class: codexrun.Crashed, text: "Codex ended without posting a review and without a final message"})
	}
	s.log.Warn("codex did not post its review, posting its final message", "watch", w.Name, "job", j.ID, "class", res.Class, "reason", res.Text)
	r := reviewed{final: res.Final, class: res.Class, why: res.Text, run: l.meta(), took: s.now().Sub(l.began)}
	if r.verdict, r.err = verdict.Parse(res.Final); r.err != nil {
		r.err = errNotPosted
	}
	return s.reviewed(ctx, w, j, r)
}

// deniedSpan is how many runs are looked through for the first that was denied.
const deniedSpan = 1000

// sayDenied says in the channel, once until a run goes well, what to do about
// runs that are not allowed to post.
func (s *Supervisor) sayDenied(ctx context.Context, w config.Watch, why string) {
	runs, err := s.state.RecentRuns(ctx, deniedSpan)
	if err != nil {
		s.log.Warn("could not look for earlier runs", "watch", w.Name, "err", err)
		return
	}
	first := firstDenied(runs, w.Name)
	if first == 0 {
		return // said long ago
	}
	instead := "I post its final message instead, for this and every later review. "
	if policyFor(w, codexrun.MCPDenied).do != actPost {
		instead = ""
	}
	text := fmt.Sprintf("Codex does not let the reviewer post by itself: %s (%s). %sautoreview approves the relay's tools for each run, so probably a configuration that outranks the command line is in the way: "+
		"in Codex's managed configuration (/etc/codex/managed_config.toml and requirements.toml), set default_tools_approval_mode = \"approve\" for mcp_servers.%s and "+
		"approval_mode = \"approve\" for its tools.%s; or set deliver = \"supervisor\" for the watch %q, which needs no approval.",
		sentence(why), codexrun.MCPDenied, instead, mcpName, postTool, w.Name)
	// Not aside: ctx ends with the attempt.
	s.status(ctx, w, text, fmt.Sprintf("denied/%s/%d", w.Name, first))
}

// firstDenied is pure: the id of the first run of a watch that was denied since
// one went well, 0 when it is further back than runs. They are in the order of
// their ids.
func firstDenied(runs []state.Run, watch string) (first int64) {
	for _, r := range slices.Backward(runs) {
		switch {
		case r.Watch != watch:
		case r.Class == string(codexrun.Completed):
			return first
		case r.Class == string(codexrun.MCPDenied):
			first = r.ID
		}
	}
	if len(runs) < deniedSpan {
		return first
	}
	return 0
}

// postedByCodex looks for the job's review in the channel. ok is false when it
// is not there; a relay that cannot be asked is a failure, for then nobody
// knows. since is what newestByReviewer returned before this life's run, nobody
// when there was none.
func (s *Supervisor) postedByCodex(ctx context.Context, w config.Watch, j state.Job, since int64) (outcome, bool) {
	if isOriginal(j.LogID) {
		return s.postedToOriginal(ctx, w, j, since)
	}
	p, err := s.relay.Read(ctx, relay.Query{Targets: []string{w.Channel}, Senders: []string{w.ReplyAs}, Key: j.Key, Newest: true, Limit: 1})
	if err != nil {
		return s.stopped(ctx, failure{class: codexrun.MCPDown, text: "the relay cannot be asked whether the review was posted: " + err.Error()}), true
	}
	if len(p.Messages) == 0 {
		return outcome{}, false
	}
	m := p.Messages[0]
	return outcome{posted: &relay.Posted{ID: m.ID, Message: &m, Duplicate: true}}, true
}

// isOriginal reports whether a log is the original server's, by the name that
// jobs are kept under.
func isOriginal(log string) bool {
	return log == client.OriginalLog || strings.HasPrefix(log, client.OriginalLog+"#")
}

// noRun stands for the newest message before a run when there was no run.
const noRun = -1

// newestByReviewer returns the id of the newest message by the reviewer on the
// original server; on a relay nobody needs it.
func (s *Supervisor) newestByReviewer(ctx context.Context, w config.Watch, j state.Job) (int64, error) {
	if w.Deliver != config.DeliverMCP || !isOriginal(j.LogID) {
		return noRun, nil
	}
	p, err := s.relay.Read(ctx, relay.Query{Targets: []string{w.Channel}, Senders: []string{w.ReplyAs}, Newest: true, Limit: 1})
	if err != nil || len(p.Messages) == 0 {
		return 0, err
	}
	return p.Messages[0].ID, nil
}

// postedToOriginal looks for the review on the original server, which knows no
// keys: it is a message that names the packet in its first line, or any that the
// reviewer has posted since this life's run began.
func (s *Supervisor) postedToOriginal(ctx context.Context, w config.Watch, j state.Job, since int64) (outcome, bool) {
	p, err := s.relay.Read(ctx, relay.Query{Targets: []string{w.Channel}, Senders: []string{w.ReplyAs}, Newest: true, Limit: readLimit})
	if err != nil {
		return s.stopped(ctx, failure{class: codexrun.MCPDown, text: "the relay cannot be asked whether the review was posted: " + err.Error()}), true
	}
	for _, m := range slices.Backward(p.Messages) {
		if j.Generation > 1 && m.TS < float64(j.Created.UnixMicro())/1e6 {
			break // it answered before a person asked once more
		}
		names := slices.Contains(verdict.Packets(m.Text), j.Newest())
		if m.ID > j.Newest() && (names || since != noRun && m.ID > since) {
			return outcome{posted: &relay.Posted{ID: m.ID, Message: &m}}, true
		}
	}
	return outcome{}, false
}
