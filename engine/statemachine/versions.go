package statemachine

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/limits"
)

// Version is a revision of a machine that was published under a number. Its definition is in the blob that runs of it
// are pinned to, which the machine keeps.
type Version struct {
	Number      int
	Blob        []byte // a partition.BlobID
	Revision    string
	Description *string                    `json:",omitempty"`
	Created     int64                      // Unix milliseconds
	Extra       map[string]json.RawMessage `json:",omitempty"`
}

// Alias is a name for one or two versions.
type Alias struct {
	Name        string
	Description *string `json:",omitempty"`
	Routes      []Route
	Created     int64 // Unix milliseconds
	Updated     int64
}

// Route is a version and its share of the starts, in percent. Those of an alias add up to 100.
type Route struct{ Version, Weight int }

// Origin is how a machine that was published when it was created was: a repeated creation has to be the same.
type Origin struct {
	Description *string `json:",omitempty"`
}

func (o *Origin) same(msg *CatalogMessage) bool {
	return (o != nil) == msg.Publish && (o == nil || equalText(o.Description, msg.Description))
}

func equalText(a, b *string) bool { return text(a) == text(b) && (a == nil) == (b == nil) }

// Version returns the version of a number, nil when there is none.
func (m *Machine) Version(number int) *Version {
	i, ok := slices.BinarySearchFunc(m.Versions, number, func(v Version, n int) int { return v.Number - n })
	if !ok {
		return nil
	}
	return &m.Versions[i]
}

// Alias returns the alias of a name, nil when there is none.
func (m *Machine) Alias(name string) *Alias {
	i := slices.IndexFunc(m.Aliases, func(a Alias) bool { return a.Name == name })
	if i < 0 {
		return nil
	}
	return &m.Aliases[i]
}

// Current returns the version of the machine's revision, nil when that is not published.
func (m *Machine) Current() *Version {
	if n := len(m.Versions); n > 0 && m.Versions[n-1].Revision == m.Revision {
		return &m.Versions[n-1]
	}
	return nil
}

