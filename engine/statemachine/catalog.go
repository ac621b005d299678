package statemachine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
)

// The messages a machine takes; their bodies are the JSON of a CatalogMessage. Values are append-only: they are logged.
const (
	OpCreate uint8 = iota + 1
	OpUpdate
	OpTag
	OpDelete // mark as deleting
	OpRemove // forget
	OpPublish
	OpDeleteVersion
	OpCreateAlias
	OpUpdateAlias
	OpDeleteAlias
)

// Machine is a state machine that a node keeps, as it is stored.
type Machine struct {
	Name       string
	Express    bool
	Definition []byte
	Revision   string // UUID; changes with every update that changes something
	RoleARN    string
	Deleting   bool
	Created    int64 // Unix milliseconds
	Updated    int64
	Tags       map[string]string          `json:",omitempty"`
	Extra      map[string]json.RawMessage `json:",omitempty"`
	Origin     *Origin                    `json:",omitempty"` // nil: created without publishing
	Versions   []Version                  `json:",omitempty"` // by rising number
	Published  int                        `json:",omitempty"` // the highest number that a version ever had
	Aliases    []Alias                    `json:",omitempty"` // in the order of their creation
}

// CatalogMessage is the body of every message to a machine.
type CatalogMessage struct {
	Revision   string // of OpCreate and OpUpdate: the new revision's id
	Express    bool
	Definition []byte  // OpUpdate: nil keeps the old
	RoleARN    *string // OpUpdate: nil keeps the old
	Tags       map[string]string
	Untag      []string
	Extra      map[string]json.RawMessage
	Created    int64 `json:",omitempty"` // OpRemove: of the machine that is meant; another of its name stays. 0: any

	Publish     bool    `json:",omitempty"` // OpCreate, OpUpdate: then publish the revision
	Description *string `json:",omitempty"` // of the version that is published, or of the alias; OpUpdateAlias: nil keeps the old
	If          *string `json:",omitempty"` // OpPublish: the revision that has to be the current one
	Number      int     `json:",omitempty"` // OpDeleteVersion
	Alias       string  `json:",omitempty"`
	Routes      []Route `json:",omitempty"` // OpUpdateAlias: nil keeps the old
}

// machineVersion is written; 1, without versions and aliases, is read as well.
const machineVersion = 2

// Blob returns the revision that runs started now are pinned to.
func (m *Machine) Blob() []byte {
	v := Revision{Machine: m.Name, ID: m.Revision, RoleARN: m.RoleARN, Express: m.Express, Definition: m.Definition}
	return v.Encode()
}

func (m *Machine) copy() *Machine {
	c := *m
	c.Tags, c.Extra = maps.Clone(m.Tags), maps.Clone(m.Extra)
	c.Versions, c.Aliases = slices.Clone(m.Versions), slices.Clone(m.Aliases)
	return &c
}

// Catalog is the program of machines.
type Catalog struct{ Library *Library }

// Creates reports whether op makes a machine.
func (p *Catalog) Creates(op uint8) bool { return op == OpCreate }

// New returns a machine that waits for its OpCreate.
func (p *Catalog) New() partition.Instance { return &entry{library: p.Library} }

// Decode implements partition.Program.
func (p *Catalog) Decode(data []byte, _ func(partition.BlobID) []byte) (partition.Instance, error) {
	m, err := ReadMachine(data)
	if err != nil {
		return nil, err
	}
	return &entry{library: p.Library, Machine: *m}, nil
}

// ReadMachine decodes a machine from its record's state.
func ReadMachine(data []byte) (*Machine, error) {
	if len(data) == 0 || data[0] == 0 || data[0] > machineVersion {
		return nil, fmt.Errorf("statemachine: machine record has an unknown format version")
	}
	m := new(Machine)
	err := json.Unmarshal(data[1:], m)
	return m, err
}

// entry is one machine.
type entry struct {
	library *Library
	Machine
}

// Append implements partition.Instance.
func (m *entry) Append(dst []byte) []byte {
	text, err := json.Marshal(&m.Machine)
	if err != nil {
		panic(fmt.Sprintf("statemachine: machine %q does not encode: %v", m.Name, err)) // only raw JSON that was checked at the door
	}
	return append(append(dst, machineVersion), text...)
}

// View returns a copy of the machine.
func (m *entry) View() *Machine { return m.copy() }

// Machines gives readers a machine in memory.
type Machines interface{ View() *Machine }

