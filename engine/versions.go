package engine

import (
	"context"
	"slices"
	"strconv"

	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/fault"
)

// PublishVersion makes a machine's current revision a version and returns it; a revision that is one stays it. A
// revision other than the one the client wants is fault.Conflict.
func (n *Node) PublishVersion(ctx context.Context, p PublishVersion) (*Version, error) {
	m, err := n.change(ctx, statemachine.OpPublish, p.Machine, &statemachine.CatalogMessage{If: p.If, Description: p.Description})
	if err != nil {
		return nil, err
	}
	return &m.Versions[len(m.Versions)-1], nil
}

// DeleteVersion forgets a version; runs of it go on. One that is not there is no error, one that an alias leads to is
// fault.Conflict.
func (n *Node) DeleteVersion(ctx context.Context, machine string, number int) error {
	_, err := n.change(ctx, statemachine.OpDeleteVersion, machine, &statemachine.CatalogMessage{Number: number})
	return err
}

// CreateAlias names one or two versions of a machine. The same again answers the alias that is there; another one of
// the name is fault.Conflict, a version that does not exist fault.ResourceNotFound.
func (n *Node) CreateAlias(ctx context.Context, a SetAlias) (*Alias, error) {
	return n.setAlias(ctx, statemachine.OpCreateAlias, a)
}

// UpdateAlias changes an alias; runs that were started keep their version.
func (n *Node) UpdateAlias(ctx context.Context, a SetAlias) (*Alias, error) {
	return n.setAlias(ctx, statemachine.OpUpdateAlias, a)
}

func (n *Node) setAlias(ctx context.Context, op uint8, a SetAlias) (*Alias, error) {
	m, err := n.change(ctx, op, a.Machine, &statemachine.CatalogMessage{Alias: a.Name, Description: a.Description, Routes: a.Routes})
	if err != nil {
		return nil, err
	}
	return m.FindAlias(a.Name), nil
}

// DeleteAlias forgets an alias. One that is not there is no error.
func (n *Node) DeleteAlias(ctx context.Context, machine, name string) error {
	_, err := n.change(ctx, statemachine.OpDeleteAlias, machine, &statemachine.CatalogMessage{Alias: name})
	return err
}

// MachineVersion returns a machine as it was when a version of it was published.
func (n *Node) MachineVersion(_ context.Context, name string, number int) (*Machine, error) {
	c := n.catalog.get(name)
	if c == nil {
		return nil, n.noMachine(name)
	}
	blob, id, ok := c.revision(number)
	v := c.machine.Version(number)
	if !ok || v == nil {
		return nil, n.noVersion(name, strconv.Itoa(number))
	}
	rev, err := statemachine.DecodeRevision(blob)
	if err != nil {
		return nil, err
	}
	m := n.machine(c.machine)
	m.Definition, m.Hash, m.Revision, m.RoleARN = rev.Definition, id.String(), rev.ID, rev.RoleARN
	m.Version, m.Created, m.Updated, m.Extra = number, v.Created, v.Created, v.Extra
	return m, nil
}

func (n *Node) noVersion(machine, qualifier string) error {
	arn := n.library.MachineARN(machine) + ":" + qualifier
	return fault.New("", fault.MachineNotFound, arn, "State Machine Does Not Exist: '%s'", arn)
}

// FindVersion returns the version of a number, nil when the machine has none.
func (m *Machine) FindVersion(number int) *Version {
	i := slices.IndexFunc(m.Versions, func(v Version) bool { return v.Number == number })
	if i < 0 {
		return nil
	}
	return &m.Versions[i]
}

// FindAlias returns the alias of a name, nil when the machine has none.
func (m *Machine) FindAlias(name string) *Alias {
	i := slices.IndexFunc(m.Aliases, func(a Alias) bool { return a.Name == name })
	if i < 0 {
		return nil
	}
	return &m.Aliases[i]
}
