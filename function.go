package weft

import (
	"context"
	"errors"
	"time"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/function"
)

// Declaration is what Open takes: a function, a workflow or an entity.
type Declaration interface{ declare(*declarations) error }

// FunctionOf is a function that was declared.
type FunctionOf[In, Out any] struct {
	name     string
	invoker  function.Invoker
	settings function.Settings
}

// FunctionOption says something about a function.
type FunctionOption func(*function.Settings)

// Idempotent says that calling the function again does no harm, so that it may be called before its cause is durable.
func Idempotent() FunctionOption { return func(s *function.Settings) { s.Idempotent = true } }

// Timeout ends calls of the function that take longer: their context ends, and the call fails with the type
// Sandbox.Timedout.
func Timeout(d time.Duration) FunctionOption { return func(s *function.Settings) { s.Timeout = d } }

// Concurrency bounds how many calls of the function run at a time in this process; more wait.
func Concurrency(n int) FunctionOption { return func(s *function.Settings) { s.Concurrency = n } }

// PerKey bounds how many calls with the same key (WithKey) run at a time in this process.
func PerKey(n int) FunctionOption { return func(s *function.Settings) { s.PerKey = n } }

// Rate bounds how many calls begin a second in this process, and how many of them at once after a pause (burst 0: what
// the rate allows in a second).
func Rate(perSecond float64, burst int) FunctionOption {
	return func(s *function.Settings) { s.Rate, s.Burst = perSecond, burst }
}

// Heartbeat ends calls in which more time passes between two Beats, with the type States.HeartbeatTimeout.
func Heartbeat(d time.Duration) FunctionOption {
	return func(s *function.Settings) { s.Heartbeat = d }
}

// Beat says that the function that was called with ctx gets on.
func Beat(ctx context.Context) { function.Beat(ctx) }

// Weights lets waiting calls of some tenants (WithTenant) begin more often than those of others, whose weight is 1.
func Weights(tenants map[string]int) FunctionOption {
	return func(s *function.Settings) { s.Tenants = tenants }
}

// FunctionKey returns what is the same for all attempts of one call and for no other call, and with what a function can do
// its work once: as the idempotency key of a payment, say. "" outside of a function.
func FunctionKey(ctx context.Context) string { return function.Key(ctx) }

// Function declares a function: code that may do anything, also fail. Its name is its identity: it must not change while
// runs that call it are open.
//
// The type of an error is its Go type's name; Final errors are not tried again. A panic fails the call, not the process.
func Function[In, Out any](name string, fn func(ctx context.Context, in In) (Out, error), options ...FunctionOption) *FunctionOf[In, Out] {
	f := &FunctionOf[In, Out]{name: name, settings: function.Settings{Runtime: "in process"}}
	f.invoker = function.Compact(func(ctx context.Context, input []byte) ([]byte, error) {
		in, err := decode[In](input)
		if err != nil {
			return nil, raised(err)
		}
		out, err := fn(ctx, in)
		if err != nil {
			return nil, raised(err)
		}
		data, err := encode(out)
		return data, raised(err)
	})
	for _, o := range options {
		o(&f.settings)
	}
	return f
}

// raised gives an error of user code the form in which calls report it.
func raised(err error) error {
	if err == nil {
		return nil
	}
	var own *function.Error
	if errors.As(err, &own) {
		return err
	}
	f, _ := durable.FailureOf(err)
	var final *finalError
	isFinal := f.Final || errors.As(err, &final)
	if isFinal && f.Type == durable.TypeName(final) && final != nil {
		f.Type = durable.TypeName(final.error)
	}
	return &function.Error{Type: f.Type, Cause: f.Message, Final: isFinal}
}

// Name returns the function's name.
func (f *FunctionOf[In, Out]) Name() string { return f.name }

func (f *FunctionOf[In, Out]) declare(d *declarations) error {
	return d.functions.Register(f.name, f.invoker, f.settings)
}

// CallOption says something about one call of a function or a sub-workflow.
type CallOption func(*call)

type call struct {
	options durable.Options
	retry   *Retry
	id      string
	version string
}

func newCall(options []CallOption) *call {
	c := &call{}
	for _, o := range options {
		o(c)
	}
	return c
}

// WithRetry tries failures again.
func WithRetry(r Retry) CallOption { return func(c *call) { c.retry = &r } }

// WithTimeout fails the call of a function that takes longer, with the type States.Timeout.
func WithTimeout(d time.Duration) CallOption {
	return func(c *call) { c.options.Timeout = max(1, d.Milliseconds()) }
}

// WithHeartbeat fails the call of a function that lets more time pass between two Beats.
func WithHeartbeat(d time.Duration) CallOption {
	return func(c *call) { c.options.Heartbeat = max(1, d.Milliseconds()) }
}

// WithKey counts the call to a key, of which the function's PerKey bounds how many run at a time.
func WithKey(key string) CallOption { return func(c *call) { c.options.Key = key } }

// WithTenant counts the call to a tenant: waiting calls of tenants take turns.
func WithTenant(tenant string) CallOption { return func(c *call) { c.options.Tenant = tenant } }

// WithPriority lets the call go before waiting calls of lower priority. The default is 0.
func WithPriority(p int8) CallOption { return func(c *call) { c.options.Priority = p } }

// WithChildID gives a sub-workflow an id of its own; the default is derived from its parent's.
func WithChildID(id string) CallOption { return func(c *call) { c.id = id } }

// WithChildVersion starts a sub-workflow in a version; the default is the version of the handle.
func WithChildVersion(version string) CallOption { return func(c *call) { c.version = version } }

// WithChildTags gives a sub-workflow tags.
func WithChildTags(tags map[string]string) CallOption {
	return func(c *call) { c.options.Tags = tags }
}

// Call calls the function and waits for its result. The error is a *Failure.
func (f *FunctionOf[In, Out]) Call(w *Flow, in In, options ...CallOption) (Out, error) {
	return f.Start(w, in, options...).Await(w)
}

// Start calls the function and returns its result as a future.
func (f *FunctionOf[In, Out]) Start(w *Flow, in In, options ...CallOption) Future[Out] {
	data, err := encode(in)
	if err != nil {
		return Future[Out]{durable.FailedTask(err)}
	}
	if len(options) == 0 {
		return Future[Out]{durable.Call(w, f.name, data, nil, nil)}
	}
	c := newCall(options)
	return Future[Out]{durable.Call(w, f.name, data, &c.options, c.retry)}
}
