package lane_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weftworks/weft/engine/commitlog"
	logmemory "github.com/weftworks/weft/engine/commitlog/memory"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/store"
	storememory "github.com/weftworks/weft/engine/store/memory"
	"github.com/weftworks/weft/internal/wire"
)

// workers is a program whose instances do what a message's words say, each word a letter and an operand:
// i=f invokes f, s=to sends, t=ms arms a timer, c continues, r replies, e ends, x removes.
type workers struct{}

const (
	workerID partition.ProgramID = 1
	opWork   uint8               = 1
)

func (workers) Creates(uint8) bool      { return true }
func (workers) New() partition.Instance { return new(worker) }

func (workers) Decode(data []byte, _ func(partition.BlobID) []byte) (partition.Instance, error) {
	r := wire.NewReader(data)
	w := &worker{ids: r.Uint(), seen: r.String()}
	return w, r.Err()
}

type worker struct {
	ids  uint64
	seen string
}

func (w *worker) Append(dst []byte) []byte {
	return wire.AppendString(wire.AppendUint(dst, w.ids), w.seen)
}

func (w *worker) Receive(env *partition.Env, ev *partition.Event) {
	switch ev.Kind {
	case partition.Done:
		w.seen += "done" + strconv.FormatUint(ev.ID, 10) + ";"
	case partition.Due:
		w.seen += "due;"
	case partition.Continue:
		w.seen += "on;"
	}
	for word := range strings.FieldsSeq(string(ev.Body)) {
		what, operand, _ := strings.Cut(word, "=")
		w.ids++
		switch what {
		case "i":
			env.Invoke(partition.Invocation{ID: w.ids, Function: operand})
		case "s":
			env.Send(operand, workerID, opWork, []byte("n=sent"))
		case "t":
			ms, err := strconv.ParseInt(operand, 10, 64)
			if err != nil {
				panic(err)
			}
			env.SetTimer(w.ids, env.Now+ms)
		case "n":
			w.seen += operand + ";"
		case "c":
			env.Continue()
		case "r":
			env.Reply(w.seen)
		case "e":
			env.List(partition.Summary{Group: "g", Status: 2, Ended: env.Now})
			env.End(w.seen)
		case "x":
			env.Remove()
		}
	}
}

// rig is one or more lanes with everything round them in memory; it is their Host and writes down what leaves them.
type rig struct {
	t       *testing.T
	disk    *logmemory.Disk
	log     *logmemory.Log
	store   *storememory.Store
	lanes   []*lane.Lane
	group   lane.Group
	config  func(*lane.Config)
	events  []string
	jobs    []func() // snapshots to apply
	durable commitlog.Position
	// storeFails is what the store answers from now on.
	storeFails error
	onSend     func(dest partition.ID, ev *partition.Event)
}

func newRig(t *testing.T, partitions int, config func(*lane.Config)) *rig {
	t.Helper()
	r := &rig{t: t, disk: new(logmemory.Disk), store: storememory.New(), config: config}
	r.open(partitions)
	return r
}

