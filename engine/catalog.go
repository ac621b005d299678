package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
)

// catalog is the machines in memory, as their instances last answered. A partition's answers come one after the other
// and in the order of its changes, and reach the catalog before the client.
type catalog struct {
	mu     sync.RWMutex
	by     map[string]*cataloged
	logged atomic.Bool // a machine is, or was
}

type cataloged struct {
	machine *statemachine.Machine
	blob    []byte
	blobID  partition.BlobID
	// versions has the blob of each version, by its id.
	versions map[partition.BlobID][]byte
	// logging is by version; 0 is the current revision.
	logging map[int]*statemachine.Logging
	starts  *atomic.Int64 // runs being started; the same one for all revisions
}

func (c *catalog) get(name string) *cataloged {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.by[name]
}

// set takes what a machine is now. stored returns blobs of the partition that the machine was loaded from; nil for a
// machine that has changed: a version that it was not known to have is then its current revision.
func (c *catalog) set(m *statemachine.Machine, stored func(partition.BlobID) []byte) {
	blob := m.Blob()
	m.Definition = blob[len(blob)-len(m.Definition):] // in memory once: the blob ends in it
	c.mu.Lock()
	defer c.mu.Unlock()
	next := &cataloged{machine: m, blob: blob, blobID: partition.BlobOf(blob), starts: new(atomic.Int64)}
	known := map[partition.BlobID][]byte{next.blobID: blob}
	if was := c.by[m.Name]; was != nil {
		next.starts = was.starts
		maps.Copy(known, was.versions)
	}
	if len(m.Versions) > 0 {
		next.versions = make(map[partition.BlobID][]byte, len(m.Versions))
	}
	for _, v := range m.Versions {
		id := partition.BlobID(v.Blob)
		data := known[id]
		if data == nil && stored != nil {
			data = stored(id)
		}
		next.versions[id] = data
	}
	if next.logging = loggingOf(m); next.logging != nil {
		c.logged.Store(true)
	}
	c.by[m.Name] = next
}

// revision returns the blob that runs of a version are pinned to; of version 0, of the current revision.
func (m *cataloged) revision(version int) (blob []byte, id partition.BlobID, ok bool) {
	if version == 0 {
		return m.blob, m.blobID, true
	}
	v := m.machine.Version(version)
	if v == nil {
		return nil, "", false
	}
	id = partition.BlobID(v.Blob)
	blob = m.versions[id]
	return blob, id, blob != nil
}

// enter returns a machine of which a run is about to start; leave when the start has its answer. nil: it is not there.
// A machine that is found deleting must be left at once.
func (c *catalog) enter(name string) *cataloged {
	c.mu.RLock()
	defer c.mu.RUnlock()
	m := c.by[name]
	if m != nil {
		m.starts.Add(1)
	}
	return m
}

func (m *cataloged) leave() { m.starts.Add(-1) }

func (c *catalog) size() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.by)
}

func (c *catalog) remove(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.by, name)
}

