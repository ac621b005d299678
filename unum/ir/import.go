package ir

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Note says what Import has made of something that the older dialects have and this language has not, or means otherwise.
type Note struct {
	File         string
	Line, Column int
	Text         string
}

// String returns "rebase/unum_config.json:3:5: ...".
func (n Note) String() string {
	return strings.TrimPrefix(fmt.Sprintf("%s:%d:%d: %s", n.File, n.Line, n.Column, n.Text), ":0:0: ")
}

// Import reads an app in the older dialects of Unum: a unum_config.json (or unum-config.json, .yaml) for each function, and
// an unum-template.yaml for the app's name and its start. Names of files may have directories. Three dialects are told apart
// by their keys: edges with Type and Payload Modifiers (the documentation's), with InputType (what ran), or one NextInput for
// the function (the oldest). The error is Problems; the app may have others that Validate finds, at their place in the files.
func Import(files []File) (*App, []Note, error) {
	m := &importer{reader: reader{files: map[string]*File{}, used: map[string]bool{}}, app: &App{Version: Version, Name: "app"}}
	var template *node
	for i := range files {
		base := path.Base(files[i].Name)
		switch {
		case configName.MatchString(base):
			if n := m.parse(&files[i]); n != nil {
				m.config(n)
			}
		case base == "unum-template.yaml" || base == "unum-template.yml":
			template = m.parse(&files[i])
		}
	}
	if len(m.app.Functions) == 0 && len(m.ps) == 0 {
		m.ps.add(pos{}, "", "give the unum_config.json of each function", "there is no unum_config.json among the files")
	}
	if template != nil {
		m.template(template)
	}
	if len(m.ps) > 0 {
		return nil, nil, m.ps.sorted()
	}
	m.complete()
	return m.app, m.notes, nil
}

var configName = regexp.MustCompile(`^unum[_-]config[\w-]*\.(json|yaml|yml)$`)

type importer struct {
	reader
	app   *App
	notes []Note
}

func (m *importer) note(n pos, format string, args ...any) {
	m.notes = append(m.notes, Note{n.file, n.line, n.column, fmt.Sprintf(format, args...)})
}

// dialect is one of the older ones.
type dialect uint8

const (
	documented dialect = iota // Type: modifiers of an edge, applied before its names are read
	ran                       // InputType: modifiers of the function, names innermost first
	oldest                    // NextInput
)

func dialectOf(n *node, edges []*node) dialect {
	if n.get("NextInput") != nil {
		return oldest
	}
	for _, e := range edges {
		if e.get("InputType") != nil {
			return ran
		}
	}
	if strings.HasSuffix(n.file, ".json") {
		return ran
	}
	return documented
}

// config reads the file of a function.
func (m *importer) config(n *node) {
	f := &Function{pos: n.pos}
	m.where = "the function"
	if name := n.get("Name"); name != nil {
		m.name(&f.Name)(name)
		m.where = "function " + strconv.Quote(f.Name)
	} else {
		m.problem(n, "write Name", "the function has no name")
	}
	if f.Code = f.Name; generated.MatchString(f.Name) {
		f.Code = ""
	}
	if start := n.get("Start"); start != nil {
		m.boolean(&f.Start)(start)
	}
	var edges []*node
	if next := n.get("Next"); next != nil && !next.null() {
		m.each(next, "edges", NextMost, func(_ int, e *node) { edges = append(edges, e) })
	}
	d := dialectOf(n, edges)
	for i, e := range edges {
		where := m.where
		m.where += fmt.Sprintf(", Next[%d]", i)
		m.edge(f, n, e, d)
		m.where = where
	}
	m.checkpoint(f, n)
	m.app.Functions = append(m.app.Functions, f)
}

// generated are the functions that the compiler put in, which only pass on what they get.
var generated = regexp.MustCompile(`^Unum(Sink)?(Map|Parallel)\d*$`)

func (m *importer) checkpoint(f *Function, n *node) {
	c := n.get("Checkpoint")
	if c == nil {
		return // the documentation's default; what ran took it for false
	}
	on := true
	m.boolean(&on)(c)
	fansIn := slices.ContainsFunc(f.Next, func(c Continuation) bool { return c.Kind == FanIn })
	f.NoCheckpoint = !on && !fansIn
}

