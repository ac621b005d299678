package deploy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/fault"
)

// thing is the spec of a resource of the fake.
type thing struct {
	Size int               `json:"size"`
	Uses []string          `json:"uses,omitempty"`
	Env  map[string]string `json:"env,omitempty"`
}

// fake is a target in memory that notes what it did and can fail.
type fake struct {
	there   map[string]*Observed // by name
	did     []string
	failing func(n int) error // n: how many calls came before
	n       int
	serial  int
}

func (f *fake) fail() error {
	f.n++
	if f.failing != nil {
		return f.failing(f.n - 1)
	}
	return nil
}

func (f *fake) Read(_ context.Context, r *Resource) (*Observed, error) { return f.there[r.Name], nil }

func (f *fake) put(r *Resource, verb string) (Attrs, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	for _, use := range r.Spec.(*thing).Uses {
		if strings.Contains(use, "$") {
			return nil, fmt.Errorf("%s is unresolved", use)
		}
	}
	f.serial++
	attrs := Attrs{"arn": fmt.Sprintf("arn:%s:%d", r.Name, f.serial)}
	if was := f.there[r.Name]; was != nil {
		attrs = was.Attrs
	}
	f.there[r.Name] = &Observed{Spec: r.Spec, Attrs: attrs}
	f.did = append(f.did, verb+" "+r.Name)
	return attrs, f.fail() // after it was done: the answer is lost
}

func (f *fake) Create(_ context.Context, r *Resource) (Attrs, error) { return f.put(r, "create") }

func (f *fake) Update(_ context.Context, r *Resource, _ *Observed) (Attrs, error) {
	return f.put(r, "update")
}

func (f *fake) Delete(_ context.Context, o *Owned) error {
	if err := f.fail(); err != nil {
		return err
	}
	delete(f.there, o.Name)
	f.did = append(f.did, "delete "+o.Name)
	return f.fail()
}

