package faas

import "time"

// What Lambda bounds, and what a zero field stands for.
const (
	// SyncBytes bounds the payload of Invoke and of what it answers (Lambda: 6 MiB).
	SyncBytes = 6 << 20
	// AsyncBytes bounds the payload of Send and the record for a destination (Lambda: 256 KiB; since October 2025 it takes
	// 1 MiB, which SQS and other destinations may still refuse).
	AsyncBytes = 256 << 10
	// DefaultConcurrency is how many executions run at a time (Lambda: 1,000 for an account and region).
	DefaultConcurrency = 1000
	// UnreservedLeast is what reservations of functions must leave of the concurrency to all others (Lambda: 100), or all
	// of it where that is less.
	UnreservedLeast = 100
	// DefaultRetries is how often an event is executed again after its function failed; MostRetries the most there can be.
	DefaultRetries = 2
	MostRetries    = 2
	// DefaultAge is how old an event may become, which is also the most; LeastAge the least.
	DefaultAge = 6 * time.Hour
	LeastAge   = time.Minute
	// DefaultQueue and DefaultQueueBytes bound the events that wait. Lambda says of its queue only that there is one.
	// An event costs about 300 bytes and its payload.
	DefaultQueue      = 1_000_000
	DefaultQueueBytes = 1 << 30
)

// The delays of Lambda between the attempts to execute an event, before Config.Scale.
const (
	retryFirst    = time.Minute     // after the first failure; twice as long after the second
	throttleFirst = time.Second     // after the first throttle, then doubling
	throttleMost  = 5 * time.Minute // to this
)

// NotBeforeHeader is what a request to the Lambda endpoint has, beside Lambda's own headers, when its event is not to be
// executed before a time: in Unix microseconds.
const NotBeforeHeader = "X-Weft-Not-Before"