// Pick returns the version that a run with this seed gets: the same seed, the same version.
func (a *Alias) Pick(seed uint64) int {
	// The finalizer of SplitMix64, so that what else comes from the seed has nothing to do with it.
	seed += 0x9e3779b97f4a7c15
	seed = (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
	seed = (seed ^ seed>>27) * 0x94d049bb133111eb
	roll := int((seed ^ seed>>31) % 100)
	for _, r := range a.Routes {
		if roll < r.Weight {
			return r.Version
		}
		roll -= r.Weight
	}
	return a.Routes[len(a.Routes)-1].Version
}

// Qualifier says how a run's machine was named when it was started. The zero value: without version and alias.
type Qualifier struct {
	Version int    // 0: none
	Alias   string // "": none; else Version is what it stood for
}

// Listed is what the listing of a run has beside its summary, in the summary's label.
type Listed struct {
	As       Qualifier
	Redrives int64
	Redriven int64 // Unix milliseconds; 0: never
}

// label writes l: "" for nothing, "3" for a version, "3/prod" for an alias, and behind it "+2@1772600767123" for redrives.
func (l Listed) label() string {
	label := ""
	if l.As.Version != 0 {
		label = strconv.Itoa(l.As.Version)
	}
	if l.As.Alias != "" {
		label += "/" + l.As.Alias
	}
	if l.Redrives != 0 {
		label += "+" + strconv.FormatInt(l.Redrives, 10) + "@" + strconv.FormatInt(l.Redriven, 10)
	}
	return label
}

// ParseLabel undoes label. Names of aliases have none of its signs.
func ParseLabel(label string) (l Listed) {
	name, redrives, _ := strings.Cut(label, "+")
	number, alias, _ := strings.Cut(name, "/")
	count, at, _ := strings.Cut(redrives, "@")
	l.As.Alias = alias
	l.As.Version, _ = strconv.Atoi(number) // "" is 0, like what is no number
	l.Redrives, _ = strconv.ParseInt(count, 10, 64)
	l.Redriven, _ = strconv.ParseInt(at, 10, 64)
	return l
}

func (q Qualifier) append(dst []byte) []byte {
	return wire.AppendString(wire.AppendUint(dst, uint64(q.Version)), q.Alias)
}

func readQualifier(r *wire.Reader) Qualifier {
	return Qualifier{Version: int(r.Uint() & math.MaxInt32), Alias: r.String()}
}

// versioned carries out the operations on versions and aliases.
func (m *entry) versioned(env *partition.Env, op uint8, msg *CatalogMessage) {
	var err error
	switch op {
	case OpPublish:
		err = m.publishIf(env, msg)
	case OpDeleteVersion:
		err = m.deleteVersion(env, msg.Number)
	case OpCreateAlias:
		err = m.createAlias(env, msg)
	case OpUpdateAlias:
		err = m.updateAlias(env, msg)
	case OpDeleteAlias:
		m.Aliases = slices.DeleteFunc(m.Aliases, func(a Alias) bool { return a.Name == msg.Alias })
	}
	if err != nil {
		env.Reply(err)
		return
	}
	env.Reply(m.copy())
}

func (m *entry) publishIf(env *partition.Env, msg *CatalogMessage) error {
	if msg.If != nil && *msg.If != m.Revision {
		return fault.New("", fault.Conflict, m.Name, "Failed to publish the State Machine version for revision %s. The current State Machine revision is %s.",
			ShowRevision(*msg.If), ShowRevision(m.Revision))
	}
	if m.full() {
		return m.errFull()
	}
	m.publish(env, msg.Description)
	return nil
}

// full reports whether the current revision cannot be published because there are too many versions.
func (m *Machine) full() bool { return m.Current() == nil && len(m.Versions) >= limits.Versions }

func (m *entry) errFull() error {
	return fault.New("", fault.LimitExceeded, m.Name, "%s has %d versions, which is the most; delete some", m.Name, len(m.Versions))
}

// InitialRevision is what clients call the revision of a machine that has not been updated; it has no id.
const InitialRevision = "INITIAL"

// ShowRevision returns a revision's id as clients write it.
func ShowRevision(id string) string {
	if id == "" {
		return InitialRevision
	}
	return id
}

// publish makes the current revision a version, unless it is one.
func (m *entry) publish(env *partition.Env, description *string) {
	if m.Current() != nil {
		return
	}
	m.Published++
	m.Versions = append(m.Versions, Version{
		Number: m.Published, Blob: []byte(env.KeepBlob(m.Blob())), Revision: m.Revision, Description: description,
		Created: env.Now, Extra: maps.Clone(m.Extra),
	})
}

// deleteVersion forgets a version; one that is not there is no error.
func (m *entry) deleteVersion(env *partition.Env, number int) error {
	v := m.Version(number)
	if v == nil {
		return nil
	}
	var names []string
	for _, a := range m.Aliases {
		if slices.ContainsFunc(a.Routes, func(r Route) bool { return r.Version == number }) {
			names = append(names, a.Name)
		}
	}
	if names != nil {
		return fault.New("", fault.Conflict, m.Name, "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: [%s]",
			strings.Join(names, ", "))
	}
	blob := string(v.Blob)
	m.Versions = slices.DeleteFunc(m.Versions, func(v Version) bool { return v.Number == number })
	// A revision that was published, deleted and published again has its blob once.
	if !slices.ContainsFunc(m.Versions, func(v Version) bool { return string(v.Blob) == blob }) {
		env.ReleaseBlob(partition.BlobID(blob))
	}
	return nil
}

func (m *entry) checkRoutes(routes []Route) error {
	for _, r := range routes {
		if m.Version(r.Version) == nil {
			return noResource(m.Name)
		}
	}
	return nil
}

func noResource(subject string) error {
	return fault.New("", fault.ResourceNotFound, subject, "Request references a resource that does not exist.")
}

func (m *entry) createAlias(env *partition.Env, msg *CatalogMessage) error {
	if err := m.checkRoutes(msg.Routes); err != nil {
		return err
	}
	if a := m.Alias(msg.Alias); a != nil {
		if !slices.Equal(a.Routes, msg.Routes) || !equalText(a.Description, msg.Description) {
			return fault.New("", fault.Conflict, m.Name, "Failed to create alias because an alias with the same name and a different routing configuration already exists.")
		}
		return nil
	}
	if len(m.Aliases) >= limits.Aliases {
		return fault.New("", fault.LimitExceeded, m.Name, "%s has %d aliases, which is the most; delete some", m.Name, len(m.Aliases))
	}
	m.Aliases = append(m.Aliases, Alias{Name: msg.Alias, Description: msg.Description, Routes: msg.Routes, Created: env.Now, Updated: env.Now})
	return nil
}

func (m *entry) updateAlias(env *partition.Env, msg *CatalogMessage) error {
	a := m.Alias(msg.Alias)
	if a == nil {
		return noResource(m.Name)
	}
	if msg.Routes != nil {
		if err := m.checkRoutes(msg.Routes); err != nil {
			return err
		}
		a.Routes = msg.Routes
	}
	if msg.Description != nil {
		a.Description = msg.Description
	}
	a.Updated = env.Now
	return nil
}
