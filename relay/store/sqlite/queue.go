package sqlite

import (
	"slices"
	"sync"
)

// task is one change that the writer goroutine makes.
type task struct {
	// run makes the change. It may run more than once, each time in a new
	// transaction. A *relay.Error refuses this task alone, and then run must
	// have changed nothing; any other error undoes the whole transaction.
	run func(*txn) error
	// bytes is roughly how much run writes, when that can be much.
	bytes int
	// done is closed after the commit that decided err.
	done chan struct{}
	err  error
}

func newTask(run func(*txn) error) *task {
	return &task{run: run, done: make(chan struct{})}
}

func (t *task) answer(err error) {
	t.err = err
	close(t.done)
}

// queue holds the tasks that wait for the writer. It has no bound of its own:
// every caller waits for its answer, so it is as long as there are callers.
type queue struct {
	wake chan struct{} // holds at most one token: look again

	mu sync.Mutex
	// guarded by mu
	tasks  []*task
	closed bool
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// put queues a task and reports whether the queue was still open.
func (q *queue) put(t *task) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.tasks = append(q.tasks, t)
	q.notifyLocked()
	return true
}

// take returns the oldest tasks, at most limit and no more once they have so
// many bytes, without waiting, and whether more can come.
func (q *queue) take(limit, bytes int) (batch []*task, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for sum := 0; n < min(limit, len(q.tasks)) && sum < bytes; n++ {
		sum += q.tasks[n].bytes
	}
	batch = slices.Clone(q.tasks[:n])
	q.tasks = slices.Delete(q.tasks, 0, n)
	return batch, !q.closed
}

// close reports whether the queue was open.
func (q *queue) close() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.closed = true
	q.notifyLocked()
	return true
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

func (q *queue) notifyLocked() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
