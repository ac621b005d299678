package weft

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
)

// EntityID names one entity.
type EntityID struct{ Name, Key string }

// EntityOf is a kind of entity that was declared, with the type of its state.
type EntityOf[S any] struct {
	name       string
	operations map[string]operation[S]
	plain      bool
}

type operation[S any] func(c *EntityContext, s *S, input []byte) ([]byte, error)

// Entity declares a kind of entity: state of type S under a key, which begins as S's zero value, is kept as JSON and changed by
// Operations. Entities come to be when they are first addressed. All operations must be declared before Open.
func Entity[S any](name string) *EntityOf[S] {
	return &EntityOf[S]{name: name, operations: make(map[string]operation[S]), plain: plain(reflect.TypeFor[S]())}
}

// plain reports whether a copy of a value shares nothing with it.
func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16,
		reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64, reflect.String:
		return true
	case reflect.Array:
		return plain(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !plain(t.Field(i).Type) {
				return false
			}
		}
		return true
	}
	return false
}

// Name returns the name of the kind.
func (e *EntityOf[S]) Name() string { return e.name }

// ID names the entity with a key.
func (e *EntityOf[S]) ID(key string) EntityID { return EntityID{e.name, key} }

func (e *EntityOf[S]) declare(d *declarations) error {
	for operation := range e.operations {
		if operation == "" || len(operation) > limits.IDBytes {
			return fault.New("weft.Open", fault.InvalidName, operation, "the name of an operation of entity %q has 1 to %d bytes; one has %d", e.name, limits.IDBytes, len(operation))
		}
	}
	return d.entity(e.name, e)
}

// Open implements durable.EntityCode.
func (e *EntityOf[S]) Open(state []byte) (durable.OpenEntity, error) {
	o := &openEntity[S]{kind: e, exists: state != nil}
	if state != nil {
		s, err := decode[S](state)
		if err != nil {
			return nil, err
		}
		o.state = s
	}
	return o, nil
}

// openEntity is an entity in memory.
type openEntity[S any] struct {
	kind   *EntityOf[S]
	state  S
	exists bool
}

// Do implements durable.OpenEntity.
func (o *openEntity[S]) Do(c *EntityContext, name string, input []byte) (out []byte, err error) {
	op := o.kind.operations[name]
	if op == nil {
		return nil, &Failure{Type: "Weft.NoOperation", Message: fmt.Sprintf("entity %q has no operation %q", o.kind.name, name), Final: true}
	}
	restore, err := o.save()
	if err != nil {
		return nil, err
	}
	done := false
	defer func() {
		if done && err == nil {
			return
		}
		if !done {
			if v := recover(); v != nil {
				err = durable.Panicked(v)
			} else {
				err = &Failure{Type: "Weft.Goexit", Message: "the operation ended its goroutine (runtime.Goexit) instead of returning"}
			}
		}
		out = nil
		restore()
	}()
	if out, err = op(c, &o.state, input); err == nil {
		err = c.Bears(out)
	}
	done = true
	if err == nil {
		o.exists = true
		if c.Deleted() {
			var zero S
			o.state, o.exists = zero, false
		}
	}
	return out, err
}

// save returns what puts the state back as it is now. State that is no plain value is kept as JSON, as a copy would share
// what the operation changes.
func (o *openEntity[S]) save() (restore func(), err error) {
	exists := o.exists
	if o.kind.plain || !exists {
		saved := o.state
		if !exists {
			var zero S
			saved = zero
		}
		return func() { o.state, o.exists = saved, exists }, nil
	}
	data, err := encode(o.state)
	if err != nil {
		return nil, err
	}
	return func() {
		saved, err := decode[S](data)
		if err != nil {
			panic(fmt.Sprintf("weft: the state of entity %q decodes no longer: %v", o.kind.name, err)) // it was encoded a moment ago
		}
		o.state, o.exists = saved, exists
	}, nil
}

// State implements durable.OpenEntity.
func (o *openEntity[S]) State() ([]byte, error) {
	if !o.exists {
		return nil, nil
	}
	return encode(o.state)
}

