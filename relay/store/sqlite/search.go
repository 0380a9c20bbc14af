package sqlite

import (
	"cmp"
	"database/sql"
	"math"
	"slices"
	"strings"

	"autoreview/relay"
)

// search returns the ids that q selects, in ascending order.
//
// A query is a set of streams, one for each pair of channel and sender, and an
// index holds each stream in order of id. So each is asked for its first ids
// alone, never past what the streams before it have already filled the page
// with, and the page is the first of them all.
func (t *txn) search(q relay.Query) ([]int64, error) {
	lo, hi := q.Since, int64(math.MaxInt64)
	if q.Newest && q.Before > 0 {
		hi = q.Before
	}
	var ids []int64
	for _, st := range streams(q) {
		err := t.each(func(rows *sql.Rows) error {
			var id int64
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		}, st.query(), st.args(lo, hi, q.Limit)...)
		if err != nil {
			return nil, err
		}
		if ids = firstOf(ids, q); len(ids) < q.Limit {
			continue
		}
		if q.Newest {
			lo = ids[len(ids)-1]
		} else {
			hi = ids[len(ids)-1]
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// firstOf sorts ids in the direction of the query and cuts them to its limit.
func firstOf(ids []int64, q relay.Query) []int64 {
	if q.Newest {
		slices.SortFunc(ids, func(a, b int64) int { return cmp.Compare(b, a) })
	} else {
		slices.Sort(ids)
	}
	return ids[:min(len(ids), q.Limit)]
}

// stream is what one index can answer in order: nil fields do not select.
type stream struct {
	target, sender, key *string
	newest              bool
}

func streams(q relay.Query) []stream {
	var out []stream
	base := stream{newest: q.Newest}
	if q.Key != "" {
		base.key = &q.Key
	}
	for _, target := range choices(q.Targets) {
		for _, sender := range choices(q.Senders) {
			st := base
			st.target, st.sender = target, sender
			out = append(out, st)
		}
	}
	return out
}

// choices are the distinct values, or one nil for no choice.
func choices(values []string) []*string {
	if len(values) == 0 {
		return []*string{nil}
	}
	values = slices.Compact(slices.Sorted(slices.Values(values)))
	out := make([]*string, len(values))
	for i := range values {
		out[i] = &values[i]
	}
	return out
}

// query names its index, so that no planner's guess can turn a read into a
// scan. The few messages that share a key need no index on more than it.
func (st stream) query() string {
	var b strings.Builder
	b.WriteString("SELECT id FROM messages")
	switch {
	case st.key != nil:
		b.WriteString(" INDEXED BY messages_by_key")
	case st.target != nil && st.sender != nil:
		b.WriteString(" INDEXED BY messages_by_target_sender")
	case st.target != nil:
		b.WriteString(" INDEXED BY messages_by_target")
	case st.sender != nil:
		b.WriteString(" INDEXED BY messages_by_sender")
	}
	b.WriteString(" WHERE id > ? AND id < ?")
	for _, f := range st.filters() {
		if f.value != nil {
			b.WriteString(" AND " + f.column + " = ?")
		}
	}
	b.WriteString(" ORDER BY id")
	if st.newest {
		b.WriteString(" DESC")
	}
	b.WriteString(" LIMIT ?")
	return b.String()
}

func (st stream) args(lo, hi int64, limit int) []any {
	args := []any{lo, hi}
	for _, f := range st.filters() {
		if f.value != nil {
			args = append(args, *f.value)
		}
	}
	return append(args, limit)
}

type filter struct {
	column string
	value  *string
}

func (st stream) filters() []filter {
	return []filter{{"key", st.key}, {"target", st.target}, {"sender", st.sender}}
}

// streamQueries are the queries of every shape of stream.
func streamQueries() []string {
	var out []string
	some := []string{"", "x"}
	for _, key := range some {
		for _, newest := range []bool{false, true} {
			q := relay.Query{Key: key, Newest: newest}
			for _, q.Targets = range [][]string{nil, {"x"}} {
				for _, q.Senders = range [][]string{nil, {"x"}} {
					out = append(out, streams(q)[0].query())
				}
			}
		}
	}
	return out
}
