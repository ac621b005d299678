package aws

// Tag is what all that can be tagged has: the name of the deployment it is of.
const Tag = "weft-deployment"

// Role is an IAM role that Lambda can take on.
type Role struct {
	Service string `json:"service"` // that may take it on
	Owner   string `json:"owner"`   // the value of Tag
}

// Statement is a statement of a policy.
type Statement struct {
	Sid      string   `json:"Sid"`
	Effect   string   `json:"Effect"`
	Action   []string `json:"Action"`
	Resource []string `json:"Resource"`
}

// Policy is an inline policy of a role.
type Policy struct {
	Role       string      `json:"role"` // its name
	Statements []Statement `json:"statements"`
}

// Table is a DynamoDB table on demand.
type Table struct {
	Partition string `json:"partition"` // name of the partition key, a string
	Sort      string `json:"sort"`      // name of the sort key, a string
	TTL       string `json:"ttl"`       // name of the attribute that says when an item expires
	Owner     string `json:"owner"`
}

// Queue is a standard queue of SQS.
type Queue struct {
	VisibilitySeconds int    `json:"visibilitySeconds"`
	RetentionSeconds  int    `json:"retentionSeconds"`
	Owner             string `json:"owner"`
}

// Layer is one version of a Lambda layer. What is in it is in its name.
type Layer struct {
	Archive string `json:"archive"` // path of the file
	Hash    string `json:"hash"`    // SHA-256, base64
	Arch    string `json:"arch"`    // "arm64", "x86_64"
}

// Function is a Lambda function.
type Function struct {
	Runtime  string            `json:"runtime"`
	Handler  string            `json:"handler"`
	Role     string            `json:"role"` // ARN
	Arch     string            `json:"arch"` // "arm64", "x86_64"
	MemoryMB int               `json:"memoryMB"`
	Seconds  int               `json:"seconds"` // time-out
	Env      map[string]string `json:"env,omitempty"`
	Layers   []string          `json:"layers,omitempty"` // ARNs of versions
	// Loops is "Allow": a workflow that loops comes back to a function more often than the 16 times after which Lambda
	// would take that for a mistake.
	Loops   string `json:"loops"`
	Archive string `json:"archive"` // path of the file
	Hash    string `json:"hash"`    // SHA-256, base64
	Owner   string `json:"owner"`
}

// Events says what becomes of a function's asynchronous invocations.
type Events struct {
	Function      string `json:"function"` // name
	Retries       int    `json:"retries"`
	MaxAgeSeconds int    `json:"maxAgeSeconds"`
	OnFailure     string `json:"onFailure"` // ARN
}

// Mapping hands the messages of a queue to a function.
type Mapping struct {
	Function string `json:"function"` // name
	Queue    string `json:"queue"`    // ARN
	Batch    int    `json:"batch"`    // messages at a time
}
