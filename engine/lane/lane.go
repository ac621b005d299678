// Package lane drives one partition: it gathers events, steps the core, appends what it stepped to the commit
// log, and lets every effect out when the speculation level and the log's durability allow it. It starts no
// goroutine and reads no clock, so a node runs it on a goroutine and a simulation by hand.
//
//	l.Submit(item)        // any goroutine
//	l.Turn(now)           // the owner: step what has come, append to the log
//	l.Durable(pos)        // the log: let go what waited for pos
package lane

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
)

// Speculation says which effects may go before the events that caused them are durable.
type Speculation uint8

// The levels.
const (
	// Local lets messages between partitions of the node, and calls of idempotent functions, go at once.
	Local Speculation = iota
	// None lets nothing go.
	None
)

// Host carries out what leaves a lane. Its methods must not block and may be called from the goroutine that
// calls Turn as well as from the one that calls Durable.
type Host interface {
	// Invoke calls a function; the answer comes back as a Done event.
	Invoke(p partition.ID, ref partition.Ref, call partition.Invocation)
	// Cancel says that the answer is not wanted.
	Cancel(p partition.ID, ref partition.Ref, id uint64)
	// Send delivers a message to another partition.
	Send(dest partition.ID, ev *partition.Event)
	// Reply answers a client.
	Reply(client, value any, missing bool)
	// Idempotent reports whether a function may be called for a step that is lost later.
	Idempotent(function string) bool
	// Step runs the user code of instances and returns what it did as Stepped events. An instance whose code cannot run
	// now is returned with ID 0, one whose code takes too long not at all: its Stepped is submitted when it is done. It
	// reports lost when another goroutine has taken the lane over meanwhile, by calling Resume with what was done.
	Step(p partition.ID, jobs []Job) (done []partition.Event, lost bool)
	// Pin says that the partition keeps a large value now, Unpin that it does not any more. Both are durable then.
	Pin(id partition.ValueID)
	Unpin(id partition.ValueID)
	// Tell takes what an instance tells the shell (partition.Env.Tell), once its cause is durable.
	Tell(value any)
	// Snapshot applies a batch to the store and then calls applied, from any goroutine.
	Snapshot(p partition.ID, batch Batch, pos commitlog.Position, applied func())
}

// Job is one step of an instance's user code.
type Job struct {
	Ref  partition.Ref
	Work any // what the program's Work returned
	// History reads the instance's history from event first on, in chunks that the Job's taker may keep. It is valid
	// during Host.Step.
	History func(first int64) ([][]byte, error)
}

// Batch collects a snapshot.
type Batch interface {
	partition.Writer
}

// Config says what a lane is.
type Config struct {
	Partition   partition.Config
	Log         commitlog.Log
	Store       partition.Store
	Host        Host
	NewBatch    func() Batch
	Speculation Speculation
	Logger      *slog.Logger
	// Faults breaks a rule on purpose, for tests that must catch it.
	Faults Faults
	// Inbox and InboxBytes bound the items that clients may have waiting, and their bodies. 0: 65,536 and 64 MiB. Past
	// them Submit answers fault.Busy.
	Inbox      int
	InboxBytes int
	// SnapshotBytes and SnapshotInstances are how much must have changed before a snapshot is taken between
	// Flushes. 0: 4 MiB and 16,384.
	SnapshotBytes     int
	SnapshotInstances int
	// Resident is how many instances stay in memory when idle. 0: 8,192.
	Resident int
}

// Faults are the rules a simulation breaks to show that it would notice. Never set outside tests.
type Faults struct {
	EarlySnapshot bool // apply a snapshot before its position is durable
	EarlyInvoke   bool // call every function before its cause is durable
	EarlyReply    bool // answer clients before what they see is durable
}

// Item is one thing for the owner of a lane to do: fold an event, or look at the state.
type Item struct {
	Event partition.Event
	// Blob is brought to the partition before the event if it does not have it.
	Blob     []byte
	BlobID   partition.BlobID
	Internal bool // never refused: an answer, not a request
	// Read looks at the state instead of folding an event. What it returns answers Event.Client once all that it
	// may have seen is durable.
	Read func(r *Reader) any
}

