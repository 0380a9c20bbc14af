package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"autoreview/codexrun"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
	"autoreview/supervisor/verdict"
	"autoreview/templates"
)

// maxPromptBytes is where a packet no longer goes into the prompt but into a
// file that the prompt names: Codex takes at most 1,048,576 characters.
const maxPromptBytes = 900_000

// fillPrompt gives a run its prompt.
func (l *launch) fillPrompt(ctx context.Context, spec *codexrun.Spec) (err error) {
	if l.job.Schedule != "" {
		spec.Prompt, err = l.scheduledPrompt(ctx, *spec)
		return err
	}
	data := l.review(*spec)
	if l.w.Session.Mode == config.SessionFresh {
		spec.Prompt, err = l.prompt(*spec, data)
		return err
	}
	// A thread that takes the place of another does not know what was found. It
	// may turn out only when it runs that there has to be one.
	fresh := data
	fresh.Resumed = false
	if fresh.Earlier = l.earlier(ctx); fresh.Earlier != "" {
		fresh.EarlierBoundary = templates.NewBoundary(fresh.Earlier)
	}
	if !data.Resumed {
		spec.Prompt, err = l.prompt(*spec, fresh)
		return err
	}
	if spec.FreshPrompt, err = l.prompt(*spec, fresh); err != nil {
		return err
	}
	spec.Prompt, err = l.prompt(*spec, data)
	return err
}

// prompt renders the prompt of a review. Packets that are too large for it are
// written to a private file in the run's folder.
func (l *launch) prompt(spec codexrun.Spec, data templates.Review) (string, error) {
	if l.w.Deliver == config.DeliverMCP {
		return templates.Render(templates.NameReviewMCP, l.w.Template, data)
	}
	if size(data) > maxPromptBytes {
		text, err := templates.Render(templates.NamePackets, "", data)
		if err != nil {
			return "", err
		}
		data.PacketFile = filepath.Join(spec.RunDir, "packets.md")
		if err := os.WriteFile(data.PacketFile, []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("writing the packets to a file: %w", err)
		}
	}
	return templates.Render(templates.NameReview, l.w.Template, data)
}

func (l *launch) review(spec codexrun.Spec) templates.Review {
	j := l.job
	r := templates.Review{
		Channel: l.w.Channel, ReplyAs: l.w.ReplyAs,
		Repo: spec.Dir, Branch: l.repo.branch, Commit: short(l.repo.commit),
		Resumed:  spec.Resume != "" || spec.Fork != "",
		CanWrite: canWrite(spec), Isolated: l.tree != state.Tree{},
	}
	texts := make([]string, len(j.Packets))
	for i, p := range j.Packets {
		r.Sender = p.Sender // one job has one sender
		texts[i] = p.Text
		r.Packets = append(r.Packets, templates.Packet{
			ID: p.ID, TS: stamp(posted(p.TS)), Text: p.Text,
		})
	}
	r.Boundary = templates.NewBoundary(texts...)
	return r
}

func canWrite(spec codexrun.Spec) bool {
	return spec.Sandbox != codexrun.ReadOnly && spec.Sandbox != ""
}

func size(r templates.Review) int {
	n := 0
	for _, p := range r.Packets {
		n += len(p.Text)
	}
	return n
}

// verdict reads the answer of a completed run. One that is no verdict is asked
// for once more in the same thread; if that thread cannot be gone on with, in a
// fresh one that is given the packet and the answer. What is no verdict even
// then is returned as it came, with the error.
func (l *launch) verdict(ctx context.Context, res codexrun.Result) reviewed {
	v, err := verdict.Parse(res.Final)
	if limit := l.s.roundIsOver(ctx, l.plan, l.w, l.job.ID); err != nil && limit != "" {
		l.s.log.Warn("answer is no verdict, and the limit leaves no asking again", "watch", l.w.Name, "job", l.job.ID, "limit", limit)
	} else if err != nil {
		l.s.log.Warn("answer is no verdict, asking once more", "watch", l.w.Name, "job", l.job.ID, "err", oneLine(err))
		if again, ok := l.reask(ctx, res, err); ok {
			res = again
			v, err = verdict.Parse(res.Final)
		}
	}
	return reviewed{final: res.Final, verdict: v, err: err, class: res.Class, why: res.Text, run: l.meta(), took: l.s.now().Sub(l.began)}
}

// judge looks at the answer of a run whose turn came to its end: one that is no
// verdict is a way to end of its own. A digest has none.
func (l *launch) judge(res codexrun.Result) codexrun.Result {
	if res.Class != codexrun.Completed || l.w.Deliver == config.DeliverMCP || l.task() == config.TaskDigest {
		return res
	}
	if _, err := verdict.Parse(res.Final); err != nil {
		res.Class, res.Text = codexrun.BadVerdict, "the answer is no verdict: "+sentence(err.Error())
	}
	return res
}

func (l *launch) reask(ctx context.Context, res codexrun.Result, bad error) (codexrun.Result, bool) {
	again, err := l.ask(ctx, res, bad, res.ThreadID)
	if err == nil && again.Class.Finished() && !again.Replaced {
		return again, true
	}
	if ctx.Err() != nil {
		return res, false
	}
	again, err = l.ask(ctx, res, bad, "")
	if err != nil {
		l.s.log.Error("could not ask again", "watch", l.w.Name, "job", l.job.ID, "err", err)
	}
	return again, err == nil && again.Class.Finished()
}

// ask asks again for an answer: in the thread that gave it, or, with thread "",
// in a fresh one.
func (l *launch) ask(ctx context.Context, res codexrun.Result, bad error, thread string) (codexrun.Result, error) {
	// A run that cannot be is not begun.
	if err := l.canAsk(res, thread); err != nil {
		return codexrun.Result{}, err
	}
	spec, err := l.spec(ctx)
	if err == nil {
		spec.Resume, spec.Fork = thread, ""
		spec.Prompt, err = l.reaskPrompt(spec, res, bad)
	}
	if err != nil {
		if l.run.ID != 0 && l.run.Ended.IsZero() {
			l.endRun(ctx, codexrun.Result{Class: codexrun.BadConfig, Text: err.Error(), ExitCode: -1})
		}
		return codexrun.Result{}, err
	}
	return l.exec(ctx, spec), nil
}

// canAsk says why an answer cannot be asked for again; it always can in the
// thread that gave it.
func (l *launch) canAsk(res codexrun.Result, thread string) error {
	packets := 0
	for _, p := range l.job.Packets {
		packets += len(p.Text)
	}
	switch {
	case thread != "":
		return nil
	case l.job.Schedule != "":
		return errors.New("a scheduled review is not asked for again in a fresh thread")
	case packets > maxPromptBytes/2 || len(res.Final) > maxPromptBytes/4:
		return errors.New("the packet and the answer are too large for one prompt")
	}
	return nil
}

// reaskPrompt tells a thread that does not know them the packets and the answer
// as well.
func (l *launch) reaskPrompt(spec codexrun.Spec, res codexrun.Result, bad error) (string, error) {
	data := templates.Reask{Problems: problems(bad)}
	if spec.Resume == "" {
		r := l.review(spec)
		data.Review, data.Answer = &r, res.Final
		data.Boundary = templates.NewBoundary(res.Final)
	}
	return templates.Render(templates.NameReask, "", data)
}

func problems(err error) []string {
	var bad *verdict.Error
	if !errors.As(err, &bad) {
		return []string{err.Error()}
	}
	lines := make([]string, 0, len(bad.Problems))
	for _, p := range bad.Problems {
		lines = append(lines, p.String())
	}
	return lines
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