// OperationOf is an operation of a kind of entity.
type OperationOf[S, In, Out any] struct {
	entity *EntityOf[S]
	name   string
}

// Operation declares an operation of a kind of entity. Operations of one entity are done one at a time. One that returns an
// error or panics leaves the state as it was, and its messages are not sent. It must not block: what takes time is for
// functions.
func Operation[S, In, Out any](e *EntityOf[S], name string, fn func(c *EntityContext, s *S, in In) (Out, error)) *OperationOf[S, In, Out] {
	e.operations[name] = func(c *EntityContext, s *S, input []byte) ([]byte, error) {
		in, err := decode[In](input)
		if err != nil {
			return nil, err
		}
		out, err := fn(c, s, in)
		if err != nil {
			return nil, err
		}
		return encode(out)
	}
	return &OperationOf[S, In, Out]{e, name}
}

// Call does the operation and waits for its result. The error is a *Failure.
func (o *OperationOf[S, In, Out]) Call(w *Flow, key string, in In) (Out, error) {
	return o.Start(w, key, in).Await(w)
}

// Start does the operation and returns its result as a future.
func (o *OperationOf[S, In, Out]) Start(w *Flow, key string, in In) Future[Out] {
	data, err := encode(in)
	if err != nil {
		return Future[Out]{durable.FailedTask(err)}
	}
	return Future[Out]{durable.CallEntity(w, durable.EntityTarget(o.entity.name, key), o.name, data)}
}

// Signal does the operation without waiting for it, from a workflow or an operation of another entity. Signals of one
// sender to one entity are done in order.
func (o *OperationOf[S, In, Out]) Signal(from Sender, key string, in In) error {
	return o.signal(from, key, in, 0)
}

// SignalAt is Signal for a time that is to come.
func (o *OperationOf[S, In, Out]) SignalAt(from Sender, at time.Time, key string, in In) error {
	return o.signal(from, key, in, at.UnixMilli())
}

func (o *OperationOf[S, In, Out]) signal(from Sender, key string, in In, due int64) error {
	data, err := encode(in)
	if err != nil {
		return err
	}
	target := durable.EntityTarget(o.entity.name, key)
	switch s := from.(type) {
	case *Flow:
		return durable.SignalEntity(s, target, o.name, data, due)
	case *EntityContext:
		return durable.SignalFrom(s, target, o.name, data, due)
	}
	return unknownSender(from)
}

// Send does the operation without waiting for it, from outside, and returns once that is durable.
func (o *OperationOf[S, In, Out]) Send(ctx context.Context, app *App, key string, in In) error {
	return o.send(ctx, app, key, in, 0)
}

// SendAt is Send for a time that is to come.
func (o *OperationOf[S, In, Out]) SendAt(ctx context.Context, app *App, at time.Time, key string, in In) error {
	return o.send(ctx, app, key, in, at.UnixMilli())
}

func (o *OperationOf[S, In, Out]) send(ctx context.Context, app *App, key string, in In, at int64) error {
	data, err := encode(in)
	if err != nil {
		return err
	}
	if _, ok := app.declared.Entity(o.entity.name); !ok {
		return fault.New("weft", fault.ResourceNotFound, o.entity.name, "entity %q was not given to Open, so nobody would do its operations; add it to the declarations", o.entity.name)
	}
	return app.node.SignalEntity(ctx, o.entity.name, key, o.name, data, at)
}

// ErrNoEntity is what State returns for an entity that does not exist or has no state.
var ErrNoEntity = errors.New("weft: there is no such entity")

// State returns the state of an entity as it was committed last.
func (e *EntityOf[S]) State(ctx context.Context, app *App, key string) (S, error) {
	var zero S
	v, err := app.node.Entity(ctx, e.name, key)
	if fault.Is(err, fault.RunNotFound) || (err == nil && v.State == nil) {
		return zero, fmt.Errorf("%w: %s %q", ErrNoEntity, e.name, key)
	}
	if err != nil {
		return zero, err
	}
	return decode[S](v.State)
}