// Receive implements partition.Instance.
func (m *entry) Receive(env *partition.Env, ev *partition.Event) {
	var msg CatalogMessage
	if err := json.Unmarshal(ev.Body, &msg); err != nil {
		env.Discard()
		env.Reply(fault.New("", fault.Internal, env.Name, "catalog message does not decode: %w", err))
		return
	}
	arn := m.library.MachineARN(m.Name)
	if m.Deleting && ev.Op != OpDelete && ev.Op != OpRemove {
		env.Reply(fault.New("", fault.MachineDeleting, arn, "State Machine is being deleted: '%s'", arn))
		return
	}
	switch ev.Op {
	case OpCreate:
		m.create(env, &msg)
	case OpUpdate:
		m.update(env, &msg)
	case OpTag:
		m.tag(env, &msg)
	case OpDelete:
		m.Deleting = true
		env.Reply(m.copy())
	case OpRemove:
		m.remove(env, &msg)
	default:
		m.versioned(env, ev.Op, &msg)
	}
}

// remove forgets the machine, unless it is another than the one whose runs were found ended.
func (m *entry) remove(env *partition.Env, msg *CatalogMessage) {
	if msg.Created != 0 && (!m.Deleting || msg.Created != m.Created) {
		arn := m.library.MachineARN(m.Name)
		env.Reply(fault.New("", fault.Conflict, arn, "the machine was made anew since it was deleted: '%s'", arn))
		return
	}
	env.Reply(m.copy())
	env.Remove()
}

func (m *entry) create(env *partition.Env, msg *CatalogMessage) {
	if !env.Created {
		same := m.Express == msg.Express && bytes.Equal(m.Definition, msg.Definition) && equalExtra(m.Extra, msg.Extra) && m.Origin.same(msg)
		if !same {
			arn := m.library.MachineARN(m.Name)
			env.Reply(fault.New("", fault.MachineExists, arn, "State Machine Already Exists: '%s'", arn))
			return
		}
		env.Reply(m.copy())
		return
	}
	m.Machine = Machine{
		Name: env.Name[len("machine/"):], Express: msg.Express, Definition: msg.Definition, Revision: msg.Revision,
		Created: env.Now, Updated: env.Now, Tags: msg.Tags, Extra: msg.Extra,
	}
	if msg.RoleARN != nil {
		m.RoleARN = *msg.RoleARN
	}
	env.List(partition.Summary{Group: MachinesGroup, Status: 1, Time: m.Created})
	if msg.Publish {
		m.Origin = &Origin{Description: msg.Description}
		m.publish(env, msg.Description)
	}
	env.Reply(m.copy())
}

func (m *entry) update(env *partition.Env, msg *CatalogMessage) {
	next, changed := m.copy(), false
	if msg.Definition != nil && !bytes.Equal(next.Definition, msg.Definition) {
		next.Definition, changed = msg.Definition, true
	}
	if msg.RoleARN != nil && *msg.RoleARN != next.RoleARN {
		next.RoleARN, changed = *msg.RoleARN, true
	}
	for k, v := range msg.Extra {
		if !bytes.Equal(next.Extra[k], v) {
			if next.Extra == nil {
				next.Extra = make(map[string]json.RawMessage)
			}
			next.Extra[k], changed = v, true
		}
	}
	next.Updated = env.Now
	if changed {
		next.Revision = msg.Revision
	}
	if msg.Publish && next.full() {
		env.Reply(m.errFull())
		return
	}
	m.Machine = *next
	if msg.Publish {
		m.publish(env, msg.Description)
	}
	env.Reply(m.copy())
}

func (m *entry) tag(env *partition.Env, msg *CatalogMessage) {
	tags := maps.Clone(m.Tags)
	if tags == nil {
		tags = make(map[string]string)
	}
	for k, v := range msg.Tags {
		tags[k] = v
	}
	for _, k := range msg.Untag {
		delete(tags, k)
	}
	if len(tags) > limits.Tags {
		arn := m.library.MachineARN(m.Name)
		env.Reply(fault.New("", fault.TooManyTags, arn, "Too many tags have been added to the specified resource: %d, the most is %d", len(tags), limits.Tags))
		return
	}
	m.Tags = tags
	env.Reply(m.copy())
}

func equalExtra(a, b map[string]json.RawMessage) bool {
	return maps.EqualFunc(a, b, func(x, y json.RawMessage) bool { return bytes.Equal(x, y) })
}
