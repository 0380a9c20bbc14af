// Package state keeps what the supervisor must not forget: how far each watch
// has read, which reviews are owed and how far each has come, which processes
// were started, and which Codex threads are in use.
//
// A job goes through these states:
//
//	queued ──claim──▶ running ──answer saved──▶ answered ──posted──▶ done | failed
//	   ▲                 │
//	   └──── waiting ◀───┘   retry later, released, or rescued after a crash
//
// The answer (a review, or the notice that there will be none) is saved in the
// job before it is posted, and it is posted with the job's key, so that a crash
// at any point repeats at most a Post that the relay recognises.
package state

import (
	"encoding/json"
	"time"

	"autoreview/relay"
)

// JobState is where a job stands, see the package comment.
type JobState string

// The closed set of states.
const (
	Queued   JobState = "queued"
	Waiting  JobState = "waiting" // for Job.Due, because of Job.Reason
	Running  JobState = "running"
	Answered JobState = "answered" // Job.Answer is saved and not yet known to be posted
	Done     JobState = "done"     // a review was posted
	Failed   JobState = "failed"   // a notice was posted that there will be no review
)

// Packet is a message that asks for a review, as it was when it was read. It is
// kept with its job, so that pruning the relay's log does no harm.
type Packet struct {
	ID     int64           `json:"id"`
	TS     float64         `json:"ts"`
	Sender string          `json:"sender"`
	Text   string          `json:"text"`
	Meta   json.RawMessage `json:"meta,omitempty"`
}

// Job is one review owed, for one packet or for several that belong together.
type Job struct {
	ID      int64
	Watch   string
	Channel string
	LogID   string // the log that the packets' ids are of
	Workdir string
	// ReplyAs is who answers, whatever becomes of the watch: the relay knows the
	// answer again by its key and its sender. Save does not write it.
	ReplyAs string
	// Group says which packets may share a job.
	Group string
	// Key is the idempotency key of the answer.
	Key string
	// Generation is 1, and one more each time a person asks again.
	Generation int
	State      JobState
	// Attempt counts the runs begun, without those that were released.
	Attempt int
	// Due is when a queued or waiting job may be claimed.
	Due time.Time
	// Class and Reason tell why the last attempt failed or what is waited for.
	Class, Reason string
	// Thread is the Codex thread of the latest run.
	Thread string
	// Answer is what is to be posted; nil until it is known.
	Answer *relay.Draft
	// Outcome is the state that the job ends in once Answer is posted.
	Outcome JobState
	// AnswerID is the id of the posted answer, 0 before.
	AnswerID int64
	Created  time.Time
	// Packets are in ascending order of id; there are none when Schedule is set.
	Packets []Packet
	// Tree is what an isolated review is about. Save does not write it.
	Tree Tree
	// Schedule names the schedule that asked for the job, "" when packets did.
	// Occasion is the due time that it is for, Previous that of the schedule's job
	// before, zero when it is the first. Save does not write them.
	Schedule           string
	Occasion, Previous time.Time
}

// Tree is a state of a repository: the commit Base, and the files of the commit
// Snapshot, which holds what was not committed. They are the same when all was;
// both are "" when nothing is known.
type Tree struct {
	Base, Snapshot string
}

// Newest returns the id of the newest packet, 0 if there is none.
func (j Job) Newest() int64 {
	if len(j.Packets) == 0 {
		return 0
	}
	return j.Packets[len(j.Packets)-1].ID
}

// PacketIDs returns the ids of the packets in ascending order.
func (j Job) PacketIDs() []int64 {
	ids := make([]int64, len(j.Packets))
	for i, p := range j.Packets {
		ids[i] = p.ID
	}
	return ids
}

// Usage counts the tokens of a thread or of a run.
type Usage struct {
	Input     int64 `json:"input"`
	Cached    int64 `json:"cached"`
	Output    int64 `json:"output"`
	Reasoning int64 `json:"reasoning"`
}

// Total is what is billed: cached input is part of the input, and reasoning is
// part of the output.
func (u Usage) Total() int64 { return u.Input + u.Output }

// Minus returns u less v, never below zero: a thread's count that went back
// was started over.
func (u Usage) Minus(v Usage) Usage {
	if u.Input < v.Input || u.Output < v.Output {
		return u
	}
	return Usage{
		Input: u.Input - v.Input, Cached: max(u.Cached-v.Cached, 0),
		Output: u.Output - v.Output, Reasoning: max(u.Reasoning-v.Reasoning, 0),
	}
}

// Plus returns the sum.
func (u Usage) Plus(v Usage) Usage {
	return Usage{u.Input + v.Input, u.Cached + v.Cached, u.Output + v.Output, u.Reasoning + v.Reasoning}
}

// Run is one codex process.
type Run struct {
	ID      int64
	Job     int64
	Watch   string // of its job; only read
	Attempt int
	// Process is codexrun.Process as JSON; empty before the process exists.
	Process json.RawMessage
	Thread  string
	Codex   string // version
	Dir     string // the run's folder
	Class   string // "" while it runs
	Text    string
	Exit    int
	// Used is what this run used, Thread's count so far is ThreadUsed.
	Used, ThreadUsed Usage
	Started          time.Time
	Ended            time.Time // zero while it runs
}

// Item is one packet to enqueue.
type Item struct {
	Packet Packet
	Group  string
	// Key becomes the key of the job that the packet starts, if it starts one.
	Key string
	// Tree is what an isolated review of the packet is about.
	Tree Tree
}

// Batch is what a watch has read: the packets among it and the cursor after it.
type Batch struct {
	Watch   string
	Channel string
	LogID   string
	Workdir string
	ReplyAs string
	Cursor  int64
	Items   []Item
	// Due is when a new job may start: now, or later when the watch gathers
	// packets for a while.
	Due time.Time
	// MaxBytes bounds the text of one job's packets; 0 is no bound. A packet
	// that is larger by itself gets a job of its own.
	MaxBytes int
}
