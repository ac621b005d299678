package machine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/limits"
)

// RandomMachine is a definition of any shape, mostly a valid one, for tests of those who run machines otherwise.
func RandomMachine(r *rand.Rand, seconds int) string {
	g := &generator{r: r}
	return "{" + g.graph(2) + fmt.Sprintf(`,"TimeoutSeconds":%d}`, seconds)
}

// Deterministic reports whether a definition draws no random numbers.
var Deterministic = deterministic

// NewWorldForTest returns what runs def in one frame on virtual time: how and when it ends, and how many events that took.
func NewWorldForTest(t testing.TB, def *asl.Machine, exec Execution, l limits.Set, function func(input []byte) (after int64, name string, output []byte)) func(input string) (c *Command, at, events int64) {
	l.HistoryEvents = 1000
	w := newWorld(t, def, exec, l)
	w.check = false
	w.invoke = func(c Command, _ int) reply {
		after, name, output := function(c.Input)
		return reply{after: after, err: name, output: output}
	}
	return func(input string) (*Command, int64, int64) {
		if err := w.run(input); err != nil {
			t.Fatal(err)
		}
		return w.finish, w.now, w.f.lastEvent
	}
}
