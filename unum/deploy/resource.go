package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/weftworks/weft/fault"
)

// ID names a resource within its deployment: its kind, a slash and a name, "function/create_post".
type ID string

// Kind is what a resource is, "function".
func (id ID) Kind() string {
	kind, _, _ := strings.Cut(string(id), "/")
	return kind
}

// Resource is something that an application consists of where it runs.
type Resource struct {
	ID   ID
	Name string // what the target calls it
	Spec any    // a pointer to a struct that JSON can write and read; what it is depends on the target and the kind
	// Needs are resources that have to be there before, besides those that placeholders name.
	Needs []ID
}

// Attrs are what a target says of a resource once it is there: arn, url, …
type Attrs map[string]string

// Observed is a resource as it is.
type Observed struct {
	Spec  any // of the type of the resource's Spec; what a target does not tell is as it is wanted
	Attrs Attrs
	// Foreign says that nothing shows it to be of this deployment.
	Foreign bool
}

// Target is where an application runs.
type Target interface {
	// Read returns what there is of a resource; nil: nothing. Placeholders that cannot be resolved yet are in the Spec.
	Read(ctx context.Context, r *Resource) (*Observed, error)
	// Create makes a resource. All is resolved in its Spec.
	Create(ctx context.Context, r *Resource) (Attrs, error)
	// Update changes a resource that is otherwise than it is wanted.
	Update(ctx context.Context, r *Resource, was *Observed) (Attrs, error)
	// Delete removes a resource. One that is not there counts as removed.
	Delete(ctx context.Context, o *Owned) error
}

var placeholder = regexp.MustCompile(`\$\{([a-z]+/[A-Za-z0-9_-]+)\.([a-z]+)\}`)

// Ref is a placeholder.
func Ref(id ID, attr string) string { return fmt.Sprintf("${%s.%s}", id, attr) }

// refs returns the resources that a resource needs, each once.
func (r *Resource) refs() ([]ID, error) {
	text, err := encode(r.Spec)
	if err != nil {
		return nil, err
	}
	ids := slices.Clone(r.Needs)
	for _, m := range placeholder.FindAllSubmatch(text, -1) {
		if id := ID(m[1]); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// encode writes a Spec without escaping what HTML would need.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// resolve returns r with what is known in the place of placeholders. whole says that none is left.
func (r *Resource) resolve(known map[ID]Attrs) (resolved *Resource, whole bool, err error) {
	text, err := encode(r.Spec)
	if err != nil {
		return nil, false, err
	}
	whole = true
	text = placeholder.ReplaceAllFunc(text, func(ref []byte) []byte {
		m := placeholder.FindSubmatch(ref)
		value, ok := known[ID(m[1])][string(m[2])]
		if !ok {
			whole = false
			return ref
		}
		quoted, err := encode(value)
		if err != nil {
			return ref
		}
		return quoted[1 : len(quoted)-1]
	})
	spec := reflect.New(reflect.TypeOf(r.Spec).Elem()).Interface()
	if err := json.Unmarshal(text, spec); err != nil {
		return nil, false, fmt.Errorf("%s: %w", r.ID, err)
	}
	return &Resource{ID: r.ID, Name: r.Name, Spec: spec, Needs: r.Needs}, whole, nil
}

// Translate returns text with other words in the place of placeholders, and of what is between them.
func Translate(text string, ref func(id ID, attr string) string, rest func(string) string) string {
	var b strings.Builder
	at := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(rest(text[at:m[0]]))
		b.WriteString(ref(ID(text[m[2]:m[3]]), text[m[4]:m[5]]))
		at = m[1]
	}
	b.WriteString(rest(text[at:]))
	return b.String()
}

// order sorts resources so that each comes after those it needs, and else stays where it is.
func order(resources []Resource) ([]*Resource, error) {
	byID, needs := map[ID]*Resource{}, map[ID][]ID{}
	for i := range resources {
		r := &resources[i]
		if byID[r.ID] != nil {
			return nil, fault.New("deploy.plan", fault.InvalidArgument, string(r.ID), "there are two resources of this name")
		}
		refs, err := r.refs()
		if err != nil {
			return nil, err
		}
		byID[r.ID], needs[r.ID] = r, refs
	}
	var sorted []*Resource
	seen := map[ID]int{} // 1: being visited, 2: done
	var visit func(id, by ID) error
	visit = func(id, by ID) error {
		switch {
		case byID[id] == nil:
			return fault.New("deploy.plan", fault.InvalidArgument, string(by), "it needs %s, which is not of the application", id)
		case seen[id] == 1:
			return fault.New("deploy.plan", fault.InvalidArgument, string(id), "it needs itself")
		case seen[id] == 2:
			return nil
		}
		seen[id] = 1
		for _, need := range needs[id] {
			if err := visit(need, id); err != nil {
				return err
			}
		}
		seen[id] = 2
		sorted = append(sorted, byID[id])
		return nil
	}
	for i := range resources {
		if err := visit(resources[i].ID, ""); err != nil {
			return nil, err
		}
	}
	return sorted, nil
}

// Change is a field that is not as it is wanted.
type Change struct {
	Field string `json:"field"`
	From  string `json:"from,omitempty"` // JSON; "": not there
	To    string `json:"to,omitempty"`
}

// diff returns how two specs differ, by field.
func diff(is, want any) ([]Change, error) {
	from, err := flatten(is)
	if err != nil {
		return nil, err
	}
	to, err := flatten(want)
	if err != nil {
		return nil, err
	}
	var changes []Change
	for field, value := range to {
		if from[field] != value {
			changes = append(changes, Change{field, from[field], value})
		}
	}
	for field, value := range from {
		if _, there := to[field]; !there {
			changes = append(changes, Change{Field: field, From: value})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Field, b.Field) })
	return changes, nil
}

// flatten returns the fields of a spec by path, as JSON. Lists are one field.
func flatten(spec any) (map[string]string, error) {
	text, err := encode(spec)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	fields := map[string]string{}
	var walk func(path string, v any) error
	walk = func(path string, v any) error {
		if object, ok := v.(map[string]any); ok && (len(object) > 0 || path == "") {
			for _, key := range slices.Sorted(maps.Keys(object)) {
				if err := walk(strings.TrimPrefix(path+"."+key, "."), object[key]); err != nil {
					return err
				}
			}
			return nil
		}
		text, err := encode(v)
		fields[path] = string(text)
		return err
	}
	return fields, walk("", tree)
}
