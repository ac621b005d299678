package function

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/weftworks/weft/fault"
)

// Info describes a declared function.
type Info struct {
	Name string
	Settings
}

// Stats counts what became of a function since it was registered.
type Stats struct {
	Name    string
	Running int // calls inside now, abandoned ones included
	Waiting int // calls waiting for a turn now
	// WaitingForKey and WaitingForRate are those of Waiting whose key is full, and those that only the rate holds up; the
	// others wait for the function's concurrency.
	WaitingForKey, WaitingForRate int

	Invocations int64 // calls ended, failed ones included
	Failures    int64 // calls that ended with an *Error
	Processes   int   // alive now
	Starts      int64 // processes started ever
	Abandoned   int   // Go calls that ignore the end of their context and still run
}

// StatsSource is what an Invoker adds to its function's Stats (Processes, Starts, Abandoned), if it can.
type StatsSource interface{ AddStats(*Stats) }

// Registry maps names to declared functions and invokes them. Its zero value is not usable; see NewRegistry.
// Register may be called while others invoke.
type Registry struct {
	mu        sync.Mutex // held by writers of functions
	functions atomic.Pointer[map[string]*declared]
	closed    atomic.Bool
}

type declared struct {
	info    Info
	invoker Invoker
	inner   *goFunc // invoker, when it is one: it leaves the gate by itself
	gate    *gate

	invocations, failures atomic.Int64
}

// NewRegistry returns a Registry without functions.
func NewRegistry() *Registry {
	r := &Registry{}
	r.functions.Store(&map[string]*declared{})
	return r
}

// Register declares a function. The name must be new; 1 to 140 letters, digits, '-' or '_'.
func (r *Registry) Register(name string, invoker Invoker, s Settings) error {
	const op = "function.Register"
	if err := CheckName(name); err != nil {
		return fault.New(op, fault.InvalidName, name, "%w", err)
	}
	if err := s.complete(name, invoker); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed.Load() {
		return fault.New(op, fault.Unavailable, name, "the registry is closed")
	}
	old := *r.functions.Load()
	if old[name] != nil {
		return fault.New(op, fault.Conflict, name, "a function of this name is registered already; give it another name")
	}
	d := &declared{info: Info{name, s}, invoker: invoker, gate: newGate(&s)}
	d.inner, _ = invoker.(*goFunc)
	now := maps.Clone(old)
	now[name] = d
	r.functions.Store(&now)
	return nil
}

// CheckName returns why name cannot name a function, or nil.
func CheckName(name string) error {
	if name == "" || len(name) > 140 {
		return fmt.Errorf("a function's name has 1 to 140 characters, this has %d", len(name))
	}
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return fmt.Errorf("a function's name is made of letters, digits, '-' and '_', not %q", c)
		}
	}
	return nil
}

// NameOf returns the function name in a Lambda ARN (arn:aws:lambda:REGION:ACCOUNT:function:NAME, with or
// without a version or alias), in its short forms (ACCOUNT:function:NAME, function:NAME, NAME:ALIAS),
// or the resource itself when it is a name.
func NameOf(resource string) string {
	rest := resource
	if i := strings.Index(resource, "function:"); i == 0 || (i > 0 && resource[i-1] == ':') {
		rest = resource[i+len("function:"):]
	} else if strings.HasPrefix(resource, "arn:") {
		return resource
	}
	name, _, _ := strings.Cut(rest, ":")
	return name
}

// find returns the function that name or ARN means, or nil.
func (r *Registry) find(name string) *declared {
	functions := *r.functions.Load()
	if d := functions[name]; d != nil {
		return d
	}
	return functions[NameOf(name)]
}

// Lookup describes the function that a name or Lambda ARN means.
func (r *Registry) Lookup(name string) (Info, bool) {
	if d := r.find(name); d != nil {
		return d.info, true
	}
	return Info{}, false
}

// Functions describes all functions, by name.
func (r *Registry) Functions() []Info {
	functions := *r.functions.Load()
	infos := make([]Info, 0, len(functions))
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		infos = append(infos, functions[name].info)
	}
	return infos
}

// Stats returns the counts of all functions, by name.
func (r *Registry) Stats() []Stats {
	functions := *r.functions.Load()
	all := make([]Stats, 0, len(functions))
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		d := functions[name]
		s := Stats{Name: name, Invocations: d.invocations.Load(), Failures: d.failures.Load()}
		d.gate.addStats(&s)
		if source, ok := d.invoker.(StatsSource); ok {
			source.AddStats(&s)
		}
		all = append(all, s)
	}
	return all
}

// Invoke implements Invoker. It sets req.Timeout and req.Heartbeat.
func (r *Registry) Invoke(ctx context.Context, req *Request) (*Result, error) {
	if r.closed.Load() {
		return nil, Closed(req.Function)
	}
	d := r.find(req.Function)
	if d == nil {
		return nil, r.unknown(req.Function)
	}
	req.Timeout = d.info.Timeout
	in, err := d.gate.enter(ctx, req)
	if err != nil {
		return nil, d.count(err)
	}
	if req.Heartbeat > 0 || d.info.Heartbeat > 0 {
		return d.watch(ctx, req, in)
	}
	return d.run(ctx, req, in)
}

// watch runs a call that has to beat, if its function can.
func (d *declared) watch(ctx context.Context, req *Request, in stay) (*Result, error) {
	if !beats(d.invoker) {
		req.Heartbeat = 0
		return d.run(ctx, req, in)
	}
	req.Heartbeat = shorter(req.Heartbeat, d.info.Heartbeat)
	ctx, stop := listen(ctx, req.Heartbeat)
	defer stop()
	return d.run(ctx, req, in)
}

// run makes a call that is inside the gate.
func (d *declared) run(ctx context.Context, req *Request, in stay) (*Result, error) {
	if d.inner != nil {
		res, err := d.inner.invoke(ctx, req, in)
		return res, d.count(err)
	}
	defer in.leave()
	res, err := d.invoker.Invoke(ctx, req)
	return res, d.count(err)
}

func (d *declared) count(err error) error {
	d.invocations.Add(1)
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		d.failures.Add(1)
	}
	return err
}

// unknown is the failure of a call to a function that nobody declared.
func (r *Registry) unknown(name string) *Error {
	names := slices.Sorted(maps.Keys(*r.functions.Load()))
	hint := "no functions are declared; declare it in weft.yaml"
	if len(names) > 0 {
		more := ""
		if len(names) > 10 {
			names, more = names[:10], ", …"
		}
		hint = "declared functions are " + strings.Join(names, ", ") + more
	}
	return &Error{
		Type:        "Lambda.ResourceNotFoundException",
		Cause:       fmt.Sprintf("Function not found: %s (%s)", name, hint),
		StartFailed: true,
	}
}

// Closed is what calls get while and after their invoker closes. It is not an *Error: the call is to be
// made again elsewhere or later.
func Closed(name string) error {
	return fault.New("function.Invoke", fault.Unavailable, name, "the node is closing")
}

// Close refuses new calls and closes every Invoker that is an io.Closer, all at the same time: processes
// are killed and waited for. Calls in flight there return Closed. It returns what they returned.
func (r *Registry) Close() error {
	r.mu.Lock()
	was := r.closed.Swap(true)
	r.mu.Unlock()
	if was {
		return nil
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	var all []error
	for _, d := range *r.functions.Load() {
		if c, ok := d.invoker.(io.Closer); ok {
			wait.Go(func() {
				err := c.Close()
				mu.Lock()
				defer mu.Unlock()
				all = append(all, err)
			})
		}
	}
	wait.Wait()
	return errors.Join(all...)
}
