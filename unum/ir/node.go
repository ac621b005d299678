package ir

import (
	"bytes"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/limits"
)

// Bounds of texts: of one with aliases, which count each time, too.
const (
	nodesMost = 1_000_000
	depthMost = 64
)

// node is a value of a YAML or JSON text with its place.
type node struct {
	pos
	kind    nodeKind
	text    string // of a scalar
	literal bool   // a scalar that is not a string: a number, a boolean, null
	plain   bool   // text stands in the file as it is, from pos on
	items   []*node
	members []member
	raw     []byte // of an object in JSON: its text
}

type nodeKind uint8

const (
	scalar nodeKind = iota
	list
	mapping
)

type member struct {
	key   *node
	value *node
}

// get returns the value of a key, or nil.
func (n *node) get(key string) *node {
	for _, m := range n.members {
		if m.key.text == key {
			return m.value
		}
	}
	return nil
}

func (n *node) null() bool {
	return n.kind == scalar && n.literal && (n.text == "null" || n.text == "~" || n.text == "")
}

// describe says what n is, for an error.
func (n *node) describe() string {
	switch {
	case n.kind == list:
		return "a list"
	case n.kind == mapping:
		return "a mapping"
	case n.null():
		return "nothing"
	case n.literal:
		return n.text
	}
	return strconv.Quote(limits.Cut(n.text, 60))
}

// parseText reads a YAML or JSON text. The first error ends it: nil.
func parseText(f *File, ps *Problems) *node {
	at := pos{file: f.Name}
	if len(f.Text) > limits.Default.DefinitionBytes {
		ps.add(at, "", "", "the file has more than %d bytes", limits.Default.DefinitionBytes)
		return nil
	}
	if trimmed := bytes.TrimSpace(f.Text); strings.HasSuffix(f.Name, ".json") || len(trimmed) > 0 && trimmed[0] == '{' {
		return parseJSON(f, ps)
	}
	return parseYAML(f, ps)
}

func parseJSON(f *File, ps *Problems) *node {
	doc, err := jsonvalue.ParseDocument(f.Text)
	var syntax *jsonvalue.SyntaxError
	if errors.As(err, &syntax) {
		ps.add(pos{f.Name, syntax.Line, syntax.Column}, "", "", "this is not JSON: %s", syntax.Msg)
		return nil
	}
	if err != nil {
		ps.add(pos{file: f.Name}, "", "", "this is not JSON: %v", err)
		return nil
	}
	r := &jsonReader{file: f, ps: ps, line: 1}
	n := r.read(doc, 0)
	if r.failed {
		return nil
	}
	return n
}

// jsonReader turns a document into nodes. It meets offsets in ascending order.
type jsonReader struct {
	file            *File
	ps              *Problems
	line, start, at int // the line that offset at is in, and where it starts
	failed          bool
}

func (r *jsonReader) pos(offset int) pos {
	for ; r.at < offset; r.at++ {
		if r.file.Text[r.at] == '\n' {
			r.line, r.start = r.line+1, r.at+1
		}
	}
	return pos{r.file.Name, r.line, offset - r.start + 1}
}

func (r *jsonReader) read(d *jsonvalue.Node, depth int) *node {
	n := &node{pos: r.pos(d.Offset)}
	if depth > depthMost && !r.failed {
		r.failed = true
		r.ps.add(n.pos, "", "", "this is nested more than %d deep", depthMost)
	}
	if r.failed {
		return n
	}
	switch d.Kind {
	case jsonvalue.KindArray:
		n.kind = list
		for i := range d.Items {
			n.items = append(n.items, r.read(&d.Items[i], depth+1))
		}
	case jsonvalue.KindObject:
		n.kind, n.raw = mapping, r.file.Text[d.Offset:d.End]
		for i := range d.Members {
			m := &d.Members[i]
			key := &node{pos: r.pos(m.KeyOffset), text: m.Key}
			if depth == 0 && m.Key == "machine" && m.Value.Kind == jsonvalue.KindObject { // which package asl reads
				n.members = append(n.members, member{key, &node{pos: r.pos(m.Value.Offset), kind: mapping, raw: r.file.Text[m.Value.Offset:m.Value.End]}})
				continue
			}
			n.members = append(n.members, member{key, r.read(&m.Value, depth+1)})
		}
	case jsonvalue.KindString:
		n.text, _ = d.Scalar.(string)
	default:
		n.literal, n.text = true, jsonvalue.Text(d.Scalar)
	}
	return n
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)

func parseYAML(f *File, ps *Problems) *node {
	dec := yaml.NewDecoder(bytes.NewReader(f.Text))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		at := pos{file: f.Name}
		message := strings.TrimPrefix(err.Error(), "yaml: ")
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			at.line, _ = strconv.Atoi(m[1])
			at.column, message = 1, strings.TrimPrefix(err.Error(), m[0])
		}
		ps.add(at, "", "", "this is not YAML: %s", message)
		return nil
	}
	if len(doc.Content) != 1 {
		ps.add(pos{f.Name, 1, 1}, "", "", "the text is empty")
		return nil
	}
	if err := dec.Decode(new(yaml.Node)); err == nil {
		ps.add(pos{f.Name, 1, 1}, "", "a file for each, or functions: [...] in one", "the file has several YAML documents")
		return nil
	}
	r := &yamlReader{file: f.Name, ps: ps}
	n := r.read(doc.Content[0], 0)
	if r.failed {
		return nil
	}
	return n
}

type yamlReader struct {
	file   string
	ps     *Problems
	nodes  int
	failed bool
}

func (r *yamlReader) fail(at pos, format string, args ...any) {
	if !r.failed {
		r.failed = true
		r.ps.add(at, "", "", format, args...)
	}
}

func (r *yamlReader) read(y *yaml.Node, depth int) *node {
	n := &node{pos: pos{r.file, y.Line, y.Column}}
	for y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	if r.nodes++; r.nodes > nodesMost {
		r.fail(n.pos, "the text has more than %d values, those of aliases counted each time", nodesMost)
	}
	if depth > depthMost {
		r.fail(n.pos, "this is nested more than %d deep", depthMost)
	}
	if r.failed {
		return n
	}
	switch y.Kind {
	case yaml.MappingNode:
		n.kind = mapping
		for i := 0; i+1 < len(y.Content); i += 2 {
			key := r.read(y.Content[i], depth+1)
			if key.kind != scalar || y.Content[i].ShortTag() == "!!merge" {
				r.fail(key.pos, "a key is a text, and there are no merge keys (<<)")
			}
			n.members = append(n.members, member{key, r.read(y.Content[i+1], depth+1)})
		}
	case yaml.SequenceNode:
		n.kind = list
		for _, c := range y.Content {
			n.items = append(n.items, r.read(c, depth+1))
		}
	default:
		n.text, n.plain = y.Value, y.Style == 0
		switch y.ShortTag() {
		case "!!null", "!!bool", "!!int", "!!float":
			n.literal = true
		}
	}
	return n
}
