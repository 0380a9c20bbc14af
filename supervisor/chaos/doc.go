// Package chaos is a test: the real relay and the real supervisor, with a fake
// Codex that misbehaves or with the real one, run as processes of their own
// while packets are posted all the time; they are killed at random moments, the
// network between them is cut, slowed and refused, their disk is full, and the
// configuration changes. When all is healthy again, each packet that the relay
// acknowledged must have exactly one answer, and nothing may be left over.
//
// `make chaos` runs it, `make chaos-real` with the real Codex. These variables
// change it:
//
//	CHAOS_FAULTS  how many faults; 20 by default, 300 with `make chaos`; with
//	              the real Codex 3, and 60 with `make chaos-real`
//	CHAOS_SEED    chooses faults, moments and what Codex does; random by default
//	CHAOS_TIME    when to stop injecting faults however few there were, 1h by
//	              default
//
// The seed fixes what is done and after which wait, not how the operating system
// schedules the processes: the same seed is the same storm, hitting the programs
// at slightly other points.
//
// A full disk is a real one where the test may mount (root on Linux): all that
// both programs write is on a file system of its own, which is made as small as
// what is on it. SQLite then says SQLITE_FULL, files and Git ENOSPC, and a program
// that is started finds no room for its lock. On any Linux the size of what a
// process may write is also limited while it runs (RLIMIT_FSIZE): at the size of
// its write-ahead log, or at nothing. That is a quota, or a disk that takes no
// writes at all: SQLite says SQLITE_IOERR_WRITE, and Git, which does not expect
// it, dies half way. A program that is up must get over both; one that starts may
// end with an error, and is started again.
package chaos
