package memory_test

import (
	"testing"
	"time"

	"autoreview/relay/store/memory"
	"autoreview/relay/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(_ *testing.T, now func() time.Time) storetest.Store { return memory.New(now) })
}