// Lane drives one partition.
type Lane struct {
	cfg  Config
	core *partition.Core

	mu      sync.Mutex
	inbox   []Item
	clients int // items in inbox that may be refused
	bytes   int // of their bodies
	failed  error
	held    []held
	durable commitlog.Position
	// draining says that a goroutine lets go what ready has; it alone touches ready.
	draining bool
	ready    []held
	spare    [][]partition.Effect // empty, to be used again
	pace     pace
	wake     chan struct{}

	// Owned by the goroutine that calls Turn.
	batch    []Item
	due      []partition.Event
	buf      []byte
	empty    int // length of buf without events
	out      []partition.Effect
	owing    []partition.Ref // asked for a step in this turn
	jobs     []Job
	confirms map[partition.ID]uint64
	now      int64
	pos      commitlog.Position // of the last entry appended or replayed
	snapPos  commitlog.Position // of the last snapshot taken
	snapping bool
	wanted   bool // a snapshot, once the turn's events are in the log
	// recovering holds until the recovery's own entry is durable.
	recovering bool
	recovered  commitlog.Position
	waiters    map[partition.Ref][]any
	parked     []Item // until the store has caught up

	applied   atomic.Uint64 // position of the last snapshot applied
	appending atomic.Bool   // an Append has begun whose position last does not have yet
	last      atomic.Uint64 // pos, for others to read
	steps     atomic.Uint64
	behind    atomic.Bool // too much has changed since a snapshot that the store still takes
}

// held is what waits for a position to be durable.
type held struct {
	pos     commitlog.Position
	effects []partition.Effect
	then    func()
}

// Open loads a lane's partition from the store. Replay what the log has after Position, then call Recovered.
func Open(cfg Config) (*Lane, error) {
	if cfg.Inbox == 0 {
		cfg.Inbox = 1 << 16
	}
	if cfg.InboxBytes == 0 {
		cfg.InboxBytes = 64 << 20
	}
	if cfg.SnapshotBytes == 0 {
		cfg.SnapshotBytes = 4 << 20
	}
	if cfg.SnapshotInstances == 0 {
		cfg.SnapshotInstances = 16 << 10
	}
	if cfg.Resident == 0 {
		cfg.Resident = 8 << 10
	}
	core, pos, err := partition.Load(cfg.Partition, cfg.Store)
	if err != nil {
		return nil, err
	}
	l := &Lane{
		cfg: cfg, core: core, wake: make(chan struct{}, 1), confirms: make(map[partition.ID]uint64),
		waiters: make(map[partition.Ref][]any), pos: commitlog.Position(pos), snapPos: commitlog.Position(pos),
	}
	l.applied.Store(pos)
	l.last.Store(pos)
	return l, nil
}

// Position returns the position up to which the lane's state goes.
func (l *Lane) Position() commitlog.Position { return commitlog.Position(l.last.Load()) }

// Applied returns the position of the last snapshot that the store has.
func (l *Lane) Applied() commitlog.Position { return commitlog.Position(l.applied.Load()) }

// needs returns the first position of the log that the lane would need if everything applied were durable; ok is
// false if it needs none. Whoever asks has read the log's durable position before: an entry up to there has its
// position in last, or appending set.
func (l *Lane) needs() (pos commitlog.Position, ok bool) {
	appending, last, applied := l.appending.Load(), l.last.Load(), l.applied.Load()
	return commitlog.Position(applied) + 1, appending || applied < last
}

// Steps returns how many events the lane has folded since it was opened.
func (l *Lane) Steps() uint64 { return l.steps.Load() }

// Wake is signalled when there may be something to do for Turn.
func (l *Lane) Wake() <-chan struct{} { return l.wake }

// Submit gives the lane something to do. It fails with fault.Busy when the inbox is full, and with the log's error
// when the log has failed.
func (l *Lane) Submit(it Item) error {
	l.mu.Lock()
	if l.failed != nil {
		l.mu.Unlock()
		return l.failed
	}
	if !it.Internal {
		if l.behind.Load() && it.Read == nil {
			l.mu.Unlock()
			return busy(time.Second, "the snapshot store is behind the log of partition %d; try again in a moment", l.cfg.Partition.ID)
		}
		if l.clients >= l.cfg.Inbox || (l.clients > 0 && l.bytes+len(it.Event.Body) > l.cfg.InboxBytes) {
			n, bytes := l.clients, l.bytes
			after := l.pace.wait(n)
			l.mu.Unlock()
			return busy(after, "partition %d has %d requests of %d bytes waiting; try again in a moment", l.cfg.Partition.ID, n, bytes)
		}
		l.bytes += len(it.Event.Body)
		l.clients++
	}
	l.inbox = append(l.inbox, it)
	first := len(l.inbox) == 1
	l.mu.Unlock()
	if first {
		l.signal()
	}
	return nil
}

// busy is the answer to a request that there is no room for.
func busy(after time.Duration, format string, args ...any) error {
	err := fault.New("", fault.Busy, "", format, args...)
	err.After = after
	return err
}