func (r *rig) open(partitions int) {
	r.t.Helper()
	r.durable, r.jobs, r.lanes = 0, nil, nil
	var err error
	r.log, err = logmemory.Open(r.disk, &logmemory.Options{Manual: true, BufferBytes: 64 << 20, Durable: func(pos commitlog.Position, err error) {
		if err == nil {
			r.durable = pos
		}
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.group = lane.Group{
		Log: r.log, Store: stored{r}, NewBatch: func() lane.Batch { return new(store.Batch) },
		Apply: func(b lane.Batch) error { return r.store.Apply(b.(*store.Batch)) }, Flush: r.store.Flush,
	}
	for i := range partitions {
		cfg := lane.Config{
			Partition: partition.Config{
				ID: partition.ID(i), Partitions: partitions, Programs: map[partition.ProgramID]partition.Program{workerID: workers{}},
			},
			Log: r.log, Store: stored{r}, Host: r, NewBatch: r.group.NewBatch, Logger: slog.New(slog.DiscardHandler),
		}
		if r.config != nil {
			r.config(&cfg)
		}
		l, err := lane.Open(cfg)
		if err != nil {
			r.t.Fatal(err)
		}
		r.lanes = append(r.lanes, l)
	}
	r.group.Lanes = r.lanes
}

// crash loses what is not durable and opens everything again, up to before Recovered.
func (r *rig) crash() {
	r.t.Helper()
	r.disk.Crash(0)
	r.store = r.store.Crash(0)
	r.open(len(r.lanes))
	if _, err := r.group.Recover(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) say(format string, args ...any) {
	r.events = append(r.events, fmt.Sprintf(format, args...))
}

func (r *rig) Invoke(_ partition.ID, ref partition.Ref, call partition.Invocation) {
	r.say("invoke %d.%d %s", ref, call.ID, call.Function)
}
func (r *rig) Cancel(_ partition.ID, ref partition.Ref, id uint64) { r.say("cancel %d.%d", ref, id) }

func (r *rig) Send(dest partition.ID, ev *partition.Event) {
	if r.onSend != nil {
		r.onSend(dest, ev)
	}
	if ev.Kind == partition.Ack {
		r.say("ack to %d: %d", dest, ev.From.Seq)
		return
	}
	r.say("send to %d: %d %s", dest, ev.From.Seq, ev.To)
}

func (r *rig) Reply(client, value any, missing bool) {
	if missing {
		value = "missing"
	}
	if err, ok := value.(error); ok {
		value = "error " + err.Error()
	}
	r.say("reply to %v: %v", client, value)
}
func (r *rig) Idempotent(function string) bool { return strings.HasPrefix(function, "idem") }

func (r *rig) Snapshot(p partition.ID, b lane.Batch, pos commitlog.Position, applied func()) {
	r.say("snapshot of %d", p)
	r.jobs = append(r.jobs, func() {
		if err := r.store.Apply(b.(*store.Batch)); err != nil {
			r.t.Error(err)
		}
		applied()
	})
}

// submit gives a lane a message.
func (r *rig) submit(i int, client any, to, words string) {
	r.t.Helper()
	ev := partition.Event{Kind: partition.Message, To: to, Program: workerID, Op: opWork, Body: []byte(words), Client: client}
	if err := r.lanes[i].Submit(lane.Item{Event: ev}); err != nil {
		r.t.Fatal(err)
	}
}

// turn lets a lane fold what it has.
func (r *rig) turn(i int, now int64) {
	r.t.Helper()
	if _, err := r.lanes[i].Turn(now); err != nil {
		r.t.Fatal(err)
	}
}

// sync makes the log durable and tells the lanes.
func (r *rig) sync() {
	r.t.Helper()
	if err := r.log.Flush(); err != nil {
		r.t.Fatal(err)
	}
	for _, l := range r.lanes {
		l.Durable(r.durable)
	}
}

// want holds that exactly this has left the lanes since the last want.
func (r *rig) want(lines ...string) {
	r.t.Helper()
	if !slices.Equal(r.events, lines) {
		r.t.Errorf("what left the lanes is\n\t%s\nwant\n\t%s", strings.Join(r.events, "\n\t"), strings.Join(lines, "\n\t"))
	}
	r.events = nil
}

// state returns what an instance has seen, wherever it is.
func (r *rig) state(i int, name string) string {
	r.t.Helper()
	seen := "none"
	err := r.lanes[i].Look(func(rd *lane.Reader) error {
		ref, ok, err := rd.Find(name)
		if err != nil || !ok {
			return err
		}
		if v, ok := rd.Core().View(ref); ok && v.State != nil {
			seen = v.State.(*worker).seen
			return nil
		} else if ok {
			in, err := workers{}.Decode(v.Packed, nil)
			seen = in.(*worker).seen
			return err
		}
		rec, ok, err := rd.Record(ref)
		if err != nil || !ok {
			return fmt.Errorf("no record: %w", err)
		}
		in, err := workers{}.Decode(rec.State, nil)
		seen = in.(*worker).seen
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return seen
}

// stored is the rig's store as lanes read it.
type stored struct{ *rig }

func (s stored) Get(key []byte) ([]byte, bool, error) {
	if s.storeFails != nil {
		return nil, false, s.storeFails
	}
	return s.store.Get(key)
}

func (s stored) Scan(lower, upper []byte, fn func(key, value []byte) error) error {
	it := s.store.Iterate(lower, upper, false)
	defer func() { _ = it.Close() }()
	for it.Next() {
		if err := fn(it.Key(), it.Value()); err != nil {
			return err
		}
	}
	return it.Err()
}

// Step implements lane.Host: no instance here has code.
func (r *rig) Step(partition.ID, []lane.Job) ([]partition.Event, bool) { return nil, false }

// Pin implements lane.Host: no instance here keeps large values.
func (r *rig) Pin(partition.ValueID) {}

// Unpin implements lane.Host.
func (r *rig) Unpin(partition.ValueID) {}

// Tell implements lane.Host: no instance here tells anything.
func (r *rig) Tell(any) {}
