package cost

import (
	"time"

	"github.com/weftworks/weft/unum/protocol"
)

// Usage is what one run has used so far, or what several have together.
type Usage struct {
	Executions int64 `json:"executions"` // of functions, every attempt
	// GBSeconds is memory times duration, each rounded up to 1 ms as Lambda does; GBSeconds100 to 100 ms as Google does.
	GBSeconds    float64 `json:"gb_seconds"`
	GBSeconds100 float64 `json:"gb_seconds_100ms"`

	Invokes int64 `json:"invokes"` // asked for, the delayed ones included
	Delayed int64 `json:"delayed"`
	// InvokeUnits are requests as Lambda counts asynchronous ones: one for the first 256 KiB, one for each 64 KiB more.
	InvokeUnits int64 `json:"invoke_units"`
	// DelayedChunks are 64 KiB of messages in a queue; TaskChunks 32 KiB of tasks, whether delayed or not.
	DelayedChunks int64 `json:"delayed_chunks"`
	TaskChunks    int64 `json:"task_chunks"`

	Reads   int64 `json:"reads"`   // records and blobs looked for, whether they were there or not
	Writes  int64 `json:"writes"`  // of records and blobs, refused ones included
	Deletes int64 `json:"deletes"` // of records and blobs, whether they were there or not
	// ReadUnits and WriteUnits are DynamoDB's request units: of writes, and of deletes.
	ReadUnits   int64 `json:"read_units"`
	WriteUnits  int64 `json:"write_units"`
	DeleteUnits int64 `json:"delete_units"`
	// DocReads, DocWrites and DocDeletes are documents as Firestore counts them, of a unum/store/firestore that remembers
	// what it has seen.
	DocReads   int64 `json:"doc_reads"`
	DocWrites  int64 `json:"doc_writes"`
	DocDeletes int64 `json:"doc_deletes"`

	// Transitions are those that Step Functions would charge for; 0: not known.
	Transitions int64 `json:"transitions"`
}

// Least is what a run has used at the least whose tally t is: each request of the datastore is one unit, and of GB-seconds
// there is what user code took in functions of memory MiB. What was repeated is in no tally.
func Least(t *protocol.Tally, memory int) Usage {
	executions := t.Instances + t.Hops
	u := Usage{
		Executions: executions, Invokes: executions, InvokeUnits: executions, TaskChunks: executions,
		Reads: executions + t.Arrivals, Writes: 1 + t.Instances + t.Arrivals + t.Joins, Deletes: t.Arrivals, // the run's own record is 1
		Transitions: Charged(t),
	}
	u.ReadUnits, u.WriteUnits, u.DeleteUnits = u.Reads, u.Writes, u.Deletes
	u.DocReads, u.DocWrites, u.DocDeletes = u.Reads, u.Writes, u.Deletes
	u.GBSeconds = float64(memory) / 1024 * float64(t.Millis) / 1000
	u.GBSeconds100 = u.GBSeconds
	return u
}

// Charged is how many state transitions Step Functions charges for the run whose tally t is: each state that was entered,
// each further attempt of a task, and the begin and the end of the run (as in AWS's pricing example). 0: it is not known.
func Charged(t *protocol.Tally) int64 {
	if t == nil || t.Partial || t.Entered == 0 {
		return 0
	}
	return t.Entered + 2
}

// Add adds what another run has used.
func (u *Usage) Add(v *Usage) {
	u.Executions += v.Executions
	u.GBSeconds += v.GBSeconds
	u.GBSeconds100 += v.GBSeconds100
	u.Invokes += v.Invokes
	u.Delayed += v.Delayed
	u.InvokeUnits += v.InvokeUnits
	u.DelayedChunks += v.DelayedChunks
	u.TaskChunks += v.TaskChunks
	u.Reads += v.Reads
	u.Writes += v.Writes
	u.Deletes += v.Deletes
	u.ReadUnits += v.ReadUnits
	u.WriteUnits += v.WriteUnits
	u.DeleteUnits += v.DeleteUnits
	u.DocReads += v.DocReads
	u.DocWrites += v.DocWrites
	u.DocDeletes += v.DocDeletes
	u.Transitions += v.Transitions
}

// units is how many steps of a size there are in n bytes, the begun one included; at least 1.
func units(n, step int) int64 { return int64(max(1, (n+step-1)/step)) }

// The sizes in which clouds count.
const (
	readBytes  = 4 << 10 // of a strongly consistent read (DynamoDB)
	writeBytes = 1 << 10 // of a write (DynamoDB)
	queueBytes = 64 << 10
	taskBytes  = 32 << 10
	firstAsync = 256 << 10 // of an asynchronous invocation's first request (Lambda)
	nextAsync  = 64 << 10
)

func invokeUnits(n int) int64 {
	if n <= firstAsync {
		return 1
	}
	return 1 + units(n-firstAsync, nextAsync)
}

// read counts a read of an item of n bytes; 0: it was not there, which costs as much as the smallest.
func (u *Usage) read(n int) {
	u.Reads++
	u.ReadUnits += units(n, readBytes)
}

// write counts a write that leaves an item of n bytes or, refused, has met one.
func (u *Usage) write(n int) {
	u.Writes++
	u.WriteUnits += units(n, writeBytes)
}

// documents counts what Firestore was asked for.
func (u *Usage) documents(reads, writes, deletes int) {
	u.DocReads += int64(reads)
	u.DocWrites += int64(writes)
	u.DocDeletes += int64(deletes)
}

func (u *Usage) remove(n int) {
	u.Deletes++
	u.DeleteUnits += units(n, writeBytes)
}

func (u *Usage) invoke(n int, delayed bool) {
	u.Invokes++
	u.InvokeUnits += invokeUnits(n)
	u.TaskChunks += units(n, taskBytes)
	if delayed {
		u.Delayed++
		u.DelayedChunks += units(n, queueBytes)
	}
}

func (u *Usage) execution(memory int, took time.Duration) {
	gb := float64(memory) / 1024
	ms := max(1, (took+time.Millisecond-1)/time.Millisecond)
	u.Executions++
	u.GBSeconds += gb * float64(ms) / 1000
	u.GBSeconds100 += gb * float64((ms+99)/100) / 10
}

// itemBytes is how large a record is as an item of package unum/store/dynamodb: names and values of its attributes. Numbers
// have a byte for two digits and one more.
func itemBytes(key string, r *protocol.Record) int {
	if r == nil {
		return 0
	}
	n := len(key) + len(RunOf(key)) + len(r.Nonce) + len(r.Value) + len(r.Failed) + attributeBytes
	for _, m := range r.Members {
		n += len(m) + 1
	}
	return n
}

// scopeDocs is how many documents the scope of a record has in package unum/store/firestore, besides that of the record.
func scopeDocs(r *protocol.Record) int {
	if r == nil || r.Ended || r.Width <= 0 {
		return 0
	}
	return int(min((r.Width+31)/32, 16))
}

// blobDocs is how many documents a blob of n bytes has there.
func blobDocs(n int) int { return int(units(n, 1_000_000)) }

// attributeBytes is what the names of a record's attributes have, a letter each, its partition's shard, numbers and flags.
const attributeBytes = 24