// loadCatalog reads all machines, before the lanes live.
func (n *Node) loadCatalog() error {
	n.catalog.by = make(map[string]*cataloged)
	for _, l := range n.lanes {
		err := l.Look(func(r *lane.Reader) error {
			return n.eachMachine(r, func(m *statemachine.Machine) { n.catalog.set(m, r.Core().Blob) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) eachMachine(r *lane.Reader, fn func(*statemachine.Machine)) error {
	core := r.Core()
	hot := make(map[partition.Ref]bool)
	core.Listed(func(ref partition.Ref, _ string, s partition.Summary, ok bool) {
		hot[ref] = true
		if v, in := core.View(ref); ok && in && s.Group == statemachine.MachinesGroup {
			if m, is := v.State.(statemachine.Machines); is {
				fn(m.View())
			}
		}
	})
	prefix := partition.ListingPrefix(core.ID(), statemachine.MachinesGroup, 1)
	upper := append(slices.Clone(prefix[:len(prefix)-1]), prefix[len(prefix)-1]+1)
	return r.Store().Scan(prefix, upper, func(k, v []byte) error {
		ref, _, _, err := partition.ReadListing(k, v)
		if err != nil || hot[ref] {
			return err
		}
		rec, ok, err := r.Record(ref)
		if err != nil || !ok {
			return err
		}
		m, err := statemachine.ReadMachine(rec.State)
		if err == nil {
			fn(m)
		}
		return err
	})
}

// change sends a message to a machine and keeps what it answers.
func (n *Node) change(ctx context.Context, op uint8, name string, msg *statemachine.CatalogMessage) (*Machine, error) {
	if n.closing.Load() {
		return nil, errClosing()
	}
	body, err := json.Marshal(msg)
	if err != nil {
		return nil, err
	}
	instance := statemachine.MachineInstance(name)
	it := lane.Item{Event: partition.Event{Kind: partition.Message, To: instance, Program: statemachine.CatalogID, Op: op, Body: body}}
	keep := func(v any) {
		switch m, ok := v.(*statemachine.Machine); {
		case op == statemachine.OpRemove:
			n.catalog.remove(name)
		case ok:
			n.catalog.set(m, nil)
		}
	}
	v, err := n.ask(ctx, n.place(instance), it, keep, func() error { return n.noMachine(name) })
	if err != nil {
		return nil, err
	}
	return n.machine(v.(*statemachine.Machine)), nil
}

func errClosing() error {
	return fault.New("", fault.Unavailable, "", "the node is closing; try again when it is back")
}

func (n *Node) noMachine(name string) error {
	arn := n.library.MachineARN(name)
	return fault.New("", fault.MachineNotFound, arn, "State Machine Does Not Exist: '%s'", arn)
}

// machine turns a stored machine into what clients see.
func (n *Node) machine(m *statemachine.Machine) *Machine {
	blob := partition.BlobOf(m.Blob())
	c := &Machine{
		Name: m.Name, ARN: n.library.MachineARN(m.Name), Type: Standard, Definition: m.Definition, Hash: blob.String(),
		Revision: m.Revision, RoleARN: m.RoleARN, Deleting: m.Deleting, Created: m.Created, Updated: m.Updated,
		Tags: m.Tags, Extra: m.Extra, Versions: m.Versions, Aliases: m.Aliases,
	}
	if v := m.Current(); v != nil {
		c.Version = v.Number
	}
	if m.Express {
		c.Type = Express
	}
	return c
}

// checkName refuses names that could not be told apart in those of instances ("run/MACHINE/NAME") and listings.
func checkName(name string) error {
	bad := func(r rune) bool { return r == '/' || r == utf8.RuneError || unicode.IsControl(r) }
	if name == "" || utf8.RuneCountInString(name) > limits.NameChars || strings.ContainsFunc(name, bad) {
		return fault.New("", fault.InvalidName, name, "Invalid Name: '%s'; a machine's name has 1 to %d characters, without slashes and control characters", name, limits.NameChars)
	}
	return nil
}

// checkDefinition refuses what the interpreter could not run.
func (n *Node) checkDefinition(name string, text []byte, express bool) error {
	if _, problems := asl.Parse(text, asl.Options{Limits: n.opts.Limits, Express: express, Integrations: n.opts.Integrations}); problems.Err() != nil {
		return fault.New("", fault.InvalidDefinition, name, "Invalid State Machine Definition: %w", problems)
	}
	return nil
}

// CreateMachine registers a machine. Doing it again with the same name, type, definition and settings answers the
// machine that is there, other tags or role notwithstanding (as CreateStateMachine does).
func (n *Node) CreateMachine(ctx context.Context, c CreateMachine) (*Machine, error) {
	if err := checkName(c.Name); err != nil {
		return nil, err
	}
	if err := n.checkDefinition(c.Name, c.Definition, c.Type == Express); err != nil {
		return nil, err
	}
	if n.catalog.get(c.Name) == nil && n.catalog.size() >= n.opts.machines {
		return nil, fault.New("", fault.LimitExceeded, c.Name, "this node keeps %d machines, which is the most; delete some", n.opts.machines)
	}
	return n.change(ctx, statemachine.OpCreate, c.Name, &statemachine.CatalogMessage{
		// No revision id before the first update, as Step Functions has it.
		Express: c.Type == Express, Definition: c.Definition, RoleARN: &c.RoleARN,
		Tags: c.Tags, Extra: c.Extra, Publish: c.Publish, Description: c.VersionDescription,
	})
}

// UpdateMachine changes a machine; runs in flight keep the definition they started with.
func (n *Node) UpdateMachine(ctx context.Context, u UpdateMachine) (*Machine, error) {
	if c := n.catalog.get(u.Name); c != nil && u.Definition != nil {
		if err := n.checkDefinition(u.Name, u.Definition, c.machine.Express); err != nil {
			return nil, err
		}
	}
	return n.change(ctx, statemachine.OpUpdate, u.Name, &statemachine.CatalogMessage{
		Revision: uuid.NewString(), Definition: u.Definition, RoleARN: u.RoleARN, Extra: u.Extra,
		Publish: u.Publish, Description: u.VersionDescription,
	})
}

// TagMachine sets and removes tags.
func (n *Node) TagMachine(ctx context.Context, name string, set map[string]string, remove []string) (*Machine, error) {
	return n.change(ctx, statemachine.OpTag, name, &statemachine.CatalogMessage{Tags: set, Untag: remove})
}

// DeleteMachine marks a machine for deletion; it goes when its last open run has ended. A name that is not there is
// no error.
func (n *Node) DeleteMachine(ctx context.Context, name string) error {
	_, err := n.change(ctx, statemachine.OpDelete, name, &statemachine.CatalogMessage{})
	if fault.Is(err, fault.MachineNotFound) {
		return nil
	}
	if err == nil {
		_, err = n.finishDelete(ctx, name)
	}
	return err
}

// finishDelete removes a deleted machine if it has no open run.
func (n *Node) finishDelete(ctx context.Context, name string) (bool, error) {
	c := n.catalog.get(name)
	// A start that found the machine not yet deleting is counted until it shows in the list; there are no later ones.
	if c == nil || !c.machine.Deleting || c.starts.Load() > 0 {
		return false, nil
	}
	page, err := n.listRuns(ctx, ListRuns{Machine: name, Status: machine.Running, Limit: 1})
	if err != nil || len(page.Runs) > 0 {
		return false, err
	}
	_, err = n.change(ctx, statemachine.OpRemove, name, &statemachine.CatalogMessage{Created: c.machine.Created})
	if fault.Is(err, fault.MachineNotFound) || fault.Is(err, fault.Conflict) {
		return false, nil // somebody else was faster
	}
	return err == nil, err
}

// finishDeletes removes the deleted machines whose runs have ended.
func (n *Node) finishDeletes(ctx context.Context) {
	n.catalog.mu.RLock()
	var names []string
	for name, c := range n.catalog.by {
		if c.machine.Deleting {
			names = append(names, name)
		}
	}
	n.catalog.mu.RUnlock()
	for _, name := range names {
		if _, err := n.finishDelete(ctx, name); err != nil && ctx.Err() == nil {
			n.opts.Logger.Warn("a deleted machine cannot be removed yet", "machine", name, "error", err)
		}
	}
}

// Machine returns a machine by name.
func (n *Node) Machine(_ context.Context, name string) (*Machine, error) {
	c := n.catalog.get(name)
	if c == nil {
		return nil, n.noMachine(name)
	}
	return n.machine(c.machine), nil
}

// Machines returns all machines by creation time, oldest first.
func (n *Node) Machines(context.Context) ([]*Machine, error) {
	n.catalog.mu.RLock()
	defer n.catalog.mu.RUnlock()
	all := make([]*Machine, 0, len(n.catalog.by))
	for _, c := range n.catalog.by {
		all = append(all, n.machine(c.machine))
	}
	slices.SortFunc(all, func(a, b *Machine) int {
		return cmp.Or(cmp.Compare(a.Created, b.Created), strings.Compare(a.Name, b.Name))
	})
	return all, nil
}
