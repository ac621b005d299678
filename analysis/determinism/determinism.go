package determinism

import (
	"cmp"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// Analyzer reports what workflow code does that a replay cannot repeat. It has no flags.
var Analyzer = &analysis.Analyzer{
	Name: "weftvet",
	Doc: `find what a replay cannot repeat in Weft workflows

A workflow written in Go is run again from its beginning after a crash, and must then ask for the same
things in the same order. This finds clocks, randomness, I/O, goroutines, map ranges, shared state and the
like in functions that have a *weft.Flow, and in what they call. A comment "//weft:deterministic reason"
on a line, on the line above it or on a function silences it.`,
	URL:       "https://pkg.go.dev/github.com/weftworks/weft/analysis/determinism",
	Run:       run,
	Requires:  []*analysis.Analyzer{inspect.Analyzer},
	FactTypes: []analysis.Fact{new(Nondeterministic), new(Unordered), new(Reassigned)},
}

// Nondeterministic is the fact that a function without a flow does what a replay cannot repeat.
type Nondeterministic struct {
	Module             string // where the function is
	Kind               kind
	What, Why, Instead string
	Chain              []string // the functions on the way there, from this one on
}

// AFact marks it as a fact.
func (*Nondeterministic) AFact() {}

func (f *Nondeterministic) String() string { return strings.Join(append(f.Chain, f.What), " → ") }

// Unordered is the fact that a function returns a slice in the order of a map.
type Unordered struct{}

// AFact marks it as a fact.
func (*Unordered) AFact() {}

func (*Unordered) String() string { return "returns in the order of a map" }

// Reassigned is the fact that something is assigned to a package variable after its declaration.
type Reassigned struct{ Module string }

// AFact marks it as a fact.
func (*Reassigned) AFact() {}

func (*Reassigned) String() string { return "is assigned later" }

func run(pass *analysis.Pass) (any, error) {
	root := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector).Root()
	if ofWeft(pass.Pkg) || isStandard(pass) {
		return nil, nil
	}
	p := newProgram(pass, root)
	p.share(root)
	for _, c := range p.codes {
		p.scan(c)
		p.scanOrder(c)
	}
	p.report()
	p.exportFacts()
	return nil, nil
}

// isStandard reports whether a package belongs to no module, as those of the standard library, which known.go is about.
// Then it matters only if it knows Weft: under a driver that has no modules.
func isStandard(pass *analysis.Pass) bool {
	return (pass.Module == nil || pass.Module.Path == "") && !slices.ContainsFunc(pass.Pkg.Imports(), ofWeft)
}

func (p *program) module() string {
	if p.pass.Module == nil {
		return ""
	}
	return p.pass.Module.Path
}

// report reports the findings of workflow code: of what has a flow, and of what is called from there.
func (p *program) report() {
	var all []analysis.Diagnostic
	for _, pos := range p.allowed.unexplained {
		all = append(all, finding{pos: pos, kind: unexplained, what: directive}.diagnostic(nil))
	}
	way := make(map[*code][]string) // how workflow code gets to a function, the workflow first
	var queue []*code
	for _, c := range p.codes {
		if c.flow {
			way[c] = []string{c.name}
			queue = append(queue, c)
		}
	}
	for len(queue) > 0 {
		c := queue[0]
		queue = queue[1:]
		for _, f := range c.findings {
			if c.flow || !traits[f.kind].near {
				all = append(all, f.diagnostic(way[c]))
			}
		}
		for _, call := range c.calls {
			if callee := p.byFunc[call.callee]; callee != nil && way[callee] == nil {
				way[callee] = append(slices.Clone(way[c]), callee.name)
				queue = append(queue, callee)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b analysis.Diagnostic) int { return cmp.Compare(a.Pos, b.Pos) })
	for _, d := range all {
		p.pass.Report(d)
	}
}

// diagnostic puts a finding into words. The way is how workflow code gets to the function that it is in.
func (f finding) diagnostic(way []string) analysis.Diagnostic {
	of := traits[f.kind]
	message := strings.Join(append(slices.Clone(f.chain), f.what), " → ") + " " + cmp.Or(f.why, of.why)
	if len(way) > 1 {
		message += " (" + strings.Join(way, " → ") + ")"
	}
	return analysis.Diagnostic{Pos: f.pos, Category: of.name, Message: message + "; " + cmp.Or(f.instead, of.instead)}
}

// exportFacts tells the packages that import this one what its functions and variables do.
func (p *program) exportFacts() {
	if p.module() == "" {
		return
	}
	for v := range p.assigned {
		if v.Exported() {
			p.pass.ExportObjectFact(v, &Reassigned{Module: p.module()})
		}
	}
	callers := make(map[*types.Func][]*code)
	for _, c := range p.codes {
		if c.inMapOrder && c.fn.Exported() {
			p.pass.ExportObjectFact(c.fn, &Unordered{})
		}
		for _, call := range c.calls {
			callers[call.callee] = append(callers[call.callee], c)
		}
	}
	// Other modules believe only what travels, so that is looked for first.
	facts := make(map[*code]*Nondeterministic)
	p.spread(facts, callers, func(k kind) bool { return traits[k].travels })
	p.spread(facts, callers, func(k kind) bool { return !traits[k].near && k != swallowed && k != escaped })
	for c, fact := range facts {
		if c.fn.Exported() {
			p.pass.ExportObjectFact(c.fn, fact)
		}
	}
}

// spread gives functions that have no fact yet one about the nearest finding of some kinds: their own, or that of what
// they call. Code with a flow is reported where it is and needs none.
func (p *program) spread(facts map[*code]*Nondeterministic, callers map[*types.Func][]*code, of func(kind) bool) {
	var queue []*code
	for _, c := range p.codes {
		i := slices.IndexFunc(c.findings, func(f finding) bool { return of(f.kind) })
		if i < 0 || c.flow || facts[c] != nil {
			continue
		}
		f := c.findings[i]
		facts[c] = &Nondeterministic{
			Module: p.module(), Kind: f.kind, What: f.what, Why: f.why, Instead: f.instead,
			Chain: append([]string{longName(c.fn)}, f.chain...),
		}
		queue = append(queue, c)
	}
	for len(queue) > 0 {
		c := queue[0]
		queue = queue[1:]
		for _, caller := range callers[c.fn] {
			if caller.flow || facts[caller] != nil {
				continue
			}
			fact := *facts[c]
			fact.Chain = append([]string{longName(caller.fn)}, fact.Chain...)
			facts[caller] = &fact
			queue = append(queue, caller)
		}
	}
}
