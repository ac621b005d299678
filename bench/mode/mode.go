// Package mode opens a program on a directory in one of the three modes that the benchmark compares: the baseline, and
// the engine without and with local speculation.
package mode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/bench/classic"
	"github.com/weftworks/weft/bench/workload"
	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
)

// Mode is how steps become durable.
type Mode string

// The modes.
const (
	Classic Mode = "classic" // each its own synchronous commit, and a queue between any two: package classic
	None    Mode = "none"    // the engine, and nothing goes before its cause is durable
	Local   Mode = "local"   // the engine as it comes: speculation inside the node
)

// All are the modes, the slowest first.
var All = []Mode{Classic, None, Local}

// Parse reads a list of modes with commas between them.
func Parse(list string) (modes []Mode, err error) {
	for name := range strings.SplitSeq(list, ",") {
		switch m := Mode(strings.TrimSpace(name)); m {
		case Classic, None, Local:
			modes = append(modes, m)
		default:
			return nil, fmt.Errorf("there is no mode %q: choose among classic, none and local", name)
		}
	}
	return modes, nil
}

// Options says where and how.
type Options struct {
	Dir       string        // exists and is empty
	SyncDelay time.Duration // added to each sync
	Extended  bool          // classic: keep the code of runs in memory between their steps
}

// Usage counts what a System has done to storage since it was opened.
type Usage struct {
	Syncs int64 // writes that were waited for, one fdatasync each
	Bytes int64 // written so
}

// System runs a program.
type System interface {
	workload.System
	Usage() Usage
	Close() error
}

// Open opens a program.
func Open(m Mode, o Options, declared ...weft.Declaration) (System, error) {
	quiet := slog.New(slog.DiscardHandler)
	if m == Classic {
		code, functions, err := weft.Declared(declared...)
		if err != nil {
			return nil, err
		}
		e, err := classic.Open(classic.Options{
			Dir: o.Dir, Code: code, Functions: functions, SyncDelay: o.SyncDelay, Extended: o.Extended, Logger: slog.Default(),
		})
		if err != nil {
			return nil, err
		}
		return &baseline{engine: e, functions: functions}, nil
	}
	opts := engine.Options{SyncDelay: o.SyncDelay, Speculation: engine.SpeculationLocal}
	if m == None {
		opts.Speculation = engine.SpeculationNone
	}
	app, err := weft.Open(weft.Options{Dir: o.Dir, Logger: quiet, Engine: opts}, declared...)
	if err != nil {
		return nil, err
	}
	return &node{app: app}, nil
}

// node is the engine as a System.
type node struct{ app *weft.App }

func (n *node) Start(ctx context.Context, workflow string, input []byte) (string, error) {
	v, err := n.app.Engine().StartWorkflow(ctx, engine.StartWorkflow{Workflow: workflow, Input: input})
	if err != nil {
		return "", err
	}
	return v.ID, nil
}

func (n *node) Wait(ctx context.Context, id string) ([]byte, error) {
	v, err := n.app.Engine().WaitWorkflow(ctx, id)
	if err != nil {
		return nil, err
	}
	return result(v)
}

func (n *node) Signal(ctx context.Context, entity, key, operation string, input []byte) error {
	return n.app.Engine().SignalEntity(ctx, entity, key, operation, input, 0)
}

func (n *node) State(ctx context.Context, entity, key string) ([]byte, error) {
	v, err := n.app.Engine().Entity(ctx, entity, key)
	if fault.Is(err, fault.RunNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return v.State, nil
}

func (n *node) Usage() Usage {
	log := n.app.Engine().Stats().Log
	return Usage{Syncs: log.Syncs, Bytes: log.Bytes}
}

func (n *node) Close() error { return n.app.Close() }

// baseline is package classic's engine as a System.
type baseline struct {
	engine    *classic.Engine
	functions *function.Registry
}

func (b *baseline) Start(_ context.Context, workflow string, input []byte) (string, error) {
	return b.engine.Start(workflow, "", input)
}

func (b *baseline) Wait(ctx context.Context, id string) ([]byte, error) {
	v, err := b.engine.Wait(ctx, id)
	if err != nil {
		return nil, err
	}
	return result(v)
}

func (b *baseline) Signal(_ context.Context, entity, key, operation string, input []byte) error {
	return b.engine.Signal(entity, key, operation, input)
}

func (b *baseline) State(_ context.Context, entity, key string) ([]byte, error) {
	return b.engine.State(entity, key)
}

func (b *baseline) Usage() Usage {
	s := b.engine.Stats()
	return Usage{Syncs: s.Syncs(), Bytes: s.Bytes}
}

func (b *baseline) Close() error { return errors.Join(b.engine.Close(), b.functions.Close()) }

// result returns the output of a run that has ended.
func result(v *engine.WorkflowRun) ([]byte, error) {
	switch {
	case v.Status == durable.Completed:
		return v.Output, nil
	case v.Failure != nil:
		return nil, fmt.Errorf("run %s ended %s: %w", v.ID, v.Status, v.Failure)
	}
	return nil, fmt.Errorf("run %s ended %s: %s", v.ID, v.Status, v.Reason)
}
