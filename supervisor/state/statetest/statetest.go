// Package statetest is the one suite that every state.Store passes. It is the
// contract of the interface, sentence by sentence.
package statetest

import (
	"testing"

	"autoreview/supervisor/state"
)

// Open returns an empty state and a function that closes it and opens it again,
// as the next life of a supervisor does. Both are closed by t.Cleanup.
type Open func(t *testing.T) (s state.Store, again func() state.Store)

// Run tests the states that open returns, each in a subtest of its own.
func Run(t *testing.T, open Open) {
	for _, tt := range []struct {
		name string
		run  func(*fixture)
	}{
		{"enqueue moves the cursor with the jobs", testEnqueueMovesTheCursorWithTheJobs},
		{"a packet is enqueued once", testAPacketIsEnqueuedOnce},
		{"a failed enqueue changes nothing", testFailedEnqueueChangesNothing},
		{"groups and sizes separate jobs", testGroupsAndSizesSeparateJobs},
		{"started jobs are closed", testStartedJobsAreClosed},
		{"claim waits until due", testClaimWaitsUntilDue},
		{"claim goes by the order of watches", testClaimGoesByTheOrderOfWatches},
		{"everything is there after reopening", testEverythingIsThereAfterReopening},
		{"what is returned is the caller's", testWhatIsReturnedIsTheCallers},
		{"answered needs an answer", testAnsweredNeedsAnAnswer},
		{"answered through", testAnsweredThrough},
		{"the tree is the newest packet's", testTheTreeIsTheNewestPackets},
		{"again", testAgain},
		{"again leaves the rest alone", testAgainLeavesTheRestAlone},
		{"change", testChange},
		{"pause", testPause},
		{"fire once", testFireOnce},
		{"holds", testHolds},
		{"threads and their usage", testThreadsAndTheirUsage},
		{"runs", testRuns},
		{"spent", testSpent},
		{"places", testPlaces},
		{"summaries", testSummaries},
		{"forget", testForget},
		{"forget leaves what is open", testForgetLeavesWhatIsOpen},
		{"forget leaves the last of a schedule", testForgetLeavesTheLastOfASchedule},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fixture{T: t}
			f.store, f.again = open(t)
			tt.run(f)
		})
	}
}

// fixture is a test with its own empty state.
type fixture struct {
	*testing.T
	store state.Store
	again func() state.Store
}
