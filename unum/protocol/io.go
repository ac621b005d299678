package protocol

// OpKind says what an Op does.
type OpKind uint8

// The kinds of operations, with the fields they use and the fields of their answers.
const (
	OpGet         OpKind = iota + 1 // Keys: Records
	OpCreate                        // Key, Record: Record, OK
	OpAdvance                       // Key, Nonce, Step, Record: Record, OK
	OpAdd                           // Key, Nonce, Step, Member, Failed: Record, OK
	OpDelete                        // Keys
	OpPutBlob                       // Key, Data, Expires
	OpGetBlob                       // Key: Data, OK
	OpDeleteBlobs                   // Keys
	OpInvoke                        // Request, Payload, At
	OpRun                           // Code, Input: Outcome
)

// Op is an operation on the datastore or the platform, or the run of the user's code. What the datastore's do stands with
// the Store interface of package unum.
type Op struct {
	Kind    OpKind
	Key     string
	Keys    []string
	Nonce   string
	Step    int64
	Member  string
	Failed  bool
	Record  *Record
	Data    []byte
	Expires int64 // Unix seconds
	Request *Request
	Payload []byte // the request as it travels
	At      int64  // Unix milliseconds; 0: now
	Code    string
	Input   []byte
}

// Answer is what an Op has come to.
type Answer struct {
	OK      bool
	Record  *Record
	Records []*Record
	Data    []byte
	Outcome *Outcome
}

// IO carries out operations.
type IO interface {
	// Do carries out ops, in any order or at the same time, and returns their answers in order when all are done. An error
	// ends the execution: the platform delivers its request again.
	Do(ops []Op) ([]Answer, error)
}