// pace knows how fast a lane takes what has come, as an average over about the last second.
type pace struct {
	since int64 // Unix milliseconds
	items int
	rate  float64 // items a millisecond
}

// took notes that n items were taken at now.
func (p *pace) took(n int, now int64) {
	p.items += n
	passed := now - p.since
	if passed < 100 {
		return
	}
	if p.since != 0 && passed < 10_000 {
		p.rate += 0.3 * (float64(p.items)/float64(passed) - p.rate)
	}
	p.since, p.items = now, 0
}

// wait returns how long half of n items take.
func (p *pace) wait(n int) time.Duration {
	if p.rate <= 0 {
		return time.Second
	}
	return min(time.Duration(float64(n)/2/p.rate)*time.Millisecond, 10*time.Second)
}

func (l *Lane) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// maxDue bounds the timers that one Turn fires, so that a burst does not starve the inbox.
const maxDue = 4096

// entryBytes is how much one log entry gathers before the turn begins another, so that a full inbox of large messages
// stays far below what the log takes.
const entryBytes = 8 << 20

// Turn folds what has come and the timers that are due at now (Unix milliseconds), in one log entry unless
// that gets large, and reports whether there was anything.
func (l *Lane) Turn(now int64) (worked bool, err error) {
	l.now = max(now, l.core.Now())
	l.mu.Lock()
	if err := l.failed; err != nil {
		l.mu.Unlock()
		l.refuse(err)
		return false, err
	}
	l.batch, l.inbox = l.inbox, l.batch[:0]
	l.clients, l.bytes = 0, 0
	l.pace.took(len(l.batch), l.now)
	l.mu.Unlock()
	l.due = l.core.Due(l.due[:0], l.now, maxDue)
	if len(l.batch) == 0 && len(l.due) == 0 && len(l.owing) == 0 {
		return false, nil
	}
	l.buf = partition.AppendBatch(l.buf[:0], l.now)
	l.empty = len(l.buf)
	for i := range l.due {
		l.due[i].Time = l.now
		if err := l.step(&l.due[i]); err != nil {
			return true, l.fail(err)
		}
	}
	for i := range l.batch {
		if err := l.do(&l.batch[i]); err != nil {
			return true, l.fail(err)
		}
		l.batch[i] = Item{} // its client waits elsewhere now: a failure must not answer it twice
		if len(l.buf) >= entryBytes {
			if err := l.commit(true); err != nil {
				return true, l.fail(err)
			}
			l.buf = partition.AppendBatch(l.buf[:0], l.now)
		}
	}
	return true, l.endTurn()
}

// ErrLost is what Turn and Resume return when another goroutine has taken the lane over: the caller must not touch it any
// more.
var ErrLost = errors.New("lane: another goroutine has taken over")

// Resume goes on with a turn whose goroutine has lost the lane in the middle of Host.Step: done is what the steps did.
// The caller drives the lane from now on.
func (l *Lane) Resume(done []partition.Event) error {
	if err := l.stepped(done); err != nil {
		return l.fail(err)
	}
	return l.endTurn()
}

// endTurn runs the user code that the turn's events ask for, appends the turn's entry and lets its effects go or wait.
func (l *Lane) endTurn() error {
	if err := l.stepCode(); err != nil {
		if err == ErrLost {
			return err
		}
		return l.fail(err)
	}
	if err := l.commit(len(l.buf) > l.empty); err != nil {
		return l.fail(err)
	}
	l.maybeSnapshot()
	return nil
}

// do carries out one item.
func (l *Lane) do(it *Item) error {
	if it.Read != nil {
		value := it.Read(&Reader{lane: l, client: it.Event.Client})
		if value != pending && it.Event.Client != nil {
			l.out = append(l.out, partition.Effect{Kind: partition.Reply, Client: it.Event.Client, Value: value})
		}
		return nil
	}
	ev := &it.Event
	if ev.Kind == partition.Continue && l.behind.Load() {
		l.parked = append(l.parked, *it) // a run that never rests must not outrun the store either
		return nil
	}
	ev.Time = l.now
	if w := ev.With; w != nil {
		it.Blob, it.BlobID = w.Data, w.ID
	}
	if it.BlobID != "" && !l.core.HasBlob(it.BlobID) {
		if err := l.step(&partition.Event{Kind: partition.Define, Time: l.now, Body: it.Blob}); err != nil {
			return err
		}
	}
	return l.step(ev)
}

