package partition

import (
	"fmt"
	"hash/fnv"
)

// Config says what a partition is. All fields but Partitions and Programs may be zero.
type Config struct {
	ID         ID
	Partitions int // of the data directory; at least 1
	Programs   map[ProgramID]Program
	// Faults breaks a rule on purpose, for tests that must catch it.
	Faults Faults
}

// Faults are the rules a simulation breaks to show that it would notice. Never set outside tests.
type Faults struct {
	SkipDedup  bool // take every message from a partition as new
	DropOutbox bool // forget unconfirmed messages at a snapshot
}

// Core is one partition: the fold of its log. Step is a function of the state and the event alone.
// One goroutine owns a Core.
type Core struct {
	cfg         Config
	incarnation uint64
	lastRef     Ref
	now         int64 // time of the last event
	instances   map[Ref]*instance
	names       map[string]Ref // of the instances in memory
	timers      timers
	outbox      outbox
	dedup       dedup
	blobs       blobs
	values      values

	effects []Effect
	env     Env
	clock   uint64 // counts steps; instances remember when they were touched
	dirty   []*instance
	gone    []goneInstance
	bytes   int              // of packed instances and taken history since the last snapshot
	removed map[Ref]struct{} // gone and flushingGone: the store still has them, and must not give them back
	absent  map[Ref]struct{} // what the shell did not find for the event that comes next

	// What the snapshot that is being applied holds.
	flushing     []*instance
	flushingGone []goneInstance
}

type goneInstance struct {
	ref   Ref
	name  string
	saved saved
}

// maxChunk bounds a chunk of history (bytes); a longer history is cut into chunks.
const maxChunk = 64 << 10

// New returns an empty partition.
func New(cfg Config) *Core {
	return &Core{
		cfg:       cfg,
		instances: make(map[Ref]*instance),
		names:     make(map[string]Ref),
		removed:   make(map[Ref]struct{}),
		absent:    make(map[Ref]struct{}),
		values:    values{count: make(map[ValueID]int)},
		blobs:     blobs{by: make(map[BlobID]*blob), changed: make(map[BlobID]struct{})},
	}
}

// Place returns the partition of an instance: FNV-1a of its name, modulo n.
func Place(name string, n int) ID {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return ID(h.Sum64() % uint64(n))
}

func errVersion(what string, v byte) error {
	return fmt.Errorf("partition: %s has format version %d, which this program does not read: a newer one wrote it", what, v)
}

// Need is what a Core must be given before an event can be stepped. Zero: nothing.
type Need struct {
	Name string // look the name up: InstallName, or set the event's Fresh
	Ref  Ref    // load the instance: Install, or say Absent
}

// Needs returns what ev needs next. Call it until it returns the zero Need.
func (c *Core) Needs(ev *Event) Need {
	switch ev.Kind {
	case Message:
		ref, ok := c.names[ev.To]
		if !ok && !ev.Fresh {
			return Need{Name: ev.To}
		}
		if ok && c.instances[ref] == nil {
			return Need{Ref: ref}
		}
	case Done, Due, Continue, Stepped:
		if c.cold(ev.Ref) {
			return Need{Ref: ev.Ref}
		}
	case Purge:
		for _, ref := range readRefs(ev.Body) {
			if c.cold(ref) {
				return Need{Ref: ref}
			}
		}
	}
	return Need{}
}

// cold reports whether the store may have an instance that is not in memory.
func (c *Core) cold(ref Ref) bool {
	if c.instances[ref] != nil || ref == 0 || ref > c.lastRef {
		return false
	}
	_, absent := c.absent[ref]
	return !absent && !c.Removed(ref)
}

// Removed reports whether an instance was removed since the last applied Snapshot: the store still has it, and whoever
// looks there must pass it by.
func (c *Core) Removed(ref Ref) bool {
	_, removed := c.removed[ref]
	return removed
}

// Absent tells the core that the store has no instance ref, which the event to be stepped next needs.
func (c *Core) Absent(ref Ref) { c.absent[ref] = struct{}{} }

// InstallName tells the core that the instance named name is ref.
func (c *Core) InstallName(name string, ref Ref) { c.names[name] = ref }

// HasBlob reports whether the partition has a blob.
func (c *Core) HasBlob(id BlobID) bool { return c.blobs.by[id] != nil }

