package sim

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/store"
	"github.com/weftworks/weft/engine/store/memory"
	"github.com/weftworks/weft/internal/wire"
)

// Fold is what the surviving log says happened: the truth that clients are compared with.
type Fold struct {
	histories map[string][]string
	invoked   map[invocation]partition.Invocation
	position  commitlog.Position
}

type invocation struct {
	partition partition.ID
	ref       partition.Ref
	id        uint64
}

// Add adds an event to the history of key. Programs call it while the log is folded.
func (f *Fold) Add(key, event string) { f.histories[key] = append(f.histories[key], event) }

// Position returns where in the log the step stands that is folded. The log of all partitions is one, so that positions
// order what happened in different ones, and what lies before any of them is a state that a crash may leave.
func (f *Fold) Position() commitlog.Position { return f.position }

// History returns the events of key in order.
func (f *Fold) History(key string) []string { return f.histories[key] }

// Keys returns the keys of all histories, sorted.
func (f *Fold) Keys() []string {
	keys := make([]string, 0, len(f.histories))
	for k := range f.histories {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// check holds the node's final state and all that left it against the surviving log.
func (w *World) check() error {
	truth := &Fold{histories: make(map[string][]string), invoked: make(map[invocation]partition.Invocation)}
	folded, err := w.foldOnce(truth)
	if err != nil {
		return err
	}
	if err := w.same("the node's state", stored{w.store}, stored{folded}); err != nil {
		return err
	}
	if w.Chance(0.25) {
		reloaded, err := w.foldReloading()
		if err != nil {
			return err
		}
		if err := w.same("the state of a fold that was saved and loaded on the way", stored{reloaded}, stored{folded}); err != nil {
			return err
		}
	}
	for _, e := range w.executed {
		call, ok := truth.invoked[invocation{e.partition, e.ref, e.call.ID}]
		if !ok || call.Function != e.call.Function || !bytes.Equal(call.Input, e.call.Input) {
			return fmt.Errorf("function %q was called with %s for a step that never happened (invocation %d of instance %d in partition %d)", e.call.Function, e.call.Input, e.call.ID, e.ref, e.partition)
		}
	}
	return w.workload.Check(truth)
}

func (w *World) partitionConfig(i int, fold *Fold) partition.Config {
	return partition.Config{ID: partition.ID(i), Partitions: w.partitions, Programs: w.workload.Programs(fold)}
}

// foldOnce folds the surviving log in one go, everything in memory, and returns the state as a store.
func (w *World) foldOnce(truth *Fold) (*memory.Store, error) {
	s := memory.New()
	for i := range w.partitions {
		core := partition.New(w.partitionConfig(i, truth))
		for _, e := range w.book.entries {
			if e.partition != uint32(i) {
				continue
			}
			truth.position = e.pos
			err := partition.ReadBatch(e.data, func(ev *partition.Event) error {
				for _, effect := range core.Step(ev) {
					if effect.Kind == partition.Invoke {
						truth.invoked[invocation{core.ID(), effect.Ref, effect.Call.ID}] = effect.Call
					}
				}
				return nil
			})
			if err != nil {
				return nil, fmt.Errorf("the entry at %s does not decode: %w", e.pos, err)
			}
		}
		var b store.Batch
		core.Snapshot(&b, 0)
		if err := s.Apply(&b); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// foldReloading folds the surviving log through a store, forgetting what is in memory now and then.
func (w *World) foldReloading() (*memory.Store, error) {
	s := memory.New()
	apply := func(b lane.Batch) error { return s.Apply(b.(*store.Batch)) }
	for i := range w.partitions {
		cfg := lane.Config{
			Partition: w.partitionConfig(i, nil), Store: stored{s}, NewBatch: func() lane.Batch { return new(store.Batch) },
			SnapshotInstances: 1, SnapshotBytes: 1, Resident: 1 + w.Rand.IntN(3),
		}
		l, err := lane.Open(cfg)
		if err != nil {
			return nil, err
		}
		for _, e := range w.book.entries {
			if e.partition != uint32(i) {
				continue
			}
			if err := l.Replay(e.pos, e.data, apply); err != nil {
				return nil, err
			}
			if err := l.Save(apply); err != nil {
				return nil, err
			}
			if w.Rand.IntN(4) != 0 {
				continue
			}
			if l, err = lane.Open(cfg); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// same compares two states.
func (w *World) same(what string, got, want stored) error {
	g, err := w.describe(got)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	t, err := w.describe(want)
	if err != nil {
		return err
	}
	for i := range max(len(g), len(t)) {
		switch {
		case i >= len(g):
			return fmt.Errorf("%s lacks %s", what, t[i])
		case i >= len(t):
			return fmt.Errorf("%s has, beyond the fold of the log, %s", what, g[i])
		case g[i] != t[i]:
			return fmt.Errorf("%s has %s where the fold of the log has %s", what, g[i], t[i])
		}
	}
	return nil
}

// describe writes a state as lines: what the store has under each key, histories event by event, and what Load makes
// of the counters, the outbox and the origins.
func (w *World) describe(s stored) (lines []string, err error) {
	for i := range w.partitions {
		core, _, err := partition.Load(w.partitionConfig(i, nil), s)
		if err != nil {
			return nil, err
		}
		lines = append(lines, fmt.Sprintf("partition %d: %x", i, core.Dump()))
	}
	var history strings.Builder
	err = s.Scan(nil, []byte{0xff, 0xff}, func(k, v []byte) error {
		switch {
		case k[2] == 'm':
		case k[2] == 'h':
			r := wire.NewReader(bytes.Clone(v))
			r.Uint()
			events, err := w.workload.Events(r.Rest())
			if err != nil {
				return fmt.Errorf("history chunk at %x: %w", k, err)
			}
			for _, e := range events {
				fmt.Fprintf(&history, "%x %s\n", k[:11], e)
			}
		default:
			lines = append(lines, hex.EncodeToString(k)+" = "+hex.EncodeToString(v))
		}
		return nil
	})
	if h := history.String(); h != "" {
		lines = append(lines, strings.Split(h, "\n")...)
	}
	return lines, err
}