// step gives the core what it needs for ev, adds ev to the log entry, folds it and collects the effects.
func (l *Lane) step(ev *partition.Event) error {
	if err := l.prepare(ev); err != nil {
		return err
	}
	l.buf = partition.AppendEvent(l.buf, l.now, ev)
	l.steps.Add(1)
	for _, e := range l.core.Step(ev) {
		switch e.Kind {
		case partition.Confirm:
			l.confirms[e.Partition] = e.Seq
		case partition.Step:
			l.owing = append(l.owing, e.Ref)
		case partition.Ended:
			for _, client := range l.waiters[e.Ref] {
				l.out = append(l.out, partition.Effect{Kind: partition.Reply, Client: client, Value: e.Value})
			}
			delete(l.waiters, e.Ref)
		case partition.Wake:
			l.wakeOne(e.Ref, e.Value)
		default:
			l.out = append(l.out, e)
		}
	}
	return nil
}

// prepare installs what the core needs for ev.
func (l *Lane) prepare(ev *partition.Event) error {
	for {
		need := l.core.Needs(ev)
		switch {
		case need.Name != "":
			ref, ok, err := l.lookup(need.Name)
			if err != nil {
				return err
			}
			if !ok {
				ev.Fresh = true
				continue
			}
			l.core.InstallName(need.Name, ref)
		case need.Ref != 0:
			ok, err := l.install(need.Ref)
			switch {
			case err != nil:
				return err
			case !ok && ev.Kind == partition.Message:
				return fault.New("", fault.Corrupt, ev.To, "the store of partition %d has the instance's name and not its record %d; restore the data directory from a backup", l.cfg.Partition.ID, need.Ref)
			case !ok:
				l.core.Absent(need.Ref) // it was removed: the event falls on nothing
			}
		default:
			return nil
		}
	}
}

// commit appends the turn's events to the log and lets its effects go or wait.
func (l *Lane) commit(logged bool) error {
	first := l.recovering && l.recovered == 0
	if logged {
		l.appending.Store(true)
		pos, err := l.cfg.Log.Append(uint32(l.cfg.Partition.ID), l.buf)
		if err != nil {
			return err
		}
		l.pos = pos
		l.last.Store(uint64(pos))
		l.appending.Store(false)
	}
	if first {
		l.recovered = l.pos
	}
	if len(l.confirms) > 0 {
		for _, dest := range slices.Sorted(maps.Keys(l.confirms)) {
			l.out = append(l.out, partition.Effect{Kind: partition.Confirm, Partition: dest, Seq: l.confirms[dest]})
		}
		clear(l.confirms)
	}
	if len(l.out) == 0 {
		return nil
	}
	if l.recovering && logged {
		l.endRecovery()
	}
	wait := l.space(len(l.out))
	for i := range l.out {
		if e := &l.out[i]; l.atOnce(e) {
			l.perform(e)
		} else {
			wait = append(wait, *e)
		}
	}
	clear(l.out)
	l.out = l.out[:0]
	l.hold(held{pos: l.pos, effects: wait})
	return nil
}

// endRecovery lets messages go at once again when what the recovery sent again has gone. Those that were held behind it
// go now, before any newer one: out of order, the receiver would drop them until they are sent again.
func (l *Lane) endRecovery() {
	l.mu.Lock()
	// Durable is not enough: what was held may still be on its way out.
	if l.durable < l.recovered || l.draining || (len(l.held) > 0 && l.held[0].pos <= l.recovered) {
		l.mu.Unlock()
		return
	}
	l.recovering = false
	var sends []partition.Effect
	if l.cfg.Speculation != None {
		for i := range l.held {
			kept := l.held[i].effects[:0]
			for _, e := range l.held[i].effects {
				if e.Kind == partition.Send {
					sends = append(sends, e)
				} else {
					kept = append(kept, e)
				}
			}
			l.held[i].effects = kept
		}
	}
	l.mu.Unlock()
	for i := range sends {
		l.perform(&sends[i])
	}
}

// atOnce reports whether an effect may go before its cause is durable.
func (l *Lane) atOnce(e *partition.Effect) bool {
	if (l.cfg.Faults.EarlyInvoke && e.Kind == partition.Invoke) || (l.cfg.Faults.EarlyReply && e.Kind == partition.Reply) {
		return true
	}
	if l.cfg.Speculation == None {
		return false
	}
	switch e.Kind {
	case partition.Resume:
		return true
	case partition.Send:
		return !l.recovering // behind what the recovery sends again
	case partition.Invoke:
		return l.cfg.Host.Idempotent(e.Call.Function)
	}
	return false
}

// hold keeps h until its position is durable.
func (l *Lane) hold(h held) {
	l.mu.Lock()
	failed := l.failed
	if failed == nil {
		l.held = append(l.held, h)
	}
	l.mu.Unlock()
	if failed != nil {
		l.deny(h.effects, failed) // the log failed during this turn: nothing will come to let it go
		return
	}
	l.drain()
}

