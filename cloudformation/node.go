package cloudformation

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/weftworks/weft/asl/jsonvalue"
)

type kind uint8

const (
	scalar kind = iota
	object
	array
)

// node is a value of a template with its place. Short tags are long by then: !Sub x is {Fn::Sub: x}.
type node struct {
	kind         kind
	line, column int
	value        any // of a scalar: nil, bool, jsonvalue.Number or string
	items        []*node
	members      []member
}

type member struct {
	key   string
	value *node
}

// get returns the member of that name, or nil.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for i := range n.members {
		if n.members[i].key == key {
			return n.members[i].value
		}
	}
	return nil
}

// text returns a scalar as CloudFormation's string of it; "" for null and what is no scalar.
func (n *node) text() string {
	s, _ := textOf(n.value)
	return s
}

// textOf returns a string, number or boolean as a string.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case jsonvalue.Number:
		return string(v), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

func (n *node) describe() string {
	switch n.kind {
	case object:
		return "an object"
	case array:
		return "a list"
	}
	if n.value == nil {
		return "null"
	}
	return strconv.Quote(n.text())
}

// parse reads a template, or a definition that is no JSON.
func parse(text []byte) (*node, Problems) {
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && trimmed[0] == '{' {
		doc, err := jsonvalue.ParseDocument(text)
		if err == nil {
			c := &jsonReader{text: text, starts: lineStarts(text)}
			return c.read(doc), nil
		}
		if n, problems := parseYAML(text); problems == nil { // YAML may begin with a brace as well
			return n, nil
		}
		var syntax *jsonvalue.SyntaxError
		if errors.As(err, &syntax) {
			return nil, Problems{{syntax.Line, syntax.Column, "this is not JSON: " + syntax.Msg}}
		}
		return nil, Problems{{Message: err.Error()}}
	}
	return parseYAML(text)
}

// jsonReader turns a document into nodes.
type jsonReader struct {
	text   []byte
	starts []int // of the lines
}

func lineStarts(text []byte) []int {
	starts := []int{0}
	for i, c := range text {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

func (r *jsonReader) read(d *jsonvalue.Node) *node {
	n := &node{value: d.Scalar}
	n.line = 1
	low, high := 0, len(r.starts) // of the last start that is not past the node
	for high-low > 1 {
		if mid := (low + high) / 2; r.starts[mid] <= d.Offset {
			low = mid
		} else {
			high = mid
		}
	}
	n.line, n.column = low+1, d.Offset-r.starts[low]+1
	switch d.Kind {
	case jsonvalue.KindArray:
		n.kind = array
		for i := range d.Items {
			n.items = append(n.items, r.read(&d.Items[i]))
		}
	case jsonvalue.KindObject:
		n.kind = object
		for i := range d.Members {
			n.members = append(n.members, member{d.Members[i].Key, r.read(&d.Members[i].Value)})
		}
	}
	return n
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)

func parseYAML(text []byte) (*node, Problems) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		p := Problem{Message: "this is not YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			p.Line, _ = strconv.Atoi(m[1])
			p.Column, p.Message = 1, "this is not YAML: "+strings.TrimPrefix(err.Error(), m[0])
		}
		return nil, Problems{p}
	}
	if len(doc.Content) != 1 {
		return nil, Problems{{1, 1, "the text is empty"}}
	}
	r := &yamlReader{}
	n := r.read(doc.Content[0], 0)
	if r.problem != nil {
		return nil, Problems{*r.problem}
	}
	return n, nil
}

// yamlReader turns YAML into nodes. The first problem ends it.
type yamlReader struct {
	nodes   int
	problem *Problem
}

func (r *yamlReader) fail(y *yaml.Node, format string, args ...any) *node {
	if r.problem == nil {
		r.problem = &Problem{y.Line, y.Column, fmt.Sprintf(format, args...)}
	}
	return &node{line: y.Line, column: y.Column}
}

func (r *yamlReader) read(y *yaml.Node, depth int) *node {
	for y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	switch r.nodes++; {
	case r.problem != nil:
		return &node{}
	case r.nodes > maxNodes:
		return r.fail(y, "the template has more than %d values, those of aliases counted each time", maxNodes)
	case depth > maxDepth:
		return r.fail(y, "this is nested more than %d deep", maxDepth)
	}
	n := &node{line: y.Line, column: y.Column}
	switch y.Kind {
	case yaml.MappingNode:
		r.members(n, y, depth)
	case yaml.SequenceNode:
		n.kind = array
		for _, c := range y.Content {
			n.items = append(n.items, r.read(c, depth+1))
		}
	default:
		n.value = r.scalar(y)
	}
	return r.tagged(n, y)
}

func (r *yamlReader) members(n *node, y *yaml.Node, depth int) {
	n.kind = object
	seen := make(map[string]bool, len(y.Content)/2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i]
		for key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.Kind != yaml.ScalarNode:
			r.fail(key, "a key is a text")
		case key.Tag == "!!merge":
			r.fail(key, "CloudFormation has no merge keys (<<); write the keys out")
		case seen[key.Value]:
			r.fail(key, "%s is there twice", key.Value)
		}
		seen[key.Value] = true
		n.members = append(n.members, member{key.Value, r.read(y.Content[i+1], depth+1)})
	}
}

func (r *yamlReader) scalar(y *yaml.Node) any {
	switch y.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if y.Decode(&b) == nil {
			return b
		}
	case "!!int", "!!float":
		if jsonvalue.Check([]byte(y.Value)) == nil {
			return jsonvalue.Number(y.Value)
		}
		if digits := strings.TrimLeft(y.Value, "0123456789_"); digits == "" {
			return y.Value // begins with 0: an account's number rather than an octal one
		}
		var f float64
		if y.Decode(&f) == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			v, _ := jsonvalue.Float(f)
			return v
		}
	}
	return y.Value // texts, times and what has a tag of its own
}

// functions are the names that short tags stand for, besides Fn::.
var functions = map[string]string{"Ref": "Ref", "Condition": "Condition"}

// tagged wraps a value that has a short tag.
func (r *yamlReader) tagged(n *node, y *yaml.Node) *node {
	if !strings.HasPrefix(y.Tag, "!") || strings.HasPrefix(y.Tag, "!!") || y.Tag == "!" {
		return n
	}
	name := y.Tag[1:]
	long, ok := functions[name]
	if !ok {
		long = "Fn::" + name
	}
	if long == "Fn::GetAtt" && n.kind == scalar { // the short one's text is split like the long one's list
		if id, attribute, ok := strings.Cut(n.text(), "."); ok {
			at := func(s string) *node { return &node{line: n.line, column: n.column, value: s} }
			n = &node{kind: array, line: n.line, column: n.column, items: []*node{at(id), at(attribute)}}
		}
	}
	return &node{kind: object, line: n.line, column: n.column, members: []member{{long, n}}}
}
