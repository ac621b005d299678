package engine

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain looks for goroutines that nodes have left behind, coroutines of workflows among them.
func TestMain(m *testing.M) {
	// Pebble 2.1.7 leaves this one behind when it does not open.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/cockroachdb/pebble/v2.(*ConcurrencyLimitScheduler).periodicGranter"))
}
