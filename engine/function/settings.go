package function

import (
	"maps"
	"math"
	"time"

	"github.com/weftworks/weft/fault"
)

// QueueLength is how many calls of one function may wait for a turn unless its Settings say otherwise.
// One waiting call costs about 1 KiB.
const QueueLength = 65_536

// DefaultAging is Settings.Aging unless they say otherwise: longer than most queues take, so that priorities mean
// something, and short enough that ten priorities make a difference of five minutes and not of a night.
const DefaultAging = 30 * time.Second

// Bounds of Settings. Rates beyond them are none, or want a schedule; they also keep times within 292 years.
const (
	RateLeast  = 1.0 / 3600 // calls a second
	RateMost   = 1_000_000
	BurstMost  = 1_000_000
	WeightMost = 1_000
)

// Settings is what a declaration says about a function, whatever runs it. All limits are those of one node.
type Settings struct {
	// Timeout ends a call this long after user code is entered, with Sandbox.Timedout. 0: none.
	Timeout time.Duration
	// Heartbeat ends a call with States.HeartbeatTimeout when its function has not called Beat for so long, counted at
	// first from the moment it is entered. Only an Invoker that is a Beater can have it. 0: none.
	Heartbeat time.Duration
	// Concurrency is how many calls may run at a time on this node; more wait for their turn. 0: no limit.
	Concurrency int
	// PerKey is how many calls with the same Request.ConcurrencyKey may run at a time; more wait, and calls with
	// another key pass them. 0: no limit.
	PerKey int
	// Rate is how many calls may begin a second (RateLeast to RateMost); more wait. 0: no limit.
	Rate float64
	// Burst is how many calls may begin at once when fewer than Rate have been begun before (at most BurstMost).
	// 0: what Rate allows in a second, at least 1.
	Burst int
	// Tenants are the weights of tenants (1 to WeightMost), by Request.Tenant: while calls of several wait, one with
	// weight 3 begins three calls for each call of one with weight 1, which is the weight of all that are not named.
	Tenants map[string]int
	// Aging is what a priority has to wait to count as one higher: when it has waiting calls and none of them has begun
	// for so long, the next goes as if it had a priority one higher, after twice as long two higher, and so on.
	// Without it, low priorities could wait for ever. 0: DefaultAging.
	Aging time.Duration
	// Queue is how many calls may wait, whatever they wait for; past it: Lambda.TooManyRequestsException.
	// 0: QueueLength.
	Queue int
	// Idempotent says that running a call again does no harm, so that the engine may start it before
	// its cause is durable.
	Idempotent bool
	// Runtime says what runs the function, for people: "go", "python", "in process" …
	Runtime string
}

// complete checks s for a function and fills in defaults.
func (s *Settings) complete(name string, invoker Invoker) error {
	wrong := func(format string, args ...any) error {
		return fault.New("function.Register", fault.InvalidArgument, name, format, args...)
	}
	if invoker == nil || s.Timeout < 0 || s.Heartbeat < 0 || s.Concurrency < 0 || s.PerKey < 0 || s.Queue < 0 || s.Aging < 0 {
		return wrong("the invoker must not be nil; time-outs, concurrency, aging and queue must not be negative")
	}
	if s.Rate != 0 && !(s.Rate >= RateLeast && s.Rate <= RateMost) { // NaN is neither
		return wrong("the rate is %g calls a second; it must be 0 or from %g to %d", s.Rate, RateLeast, RateMost)
	}
	if s.Burst < 0 || s.Burst > BurstMost || (s.Burst > 0 && s.Rate == 0) {
		return wrong("the burst is %d; it must be from 0 to %d, and 0 without a rate", s.Burst, BurstMost)
	}
	for tenant, weight := range s.Tenants {
		if weight < 1 || weight > WeightMost {
			return wrong("tenant %q has weight %d; it must be from 1 to %d", tenant, weight, WeightMost)
		}
	}
	if s.Heartbeat > 0 && !beats(invoker) {
		return wrong("what runs this function hears no heartbeats from it; remove the heartbeat and bound calls with a time-out")
	}
	s.defaults()
	s.Tenants = maps.Clone(s.Tenants)
	return nil
}

// defaults fills in what is not said.
func (s *Settings) defaults() {
	if s.Rate > 0 && s.Burst == 0 {
		s.Burst = int(math.Ceil(s.Rate))
	}
	if s.Queue == 0 {
		s.Queue = QueueLength
	}
	if s.Aging == 0 {
		s.Aging = DefaultAging
	}
}

// shorter returns the shorter of two durations of which 0 is none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || (b > 0 && b < a) {
		return b
	}
	return a
}
