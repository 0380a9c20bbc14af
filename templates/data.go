package templates

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
)

// Review is the data of a review prompt.
type Review struct {
	// Channel, Sender and ReplyAs are the watch's channel, who wrote the
	// packets, and the name the review is posted under.
	Channel, Sender, ReplyAs string
	// Packets are what is to be reviewed, oldest first, at least one.
	Packets []Packet
	// Boundary marks where packets begin and end; see NewBoundary.
	Boundary string
	// PacketFile is the absolute path of a file that holds the packets because
	// they are too large for a prompt, "" when they are in the prompt.
	PacketFile string
	// Round counts the reviews of the same piece of work, from 1; 0 when it is
	// not known.
	Round int
	// Repo is the absolute path of the working directory. Branch and Commit
	// are what it has checked out, "" when it is no repository.
	Repo, Branch, Commit string
	// Resumed says that the Codex thread has a past: mostly earlier reviews.
	Resumed bool
	// CanWrite says that the sandbox lets commands change files.
	CanWrite bool
	// Isolated says that the working directory is a copy made for this review.
	Isolated bool
	// Earlier are the open findings of earlier reviews, for a fresh thread that
	// takes the place of one that could not be gone on with; otherwise "".
	// EarlierBoundary bounds them; see NewBoundary.
	Earlier, EarlierBoundary string
}

// Packet is one message to be reviewed.
type Packet struct {
	ID int64
	// TS is when it was posted, as text for a reader.
	TS   string
	Text string
}

// Newest returns the id of the last packet: the one a reply goes to.
func (r Review) Newest() int64 {
	if len(r.Packets) == 0 {
		return 0
	}
	return r.Packets[len(r.Packets)-1].ID
}

// Since returns the cursor from which a fetch returns all the packets.
func (r Review) Since() int64 {
	if len(r.Packets) == 0 {
		return 0
	}
	return r.Packets[0].ID - 1
}

// IDs returns the ids of the packets as "#41, #42".
func (r Review) IDs() string {
	ids := make([]string, len(r.Packets))
	for i, p := range r.Packets {
		ids[i] = fmt.Sprintf("#%d", p.ID)
	}
	return strings.Join(ids, ", ")
}

// IDList returns the ids of the packets as a JSON list.
func (r Review) IDList() string {
	return "[" + strings.ReplaceAll(r.IDs(), "#", "") + "]"
}

func (r Review) check() error {
	if len(r.Packets) == 0 {
		return errors.New("there is no packet to review")
	}
	texts := make([]string, len(r.Packets))
	for i, p := range r.Packets {
		texts[i] = p.Text
	}
	if r.Earlier != "" {
		if err := checkBoundary(r.EarlierBoundary, r.Earlier); err != nil {
			return err
		}
	}
	return checkBoundary(r.Boundary, texts...)
}

// Scheduled is the data of the prompt of a review, or of a digest, that no packet
// asks for.
type Scheduled struct {
	// Schedule is its name, Due when it was due, Previous when it was before, ""
	// when this is the first time.
	Schedule, Due, Previous string
	// Channel is where it answers as ReplyAs.
	Channel, ReplyAs string
	// Messages are those of the channel since Previous, oldest first, possibly
	// none. Boundary marks where each begins and ends; see NewBoundary.
	Messages []Message
	Boundary string
	// The rest is as in Review.
	Repo, Branch, Commit        string
	Resumed, CanWrite, Isolated bool
}

// Message is one message of the channel.
type Message struct {
	ID int64
	// TS is when it was posted, as text for a reader.
	TS, Sender, Kind, Text string
}

func (s Scheduled) check() error {
	texts := make([]string, len(s.Messages))
	for i, m := range s.Messages {
		texts[i] = m.Text
	}
	return checkBoundary(s.Boundary, texts...)
}

// Reask is the data of the prompt that follows a bad answer.
type Reask struct {
	// Problems are what was wrong, one line each.
	Problems []string
	// Answer is the bad answer and Review what it was about. They are set when
	// the prompt goes to a fresh thread, which has seen neither.
	Answer string
	Review *Review
	// Boundary bounds Answer; see NewBoundary.
	Boundary string
}

func (r Reask) check() error {
	if len(r.Problems) == 0 {
		return errors.New("there is no problem to tell of")
	}
	if r.Review == nil {
		return nil
	}
	if err := r.Review.check(); err != nil {
		return err
	}
	return checkBoundary(r.Boundary, r.Answer)
}

// NewBoundary returns a line that cannot be guessed and is in none of texts.
func NewBoundary(texts ...string) string {
	for {
		if b := "packet-" + rand.Text(); checkBoundary(b, texts...) == nil {
			return b
		}
	}
}

func checkBoundary(boundary string, texts ...string) error {
	if len(boundary) < 16 {
		return errors.New("the boundary is too short to be unguessable")
	}
	for _, t := range texts {
		if strings.Contains(t, boundary) {
			return errors.New("the boundary occurs in the text it should bound")
		}
	}
	return nil
}

// sample is data that a template can be tried with.
func sample(name string) any {
	r := Review{
		Channel: "proj-x", Sender: "claude", ReplyAs: "codex",
		Packets:  []Packet{{ID: 41, TS: "2026-01-02 15:04:05 UTC", Text: "Summary: an example"}},
		Boundary: NewBoundary(), Round: 1, Repo: "/repo", Branch: "main", Commit: "0123abc",
	}
	switch name {
	case NameReask:
		return Reask{Problems: []string{"verdict: is missing"}, Answer: "{}", Review: &r, Boundary: NewBoundary()}
	case NameSchedule, NameDigest:
		return Scheduled{
			Schedule: "nightly", Due: "2026-01-02 02:30:00 UTC", Previous: "2026-01-01 02:30:00 UTC", Channel: r.Channel, ReplyAs: r.ReplyAs,
			Messages: []Message{{ID: 41, TS: "2026-01-01 15:04:05 UTC", Sender: "claude", Text: "Summary: an example"}},
			Boundary: NewBoundary(), Repo: r.Repo, Branch: r.Branch, Commit: r.Commit,
		}
	}
	return r
}