// Step folds one event into the state and returns what is to be done. The slice is valid until the next Step.
// The core keeps slices of ev.
func (c *Core) Step(ev *Event) []Effect {
	clear(c.effects)
	c.effects = c.effects[:0]
	clear(c.absent)
	c.clock++
	c.now = max(c.now, ev.Time)
	switch ev.Kind {
	case Message:
		c.message(ev)
	case Done:
		in := c.instances[ev.Ref]
		if in == nil {
			break
		}
		i := in.calls.find(ev.ID)
		if i < 0 {
			break // cancelled meanwhile, or answered twice
		}
		ev.Call = in.calls.list[i]
		in.calls.remove(ev.ID)
		c.receive(in, ev, false)
	case Due:
		in := c.instances[ev.Ref]
		if in == nil {
			break
		}
		if due, ok := in.dropTimer(ev.ID); ok {
			c.timers.fire(timerKey{due: due, ref: ev.Ref, id: ev.ID})
			c.receive(in, ev, false)
		}
	case Continue:
		if in := c.instances[ev.Ref]; in != nil && in.resume {
			in.resume = false
			c.receive(in, ev, false)
		}
	case Stepped:
		if in := c.instances[ev.Ref]; in != nil {
			in.stepping = false
			c.receive(in, ev, false)
		}
	case Ack:
		c.outbox.confirm(ev.From.Partition, ev.From.Seq)
	case Define:
		c.blobs.define(ev.Body)
	case Purge:
		for _, ref := range readRefs(ev.Body) {
			if in := c.instances[ref]; in != nil && in.ended {
				c.remove(in)
			}
		}
	case Recovered:
		c.incarnation = ev.ID
		for _, in := range c.instances {
			in.stepping = false // what was under way is lost: Outstanding asks again
		}
	}
	c.tellValues()
	return c.effects
}

func (c *Core) emit(e Effect) { c.effects = append(c.effects, e) }

func (c *Core) message(ev *Event) {
	if ev.From.Seq != 0 {
		fresh := c.dedup.take(ev.From)
		c.emit(Effect{Kind: Confirm, Partition: ev.From.Partition, Seq: c.dedup.last[ev.From.Partition]})
		if !fresh && !c.cfg.Faults.SkipDedup {
			return
		}
	}
	in := c.instances[c.names[ev.To]]
	if in != nil {
		c.receive(in, ev, false)
		return
	}
	program := c.cfg.Programs[ev.Program]
	if program == nil || !program.Creates(ev.Op) {
		if ev.Client != nil {
			c.emit(Effect{Kind: Reply, Client: ev.Client, Missing: true})
		}
		return
	}
	c.lastRef++
	in = &instance{ref: c.lastRef, name: ev.To, program: ev.Program, state: program.New()}
	c.instances[in.ref] = in
	c.names[in.name] = in.ref
	c.receive(in, ev, true)
}

// receive lets an instance take an event.
func (c *Core) receive(in *instance, ev *Event, created bool) {
	if in.state == nil {
		if err := c.unpack(in); err != nil {
			panic(fmt.Sprintf("partition %d: instance %q: %v", c.cfg.ID, in.name, err))
		}
	}
	if in.ended && ev.Kind != Message {
		return
	}
	in.touched = c.clock
	c.env = Env{Now: c.now, Name: in.name, Ref: in.ref, Created: created, core: c, inst: in, client: ev.Client}
	in.state.Receive(&c.env, ev)
	switch {
	case c.env.drop && created:
		c.forget(in)
		return
	case in.removed:
		c.remove(in)
		return
	}
	if in.ended {
		c.bytes += in.pack()
	} else if h, ok := in.state.(Historian); ok {
		if chunk, _, _ := h.History(); len(chunk) > maxChunk {
			c.bytes += in.takeHistory()
		}
	}
	if !in.dirty {
		in.dirty = true
		c.dirty = append(c.dirty, in)
	}
}

// unpack decodes the state of an ended instance that gets another message.
func (c *Core) unpack(in *instance) (err error) {
	program := c.cfg.Programs[in.program]
	if program == nil {
		return fmt.Errorf("no program %d", in.program)
	}
	in.state, err = program.Decode(in.packed, c.blobs.get)
	in.packed = nil
	return err
}

// dropWork forgets what an ended instance still waited for.
func (c *Core) dropWork(in *instance) {
	in.calls.each(func(call Invocation) {
		c.emit(Effect{Kind: Cancel, Ref: in.ref, Call: Invocation{ID: call.ID}})
	})
	in.calls = calls{}
	for _, t := range in.timers {
		c.timers.cancel(timerKey{due: t.due, ref: in.ref, id: t.id})
	}
	in.timers = nil
	in.resume = false // a step that is under way comes back all the same
}

// forget takes an instance out of memory as if it had never been.
func (c *Core) forget(in *instance) {
	c.dropWork(in)
	delete(c.instances, in.ref)
	delete(c.names, in.name)
	c.dropValues(in)
	if in.blob != "" {
		c.blobs.unpin(in.blob)
	}
	for _, id := range in.kept {
		c.blobs.unpin(id)
	}
}

// remove deletes an instance for good.
func (c *Core) remove(in *instance) {
	c.forget(in)
	in.removed = true
	c.removed[in.ref] = struct{}{}
	c.gone = append(c.gone, goneInstance{ref: in.ref, name: in.name, saved: in.saved})
}

func (c *Core) send(now int64, to string, program ProgramID, op uint8, body []byte, with *Carried) {
	dest := Place(to, c.cfg.Partitions)
	ev := &Event{Kind: Message, Time: now, To: to, Program: program, Op: op, From: Origin{Partition: c.cfg.ID}, Body: body, With: with, Fresh: with != nil}
	c.outbox.put(dest, ev)
	c.emit(Effect{Kind: Send, Partition: dest, Event: ev})
}

