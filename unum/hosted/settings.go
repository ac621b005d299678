package hosted

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/wrapper"
)

// Settings are what a function finds in its environment. See the package comment for the variables.
type Settings struct {
	Function     string // WEFT_FUNCTION
	App          string // WEFT_APP: a directory
	Root         string // of the function's files: $LAMBDA_TASK_ROOT, else the working directory
	Entry        bool   // WEFT_ENTRY
	RunTimeout   time.Duration
	Keep         time.Duration
	Redeliveries int
	Code         wrapper.Code
	Prefix       string

	Table      string // WEFT_TABLE
	Collection string // WEFT_COLLECTION
	Project    string // WEFT_PROJECT
	Database   string // WEFT_DATABASE: of Project
	Store      string // WEFT_STORE
	Token      string // WEFT_TOKEN: of Store

	Queue    string // WEFT_QUEUE
	Tasks    string // WEFT_TASKS
	Platform string // WEFT_PLATFORM
	// Targets and ServiceAccount are WEFT_TARGETS and WEFT_SERVICE_ACCOUNT: of Tasks.
	Targets        map[string]string
	ServiceAccount string

	RuntimeAPI string        // $AWS_LAMBDA_RUNTIME_API: the platform's own
	Port       int           // PORT
	Timeout    time.Duration // WEFT_TIMEOUT
}

// Read reads the settings. Its error lists everything that is wrong: fault.InvalidArgument.
func Read(env func(key string) string) (*Settings, error) {
	r := &reader{env: env}
	s := &Settings{
		Prefix: env("WEFT_PREFIX"), Entry: r.boolean("WEFT_ENTRY"),
		RunTimeout: r.duration("WEFT_RUN_TIMEOUT", 0), Keep: r.duration("WEFT_KEEP", unum.DefaultKeep), Redeliveries: r.integer("WEFT_REDELIVERIES", 0),
		Table: env("WEFT_TABLE"), Collection: env("WEFT_COLLECTION"), Project: cmp.Or(env("WEFT_PROJECT"), env("GOOGLE_CLOUD_PROJECT")),
		Database: cmp.Or(env("WEFT_DATABASE"), "(default)"),
		Store:    env("WEFT_STORE"), Token: env("WEFT_TOKEN"),
		Queue: env("WEFT_QUEUE"), Tasks: env("WEFT_TASKS"), Platform: env("WEFT_PLATFORM"), ServiceAccount: env("WEFT_SERVICE_ACCOUNT"),
		RuntimeAPI: env("AWS_LAMBDA_RUNTIME_API"), Port: r.integer("PORT", 8080), Timeout: r.duration("WEFT_TIMEOUT", 0),
	}
	s.Function = cmp.Or(env("WEFT_FUNCTION"), strings.TrimPrefix(cmp.Or(env("AWS_LAMBDA_FUNCTION_NAME"), env("K_SERVICE")), s.Prefix))
	if s.Root = env("LAMBDA_TASK_ROOT"); s.Root == "" {
		var err error
		if s.Root, err = os.Getwd(); err != nil {
			r.wrong("the working directory: %v", err)
		}
	}
	s.App = cmp.Or(env("WEFT_APP"), filepath.Join(s.Root, "weft"))
	var err error
	if s.Code, err = wrapper.ParseCode(env("WEFT_CODE")); err != nil {
		r.wrong("WEFT_CODE: %v", err)
	}
	if text := env("WEFT_TARGETS"); text != "" {
		if err := json.Unmarshal([]byte(text), &s.Targets); err != nil {
			r.wrong("WEFT_TARGETS is no JSON object of functions and their URLs: %v", err)
		}
	}
	if s.Function == "" {
		r.wrong("WEFT_FUNCTION is missing; it names the function in the application")
	}
	if s.Table == "" && s.Collection == "" && s.Store == "" {
		r.wrong("there is no datastore; set WEFT_TABLE (DynamoDB), WEFT_COLLECTION (Firestore) or WEFT_STORE")
	}
	if s.Queue == "" && s.Tasks == "" && s.Platform == "" {
		r.wrong("there is no platform; set WEFT_QUEUE (AWS Lambda), WEFT_TASKS (Google Cloud) or WEFT_PLATFORM")
	}
	if len(r.problems) > 0 {
		return nil, fault.New("hosted.Read", fault.InvalidArgument, "environment", "%s", strings.Join(r.problems, "; "))
	}
	return s, nil
}

// reader collects what is wrong.
type reader struct {
	env      func(string) string
	problems []string
}

func (r *reader) wrong(format string, args ...any) {
	r.problems = append(r.problems, fault.New("", fault.InvalidArgument, "", format, args...).Message())
}

func (r *reader) duration(key string, otherwise time.Duration) time.Duration {
	text := r.env(key)
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		r.wrong("%s is %q, which is no time like 30s or 1h30m", key, text)
	}
	return d
}

func (r *reader) integer(key string, otherwise int) int {
	text := r.env(key)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		r.wrong("%s is %q, which is no number", key, text)
	}
	return n
}

func (r *reader) boolean(key string) bool {
	switch text := r.env(key); text {
	case "", "false":
		return false
	case "true":
		return true
	default:
		r.wrong("%s is %q, which is neither true nor false", key, text)
		return false
	}
}
