// Package sim is a test: the real supervisor over the relay's real verbs, with
// both stores in memory and a scripted Codex, in a world where one seeded
// scheduler decides what happens next and how time goes by. Every effect (a read
// or write of the state, a request to the relay, a start, prompt or end of Codex)
// stops at a seam, and the scheduler lets exactly one of them go on. It delays and
// reorders them by that, fails writes, loses requests and replies, lets time
// pass, makes the clock jump, ends Codex and the relay, and lets a life of the
// supervisor die at any seam: then all seams of that life answer errDead, and
// what it had in flight may still arrive.
//
// After each schedule all is made well, and then the promise must hold: each
// packet has exactly one review or one plain notice. So must what it rests on:
// no two runs of Codex in one folder, no run for a job whose answer is saved, no
// cursor ahead of the jobs, no process left over.
//
// `make sim` runs it. These variables change it:
//
//	SIM_SCHEDULES  how many schedules; 300 by default, 10,000 with `make sim`
//	SIM_SEED       the first seed; random by default. With SIM_SCHEDULES=1 it
//	               repeats one schedule and prints its trace
//	SIM_REPEATS    how many seeds are played twice, to see that their traces are
//	               the same; 30 by default
//
// A seed decides everything, so a failure can be repeated: its trace is the same
// each time, which is checked as well. Seeds that failed once are in
// testdata/seeds.txt and run each time.
//
// Files are not simulated: a dead life's worktrees and run records are left to
// the storm of real processes in package chaos.
package sim
