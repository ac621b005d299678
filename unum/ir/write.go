package ir

import (
	"bytes"
	"encoding/json"

	"go.yaml.in/yaml/v3"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// YAML returns the app as one text, which Parse reads.
func (a *App) YAML() []byte { return toYAML(a.tree(false)) }

// JSON returns the app as one text in JSON, which Parse reads.
func (a *App) JSON() []byte {
	var b bytes.Buffer
	if err := json.Indent(&b, jsonvalue.Append(nil, a.tree(true)), "", "  "); err != nil {
		panic("ir: " + err.Error()) // of what Append has written
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// Files returns the app as AppFile and a file for each function, in YAML, which Parse reads.
func (a *App) Files() []File {
	top := jsonvalue.NewObject(5)
	a.head(top)
	files := []File{{Name: AppFile}}
	if a.Machine != nil {
		top.Set("machine", machineFile)
		files = append(files, File{machineFile, a.machine()})
	}
	names := make([]any, len(a.Functions))
	for i, f := range a.Functions {
		names[i] = f.Name
		files = append(files, File{f.Name + FunctionSuffix, f.YAML()})
	}
	top.Set("functions", names)
	files[0].Text = toYAML(top)
	return files
}

// YAML returns the function as the text of a file of its own.
func (f *Function) YAML() []byte {
	o := jsonvalue.NewObject(8)
	o.Set("version", jsonvalue.Int(Version))
	f.tree(o)
	return toYAML(o)
}

// String returns the continuation as a mapping of YAML on one line.
func (c *Continuation) String() string {
	n := yamlNode(c.tree())
	n.Style = yaml.FlowStyle
	text, err := yaml.Marshal(n)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text))
}

func (a *App) head(o *jsonvalue.Object) {
	o.Set("version", jsonvalue.Int(int64(a.Version)))
	o.Set("name", a.Name)
	if a.TimeoutSeconds != 0 {
		o.Set("timeoutSeconds", jsonvalue.Int(a.TimeoutSeconds))
	}
}

// tree returns the app as a value. In YAML a machine is a text.
func (a *App) tree(inJSON bool) *jsonvalue.Object {
	o := jsonvalue.NewObject(5)
	a.head(o)
	if a.Machine != nil {
		o.Set("machine", string(a.machine()))
		if v, err := jsonvalue.Parse(a.Machine); inJSON && err == nil {
			o.Set("machine", v)
		}
	}
	functions := make([]any, len(a.Functions))
	for i, f := range a.Functions {
		functions[i] = f.tree(jsonvalue.NewObject(8))
	}
	o.Set("functions", functions)
	return o
}

// machine returns the definition on many lines.
func (a *App) machine() []byte {
	var b bytes.Buffer
	compact, err := jsonvalue.Compact(nil, a.Machine)
	if err != nil || json.Indent(&b, compact, "", "  ") != nil {
		return a.Machine
	}
	b.WriteByte('\n')
	return b.Bytes()
}

func (f *Function) tree(o *jsonvalue.Object) *jsonvalue.Object {
	o.Set("name", f.Name)
	if f.Code != "" {
		o.Set("code", f.Code)
	}
	if f.Start {
		o.Set("start", true)
	}
	if f.NoCheckpoint {
		o.Set("checkpoint", false)
	}
	if f.Glue != nil {
		glue := jsonvalue.NewObject(1)
		glue.Set("state", f.Glue.State)
		o.Set("glue", glue)
	}
	if len(f.Sets) > 0 {
		o.Set("sets", texts(f.Sets))
	}
	if len(f.Retry) > 0 {
		retry := make([]any, len(f.Retry))
		for i := range f.Retry {
			retry[i] = f.Retry[i].tree()
		}
		o.Set("retry", retry)
	}
	if len(f.Next) > 0 {
		next := make([]any, len(f.Next))
		for i := range f.Next {
			next[i] = f.Next[i].tree()
		}
		o.Set("next", next)
	}
	return o
}

func texts(all []string) []any {
	values := make([]any, len(all))
	for i, s := range all {
		values[i] = s
	}
	return values
}

func (t *Retrier) tree() *jsonvalue.Object {
	o := jsonvalue.NewObject(5)
	o.Set("errors", texts(t.Errors))
	set := func(key string, v float64) {
		n, _ := jsonvalue.Float(v)
		if whole, ok := n.Int64(); ok {
			n = jsonvalue.Int(whole)
		}
		o.Set(key, n)
	}
	set("intervalSeconds", t.IntervalSeconds)
	o.Set("maxAttempts", jsonvalue.Int(int64(t.MaxAttempts)))
	set("backoffRate", t.BackoffRate)
	if t.MaxDelaySeconds != 0 {
		set("maxDelaySeconds", t.MaxDelaySeconds)
	}
	return o
}

func (c *Continuation) tree() *jsonvalue.Object {
	o := jsonvalue.NewObject(8)
	o.Set(c.Kind.String(), c.To)
	if c.Values != nil {
		values := make([]any, len(c.Values))
		for i := range c.Values {
			values[i] = c.Values[i].String()
		}
		o.Set("values", values)
	}
	if c.Set != "" {
		o.Set("set", c.Set)
	}
	setExpr(o, "size", c.SetSize)
	setExpr(o, "if", c.If)
	if c.Pop && c.Set == "" {
		o.Set("pop", true)
	}
	if c.Next {
		o.Set("next", true)
	}
	setExpr(o, "$0", c.Index)
	setExpr(o, "$size", c.Size)
	if c.Concurrency != 0 {
		o.Set("concurrency", jsonvalue.Int(c.Concurrency))
	}
	if c.Errors != nil {
		o.Set("errors", texts(c.Errors))
	}
	return o
}

// setExpr sets a key to an expression: numbers and booleans as such.
func setExpr(o *jsonvalue.Object, key string, e *Expr) {
	if e == nil {
		return
	}
	if n, ok := e.Literal(); ok {
		o.Set(key, jsonvalue.Int(n))
		return
	}
	if b, ok := e.lit.(bool); ok && e.op == literal {
		o.Set(key, b)
		return
	}
	o.Set(key, e.String())
}

func toYAML(v any) []byte {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(yamlNode(v)); err != nil {
		panic("ir: " + err.Error()) // of nodes made here
	}
	return b.Bytes()
}

// lineChars is how long a list may be that stands on one line.
const lineChars = 80

// yamlNode returns v as YAML writes it: short lists of texts on one line.
func yamlNode(v any) *yaml.Node {
	switch v := v.(type) {
	case *jsonvalue.Object:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for key, value := range v.All() {
			n.Content = append(n.Content, yamlNode(key), yamlNode(value))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		chars := 0
		for _, item := range v {
			text, ok := item.(string)
			if chars += len(text) + 2; !ok {
				chars = lineChars
			}
			n.Content = append(n.Content, yamlNode(item))
		}
		if chars < lineChars {
			n.Style = yaml.FlowStyle
		}
		return n
	case string:
		n := &yaml.Node{}
		n.SetString(v)
		return n
	}
	tag := "!!bool"
	if n, ok := v.(jsonvalue.Number); ok && n.IsInteger() {
		tag = "!!int"
	} else if ok {
		tag = "!!float"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: jsonvalue.Text(v)}
}
