package engine

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/internal/conformance"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/history"
)

// TestRecordingsThroughTheEngine runs the recorded executions through whole nodes of several make, under virtual time:
// whatever the partitions, the speculation and the snapshots, the answers are the interpreter's, and AWS's.
func TestRecordingsThroughTheEngine(t *testing.T) {
	dir, ok := conformance.Dir()
	if !ok {
		t.Skip("no recordings: set WEFT_CONFORMANCE to the directory that holds asl/pure.jsonl")
	}
	forgetful := func(c *lane.Config) { c.SnapshotInstances, c.Resident = 1, 1 }
	nodes := map[string]Options{
		"one partition, no speculation":   {Partitions: 1, Speculation: SpeculationNone},
		"eight partitions, speculation":   {Partitions: 8},
		"a snapshot after every turn":     {Partitions: 2, tune: forgetful},
		"a snapshot, and no speculation":  {Partitions: 2, Speculation: SpeculationNone, tune: forgetful},
		"three partitions, idempotent fn": {Partitions: 3},
	}
	for name, opts := range nodes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, file := range []string{"pure", "lambda"} {
				cases, err := conformance.Load(dir, file)
				if err != nil {
					t.Fatal(err)
				}
				count := 0
				for _, c := range cases {
					if count++; !comparable(c) || (testing.Short() && count%5 != 0) {
						continue
					}
					opts := opts
					opts.Functions = behaving(t, c, strings.Contains(name, "idempotent"))
					synctest.Test(t, func(t *testing.T) { compareCase(t, c, opts) })
				}
			}
		})
	}
}

// comparable reports whether a case was recorded and uses only what is built.
func comparable(c *conformance.Case) bool {
	if !c.Comparable() || len(c.Machines) == 0 {
		return false
	}
	for _, m := range c.Machines {
		if _, problems := asl.Parse([]byte(m.Definition), asl.Options{Express: m.Type == "EXPRESS", Limits: limits.AWS}); problems.Err() != nil {
			return false
		}
	}
	return true
}

func behaving(t *testing.T, c *conformance.Case, idempotent bool) *function.Registry {
	t.Helper()
	r := function.NewRegistry()
	var attempts atomic.Int32
	for _, f := range c.Functions {
		err := r.Register(f.Name, function.Go(func(ctx context.Context, in []byte) ([]byte, error) {
			b := conformance.Behave(f.Behaviour, in, int(attempts.Add(1)))
			if b.After > 0 {
				select {
				case <-time.After(b.After):
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			if b.Error != "" {
				return nil, &function.Error{Type: b.Error, Cause: b.Cause}
			}
			return b.Output, nil
		}), function.Settings{Idempotent: idempotent})
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func compareCase(t *testing.T, c *conformance.Case, opts Options) {
	answers := runCase(t, c, opts)
	if answers == nil {
		return // it waits for a day far away; the interpreter's own test has it
	}
	if tiers := c.Compare(answers); !tiers.T3 {
		t.Errorf("%s: %s", c.ID, tiers.Why)
	}
}

// runCase runs the executions of a case; nil when they do not end in time. outside plays those who do a case's tasks.
func runCase(t *testing.T, c *conformance.Case, opts Options, outside ...func(*Node)) []conformance.Answer {
	// Virtual time begins with the year 2000; the recordings' timestamps are past in theirs.
	time.Sleep(time.Until(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)))
	opts.Region, opts.Account, opts.Limits, opts.Logger = "us-east-1", "111111111111", limits.AWS, quiet()
	n, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	for _, m := range c.Machines {
		create := CreateMachine{Name: m.Name, Definition: []byte(m.Definition), RoleARN: m.RoleARN}
		if m.Type == "EXPRESS" {
			create.Type = Express
		}
		if _, err := n.CreateMachine(t.Context(), create); err != nil {
			t.Fatalf("%s: %v", c.ID, err)
		}
	}
	for _, play := range outside {
		play(n)
	}
	var answers []conformance.Answer
	for i, e := range c.Executions {
		m := c.Machine(e.MachineARN)
		if m == nil {
			return nil
		}
		s := StartRun{Machine: m.Name, Name: e.Name, Input: []byte(e.Input)}
		if e.Input == "" {
			s.Input = nil
		}
		if s.Name == "" {
			s.Name = fmt.Sprintf("5d8f2f0e-0000-4000-8000-%012d", i)
		}
		if m.Type == "EXPRESS" {
			s.Name += ":0a1b2c3d"
		}
		a, ok := answerOf(t, n, s)
		if !ok {
			return nil
		}
		answers = append(answers, a)
	}
	return answers
}

func answerOf(t *testing.T, n *Node, s StartRun) (conformance.Answer, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
	defer cancel()
	run, err := n.WaitRun(ctx, start(t, n, s).ID)
	if ctx.Err() != nil {
		return conformance.Answer{}, false
	}
	if err != nil {
		t.Fatal(err)
	}
	a := conformance.Answer{Status: run.Status.String()}
	if run.Status == machine.Succeeded {
		a.Output = string(run.Output)
	}
	if run.HasError {
		a.Error = &run.Error
	}
	if run.HasCause {
		a.Cause = &run.Cause
	}
	for next := int64(1); next <= run.Events; {
		events, err := n.History(t.Context(), run.ID, HistoryQuery{From: next, Limit: 7})
		if err != nil {
			t.Fatal(err)
		}
		for i := range events {
			a.History = append(a.History, history.AppendJSON(nil, &events[i], history.JSONOptions{}))
		}
		next += int64(len(events))
	}
	return a, true
}
