// Package soak is a test: that nothing grows with what has been done. Reviews,
// streams, waits and tool calls by the hundreds must leave no goroutine, no open
// file and no process behind, and two programs under load for as long as one
// likes must not take more memory than after their first minutes.
//
// The leak tests run with all the others. `make soak` runs the programs under
// load. These variables change it:
//
//	SOAK_RUNS  how many reviews, streams, waits and calls the leak tests make;
//	           200 reviews and 1000 of the others by default, 50 with -short, 1000
//	           of all with `make soak`
//	SOAK_TIME  for how long the programs are under load; 10m with `make soak`,
//	           and without it they are not started
//	SOAK_RATE  packets a second; 5 by default
package soak
