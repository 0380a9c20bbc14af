// Package chaos is a test: the real relay and the real supervisor, with a fake
// Codex that misbehaves, run as processes of their own while packets are posted
// all the time; they are killed at random moments, and the network between them
// is cut, slowed and refused. When all is healthy again, each packet that the
// relay acknowledged must have exactly one answer, and nothing may be left over.
//
// `make chaos` runs it. These variables change it:
//
//	CHAOS_FAULTS  how many faults; 20 by default, 300 with `make chaos`
//	CHAOS_SEED    chooses faults, moments and what Codex does; random by default
//	CHAOS_TIME    when to stop injecting faults however few there were, 10m by
//	              default
//
// The seed fixes what is done and after which wait, not how the operating system
// schedules the processes: the same seed is the same storm, hitting the programs
// at slightly other points.
package chaos
