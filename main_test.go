package weft_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain looks for goroutines that apps have left behind, coroutines of workflows among them.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
