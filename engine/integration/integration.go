// Package integration runs the service integrations of state machines: what a Task calls as
// "arn:aws:states:::SERVICE:ACTION".
//
// A Set has them by name ("sqs:sendMessage", "aws-sdk:s3:getObject", or a name of yours such as "crm:createLead"). It is
// what the parser asks which integrations there are (asl.Integrations), and what the engine calls, like a function
// (function.Invoker). Sub-packages bring services: awssdk S3, SQS and DynamoDB, sink SNS and EventBridge as HTTP sinks,
// web http:invoke and integrations that are an HTTP endpoint.
//
//	set := integration.NewSet()
//	err := set.Register("crm:createLead", integration.Func(func(ctx context.Context, req *integration.Request) ([]byte, error) {
//		return []byte(`{"LeadId": "17"}`), nil
//	}))
//	node, err := engine.Open(engine.Options{Integrations: set})
//
// A state machine then says "Resource": "arn:aws:states:::crm:createLead", or with ".waitForTaskToken" behind it.
//
// Integrations take part in at-least-once delivery like functions: a call whose answer was lost in a crash is made again
// with the same Request.Key.
package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
)

// Request is one call.
type Request struct {
	Name string // of the integration, e.g. "sqs:sendMessage"
	// Arguments is the state's Parameters or Arguments, evaluated: a JSON object, compact.
	Arguments []byte
	ID        string // of this attempt
	Key       string // the same for every attempt of one call and for no other call
	Run       string // the ARN of the execution on whose behalf the call is made
}

// Integration does an action of a service. Call blocks until the service has answered, failed or ctx is done. The
// answer is one JSON text and becomes the task's result. Failures of the service are *Error; any other error is shown as
// States.TaskFailed. It is safe for concurrent use. An Integration that is also an io.Closer is closed with its Set.
type Integration interface {
	Call(ctx context.Context, req *Request) ([]byte, error)
}

// Described is an Integration that says which parameters its action has, so that a definition with another is refused.
type Described interface {
	Integration
	Parameters() []string
}

// Func is an Integration made of a function.
type Func func(ctx context.Context, req *Request) ([]byte, error)

// Call implements Integration.
func (f Func) Call(ctx context.Context, req *Request) ([]byte, error) { return f(ctx, req) }

// Of makes an Integration of a function: it gets the arguments as its input, its result is the answer, its error the
// task's. timeout bounds a call; 0: nothing does but the task's own time-out.
func Of(f function.Invoker, name string, timeout time.Duration) Integration {
	return &ofFunction{f, name, timeout}
}

type ofFunction struct {
	function.Invoker
	name    string
	timeout time.Duration
}

// Call implements Integration.
func (f *ofFunction) Call(ctx context.Context, req *Request) ([]byte, error) {
	res, err := f.Invoke(ctx, &function.Request{
		Function: f.name, Input: req.Arguments, ID: req.ID, Attempt: 1, Key: req.Key, Run: req.Run, Timeout: f.timeout,
	})
	if err != nil {
		return nil, err
	}
	return res.Output, nil
}

// Error is a failure as a state machine sees it: Name is what Retry and Catch match, e.g. "SQS.QueueDoesNotExistException".
type Error struct{ Name, Cause string }

// Error returns "name: cause".
func (e *Error) Error() string { return e.Name + ": " + e.Cause }

// Errorf makes an Error.
func Errorf(name, format string, args ...any) *Error {
	return &Error{Name: name, Cause: limits.Cut(strings.ToValidUTF8(fmt.Sprintf(format, args...), "\uFFFD"), limits.CauseChars)}
}

// Concurrency is how many calls of one integration run at a time on a node; more wait. It bounds connections; no call
// is refused.
const Concurrency = 64

// Set is integrations by name. Register may be called while others invoke.
type Set struct {
	mu      sync.RWMutex
	entries map[string]*entry
	lacking map[string]string // by name: why it is not in entries
}

type entry struct {
	integration Integration
	slots       chan struct{}
}

// NewSet returns an empty Set.
func NewSet() *Set { return &Set{entries: map[string]*entry{}, lacking: map[string]string{}} }

// Register adds an integration under a name: "service:action", or "aws-sdk:service:action". The name must be new.
func (s *Set) Register(name string, i Integration) error {
	const op = "integration.Register"
	if !asl.IsIntegrationName(name) || name == "lambda:invoke" || asl.OwnAction(name) {
		return fault.New(op, fault.InvalidName, name, "an integration's name is like crm:createLead: two words of letters, digits and '-' that begin with a letter, and a colon between them; lambda:invoke and the actions of Step Functions are taken")
	}
	if i == nil {
		return fault.New(op, fault.InvalidArgument, name, "the integration is nil")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries[name] != nil {
		return fault.New(op, fault.Conflict, name, "there is an integration of this name already; give it another name")
	}
	s.entries[name] = &entry{integration: i, slots: make(chan struct{}, Concurrency)}
	return nil
}

// Lack says why there is no integration of a name that one may expect, and what to do. Help says it to who names it, as
// long as nobody registers one.
func (s *Set) Lack(name, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lacking[name] = why
}

// RegisterMissing adds the integrations of other whose names are not taken, and what it says of those that it lacks.
func (s *Set) RegisterMissing(other *Set) error {
	for _, name := range other.Names() {
		if s.find(name) != nil {
			continue
		}
		if err := s.Register(name, other.find(name).integration); err != nil {
			return err
		}
	}
	other.mu.RLock()
	lacking := maps.Clone(other.lacking)
	other.mu.RUnlock()
	for name, why := range lacking {
		s.Lack(name, why)
	}
	return nil
}

func (s *Set) find(name string) *entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.entries[name]
}