// Durable lets go what waited for positions up to pos.
func (l *Lane) Durable(pos commitlog.Position) {
	l.mu.Lock()
	l.durable = max(l.durable, pos)
	l.mu.Unlock()
	l.drain()
}

// drain lets go what is durable, in order: one goroutine at a time, and the one that is at it sees what others add.
func (l *Lane) drain() {
	l.mu.Lock()
	if l.draining {
		l.mu.Unlock()
		return
	}
	l.draining = true
	for {
		n := 0
		for n < len(l.held) && l.held[n].pos <= l.durable {
			n++
		}
		if n == 0 {
			l.draining = false
			l.mu.Unlock()
			return
		}
		l.ready, l.held = append(l.ready[:0], l.held[:n]...), l.held[n:]
		l.mu.Unlock()
		for i := range l.ready {
			l.release(l.ready[i])
			clear(l.ready[i].effects)
		}
		l.mu.Lock()
		for i := range l.ready {
			if e := l.ready[i].effects; cap(e) > 0 && cap(e) <= spareEffects && len(l.spare) < spares {
				l.spare = append(l.spare, e[:0])
			}
			l.ready[i] = held{}
		}
	}
}

// spares bounds the slices that are kept to hold effects, spareEffects the length of one.
const (
	spares       = 16
	spareEffects = 512
)

// space returns an empty slice for n effects.
func (l *Lane) space(n int) []partition.Effect {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := len(l.spare) - 1; last >= 0 {
		e := l.spare[last]
		l.spare = l.spare[:last]
		if cap(e) >= n {
			return e
		}
	}
	return make([]partition.Effect, 0, n)
}

func (l *Lane) release(h held) {
	for i := range h.effects {
		l.perform(&h.effects[i])
	}
	if h.then != nil {
		h.then()
	}
}

func (l *Lane) perform(e *partition.Effect) {
	host, p := l.cfg.Host, l.cfg.Partition.ID
	switch e.Kind {
	case partition.Invoke:
		host.Invoke(p, e.Ref, e.Call)
	case partition.Cancel:
		host.Cancel(p, e.Ref, e.Call.ID)
	case partition.Send:
		host.Send(e.Partition, e.Event)
	case partition.Confirm:
		ack := &partition.Event{Kind: partition.Ack, From: partition.Origin{Partition: p, Seq: e.Seq}}
		host.Send(e.Partition, ack)
	case partition.Reply:
		host.Reply(e.Client, e.Value, e.Missing)
	case partition.Pin:
		host.Pin(e.Value.(partition.ValueID))
	case partition.Unpin:
		host.Unpin(e.Value.(partition.ValueID))
	case partition.Tell:
		host.Tell(e.Value)
	case partition.Resume:
		_ = l.Submit(Item{Event: partition.Event{Kind: partition.Continue, Ref: e.Ref}, Internal: true})
	}
}

// Fail makes the lane refuse everything from now on: the log has failed, and what is in memory may be more than
// will ever be durable. Clients that wait are told.
func (l *Lane) Fail(err error) {
	l.mu.Lock()
	if l.failed != nil {
		l.mu.Unlock()
		return
	}
	l.failed = err
	waiting := l.held
	l.held = nil
	l.mu.Unlock()
	for _, h := range waiting {
		l.deny(h.effects, err)
	}
	l.signal()
}

// deny answers the clients among effects that will not go with err.
func (l *Lane) deny(effects []partition.Effect, err error) {
	for _, e := range effects {
		if e.Kind == partition.Reply {
			l.cfg.Host.Reply(e.Client, err, false)
		}
	}
}

func (l *Lane) fail(err error) error {
	l.Fail(err)
	l.refuse(err)
	return err
}

// refuse answers everything that waits with err.
func (l *Lane) refuse(err error) {
	l.mu.Lock()
	items := append(l.batch, l.inbox...)
	l.batch, l.inbox, l.clients, l.bytes = nil, nil, 0, 0
	l.mu.Unlock()
	for i := range items {
		if c := items[i].Event.Client; c != nil {
			l.cfg.Host.Reply(c, err, false)
		}
	}
	l.deny(l.out, err)
	l.out = nil
	for _, ref := range slices.Sorted(maps.Keys(l.waiters)) {
		for _, c := range l.waiters[ref] {
			l.cfg.Host.Reply(c, err, false)
		}
		delete(l.waiters, ref)
	}
}

// NextDue returns when Turn is wanted for a timer (Unix milliseconds).
func (l *Lane) NextDue() (int64, bool) { return l.core.NextDue() }
