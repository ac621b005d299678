package statemachine

import (
	"fmt"
	"sync"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/mock"
)

// Revision is one state of a machine: what a run is pinned to.
type Revision struct {
	Machine    string
	ID         string // UUID, as DescribeStateMachine's revisionId
	RoleARN    string
	Express    bool
	Definition []byte
	// Mocks is a mock file of one test case (package mock), which answers for states of the run. Nil: none do.
	Mocks []byte
	// State is, of child runs, the distributed Map of the Definition whose items they process; "" of others. Machine is
	// "<machine>/<label>" then, and Express says how the children run.
	State string
}

// The format versions of revisions. Those with mocks have one of their own, so that a program that does not know of mocks
// does not run them without.
const (
	formatVersion = 1
	formatMocked  = 2
)

// Encode returns the revision as the blob that runs pin.
func (v *Revision) Encode() []byte {
	dst := []byte{formatVersion}
	if v.Mocks != nil {
		dst[0] = formatMocked
	}
	dst = wire.AppendString(dst, v.Machine)
	dst = wire.AppendString(dst, v.ID)
	dst = wire.AppendString(dst, v.RoleARN)
	dst = wire.AppendBool(dst, v.Express)
	if v.Mocks != nil {
		dst = wire.AppendBytes(dst, v.Mocks)
	}
	dst = wire.AppendBytes(dst, v.Definition)
	if v.State != "" {
		dst = wire.AppendString(dst, v.State)
	}
	return dst
}

// DecodeRevision undoes Encode. The definition aliases data.
func DecodeRevision(data []byte) (*Revision, error) {
	r := wire.NewReader(data)
	format := r.Byte()
	if format != formatVersion && format != formatMocked && r.Err() == nil {
		return nil, fmt.Errorf("statemachine: revision has format version %d; this program reads up to %d", format, formatMocked)
	}
	v := &Revision{Machine: r.String(), ID: r.String(), RoleARN: r.String(), Express: r.Bool()}
	if format == formatMocked {
		v.Mocks = r.Bytes()
	}
	v.Definition = r.Bytes()
	if r.Len() > 0 {
		v.State = r.String()
	}
	return v, r.Err()
}

// mocks returns what answers for states of runs, nil when nothing does.
func (v *Revision) mocks() (machine.Mocks, error) {
	if v.Mocks == nil {
		return nil, nil
	}
	f, err := mock.Parse(v.Mocks)
	if err != nil || len(f.Machines) != 1 || len(f.Machines[0].Cases) != 1 {
		return nil, fmt.Errorf("statemachine: the mocks that runs of %q are pinned to are no test case: %w", v.Machine, err)
	}
	return f.Machines[0].Cases[0], nil
}

// Mocked returns the blob of a revision with mocks (a mock file of one test case) in place of those it has.
func Mocked(blob, mocks []byte) ([]byte, error) {
	v, err := DecodeRevision(blob)
	if err != nil {
		return nil, err
	}
	v.Mocks = mocks
	if _, err := v.mocks(); err != nil {
		return nil, err
	}
	return v.Encode(), nil
}

// Library turns revisions into interpreters and keeps the ones in use, so that a definition is parsed once and not
// once a run. It is a memo: safe for concurrent use and without influence on results.
type Library struct {
	Region  string
	Account string
	Limits  limits.Set
	// Logging says what is logged of the runs that a Revision.Machine's version (0: none) has; nil: nothing. It changes what
	// the shell is told and nothing else, so it need not answer the same in a replay. A nil Logging logs nothing.
	Logging func(machine string, version int) *Logging

	mu     sync.RWMutex
	loaded map[partition.BlobID]*Loaded
}

// maxLoaded bounds the interpreters in memory; past it the memo starts anew.
const maxLoaded = 4096

// Loaded is a revision ready to run.
type Loaded struct {
	*Revision
	Blob        partition.BlobID
	Interpreter *machine.Interpreter
	MachineARN  string
	// Parent is, of child runs, the interpreter of the machine that has the Map; Text what they run of its definition.
	Parent *machine.Interpreter
	Text   []byte
	each   *asl.State
}

// Load returns the revision of a blob.
func (l *Library) Load(id partition.BlobID, data []byte) (*Loaded, error) {
	l.mu.RLock()
	v := l.loaded[id]
	l.mu.RUnlock()
	if v != nil {
		return v, nil
	}
	rev, err := DecodeRevision(data)
	if err != nil {
		return nil, err
	}
	options := asl.Options{Limits: l.Limits, Express: rev.Express && rev.State == "", Integrations: asl.AnyIntegration}
	def, problems := asl.Parse(rev.Definition, options)
	if def == nil || problems.Err() != nil {
		return nil, fmt.Errorf("statemachine: the definition that runs of %q are pinned to does not parse: %w", rev.Machine, problems)
	}
	mocks, err := rev.mocks()
	if err != nil {
		return nil, err
	}
	v = &Loaded{
		Revision: rev, Blob: id, MachineARN: l.MachineARN(rev.Machine),
		Interpreter: &machine.Interpreter{Definition: def, Limits: l.Limits, Token: l.token, Mocks: mocks}, Text: rev.Definition,
	}
	if err := v.child(l); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loaded == nil || len(l.loaded) >= maxLoaded {
		l.loaded = make(map[partition.BlobID]*Loaded)
	}
	l.loaded[id] = v
	return v, nil
}

// child makes v run the processor of its State, if it has one.
func (v *Loaded) child(l *Library) error {
	if v.State == "" {
		return nil
	}
	def := v.Interpreter.Definition
	v.each = def.StateNamed(v.State)
	if v.each == nil || v.each.Map == nil || v.each.Map.Distributed == nil {
		return fmt.Errorf("statemachine: the definition that runs of %q are pinned to has no distributed Map %q", v.Machine, v.State)
	}
	v.Parent = v.Interpreter
	processor := def.Processor(v.each)
	v.Text = processor.Text
	v.Interpreter = &machine.Interpreter{Definition: processor, Limits: l.Limits, Token: l.token, Mocks: v.Parent.Mocks}
	return nil
}

// MapRunARN returns the ARN of a Map Run; machine is that of its child runs.
func (l *Library) MapRunARN(machine, name string) string {
	return "arn:aws:states:" + l.Region + ":" + l.Account + ":mapRun:" + machine + ":" + name
}

// MachineARN returns the ARN of a machine.
func (l *Library) MachineARN(machine string) string {
	return "arn:aws:states:" + l.Region + ":" + l.Account + ":stateMachine:" + machine
}

// ActivityARN returns the ARN of an activity.
func (l *Library) ActivityARN(activity string) string {
	return "arn:aws:states:" + l.Region + ":" + l.Account + ":activity:" + activity
}

// RunARN returns the ARN of a run. Those of express machines have a resource type of their own.
func (l *Library) RunARN(machine, run string, express bool) string {
	kind := ":execution:"
	if express {
		kind = ":express:"
	}
	return "arn:aws:states:" + l.Region + ":" + l.Account + kind + machine + ":" + run
}
