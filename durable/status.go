package durable

import "fmt"

// Status is what has become of a run. Values are append-only: they are stored.
type Status uint8

// The statuses.
const (
	Pending    Status = iota + 1 // started for a time that has not come
	Running                      // open
	Suspended                    // open; steps wait for a resume
	Completed                    // ended with an output
	Failed                       // ended with a failure
	Terminated                   // ended from outside
)

var statusNames = [...]string{Pending: "PENDING", Running: "RUNNING", Suspended: "SUSPENDED", Completed: "COMPLETED", Failed: "FAILED", Terminated: "TERMINATED"}

// String returns the status in capitals, as the Durable Task SDKs show it.
func (s Status) String() string {
	if int(s) < len(statusNames) && statusNames[s] != "" {
		return statusNames[s]
	}
	return fmt.Sprintf("STATUS(%d)", uint8(s))
}

// ParseStatus returns the status of a name.
func ParseStatus(name string) (Status, bool) {
	for s, n := range statusNames {
		if n == name && n != "" {
			return Status(s), true
		}
	}
	return 0, false
}

// Ended reports whether the run is over.
func (s Status) Ended() bool { return s >= Completed }