func (m *importer) edge(f *Function, fn, n *node, d dialect) {
	c := Continuation{pos: n.pos}
	if n.kind != mapping || n.get("Name") == nil {
		m.problem(n, "write Name", "an edge has the name of the function that follows")
		return
	}
	m.name(&c.To)(n.get("Name"))
	input := n.get("Type")
	switch d {
	case ran:
		input = n.get("InputType")
	case oldest:
		input = fn.get("NextInput")
	}
	if m.kind(&c, n, input); c.Kind == 0 {
		return
	}
	if cond := n.get("Conditional"); cond != nil && !cond.null() {
		m.conditional(&c, cond)
	}
	for _, key := range []string{"Next Payload Modifiers", "Fan-out Modifiers"} {
		m.modifiers(&c, fn.get(key))
	}
	m.modifiers(&c, n.get("Payload Modifiers"))
	for i := range c.Values {
		if d != documented {
			m.outermostFirst(&c.Values[i])
		} else if c.Index != nil {
			m.modifiedFirst(&c.Values[i], c.Index)
		}
	}
	if c.Kind == FanIn && !c.Pop && len(c.Values) == 1 && c.Values[0].All() {
		c.Pop = true
		m.note(c.pos, "%s takes all of %s: it pops", c.To, &c.Values[0])
	}
	f.Next = append(f.Next, c)
}

// kind reads what kind of edge it is: a word, or {Fan-in: {Values}}.
func (m *importer) kind(c *Continuation, n, input *node) {
	values := n.get("Values")
	text := "Scalar"
	if input != nil && input.kind == mapping && input.get("Fan-in") != nil {
		text = "Fan-in"
		if inside := input.get("Fan-in"); inside.get("Values") != nil {
			values = inside.get("Values")
			if wait := inside.get("Wait"); wait != nil {
				m.note(wait.pos, "Wait has no meaning: no function waits for others")
			}
		}
	} else if input != nil {
		text = input.text
	}
	switch text {
	case "Scalar":
		c.Kind = Invoke
	case "Map":
		c.Kind = Map
	case "Fan-in":
		c.Kind = FanIn
	case "Error":
		c.Kind, c.Errors = Catch, []string{AllErrors}
	default:
		m.problem(input, "it is Scalar, Map, Fan-in or Error", "there is no input %s", input.describe())
	}
	if c.Kind != FanIn {
		return
	}
	if values == nil {
		m.problem(n, "", "the fan-in has no Values")
		return
	}
	m.each(values, "values", NextMost, func(_ int, n *node) {
		v, err := ParseValue(unumIndex.ReplaceAllString(n.text, "-"))
		if err != nil && strings.Contains(n.text, "*.") { // innermost first: "*" is the last in ours
			v, err = ParseValue(starFirst(unumIndex.ReplaceAllString(n.text, "-")))
		}
		if err != nil {
			m.expression(n, err)
			return
		}
		v.pos = n.pos
		c.Values = append(c.Values, v)
	})
}

var unumIndex = regexp.MustCompile(`(?i)-unumIndex-`)

// starFirst turns "F-*.$1.$2" around.
func starFirst(text string) string {
	at := strings.LastIndex(text, "-*.")
	if at < 0 {
		return text
	}
	parts := strings.Split(text[at+1:], ".")
	slices.Reverse(parts)
	return text[:at+1] + strings.Join(parts, ".")
}

// conditional reads a guard, which was an expression of Python.
func (m *importer) conditional(c *Continuation, n *node) {
	e, err := ParseExpr(fromPython(n.text))
	if err == nil && e.Type() != Boolean && e.Type() != Any {
		err = fmt.Errorf("the condition is no boolean")
	}
	if err != nil {
		n.plain = false
		m.expression(n, err)
		return
	}
	if always := e.op == literal && e.lit == true; !always {
		c.If = e
	}
}

var pythonWords = map[string]string{"True": "true", "False": "false", "None": "null", "$ret": "$out"}

// fromPython writes names and texts as they are written here.
func fromPython(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"' || c == '\'':
			end := strings.IndexByte(text[i+1:], c)
			if end < 0 {
				b.WriteString(text[i:])
				return b.String()
			}
			b.WriteString(strconv.Quote(text[i+1 : i+1+end]))
			i += end + 2
		case c == '$' || isLetter(c):
			n := 1 + span(text[i+1:], func(c byte) bool { return isLetter(c) || isDigit(c) })
			word := text[i : i+n]
			if ours := pythonWords[word]; ours != "" {
				word = ours
			}
			b.WriteString(word)
			i += n
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}

