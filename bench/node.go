package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/weftworks/weft/bench/load"
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/machine"
)

// echo is a registry with the trivial functions in process.
func echo() *function.Registry {
	r := function.NewRegistry()
	answer := function.Go(func(_ context.Context, in []byte) ([]byte, error) { return in, nil })
	for name, s := range map[string]function.Settings{"hello": {}, "again": {Idempotent: true}} {
		if err := r.Register(name, answer, s); err != nil {
			panic(err) // the names are valid
		}
	}
	return r
}

// withNode opens a node in a directory of its own and calls fn.
func withNode(c *settings, opts engine.Options, fn func(*engine.Node) error) (err error) {
	dir, err := os.MkdirTemp(c.dir, "bench-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	opts.Dir = dir
	opts.Logger = slog.New(slog.DiscardHandler)
	n, err := engine.Open(opts)
	if err != nil {
		return err
	}
	defer func() {
		if e := n.Close(); err == nil {
			err = e
		}
	}()
	return fn(n)
}

// sequence returns a machine of n Tasks in a row.
func sequence(n int, resource string) []byte {
	var b strings.Builder
	b.WriteString(`{"StartAt":"S1","States":{`)
	for i := 1; i <= n; i++ {
		next := fmt.Sprintf(`"Next":"S%d"`, i+1)
		sep := ","
		if i == n {
			next, sep = `"End":true`, ""
		}
		fmt.Fprintf(&b, `"S%d":{"Type":"Task","Resource":%q,%s}%s`, i, resource, next, sep)
	}
	b.WriteString(`}}`)
	return []byte(b.String())
}

// once runs a machine once, start to end.
func once(n *engine.Node, name string, input []byte) error {
	ctx := context.Background()
	run, err := n.StartRun(ctx, engine.StartRun{Machine: name, Input: input})
	if err != nil {
		return err
	}
	run, err = n.WaitRun(ctx, run.ID)
	if err != nil {
		return err
	}
	if run.Status != machine.Succeeded {
		return fmt.Errorf("run %s ended %s: %s %s", run.ID.Name, run.Status, run.Error, run.Cause)
	}
	return nil
}

// runs returns what runs a machine once.
func runs(n *engine.Node, name string) load.Do {
	return func(context.Context, int) error { return once(n, name, []byte(`{"city":"Oslo"}`)) }
}
