package gcp

// Labels of functions.
const (
	OwnerLabel   = "weft-deployment" // the name of the deployment
	archiveLabel = "weft-archive"    // the beginning of the hash of what it was built from
)

// Account is a service account.
type Account struct {
	Owner string `json:"owner"` // the deployment
}

// Database is a Firestore database in native mode. Its collection has a time to live, and no indexes.
type Database struct {
	Location   string `json:"location"`
	Collection string `json:"collection"`
	TTL        string `json:"ttl"`     // the field that says when a document expires
	Indexed    bool   `json:"indexed"` // whether fields of the collection have indexes
}

// Queue is a queue of Cloud Tasks.
type Queue struct {
	MaxAttempts      int32 `json:"maxAttempts"` // -1: without a bound, for the runtime gives up by itself
	MinBackoffMillis int64 `json:"minBackoffMillis"`
	MaxBackoffMillis int64 `json:"maxBackoffMillis"`
	MaxDoublings     int32 `json:"maxDoublings"`
	PerSecond        int32 `json:"perSecond"`  // dispatches
	Concurrent       int32 `json:"concurrent"` // dispatches
}

// Grant is a role that an account has on a resource.
type Grant struct {
	Role     string `json:"role"`
	Account  string `json:"account"`  // its e-mail
	Resource string `json:"resource"` // a database, a queue, an account or a service of Cloud Run
}

// Function is a Cloud Run function.
type Function struct {
	Runtime    string            `json:"runtime"`
	EntryPoint string            `json:"entryPoint"`
	Account    string            `json:"account"` // e-mail of what it runs as
	MemoryMiB  int64             `json:"memoryMiB"`
	Seconds    int32             `json:"seconds"` // time-out
	Env        map[string]string `json:"env,omitempty"`
	Archive    string            `json:"archive"` // path of the file
	Hash       string            `json:"hash"`    // the beginning of its SHA-256, hexadecimal; "" where the last build has failed
	Owner      string            `json:"owner"`   // the deployment
}
