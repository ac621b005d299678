package statemachine

import (
	"fmt"
	"sync"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
)

// Revision is one state of a machine: what a run is pinned to.
type Revision struct {
	Machine    string
	ID         string // UUID, as DescribeStateMachine's revisionId
	RoleARN    string
	Express    bool
	Definition []byte
}

const formatVersion = 1

// Encode returns the revision as the blob that runs pin.
func (v *Revision) Encode() []byte {
	dst := []byte{formatVersion}
	dst = wire.AppendString(dst, v.Machine)
	dst = wire.AppendString(dst, v.ID)
	dst = wire.AppendString(dst, v.RoleARN)
	dst = wire.AppendBool(dst, v.Express)
	return wire.AppendBytes(dst, v.Definition)
}

// DecodeRevision undoes Encode. The definition aliases data.
func DecodeRevision(data []byte) (*Revision, error) {
	r := wire.NewReader(data)
	if b := r.Byte(); b != formatVersion && r.Err() == nil {
		return nil, fmt.Errorf("statemachine: revision has format version %d; this program reads %d", b, formatVersion)
	}
	v := &Revision{Machine: r.String(), ID: r.String(), RoleARN: r.String(), Express: r.Bool(), Definition: r.Bytes()}
	return v, r.Err()
}

// Library turns revisions into interpreters and keeps the ones in use, so that a definition is parsed once and not
// once a run. It is a memo: safe for concurrent use and without influence on results.
type Library struct {
	Region  string
	Account string
	Limits  limits.Set

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
	def, problems := asl.Parse(rev.Definition, asl.Options{Limits: l.Limits, Express: rev.Express, Integrations: asl.AnyIntegration})
	if def == nil || problems.Err() != nil {
		return nil, fmt.Errorf("statemachine: the definition that runs of %q are pinned to does not parse: %w", rev.Machine, problems)
	}
	v = &Loaded{
		Revision: rev, Blob: id, MachineARN: l.MachineARN(rev.Machine),
		Interpreter: &machine.Interpreter{Definition: def, Limits: l.Limits, Token: l.token},
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loaded == nil || len(l.loaded) >= maxLoaded {
		l.loaded = make(map[partition.BlobID]*Loaded)
	}
	l.loaded[id] = v
	return v, nil
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
