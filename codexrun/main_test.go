package codexrun_test

import (
	"os"
	"testing"

	"autoreview/codexrun/codextest"
)

func TestMain(m *testing.M) {
	codextest.MainIfFake()
	os.Exit(m.Run())
}