// modifiers reads "Pop", "$0=$0+1" and the like.
func (m *importer) modifiers(c *Continuation, n *node) {
	if n == nil || n.null() {
		return
	}
	m.each(n, "modifiers", NextMost, func(_ int, n *node) {
		name, text, assigns := strings.Cut(strings.ReplaceAll(n.text, " ", ""), "=")
		var to **Expr
		switch {
		case name == "Pop" && c.Kind == FanIn:
			c.Pop = true
			return
		case name == "Pop" && c.Kind == Invoke:
			m.note(n.pos, "there is no frame to pop: a choice opens none here")
			return
		case name == "Next" && c.Kind != Map:
			c.Next = true
			return
		case c.Kind == Catch:
			return
		case name == "$0" && assigns && c.Kind != Map:
			to = &c.Index
		case name == "$size" && assigns && c.Kind != Map:
			to = &c.Size
		default:
			m.problem(n, "change it in the function's code, or in a function between", "%s has no counterpart here, for a %s", n.describe(), c.Kind)
			return
		}
		e, err := ParseExpr(text)
		if err != nil || e.Type() != Number {
			m.problem(n, "", "%s: a number made of $0 and $size is assigned", n.describe())
			return
		}
		*to = e
	})
}

// outermostFirst turns the indices of a value around, which the dialects that ran have innermost first, if they look so.
func (m *importer) outermostFirst(v *Value) {
	if len(v.Indices) < 2 || v.All() {
		return
	}
	first, last := v.Indices[0].Frames(), v.last().Frames()
	if first > last {
		return
	}
	before := v.String()
	slices.Reverse(v.Indices)
	m.note(v.pos, "%s is %s here: indices come outermost first", before, v)
}

// modifiedFirst rewrites a value of an edge whose $0 was modified before it was read.
func (m *importer) modifiedFirst(v *Value, set *Expr) {
	by, ok := set.Shift(0)
	last := len(v.Indices) - 1
	if !ok || v.All() || !v.last().uses(func(e *Expr) bool { return e.op == index && e.n == 0 }) {
		return
	}
	before := v.String()
	if shift, ok := v.Shift(); ok {
		v.Indices[last] = plus(&Expr{op: index}, shift+by)
	} else {
		v.Indices[last] = v.last().replace(&Expr{op: index}, plus(&Expr{op: index}, by))
	}
	m.note(v.pos, "%s is %s here: values are named from the function's own $0, which the edge changes for what follows", before, v)
}

// plus returns e + n.
func plus(e *Expr, n int64) *Expr {
	switch {
	case n > 0:
		return &Expr{op: add, args: []*Expr{e, Int(n)}}
	case n < 0:
		return &Expr{op: subtract, args: []*Expr{e, Int(-n)}}
	}
	return e
}

// replace returns e with every part that is old replaced.
func (e *Expr) replace(old, by *Expr) *Expr {
	if e.Equal(old) {
		return by
	}
	c := *e
	c.args = make([]*Expr, len(e.args))
	for i, a := range e.args {
		c.args[i] = a.replace(old, by)
	}
	return &c
}

// template reads the name of the app and the start.
func (m *importer) template(n *node) {
	m.where = "the template"
	if globals := n.get("Globals"); globals != nil {
		if name := globals.get("ApplicationName"); name != nil {
			m.name(&m.app.Name)(name)
		}
	}
	functions := n.get("Functions")
	if functions == nil {
		return
	}
	for _, member := range functions.members {
		f := m.app.Function(member.key.text)
		if f == nil {
			m.note(member.key.pos, "function %s has no unum_config.json and is left out", member.key.text)
			continue
		}
		if p := member.value.get("Properties"); p != nil && p.get("Start") != nil {
			m.boolean(&f.Start)(p.get("Start"))
		}
	}
}

// complete adds what the reference did not need to have in names: the indices of outer fan-outs.
func (m *importer) complete() {
	shape, _ := m.app.Shape()
	for _, f := range m.app.Functions {
		for i := range f.Next {
			c := &f.Next[i]
			for k := range c.Values {
				v := &c.Values[k]
				p := shape.Place(v.Function)
				if p == nil || len(v.Indices) == 0 || len(v.Indices) >= p.Scope.depth() {
					continue
				}
				before := v.String()
				good := v.proper(p.Scope.depth())
				v.Indices = good.Indices
				m.note(v.pos, "%s is %s here: a name has an index for each fan-out around the function", before, v)
			}
		}
	}
}