// Names returns the names of all integrations in order.
func (s *Set) Names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.entries))
}

// Supports implements asl.Integrations. A task may wait for a token behind any call, but where Step Functions has the
// integration without.
func (s *Set) Supports(name, pattern string) bool {
	if s.find(name) == nil {
		return false
	}
	known := asl.AWSIntegrations.Supports(name, "")
	return pattern == "" || pattern == "waitForTaskToken" && (!known || asl.AWSIntegrations.Supports(name, pattern))
}

// Parameters implements asl.DescribedIntegrations.
func (s *Set) Parameters(name string) []string {
	if e := s.find(name); e != nil {
		if d, ok := e.integration.(Described); ok {
			return d.Parameters()
		}
	}
	return nil
}

// Help implements asl.Integrations.
func (s *Set) Help(name string) string {
	s.mu.RLock()
	why, lacks := s.lacking[name]
	lacks = lacks && s.entries[name] == nil
	s.mu.RUnlock()
	if lacks {
		return why
	}
	groups := map[string][]string{"lambda": {"invoke"}, "states": {"startExecution"}} // which are in no set
	for _, n := range s.Names() {
		i := strings.LastIndexByte(n, ':')
		groups[n[:i]] = append(groups[n[:i]], n[i+1:])
	}
	const most = 8 // actions that are named; a service of the AWS SDK has dozens
	var list []string
	for _, service := range slices.Sorted(maps.Keys(groups)) {
		actions := groups[service]
		what := strings.Join(actions, "|")
		if len(actions) > most {
			what = fmt.Sprintf("* (%d actions)", len(actions))
		}
		list = append(list, service+":"+what)
	}
	help := "there are " + strings.Join(list, ", ")
	if i := strings.LastIndexByte(name, ':'); i > 0 {
		if near := asl.Closest(name[i+1:], groups[name[:i]]); near != "" {
			help = "did you mean " + name[:i] + ":" + near + "? " + help
		}
	}
	return help + "; add others in weft.yaml under integrations, or in Go with integration.Set.Register"
}

// Invoke implements function.Invoker: req.Function is the resource that names the integration.
func (s *Set) Invoke(ctx context.Context, req *function.Request) (*function.Result, error) {
	name, _ := asl.IntegrationName(req.Function)
	e := s.find(name)
	if e == nil {
		return nil, &function.Error{Type: "Weft.NoIntegration", Cause: "there is no integration " + name + " any more; " + s.Help(name), StartFailed: true}
	}
	if !req.Deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, req.Deadline, function.DeadlinePassed())
		defer cancel()
	}
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return nil, function.Ended(ctx)
	}
	out, err := call(ctx, e.integration, &Request{Name: name, Arguments: req.Input, ID: req.ID, Key: req.Key, Run: req.Run})
	if err != nil {
		return nil, failure(ctx, err)
	}
	answer, bad := function.Answer(out)
	if bad != nil {
		return nil, bad
	}
	return &function.Result{Output: answer}, nil
}

// call makes a panic of an integration its failure.
func call(ctx context.Context, i Integration, req *Request) (out []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = Errorf("States.TaskFailed", "the integration %s panicked: %v\n%s", req.Name, r, debug.Stack())
		}
	}()
	return i.Call(ctx, req)
}

// failure turns what an integration returned into what the engine takes: the end of the context is nobody's failure.
func failure(ctx context.Context, err error) error {
	var own *Error
	var failed *function.Error
	var closed *fault.Error
	switch {
	case ctx.Err() != nil:
		return function.Ended(ctx)
	case errors.As(err, &own):
		return &function.Error{Type: own.Name, Cause: own.Cause}
	case errors.As(err, &failed):
		return failed
	case errors.As(err, &closed) && closed.Kind == fault.Unavailable:
		return err
	}
	return &function.Error{Type: "States.TaskFailed", Cause: limits.Cut(err.Error(), limits.CauseChars)}
}

// Close closes every integration that is an io.Closer and returns what they returned.
func (s *Set) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []error
	seen := map[any]bool{}
	for _, e := range s.entries {
		if c, ok := e.integration.(interface{ Close() error }); ok && !seen[c] {
			seen[c] = true
			all = append(all, c.Close())
		}
	}
	return errors.Join(all...)
}
