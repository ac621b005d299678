package deploy

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/weftworks/weft/fault"
)

// Verb is what an Action does.
type Verb string

// The verbs.
const (
	Create Verb = "create"
	Update Verb = "update"
	Keep   Verb = "keep"
	Delete Verb = "delete"
)

// Action is one step of a Plan.
type Action struct {
	Verb    Verb
	ID      ID
	Name    string
	Changes []Change // of an Update

	want *Resource // as it was given, with placeholders
	was  *Observed
	own  *Owned
}

// Plan is what has to be done.
type Plan struct {
	Actions []Action
	known   map[ID]Attrs
}

// NewPlan compares what is wanted with what there is. It changes nothing.
func NewPlan(ctx context.Context, target Target, wanted []Resource, state *State) (*Plan, error) {
	sorted, err := order(wanted)
	if err != nil {
		return nil, err
	}
	p := &Plan{known: map[ID]Attrs{}}
	want := map[ID]string{}
	for _, r := range sorted {
		want[r.ID] = r.Name
		if err := p.compare(ctx, target, r, state); err != nil {
			return nil, err
		}
	}
	for i := len(state.Resources) - 1; i >= 0; i-- {
		o := state.Resources[i]
		if want[o.ID] != o.Name {
			p.Actions = append(p.Actions, Action{Verb: Delete, ID: o.ID, Name: o.Name, own: &o})
		}
	}
	return p, nil
}

// compare adds the action for one resource.
func (p *Plan) compare(ctx context.Context, target Target, r *Resource, state *State) error {
	resolved, _, err := r.resolve(p.known)
	if err != nil {
		return err
	}
	a := Action{Verb: Create, ID: r.ID, Name: r.Name, want: r}
	if a.was, err = target.Read(ctx, resolved); err != nil {
		return fmt.Errorf("%s %s: %w", r.ID.Kind(), r.Name, err)
	}
	if a.was != nil {
		if a.was.Foreign && state.Find(r.ID, r.Name) == nil {
			return fault.New("deploy.plan", fault.Conflict, r.Name, "there is a %s of this name that this deployment has not made: give the deployment another --name, or remove it", r.ID.Kind())
		}
		p.known[r.ID] = a.was.Attrs
		if a.Changes, err = diff(a.was.Spec, resolved.Spec); err != nil {
			return err
		}
		if a.Verb = Keep; len(a.Changes) > 0 {
			a.Verb = Update
		}
	}
	p.Actions = append(p.Actions, a)
	return nil
}

// Count returns how many actions have the verb.
func (p *Plan) Count(v Verb) int {
	n := 0
	for i := range p.Actions {
		if p.Actions[i].Verb == v {
			n++
		}
	}
	return n
}

// Done reports whether nothing has to be done.
func (p *Plan) Done() bool { return p.Count(Keep) == len(p.Actions) }

var marks = map[Verb]string{Create: "+", Update: "~", Keep: " ", Delete: "-"}

// Text writes the plan for people: a line for each action, and one for each field that changes.
func (p *Plan) Text(w io.Writer) error {
	var b strings.Builder
	for i := range p.Actions {
		a := &p.Actions[i]
		fmt.Fprintf(&b, "%s %-6s  %-8s  %s\n", marks[a.Verb], a.Verb, a.ID.Kind(), a.Name)
		for _, c := range a.Changes {
			fmt.Fprintf(&b, "             %s: %s → %s\n", c.Field, shown(c.From), shown(c.To))
		}
	}
	fmt.Fprintf(&b, "%d to create, %d to update, %d to delete, %d as they are\n", p.Count(Create), p.Count(Update), p.Count(Delete), p.Count(Keep))
	_, err := io.WriteString(w, b.String())
	return err
}

// shown is a value for people.
func shown(v string) string {
	const most = 60
	switch {
	case v == "":
		return "(none)"
	case placeholder.MatchString(v):
		return "(known once it is there)"
	case len(v) > most:
		return v[:most] + "…"
	}
	return v
}

// Step is what Apply reports of an action.
type Step struct {
	Action *Action
	Index  int // from 1, of those that do something
	Of     int
	Err    error
	Done   bool // false: it begins
}

// Apply carries out a plan. After an error what was done stays, and is remembered: a new plan goes on from there. report may
// be nil.
func Apply(ctx context.Context, target Target, p *Plan, state *State, report func(Step)) error {
	if report == nil {
		report = func(Step) {}
	}
	step := Step{Of: len(p.Actions) - p.Count(Keep)}
	for i := range p.Actions {
		a := &p.Actions[i]
		if a.Verb == Keep {
			state.own(a.want, a.was.Attrs)
			continue
		}
		step.Action, step.Done, step.Err = a, false, nil
		step.Index++
		report(step)
		step.Err = p.carryOut(ctx, target, a, state)
		step.Done = true
		report(step)
		if step.Err != nil {
			return fmt.Errorf("%s %s %s: %w", a.Verb, a.ID.Kind(), a.Name, step.Err)
		}
	}
	return state.Save()
}

// carryOut does one action and remembers it.
func (p *Plan) carryOut(ctx context.Context, target Target, a *Action, state *State) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if a.Verb == Delete {
		if err := target.Delete(ctx, a.own); err != nil {
			return err
		}
		state.disown(a.own)
		return state.Save()
	}
	r, whole, err := a.want.resolve(p.known)
	switch {
	case err != nil:
		return err
	case !whole:
		return fault.New("deploy.apply", fault.Internal, a.Name, "it needs an attribute that no resource has")
	}
	var attrs Attrs
	if a.Verb == Create {
		// Remembered before it is there, so that nothing is forgotten that a crash leaves behind.
		state.own(r, nil)
		if err := state.Save(); err != nil {
			return err
		}
		attrs, err = target.Create(ctx, r)
	} else {
		attrs, err = target.Update(ctx, r, a.was)
	}
	if err != nil {
		return err
	}
	p.known[r.ID] = attrs
	state.own(r, attrs)
	return state.Save()
}