// Due appends to dst the Due events of timers that are due at now, earliest first, at most limit in all.
func (c *Core) Due(dst []Event, now int64, limit int) []Event {
	var taken []timerKey
	for len(dst) < limit {
		k, ok := c.timers.first()
		if !ok || k.due > now {
			break
		}
		c.timers.pop()
		taken = append(taken, k)
		dst = append(dst, Event{Kind: Due, Time: now, Ref: k.ref, ID: k.id})
	}
	for _, k := range taken {
		c.timers.add(k) // they leave when their Due is folded
	}
	return dst
}

// NextDue returns when the earliest timer is due (Unix milliseconds).
func (c *Core) NextDue() (int64, bool) {
	k, ok := c.timers.first()
	return k.due, ok
}

// Pending calls fn for the unconfirmed messages to other partitions, by destination and in order, as a
// recovery or a lost connection needs them sent again.
func (c *Core) Pending(fn func(dest ID, ev *Event)) {
	for _, d := range sortedKeys(c.outbox.to) {
		for _, ev := range c.outbox.to[d].pending {
			if ev.With != nil && ev.With.Data == nil {
				ev.With.Data = c.blobs.get(ev.With.ID)
			}
			fn(d, ev)
		}
	}
}

// Outstanding calls fn for what an instance in memory still waits for: its invocations, and whether a Continue or a
// step of its code is owed. A step that is owed is under way then.
func (c *Core) Outstanding(ref Ref, fn func(Invocation)) (resume, step bool) {
	in := c.instances[ref]
	if in == nil {
		return false, false
	}
	in.calls.each(func(call Invocation) {
		call.Instance = in.name
		fn(call)
	})
	in.stepping = in.owes() // what a replay asked for was not done
	return in.resume, in.stepping
}

// Work returns what the shell needs to run the code of an instance in memory that asked for a step. It reports false if
// there is nothing to do any more.
func (c *Core) Work(ref Ref) (work any, ok bool) {
	in := c.instances[ref]
	if in == nil || !in.stepping {
		return nil, false
	}
	if !in.owes() {
		in.stepping = false
		return nil, false
	}
	c.env = Env{Now: c.now, Name: in.name, Ref: ref, core: c, inst: in}
	return in.state.(Coder).Work(&c.env), true
}

// Idle tells the core that the step of an instance cannot be made now. It is owed still: the next event for the instance,
// or a recovery, asks again.
func (c *Core) Idle(ref Ref) {
	if in := c.instances[ref]; in != nil {
		in.stepping = false
	}
}

// ID returns the partition's number.
func (c *Core) ID() ID { return c.cfg.ID }

// Blob returns a blob, or nil.
func (c *Core) Blob(id BlobID) []byte { return c.blobs.get(id) }

// Incarnation returns how often the partition has recovered.
func (c *Core) Incarnation() uint64 { return c.incarnation }

// Now returns the time of the last event (Unix milliseconds).
func (c *Core) Now() int64 { return c.now }

// Open returns the number of armed timers and of instances in memory.
func (c *Core) Open() (timers, instances int) { return c.timers.live(), len(c.instances) }

// Lookup returns the instance named name if it is in memory.
func (c *Core) Lookup(name string) (Ref, bool) {
	ref, ok := c.names[name]
	return ref, ok
}

// View is what a reader may see of an instance in memory. It is valid until the next Step.
type View struct {
	Name    string
	Program ProgramID
	State   Instance // nil when Packed holds its encoding
	Packed  []byte
	Ended   bool
	Blob    BlobID
	// Chunks is history that the store may not have yet, in order; what State.History returns follows it.
	Chunks []Chunk
}

// View returns an instance in memory.
func (c *Core) View(ref Ref) (View, bool) {
	in := c.instances[ref]
	if in == nil {
		return View{}, false
	}
	return View{Name: in.name, Program: in.program, State: in.state, Packed: in.packed, Ended: in.ended, Blob: in.blob,
		Chunks: in.chunks}, true
}

// Await marks that somebody waits for the end of an instance in memory. It reports false if it has ended or is not there.
func (c *Core) Await(ref Ref) bool {
	in := c.instances[ref]
	if in == nil || in.ended {
		return false
	}
	in.waited = true
	return true
}

// Leave undoes Await: nobody waits for the instance any more.
func (c *Core) Leave(ref Ref) {
	if in := c.instances[ref]; in != nil {
		in.waited = false
	}
}

// Listed calls fn for the instances whose listing in the store may be missing or old, and with ok false for
// those removed since.
func (c *Core) Listed(fn func(ref Ref, name string, s Summary, ok bool)) {
	for _, list := range [][]*instance{c.dirty, c.flushing} {
		for _, in := range list {
			if !in.removed {
				fn(in.ref, in.name, in.summary, true)
			}
		}
	}
	for _, list := range [][]goneInstance{c.gone, c.flushingGone} {
		for _, g := range list {
			fn(g.ref, g.name, g.saved.summary, false)
		}
	}
}
