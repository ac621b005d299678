package engine

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"sync"

	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/engine/store"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
)

const (
	listDefault = 100
	listMax     = 1000
)

// listed is a run's place in a listing: newest first, then by partition and number.
type listed struct {
	partition partition.ID
	ref       partition.Ref
	name      string
	summary   partition.Summary
}

func (a listed) compare(b listed) int {
	return cmp.Or(cmp.Compare(b.summary.Time, a.summary.Time), cmp.Compare(a.partition, b.partition), cmp.Compare(b.ref, a.ref))
}

// listing is a query over the instances of a group, newest first.
type listing struct {
	group  string
	status []uint8 // any of them
	limit  int
	after  *listed // the last of the page before
	from   int64   // Unix milliseconds
	before int64   // 0: no bound
	// match says what else a page shows; nil: everything.
	match func(*listed) bool
}

// shows reports whether a page may show a.
func (q *listing) shows(a *listed) bool {
	t := a.summary.Time
	return (q.after == nil || a.compare(*q.after) > 0) && t >= q.from && (q.before == 0 || t < q.before) && (q.match == nil || q.match(a))
}

// source is where listed runs come from, in order: the store's index, or what is newer in memory.
type source struct {
	head listed
	next func() (listed, bool, error)
	done bool
}

func (s *source) advance() error {
	head, ok, err := s.next()
	s.head, s.done = head, !ok
	return err
}

// ListRuns returns a page of a machine's runs, newest first. It shows committed runs only.
func (n *Node) ListRuns(ctx context.Context, q ListRuns) (*RunPage, error) {
	if n.catalog.get(q.Machine) == nil {
		return nil, n.noMachine(q.Machine)
	}
	return n.listRuns(ctx, q)
}

func (n *Node) listRuns(ctx context.Context, q ListRuns) (*RunPage, error) {
	l := listing{group: statemachine.RunsGroup(q.Machine), status: statuses, limit: q.Limit, from: q.After, before: q.Before}
	if q.Status != 0 {
		l.status = []uint8{uint8(q.Status)}
	}
	if q.Version != 0 || q.Alias != "" {
		l.match = func(r *listed) bool {
			as := statemachine.ParseLabel(r.summary.Label).As
			return (q.Version == 0 || q.Version == as.Version) && (q.Alias == "" || q.Alias == as.Alias)
		}
	}
	runs, cursor, err := n.list(ctx, l, q.Cursor)
	if err != nil {
		return nil, err
	}
	page := &RunPage{Cursor: cursor}
	for _, r := range runs {
		page.Runs = append(page.Runs, n.listedRun(r, q.Machine))
	}
	return page, nil
}

// list returns a page of a listing that goes on at cursor, and the cursor of the next.
func (n *Node) list(ctx context.Context, q listing, cursor string) (page []listed, next string, err error) {
	if q.limit <= 0 {
		q.limit = listDefault
	}
	q.limit = min(q.limit, listMax)
	if q.after, err = parseCursor(cursor); err != nil {
		return nil, "", err
	}
	release, err := n.useStore()
	if err != nil {
		return nil, "", err
	}
	defer release()
	var open iterators
	defer open.close()
	var sources []*source
	for i := range n.lanes {
		v, err := n.ask(ctx, partition.ID(i), lane.Item{Read: func(r *lane.Reader) any {
			return open.add(func() ([]*source, []store.Iterator) { return n.listSources(r, &q) })
		}}, nil, nil)
		if err != nil {
			return nil, "", err
		}
		sources = append(sources, v.([]*source)...)
	}
	return merge(sources, &q)
}

// iterators are what a listing has open. Partitions add theirs; when the client has given up they add nothing more,
// so that none stays open.
type iterators struct {
	mu     sync.Mutex
	list   []store.Iterator
	closed bool
}

func (o *iterators) add(open func() ([]*source, []store.Iterator)) any {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return fault.New("", fault.Unavailable, "", "the client has given up")
	}
	sources, list := open()
	o.list = append(o.list, list...)
	return sources
}

func (o *iterators) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for _, it := range o.list {
		_ = it.Close() // its errors have shown in Err
	}
}

var statuses = []uint8{uint8(machine.Running), uint8(machine.Succeeded), uint8(machine.Failed), uint8(machine.TimedOut), uint8(machine.Aborted)}

