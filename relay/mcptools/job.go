package mcptools

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"autoreview/relay"
)

// HeaderJob is the request header that ties post_message calls to a job of the
// supervisor. Its value is the unpadded base64url form of the JSON object
//
//	{"key": "...", "target": "...", "sender": "...", "reply_to": 41, "packets": [40, 41], "log": "..."}
//
// Whatever the model passes, the first message posted with it goes out as the
// job's review: with the job's key, sender and reply_to, and with its packets
// in meta. It must go to the job's channel. Posting the same text again returns
// the same id; another text is posted as a note.
//
// log, which may be left out, is the log that the packets are of: its id, and
// whatever its reader adds after a "#". It goes into meta as well. A relay that
// has another log by now refuses the post, for there the ids are those of other
// messages.
const HeaderJob = "X-Relay-Job"

type job struct {
	Key     string  `json:"key"`
	Target  string  `json:"target"`
	Sender  string  `json:"sender"`
	ReplyTo int64   `json:"reply_to"`
	Packets []int64 `json:"packets"`
	Log     string  `json:"log"`
}

// jobOf returns the job that a request belongs to, nil when it has none.
func jobOf(h http.Header) (*job, error) {
	value := h.Get(HeaderJob)
	if value == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return nil, invalid(HeaderJob, "the header %s is not unpadded base64url", HeaderJob)
	}
	var j job
	if err := json.Unmarshal(raw, &j); err != nil {
		return nil, invalid(HeaderJob, "the header %s does not hold a job: %v", HeaderJob, err)
	}
	if j.Key == "" || j.Target == "" || j.Sender == "" {
		return nil, invalid(HeaderJob, "the header %s needs key, target and sender", HeaderJob)
	}
	return &j, nil
}

// review makes d the answer of the job.
func (j *job) review(d relay.Draft) (relay.Draft, error) {
	// A blank target is left to Post, which says that it is required.
	if target := strings.TrimSpace(d.Target); target != "" && target != j.Target {
		return d, invalid("target", "this job answers in channel %q, not in %q", j.Target, target)
	}
	meta, err := j.reviewMeta(d.Meta)
	if err != nil {
		return d, err
	}
	d.Sender, d.ReplyTo, d.Key = j.Sender, j.ReplyTo, j.Key
	d.Kind, d.Meta = relay.KindReview, meta
	return d, nil
}

// note makes d a further word of the job.
func (j *job) note(d relay.Draft) relay.Draft {
	d.Sender, d.ReplyTo, d.Key = j.Sender, j.ReplyTo, ""
	d.Kind = relay.KindNote
	return d
}

func (j *job) reviewMeta(given json.RawMessage) (json.RawMessage, error) {
	meta := make(map[string]json.RawMessage)
	if len(given) > 0 {
		if err := json.Unmarshal(given, &meta); err != nil {
			return nil, invalid("meta", "meta must be a JSON object: %v", err)
		}
	}
	verdict, err := verdictOf(meta["verdict"])
	if err != nil {
		return nil, err
	}
	meta["verdict"] = verdict
	packets, err := json.Marshal(append([]int64{}, j.Packets...))
	if err != nil {
		return nil, err
	}
	meta["packets"] = packets
	if j.Log != "" {
		if meta["log"], err = json.Marshal(j.Log); err != nil {
			return nil, err
		}
	}
	return encode(meta)
}

// verdictOf checks the verdict that a model gave; readers act on it, so a word
// of its own making is refused while the model can still correct it.
func verdictOf(given json.RawMessage) (json.RawMessage, error) {
	switch string(given) {
	case "", "null":
		return json.RawMessage(`"comment"`), nil
	case `"approve"`, `"request_changes"`, `"comment"`:
		return given, nil
	}
	return nil, invalid("meta", "meta.verdict must be approve, request_changes or comment, not %s", describe(given))
}
