package local

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/cost"
	"github.com/weftworks/weft/unum/ir"
	platform "github.com/weftworks/weft/unum/platform/local"
	"github.com/weftworks/weft/unum/protocol"
	"github.com/weftworks/weft/unum/store/embedded"
	"github.com/weftworks/weft/unum/store/memory"
)

// Config says what to run. App, Program and Functions are needed.
type Config struct {
	App       *ir.App
	Program   protocol.Program
	Functions function.Invoker // the user's code, by the name that the app has for it
	// Memory is how many MiB a user's function has, for what it would cost. nil: DefaultMemory.
	Memory func(code string) int
	// Dir is where records and blobs are kept. "": in memory.
	Dir string
	// Watch hears of everything that happens to records, one after the other of one record, from many goroutines. nil:
	// nobody.
	Watch func(Change)
	Log   *slog.Logger // nil: slog.Default()
}

// DefaultMemory is what Lambda gives functions that do not ask for more.
const DefaultMemory = 128

// carrier is the function that goes on in the place of others that were given up.
const carrier = "weft-carrier"

// Host is an application that runs here.
type Host struct {
	// Runtime is for clients, which start runs and ask for them. What they read is not counted.
	Runtime *unum.Runtime
	Meter   *cost.Meter

	cfg     Config
	runtime *unum.Runtime // of the functions
	service *faas.Service
	closers []func() error
}

// Open makes an application ready for runs.
func Open(cfg Config) (*Host, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	h := &Host{Meter: cost.NewMeter(), cfg: cfg, service: faas.New(faas.Config{Log: cfg.Log})}
	var store unum.Store = memory.New()
	if cfg.Dir != "" {
		kept, err := embedded.Open(cfg.Dir, &embedded.Options{Logger: cfg.Log})
		if err != nil {
			return nil, err
		}
		store = kept
		h.closers = append(h.closers, kept.Close)
	}
	plain := store
	if cfg.Watch != nil {
		store = &watched{store, cfg.Watch}
	}
	metered, deliver := h.Meter.Store(store), h.Meter.Platform(platform.New(h.service))
	h.runtime = &unum.Runtime{Store: metered, Platform: deliver, Program: cfg.Program}
	h.Runtime = &unum.Runtime{Store: &clients{metered, plain}, Platform: deliver, Program: cfg.Program}
	for _, f := range cfg.App.Functions {
		if err := h.service.Register(f.Name, h.function(f), faas.Settings{OnFailure: carrier}); err != nil {
			return nil, errors.Join(err, h.Close(context.Background()))
		}
	}
	if err := h.service.Register(carrier, platform.Function(h.execute), faas.Settings{}); err != nil {
		return nil, errors.Join(err, h.Close(context.Background()))
	}
	if cfg.Dir != "" {
		if err := h.service.Keep(filepath.Join(cfg.Dir, "requests")); err != nil {
			return nil, errors.Join(err, h.Close(context.Background()))
		}
	}
	return h, nil
}

// clients is the datastore as clients have it: what they look at costs nobody anything here, where they look often.
type clients struct {
	unum.Store
	plain unum.Store
}

func (c *clients) Get(ctx context.Context, keys []string) ([]*unum.Record, error) {
	return c.plain.Get(ctx, keys)
}

func (c *clients) Keys(ctx context.Context, prefix string, fn func(key string) bool) error {
	return c.plain.(unum.Lister).Keys(ctx, prefix, fn)
}

// Close ends what runs when ctx ends, and lets go what the application has.
func (h *Host) Close(ctx context.Context) error {
	err := h.service.Close(ctx)
	for _, c := range h.closers {
		err = errors.Join(err, c())
	}
	return err
}

// Settle returns when nothing is executed any more and no request waits, or ctx ends.
func (h *Host) Settle(ctx context.Context) error { return h.service.Wait(ctx) }

// function is what executes the requests of a function.
func (h *Host) function(f *ir.Function) function.Invoker {
	memory := DefaultMemory
	if f.Code != "" && h.cfg.Memory != nil {
		memory = max(h.cfg.Memory(f.Code), DefaultMemory)
	}
	return platform.Function(func(ctx context.Context, payload []byte) error { return h.meter(ctx, payload, memory) })
}

func (h *Host) execute(ctx context.Context, payload []byte) error {
	return h.meter(ctx, payload, DefaultMemory)
}

// meter executes a request, and counts how long it takes.
func (h *Host) meter(ctx context.Context, payload []byte, memory int) error {
	req, err := unum.DecodeRequest(payload)
	if err != nil {
		return err
	}
	began := time.Now()
	err = h.runtime.Execute(ctx, req, func(ctx context.Context, code string, input []byte) protocol.Outcome {
		return h.run(ctx, req.Run, code, input)
	})
	h.Meter.Execution(req.Run, memory, time.Since(began))
	return err
}

// run runs the user's code.
func (h *Host) run(ctx context.Context, run, code string, input []byte) protocol.Outcome {
	res, err := h.cfg.Functions.Invoke(ctx, &function.Request{Function: code, ID: uuid.NewString(), Input: input, Attempt: 1, Run: run})
	out := protocol.Outcome{Kind: protocol.Returned, Now: time.Now().UnixMilli()}
	var failed *function.Error
	switch {
	case err == nil:
		out.Output = res.Output
	case errors.As(err, &failed):
		out.Kind, out.Error, out.Cause = kindOf(failed), failed.Type, failed.Cause
	default: // nobody's outcome: the process ends
		out.Kind, out.Error, out.Cause = protocol.Broken, "Lambda.Unknown", err.Error()
	}
	return out
}

// kindOf tells what code raised from what kept it from running to its end.
func kindOf(e *function.Error) protocol.OutcomeKind {
	if e.StartFailed || e.Type == "Sandbox.Timedout" || e.Type == "Runtime.ExitError" {
		return protocol.Broken
	}
	return protocol.Raised
}

// Keys returns what the datastore has of a run: records and blobs.
func (h *Host) Keys(ctx context.Context, run string) ([]string, error) {
	var keys []string
	err := h.Runtime.Store.(unum.Lister).Keys(ctx, run, func(key string) bool {
		if cost.RunOf(key) == run {
			keys = append(keys, key)
		}
		return true
	})
	return keys, err
}