// listSources opens the index of one partition and copies what is newer in memory. It runs between two events, and
// whatever is applied to the store later is about runs that the copy from memory covers.
func (n *Node) listSources(r *lane.Reader, q *listing) (sources []*source, open []store.Iterator) {
	core := r.Core()
	hot := make(map[partition.Ref]bool)
	var fresh []listed
	core.Listed(func(ref partition.Ref, name string, s partition.Summary, ok bool) {
		if s.Group != q.group || hot[ref] {
			return
		}
		hot[ref] = true
		l := listed{partition: core.ID(), ref: ref, name: name, summary: s}
		if ok && slices.Contains(q.status, s.Status) && q.shows(&l) {
			fresh = append(fresh, l)
		}
	})
	slices.SortFunc(fresh, listed.compare)
	if len(fresh) > q.limit+1 {
		fresh = slices.Clone(fresh[:q.limit+1]) // no page needs more
	}
	sources = []*source{{next: func() (l listed, ok bool, err error) {
		if len(fresh) == 0 {
			return l, false, nil
		}
		l, fresh = fresh[0], fresh[1:]
		return l, true, nil
	}}}
	newest := int64(math.MaxInt64)
	if q.after != nil {
		newest = q.after.summary.Time
	}
	if q.before != 0 {
		newest = min(newest, q.before-1)
	}
	for _, status := range q.status {
		prefix := partition.ListingPrefix(core.ID(), q.group, status)
		lower := prefix
		if newest != math.MaxInt64 {
			lower = partition.ListingKey(core.ID(), partition.Summary{Group: q.group, Status: status, Time: newest}, 0)
		}
		upper := append(slices.Clone(prefix[:len(prefix)-1]), prefix[len(prefix)-1]+1)
		it := n.store.Iterate(lower, upper, false)
		open = append(open, it)
		sources = append(sources, &source{next: storeSource(it, core.ID(), hot)})
	}
	return sources, open
}

func storeSource(it store.Iterator, p partition.ID, hot map[partition.Ref]bool) func() (listed, bool, error) {
	// Within one millisecond the index is in rising order of ref and the listing in falling order, so that a page
	// can end anywhere; runs of one millisecond are few.
	var batch []listed
	begun, more := false, false
	return func() (listed, bool, error) {
		if !begun { // the first read is the client's to wait for, not the partition's
			begun, more = true, it.Next()
		}
		if len(batch) == 0 {
			for more {
				ref, s, name, err := partition.ReadListing(it.Key(), it.Value())
				if err != nil {
					return listed{}, false, err
				}
				if len(batch) > 0 && batch[0].summary.Time != s.Time {
					break
				}
				if !hot[ref] {
					batch = append(batch, listed{partition: p, ref: ref, name: name, summary: s})
				}
				more = it.Next()
			}
			slices.SortFunc(batch, listed.compare)
		}
		if len(batch) == 0 {
			return listed{}, false, it.Err()
		}
		l := batch[0]
		batch = batch[1:]
		return l, true, nil
	}
}

// merge takes the first limit instances of all sources.
func merge(sources []*source, q *listing) (page []listed, next string, err error) {
	for _, s := range sources {
		if err := s.advance(); err != nil {
			return nil, "", err
		}
	}
	for {
		var best *source
		for _, s := range sources {
			if !s.done && (best == nil || s.head.compare(best.head) < 0) {
				best = s
			}
		}
		if best == nil || (q.from != 0 && best.head.summary.Time < q.from) {
			return page, "", nil
		}
		l := best.head
		if err := best.advance(); err != nil {
			return nil, "", err
		}
		if !q.shows(&l) {
			continue
		}
		if len(page) == q.limit {
			return page, formatCursor(page[len(page)-1]), nil
		}
		page = append(page, l)
	}
}

func (n *Node) listedRun(l listed, machineName string) Run {
	_, name, _ := statemachine.SplitRun(l.name)
	more := statemachine.ParseLabel(l.summary.Label)
	return Run{
		ID: RunID{Machine: machineName, Name: name}, ARN: n.library.RunARN(machineName, name, false),
		MachineARN: n.library.MachineARN(machineName), Version: more.As.Version, Alias: more.As.Alias, Redrives: more.Redrives, Redriven: more.Redriven, Status: machine.Status(l.summary.Status),
		Started: l.summary.Time, Stopped: l.summary.Ended,
	}
}

func formatCursor(l listed) string {
	b := binary.AppendVarint(nil, l.summary.Time)
	b = binary.AppendUvarint(b, uint64(l.partition))
	b = binary.AppendUvarint(b, uint64(l.ref))
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(text string) (*listed, error) {
	if text == "" {
		return nil, nil
	}
	bad := fault.New("", fault.InvalidToken, "", "Invalid Token: 'Invalid token'")
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, bad
	}
	at, n1 := binary.Varint(b)
	if n1 <= 0 {
		return nil, bad
	}
	p, n2 := binary.Uvarint(b[n1:])
	if n2 <= 0 {
		return nil, bad
	}
	ref, n3 := binary.Uvarint(b[n1+n2:])
	if n3 <= 0 || n1+n2+n3 != len(b) {
		return nil, bad
	}
	return &listed{partition: partition.ID(p), ref: partition.Ref(ref), summary: partition.Summary{Time: at}}, nil
}