func newState(t testing.TB) *State {
	t.Helper()
	s, err := Load(filepath.Join(t.TempDir(), "deployments", "app.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// apply plans and applies, and returns the verbs and names.
func apply(t *testing.T, f *fake, want []Resource, s *State) []string {
	t.Helper()
	f.did = nil
	p, err := NewPlan(t.Context(), f, want, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := Apply(t.Context(), f, p, s, nil); err != nil {
		t.Fatal(err)
	}
	return f.did
}

func wanted() []Resource {
	return []Resource{
		{ID: "function/b", Name: "app-b", Spec: &thing{Size: 2, Uses: []string{Ref("role/main", "arn"), "x:" + Ref("function/a", "arn") + ":y"}}},
		{ID: "function/a", Name: "app-a", Spec: &thing{Size: 1, Uses: []string{Ref("role/main", "arn")}, Env: map[string]string{"K": "v"}}},
		{ID: "role/main", Name: "app", Spec: &thing{}},
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	f, s := &fake{there: map[string]*Observed{}}, newState(t)
	if got := apply(t, f, wanted(), s); !slices.Equal(got, []string{"create app", "create app-a", "create app-b"}) {
		t.Errorf("the first time: %v", got)
	}
	if got := f.there["app-b"].Spec.(*thing).Uses[1]; got != "x:arn:app-a:2:y" {
		t.Errorf("the placeholder became %q", got)
	}
	if got := apply(t, f, wanted(), s); got != nil {
		t.Errorf("the second time: %v", got)
	}

	changed := wanted()
	changed[1].Spec.(*thing).Env = map[string]string{"K": "w"}
	if got := apply(t, f, changed, s); !slices.Equal(got, []string{"update app-a"}) {
		t.Errorf("after a change: %v", got)
	}
	f.there["app-a"].Spec.(*thing).Size = 7 // by somebody else
	if got := apply(t, f, changed, s); !slices.Equal(got, []string{"update app-a"}) {
		t.Errorf("after a change by somebody else: %v", got)
	}
	delete(f.there, "app-b")
	if got := apply(t, f, changed, s); !slices.Equal(got, []string{"create app-b"}) {
		t.Errorf("after a loss: %v", got)
	}

	again, err := Load(s.path)
	if err != nil || !cmp.Equal(again.Resources, s.Resources) {
		t.Errorf("the file has %v, %v", again.Resources, err)
	}
	if got := apply(t, f, changed[1:], again); !slices.Equal(got, []string{"delete app-b"}) {
		t.Errorf("with one less: %v", got)
	}
	if got := apply(t, f, nil, again); !slices.Equal(got, []string{"delete app-a", "delete app"}) {
		t.Errorf("destroyed: %v", got)
	}
	if len(again.Resources) != 0 {
		t.Errorf("still owned: %v", again.Resources)
	}
}

func TestReplacementUnderOneID(t *testing.T) {
	t.Parallel()
	f, s := &fake{there: map[string]*Observed{}}, newState(t)
	layer := func(name string) []Resource {
		return []Resource{{ID: "layer/runtime", Name: name, Spec: &thing{}}, {ID: "function/a", Name: "a", Spec: &thing{Uses: []string{Ref("layer/runtime", "arn")}}}}
	}
	apply(t, f, layer("v1"), s)
	if got := apply(t, f, layer("v2"), s); !slices.Equal(got, []string{"create v2", "update a", "delete v1"}) {
		t.Errorf("did %v", got)
	}
}

// TestFailuresAnywhere fails calls before and after their effect, at random, until applying succeeds: then all is there as wanted,
// nothing else is, and the state knows it.
func TestFailuresAnywhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for seed := range uint64(20) {
		luck := rand.New(rand.NewPCG(seed, 0))
		path := filepath.Join(dir, fmt.Sprint(seed))
		f := &fake{there: map[string]*Observed{}, failing: func(int) error {
			if luck.IntN(4) == 0 {
				return errors.New("the connection was lost")
			}
			return nil
		}}
		for _, want := range [][]Resource{wanted(), wanted()[1:], {{ID: "table/t", Name: "t", Spec: &thing{}}}, nil} {
			for failed := true; failed; {
				s, err := Load(path) // as a new process does
				if err != nil {
					t.Fatal(err)
				}
				p, err := NewPlan(t.Context(), f, want, s)
				if err != nil {
					t.Fatal(err)
				}
				failed = Apply(t.Context(), f, p, s, nil) != nil
			}
			s, err := Load(path)
			if err != nil || len(f.there) != len(want) || len(s.Resources) != len(want) {
				t.Fatalf("seed %d: there is %v, owned is %v, wanted was %v, %v", seed, f.there, s.Resources, want, err)
			}
		}
	}
}

func TestForeign(t *testing.T) {
	t.Parallel()
	f, s := &fake{there: map[string]*Observed{"app": {Spec: &thing{}, Attrs: Attrs{"arn": "arn:app"}, Foreign: true}}}, newState(t)
	if _, err := NewPlan(t.Context(), f, wanted(), s); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "--name") {
		t.Errorf("somebody's role was taken: %v", err)
	}
	s.own(&Resource{ID: "role/main", Name: "app"}, nil) // we had begun to make it
	if got := apply(t, f, wanted(), s); !slices.Equal(got, []string{"create app-a", "create app-b"}) {
		t.Errorf("did %v", got)
	}
}

func TestWrongResources(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]Resource{
		"twice":    {{ID: "a/x", Name: "x", Spec: &thing{}}, {ID: "a/x", Name: "y", Spec: &thing{}}},
		"missing":  {{ID: "a/x", Name: "x", Spec: &thing{Uses: []string{Ref("a/y", "arn")}}}},
		"circular": {{ID: "a/x", Name: "x", Spec: &thing{Uses: []string{Ref("a/y", "arn")}}}, {ID: "a/y", Name: "y", Spec: &thing{Uses: []string{Ref("a/x", "arn")}}}},
	} {
		if _, err := NewPlan(t.Context(), &fake{}, want, newState(t)); !fault.Is(err, fault.InvalidArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPlanText(t *testing.T) {
	t.Parallel()
	f, s := &fake{there: map[string]*Observed{}}, newState(t)
	apply(t, f, wanted(), s)
	f.there["app-a"].Spec.(*thing).Env["K"] = "old"
	want := append(wanted()[1:], Resource{ID: "table/records", Name: "app-table", Spec: &thing{}})
	p, err := NewPlan(t.Context(), f, want, s)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := p.Text(&b); err != nil {
		t.Fatal(err)
	}
	const text = `  keep    role      app
~ update  function  app-a
             env.K: "old" → "v"
+ create  table     app-table
- delete  function  app-b
1 to create, 1 to update, 1 to delete, 1 as they are
`
	if d := cmp.Diff(text, b.String()); d != "" {
		t.Error(d)
	}
}

func TestLoadRefusesStrangers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.json")
	for text, kind := range map[string]fault.Kind{"{": fault.Corrupt, `{"version":9}`: fault.Unsupported} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); !fault.Is(err, kind) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
