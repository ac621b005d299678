package ir

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/limits"
)

// Bounds of apps.
const (
	// FunctionsMost bounds the functions of an app, NextMost the continuations of one, which all are looked at each time it
	// has run.
	FunctionsMost = 10_000
	NextMost      = 1000
	// nameChars bounds the names of functions, so that with that of the app they fit what platforms allow (AWS Lambda: 64,
	// Google Cloud Functions: 63), and Names in lines of a datastore's key.
	nameChars = 60
	// secondsMost bounds times and delays: as long as a run of Step Functions may take.
	secondsMost = 366 * 24 * 3600
)

// AppFile is the name of the file that says what an app is. Those of its functions are NAME + FunctionSuffix.
const (
	AppFile        = "app.yaml"
	FunctionSuffix = ".weft.yaml"
	machineFile    = "machine.asl.json"
)

// Parse reads an app: one file with all its functions, or AppFile (app.yml, app.json) and a file for each function. Files are
// YAML or JSON. machine.asl.json may lie beside without belonging to it. The error is Problems; what it finds is how the text is written, not what it means: see Validate.
func Parse(files []File) (*App, error) {
	r := &reader{files: map[string]*File{}, used: map[string]bool{}}
	for i := range files {
		r.files[files[i].Name] = &files[i]
	}
	main := r.main(files)
	if main == nil {
		return nil, Problems{{Message: "there is no " + AppFile + " among the files of the app", Fix: "write one with version, name and functions"}}
	}
	app := &App{}
	if n := r.parse(main); n != nil {
		r.app(n, app)
	}
	for _, f := range files {
		// A definition beside that the app does not name is the same workflow for an orchestrator.
		if !r.used[f.Name] && f.Name != machineFile && len(r.ps) == 0 {
			r.ps.add(pos{file: f.Name}, "", "name it under functions in "+main.Name+", or remove it", "the file belongs to no function of the app")
		}
	}
	if len(r.ps) > 0 {
		return nil, r.ps.sorted()
	}
	return app, nil
}

// main returns the file that is the app.
func (r *reader) main(files []File) *File {
	for _, name := range []string{AppFile, "app.yml", "app.json"} {
		if f := r.files[name]; f != nil {
			return f
		}
	}
	if len(files) == 1 {
		return &files[0]
	}
	return nil
}

// reader collects what is wrong while it reads.
type reader struct {
	ps    Problems
	files map[string]*File
	used  map[string]bool
	where string
}

func (r *reader) parse(f *File) *node {
	r.used[f.Name] = true
	return parseText(f, &r.ps)
}

func (r *reader) problem(n *node, fix, format string, args ...any) {
	r.ps.add(n.pos, r.where, fix, format, args...)
}

// field is a key of a mapping and what reads its value.
type field struct {
	key  string
	read func(*node)
}

// fields reads a mapping whose keys are known.
func (r *reader) fields(n *node, what string, known ...field) {
	if n.kind != mapping {
		r.problem(n, "", "%s is a mapping (key: value), not %s", what, n.describe())
		return
	}
	seen := map[string]int{}
	for _, m := range n.members {
		i := slices.IndexFunc(known, func(f field) bool { return f.key == m.key.text })
		first := seen[m.key.text]
		switch {
		case i < 0:
			keys := make([]string, len(known))
			for k := range known {
				keys[k] = known[k].key
			}
			fix := meant(m.key.text, keys)
			if fix == "" {
				fix = "it knows " + strings.Join(keys, ", ")
			}
			r.problem(m.key, fix, "%s has no key %q", what, limits.Cut(m.key.text, 60))
		case first > 0:
			r.problem(m.key, "", "%s is there twice, first on line %d", m.key.text, first)
		default:
			seen[m.key.text] = m.key.line
			known[i].read(m.value)
		}
	}
}

func (r *reader) text(to *string) func(*node) {
	return func(n *node) {
		if n.kind != scalar || n.null() || n.text == "" {
			r.problem(n, "", "this is a text that is not empty, not %s", n.describe())
			return
		}
		*to = n.text
	}
}

