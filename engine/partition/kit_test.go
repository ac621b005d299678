package partition

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/weftworks/weft/internal/wire"
)

// mapStore is a store for tests.
type mapStore map[string][]byte

func (s mapStore) Set(key, value []byte) { s[string(key)] = bytes.Clone(value) }
func (s mapStore) Delete(key []byte)     { delete(s, string(key)) }

func (s mapStore) DeleteRange(lower, upper []byte) {
	for k := range s {
		if k >= string(lower) && k < string(upper) {
			delete(s, k)
		}
	}
}

func (s mapStore) Get(key []byte) ([]byte, bool, error) {
	v, ok := s[string(key)]
	return bytes.Clone(v), ok, nil
}

func (s mapStore) Scan(lower, upper []byte, fn func(key, value []byte) error) error {
	var keys []string
	for k := range s {
		if k >= string(lower) && k < string(upper) {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	for _, k := range keys {
		if err := fn([]byte(k), s[k]); err != nil {
			return err
		}
	}
	return nil
}

func (s mapStore) clone() mapStore {
	c := make(mapStore, len(s))
	for k, v := range s {
		c[k] = v
	}
	return c
}

// shell does for a core what a lane does: it gives it what it needs from a store.
type shell struct {
	core  *Core
	store mapStore
	pos   uint64
}

func newShell(cfg Config) *shell { return &shell{core: New(cfg), store: make(mapStore)} }

// step folds ev, logged and read back as a recovery would see it.
func (s *shell) step(ev Event) []Effect {
	client := ev.Client
	data := AppendEvent(AppendBatch(nil, ev.Time-3), ev.Time-3, &ev)
	err := ReadBatch(data, func(read *Event) error { ev = *read; return nil })
	if err != nil {
		panic(err)
	}
	ev.Client = client
	s.prepare(&ev)
	s.pos++
	return s.core.Step(&ev)
}

func (s *shell) prepare(ev *Event) {
	for range 1000 {
		need := s.core.Needs(ev)
		switch {
		case need.Name != "":
			v, ok := s.store[string(NameKey(s.core.ID(), need.Name))]
			if ref := Ref(wire.NewReader(v).Uint()); ok && !s.core.Removed(ref) {
				s.core.InstallName(need.Name, ref)
			} else {
				ev.Fresh = true
			}
		case need.Ref != 0:
			v, ok := s.store[string(InstanceKey(s.core.ID(), need.Ref))]
			if !ok {
				s.core.Absent(need.Ref)
			} else if err := s.core.Install(need.Ref, bytes.Clone(v)); err != nil {
				panic(err)
			}
		default:
			return
		}
	}
	panic("the core never has what it needs")
}

// save takes a snapshot, applies it and evicts all but keep instances.
func (s *shell) save(keep int) {
	s.core.Snapshot(s.store, s.pos)
	s.core.Applied(keep)
}

// load starts again from what was saved.
func (s *shell) load() *shell {
	core, pos, err := Load(s.core.cfg, s.store)
	if err != nil {
		panic(err)
	}
	if pos != s.pos {
		panic(fmt.Sprintf("loaded position %d, saved %d", pos, s.pos))
	}
	return &shell{core: core, store: s.store, pos: pos}
}

// state writes the whole state, in memory and in the store, in a form that does not depend on which is where. The
// shell goes on as it was.
func (s *shell) state() string {
	c := s.core
	if c.flushing != nil || c.flushingGone != nil {
		panic("state while a snapshot is being applied")
	}
	all := s.store.clone()
	copied := New(c.cfg)
	copied.incarnation, copied.lastRef, copied.now = c.incarnation, c.lastRef, c.now
	for _, g := range c.gone {
		copied.writeGone(all, g)
	}
	for _, ref := range sortedRefs(c.instances) {
		in := *c.instances[ref]
		in.saved.timers = slices.Clone(in.saved.timers)
		in.chunks = slices.Clone(in.chunks)
		if h, ok := in.state.(Historian); ok {
			if data, first, count := h.History(); count > 0 {
				in.chunks = append(in.chunks, Chunk{Data: slices.Clone(data), First: first, Count: count})
			}
		}
		in.state, in.packed = nil, in.encoded()
		copied.writeInstance(all, &in)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%x\n", c.appendMeta(nil, 0))
	var histories, last []byte
	_ = all.Scan(nil, []byte{0xff}, func(k, v []byte) error {
		switch k[2] {
		case keyMeta, keyBlob:
		case keyHistory:
			r := wire.NewReader(v)
			r.Uint()
			if !bytes.Equal(k[:11], last) {
				last = k[:11]
				histories = append(histories, last...)
			}
			histories = append(histories, r.Rest()...)
		default:
			fmt.Fprintf(&b, "%q = %x\n", k, v)
		}
		return nil
	})
	fmt.Fprintf(&b, "%x\n", histories)
	for _, id := range sortedBlobs(c.blobs.by) {
		fmt.Fprintf(&b, "blob %s: %d %q\n", id, c.blobs.by[id].pins, c.blobs.by[id].data)
	}
	due := c.Due(nil, 1<<62, 1<<20)
	for i := range due {
		fmt.Fprintf(&b, "timer %d %d\n", due[i].Ref, due[i].ID)
	}
	return b.String()
}

func (in *instance) encoded() []byte {
	if in.state == nil {
		return in.packed
	}
	return in.state.Append(nil)
}

func sortedRefs[V any](m map[Ref]V) []Ref {
	refs := make([]Ref, 0, len(m))
	for r := range m {
		refs = append(refs, r)
	}
	slices.Sort(refs)
	return refs
}

func sortedBlobs[V any](m map[BlobID]V) []BlobID {
	ids := make([]BlobID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// puppets is a program whose instances do what messages say: the body of a message is commands, one a line. A Done,
// Due or Continue runs the lines kept under its name by "on".
type puppets struct{}

const (
	puppetID ProgramID = 9
	opDo     uint8     = 1 // creates
	opTell   uint8     = 2 // does not
)

func (puppets) Creates(op uint8) bool { return op == opDo }
func (puppets) New() Instance         { return &puppet{on: make(map[string]string), first: 1} }

func (puppets) Decode(data []byte, _ func(BlobID) []byte) (Instance, error) {
	p := &puppet{on: make(map[string]string)}
	r := wire.NewReader(data)
	p.events = r.Int()
	p.first = p.events + 1
	for range r.Count(2) {
		k := r.String()
		p.on[k] = r.String()
	}
	p.notes = r.String()
	return p, r.Err()
}

type puppet struct {
	on     map[string]string
	notes  string
	events int64
	first  int64
	chunk  []byte
}

func (p *puppet) Append(dst []byte) []byte {
	dst = wire.AppendInt(dst, p.events)
	keys := make([]string, 0, len(p.on))
	for k := range p.on {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	dst = wire.AppendUint(dst, uint64(len(keys)))
	for _, k := range keys {
		dst = wire.AppendString(wire.AppendString(dst, k), p.on[k])
	}
	return wire.AppendString(dst, p.notes)
}

func (p *puppet) History() (chunk []byte, first, count int64) {
	return p.chunk, p.first, p.events - p.first + 1
}

func (p *puppet) Forget() { p.chunk, p.first = p.chunk[:0], p.events+1 }

func (p *puppet) Receive(env *Env, ev *Event) {
	var script string
	switch ev.Kind {
	case Message:
		script = string(ev.Body)
	case Done:
		script = p.on["done"]
		p.notes += fmt.Sprintf("done %d %s%s;", ev.ID, ev.Body, ev.Error)
	case Due:
		script = p.on["due"]
		p.notes += fmt.Sprintf("due %d at %d;", ev.ID, env.Now)
	case Continue:
		script = p.on["continue"]
	}
	for line := range strings.SplitSeq(script, "\n") {
		p.do(env, line)
	}
}

// do carries out one command.
func (p *puppet) do(env *Env, line string) {
	word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	var id uint64
	var at int64
	_, _ = fmt.Sscan(rest, &id, &at)
	switch word {
	case "on":
		event, script, _ := strings.Cut(rest, " ")
		p.on[event] = script
	case "invoke":
		var fn string
		_, _ = fmt.Sscan(rest, &id, &fn)
		env.Invoke(Invocation{ID: id, Function: fn, Input: []byte("in"), TimeoutMS: 9, Flags: 1})
	case "cancel":
		env.Cancel(id)
	case "timer":
		env.SetTimer(id, at)
	case "untimer":
		env.CancelTimer(id)
	case "send":
		to, script, _ := strings.Cut(rest, " ")
		env.Send(to, puppetID, opDo, []byte(script))
	case "continue":
		env.Continue()
	case "pin":
		env.Pin(BlobOf([]byte(rest)))
	case "keep":
		env.KeepBlob([]byte(rest))
	case "release":
		env.ReleaseBlob(BlobOf([]byte(rest)))
	case "blob":
		p.notes += fmt.Sprintf("blob %q;", env.Blob(BlobOf([]byte(rest))))
	case "list":
		var s Summary
		_, _ = fmt.Sscan(rest, &s.Group, &s.Status, &s.Time, &s.Ended)
		env.List(s)
	case "log":
		p.events++
		p.chunk = wire.AppendString(p.chunk, rest)
	case "note":
		p.notes += rest + ";"
	case "reply":
		env.Reply(p.notes)
	case "end":
		env.End(p.notes)
	case "remove":
		env.Remove()
	case "discard":
		env.Discard()
	}
}

func testConfig(partitions int) Config {
	return Config{Partitions: partitions, Programs: map[ProgramID]Program{puppetID: puppets{}}}
}

func do(to, script string) Event {
	return Event{Kind: Message, To: to, Program: puppetID, Op: opDo, Body: []byte(script)}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
