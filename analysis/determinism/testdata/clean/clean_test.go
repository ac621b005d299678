package clean

import (
	"testing"
	"time"

	"github.com/weftworks/weft"
)

// A test's workflow may watch itself.
func TestCart(t *testing.T) {
	calls := make(chan time.Time, 1)
	n := 0
	weft.Workflow("watched", func(w *weft.Flow, in string) (string, error) {
		n++
		calls <- time.Now()
		return Cart(w, in)
	})
	defaults["zone"] = "CET"
}