// name reads the name of a function.
func (r *reader) name(to *string) func(*node) {
	return func(n *node) {
		if n.kind != scalar || !isName(n.text) {
			r.problem(n, "", "a name is a letter, then letters, digits, \"_\" and \"-\", at most %d, not %s", nameChars, n.describe())
			return
		}
		*to = n.text
	}
}

func isName(s string) bool {
	if s == "" || len(s) > nameChars || !isLetter(s[0]) || s[0] == '_' {
		return false
	}
	for i := range len(s) {
		if !isLetter(s[i]) && !isDigit(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

func (r *reader) boolean(to *bool) func(*node) {
	return func(n *node) {
		if n.kind != scalar || !n.literal || n.text != "true" && n.text != "false" {
			r.problem(n, "", "this is true or false, not %s", n.describe())
			return
		}
		*to = n.text == "true"
	}
}

func (r *reader) whole(to *int64, least, most int64) func(*node) {
	return func(n *node) {
		v, err := strconv.ParseInt(n.text, 10, 64)
		if n.kind != scalar || !n.literal || err != nil || v < least || v > most {
			r.problem(n, "", "this is a whole number from %d to %d, not %s", least, most, n.describe())
			return
		}
		*to = v
	}
}

func (r *reader) number(to *float64, least, most float64) func(*node) {
	return func(n *node) {
		v, err := strconv.ParseFloat(n.text, 64)
		if n.kind != scalar || !n.literal || err != nil || math.IsNaN(v) || v < least || v > most {
			r.problem(n, "", "this is a number from %v to %v, not %s", least, most, n.describe())
			return
		}
		*to = v
	}
}

// each reads a list, or something that stands for a list of itself.
func (r *reader) each(n *node, what string, most int, read func(i int, n *node)) {
	switch {
	case n.kind != list:
		read(0, n)
	case len(n.items) > most:
		r.problem(n, "", "these are %d %s; at most %d are allowed", len(n.items), what, most)
	default:
		for i, item := range n.items {
			read(i, item)
		}
	}
}

func (r *reader) texts(to *[]string, what string, one func(*string) func(*node)) func(*node) {
	return func(n *node) {
		r.each(n, what, NextMost, func(_ int, n *node) {
			text := ""
			one(&text)(n)
			*to = append(*to, text)
		})
	}
}

// expr reads an expression of a type.
func (r *reader) expr(to **Expr, want Type) func(*node) {
	return func(n *node) {
		if n.kind != scalar || n.null() {
			r.problem(n, "", "this is an expression like $0 < $size - 1, not %s", n.describe())
			return
		}
		e, err := ParseExpr(n.text)
		if err != nil {
			r.expression(n, err)
			return
		}
		if t := e.Type(); t != want && t != Any {
			r.problem(n, "", "this is to give %s, and %s gives %s", want, e, t)
			return
		}
		*to = e
	}
}

// expression reports what is wrong in an expression, at its place in it if that is known.
func (r *reader) expression(n *node, err error) {
	at, message := n.pos, err.Error()
	var in *ExprError
	if errors.As(err, &in) {
		message = in.Msg
		if n.plain {
			at.column += in.Offset
		}
	}
	r.ps.add(at, r.where, "", "%s (in %s)", message, limits.Cut(n.text, 80))
}

func (r *reader) app(n *node, app *App) {
	version := field{"version", r.version(&app.Version)}
	r.where = "the app"
	r.fields(n, "an app", version,
		field{"name", r.name(&app.Name)},
		field{"timeoutSeconds", r.whole(&app.TimeoutSeconds, 1, secondsMost)},
		field{"machine", func(n *node) { r.machine(n, app) }},
		field{"functions", func(n *node) { r.functions(n, app) }})
	r.where = "the app"
	if n.kind != mapping {
		return
	}
	for _, key := range []string{"version", "name", "functions"} {
		if n.get(key) == nil {
			r.problem(n, "", "%s is missing", key)
		}
	}
}

func (r *reader) version(to *int) func(*node) {
	return func(n *node) {
		v, err := strconv.Atoi(n.text)
		switch {
		case n.kind != scalar || err != nil || v < 1:
			r.problem(n, "write version: 1", "version is a number, not %s", n.describe())
		case v > Version:
			r.problem(n, "use a newer Weft", "this is version %d of the language, and version %d is the newest that is known here", v, Version)
		default:
			*to = v
		}
	}
}

// machine reads the definition of a compiled app: an object in JSON, a text that is one, or the name of a file.
func (r *reader) machine(n *node, app *App) {
	text := n.raw
	if f := r.files[n.text]; n.kind == scalar && f != nil {
		r.used[f.Name] = true
		text = f.Text
	} else if n.kind == scalar {
		text = []byte(n.text)
	}
	if text == nil {
		r.problem(n, "write it as a text (machine: |), or in a file of its own and its name here", "a machine is a definition in JSON, not %s", n.describe())
		return
	}
	compact, err := jsonvalue.Compact(nil, text)
	if err != nil || compact[0] != '{' {
		r.problem(n, "", "a machine is a definition in JSON or the name of a file with one, not %s", n.describe())
		return
	}
	app.Machine = compact
}

func (r *reader) functions(n *node, app *App) {
	if n.kind != list {
		r.problem(n, "", "functions is a list, not %s", n.describe())
		return
	}
	r.each(n, "functions", FunctionsMost, func(_ int, n *node) {
		r.where = "the app"
		f := &Function{}
		if n.kind != scalar {
			f.pos = n.pos
			r.function(n, f)
			app.Functions = append(app.Functions, f)
			return
		}
		name := ""
		if r.name(&name)(n); name == "" {
			return
		}
		file := r.fileOf(name)
		if file == nil {
			r.problem(n, "write the function here, or add the file", "there is no file %s%s", name, FunctionSuffix)
			return
		}
		inside := r.parse(file)
		if inside == nil {
			return
		}
		f.pos = inside.pos
		r.function(inside, f, field{"version", r.version(new(int))})
		if f.Name != name && f.Name != "" {
			r.problem(inside, "name the file as the function", "this is function %q in the file of %q", f.Name, name)
		}
		app.Functions = append(app.Functions, f)
	})
}

func (r *reader) fileOf(name string) *File {
	for _, suffix := range []string{FunctionSuffix, ".weft.yml", ".weft.json"} {
		if f := r.files[name+suffix]; f != nil {
			return f
		}
	}
	return nil
}

func (r *reader) function(n *node, f *Function, more ...field) {
	r.where = "a function"
	if name := n.get("name"); name != nil && name.kind == scalar {
		r.where = "function " + strconv.Quote(limits.Cut(name.text, 60))
	}
	checkpoint := true
	r.fields(n, "a function", append(more,
		field{"name", r.name(&f.Name)},
		field{"code", r.text(&f.Code)},
		field{"start", r.boolean(&f.Start)},
		field{"checkpoint", r.boolean(&checkpoint)},
		field{"glue", func(n *node) { r.glue(n, f) }},
		field{"sets", r.texts(&f.Sets, "sets", r.text)},
		field{"retry", func(n *node) { r.retriers(n, f) }},
		field{"next", func(n *node) { r.next(n, f) }})...)
	f.NoCheckpoint = !checkpoint
	if n.kind == mapping && n.get("name") == nil {
		r.problem(n, "", "name is missing")
	}
}

func (r *reader) glue(n *node, f *Function) {
	f.Glue = &Glue{}
	r.fields(n, "glue", field{"state", func(n *node) {
		if n.kind != scalar || n.null() || n.text != "" && n.text[0] != '/' {
			r.problem(n, "", "this is a pointer to a state of the machine, like /States/Charge, not %s", n.describe())
			return
		}
		f.Glue.State = n.text
	}})
}

func (r *reader) retriers(n *node, f *Function) {
	where := r.where
	r.each(n, "retriers", NextMost, func(i int, n *node) {
		r.where = where + ", retry[" + strconv.Itoa(i) + "]"
		t := Retrier{IntervalSeconds: 1, MaxAttempts: 3, BackoffRate: 2, pos: n.pos}
		attempts := int64(t.MaxAttempts)
		r.fields(n, "a retrier",
			field{"errors", r.texts(&t.Errors, "errors", r.text)},
			field{"intervalSeconds", r.number(&t.IntervalSeconds, 0, secondsMost)},
			field{"maxAttempts", r.whole(&attempts, 1, 99_999_999)},
			field{"backoffRate", r.number(&t.BackoffRate, 1, 1000)},
			field{"maxDelaySeconds", r.number(&t.MaxDelaySeconds, 0, secondsMost)})
		t.MaxAttempts = int(attempts)
		if len(t.Errors) == 0 {
			t.Errors = []string{AllErrors}
		}
		f.Retry = append(f.Retry, t)
	})
	r.where = where
}

// AllErrors is the name that stands for every error.
const AllErrors = "States.ALL"

func (r *reader) next(n *node, f *Function) {
	where := r.where
	r.each(n, "continuations", NextMost, func(i int, n *node) {
		r.where = where + ", next[" + strconv.Itoa(i) + "]"
		c := Continuation{pos: n.pos}
		r.continuation(n, &c)
		f.Next = append(f.Next, c)
	})
	r.where = where
}

var kindKeys = [...]string{Invoke: "invoke", Map: "map", FanIn: "fanIn", Catch: "catch"}

// String returns the key of the kind: "fanIn".
func (k Kind) String() string {
	if int(k) < len(kindKeys) && k > 0 {
		return kindKeys[k]
	}
	return "continuation " + strconv.Itoa(int(k))
}

// continuation reads one; which of its kinds it is, says the first key that is one.
func (r *reader) continuation(n *node, c *Continuation) {
	kinds := []Kind{Invoke, Map, FanIn, Catch}
	known := make([]field, 0, 12)
	for _, k := range kinds {
		if n.get(k.String()) == nil {
			continue
		}
		if c.Kind == 0 {
			c.Kind = k
		}
		known = append(known, field{k.String(), func(n *node) {
			if c.Kind != k {
				r.problem(n, "write two continuations", "a continuation is either %s or %s", c.Kind, k)
				return
			}
			r.name(&c.To)(n)
		}})
	}
	if c.Kind == 0 && n.kind == mapping {
		for _, m := range n.members {
			if near := meant(m.key.text, []string{"invoke", "map", "fanIn", "catch"}); near != "" {
				r.problem(m.key, near, "a continuation has no key %q", limits.Cut(m.key.text, 60))
				return
			}
		}
		r.problem(n, "write one of invoke, map, fanIn and catch, with the name of a function", "the continuation does not say what it does")
		return
	}
	r.fields(n, "the continuation", append(known, r.details(c)...)...)
	if c.Set != "" {
		c.Pop = true
	}
	if c.Kind == Catch && len(c.Errors) == 0 {
		c.Errors = []string{AllErrors}
	}
}

// details returns the fields that a continuation of a kind has.
func (r *reader) details(c *Continuation) (known []field) {
	if c.Kind == Catch {
		return []field{{"errors", r.texts(&c.Errors, "errors", r.text)}, {"next", r.boolean(&c.Next)}}
	}
	known = []field{{"if", r.expr(&c.If, Boolean)}}
	switch c.Kind {
	case FanIn:
		known = append(known, field{"values", func(n *node) { r.values(n, c) }}, field{"set", r.text(&c.Set)},
			field{"size", r.expr(&c.SetSize, Number)}, field{"pop", r.boolean(&c.Pop)})
	case Map:
		return append(known, field{"concurrency", r.whole(&c.Concurrency, 1, math.MaxInt32)})
	}
	return append(known, field{"next", r.boolean(&c.Next)}, field{"$0", r.expr(&c.Index, Number)}, field{"$size", r.expr(&c.Size, Number)})
}

func (r *reader) values(n *node, c *Continuation) {
	r.each(n, "values", NextMost, func(_ int, n *node) {
		if n.kind != scalar || n.null() {
			r.problem(n, "", "this is the name of a value like F-$0, not %s", n.describe())
			return
		}
		v, err := ParseValue(n.text)
		if err != nil {
			r.expression(n, err)
			return
		}
		if !isName(v.Function) {
			r.problem(n, "", "%q is no name of a function", v.Function)
			return
		}
		v.pos = n.pos
		c.Values = append(c.Values, v)
	})
}
