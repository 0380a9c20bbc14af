package memory_test

import (
	"testing"

	"autoreview/supervisor/state"
	"autoreview/supervisor/state/memory"
	"autoreview/supervisor/state/statetest"
)

func TestStore(t *testing.T) {
	statetest.Run(t, func(*testing.T) (state.Store, func() state.Store) {
		s := memory.New()
		return s, func() state.Store { return s }
	})
}
