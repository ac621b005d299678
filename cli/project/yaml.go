package project

import (
	"bytes"
	"encoding/json"
	"math"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
)

// IsYAML reports whether a file of this name is read as YAML.
func IsYAML(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// Places maps places in a JSON text that was made from YAML back to the YAML.
type Places struct {
	offsets []int // in the JSON text, ascending
	at      []place
}

type place struct{ line, column int }

// Of returns the line and column (from 1) in the YAML of what stands at a byte offset of the JSON text.
func (p *Places) Of(offset int) (line, column int) {
	i := sort.SearchInts(p.offsets, offset+1) - 1
	if i < 0 {
		return 1, 1
	}
	return p.at[i].line, p.at[i].column
}

// JSON turns a YAML document into a JSON text on one line, its keys in the same order. Anchors and aliases
// work as long as the text stays below the limit of a definition. What JSON cannot say (keys that are no
// strings, several documents, NaN) is fault.InvalidDefinition with a line.
func JSON(name string, text []byte) ([]byte, *Places, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		return nil, nil, fault.New("", fault.InvalidDefinition, name, "this is no YAML: %w", err)
	}
	if err := dec.Decode(new(yaml.Node)); err == nil {
		return nil, nil, fault.New("", fault.InvalidDefinition, name, "the file has several YAML documents; a definition is one")
	}
	w := yamlWriter{name: name, places: &Places{}}
	if len(doc.Content) != 1 {
		return nil, nil, fault.New("", fault.InvalidDefinition, name, "the file is empty")
	}
	w.value(doc.Content[0], 0)
	if w.err != nil {
		return nil, nil, w.err
	}
	return w.out, w.places, nil
}

type yamlWriter struct {
	name   string
	out    []byte
	places *Places
	err    error
}

func (w *yamlWriter) fail(n *yaml.Node, format string, args ...any) {
	if w.err == nil {
		w.err = fault.New("", fault.InvalidDefinition, w.name+":"+strconv.Itoa(n.Line)+":"+strconv.Itoa(n.Column), format, args...)
	}
}

func (w *yamlWriter) mark(n *yaml.Node) {
	w.places.offsets = append(w.places.offsets, len(w.out))
	w.places.at = append(w.places.at, place{n.Line, n.Column})
}

func (w *yamlWriter) value(n *yaml.Node, depth int) {
	switch {
	case w.err != nil:
		return
	case depth > limits.JSONDepth:
		w.fail(n, "the YAML is nested deeper than %d levels", limits.JSONDepth)
		return
	case len(w.out) > limits.Default.DefinitionBytes:
		w.fail(n, "as JSON the definition is larger than %d bytes", limits.Default.DefinitionBytes)
		return
	}
	w.mark(n)
	switch n.Kind {
	case yaml.AliasNode:
		w.value(n.Alias, depth+1)
	case yaml.MappingNode:
		w.mapping(n, depth)
	case yaml.SequenceNode:
		w.out = append(w.out, '[')
		for i, item := range n.Content {
			if i > 0 {
				w.out = append(w.out, ',')
			}
			w.value(item, depth+1)
		}
		w.out = append(w.out, ']')
	default:
		w.scalar(n)
	}
}

func (w *yamlWriter) mapping(n *yaml.Node, depth int) {
	w.out = append(w.out, '{')
	for i := 0; i+1 < len(n.Content) && w.err == nil; i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			w.fail(key, "a key has to be a plain string here")
			return
		}
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.mark(key)
		w.quoted(key.Value)
		w.out = append(w.out, ':')
		w.value(n.Content[i+1], depth+1)
	}
	w.out = append(w.out, '}')
}

func (w *yamlWriter) scalar(n *yaml.Node) {
	switch n.ShortTag() {
	case "!!null":
		w.out = append(w.out, "null"...)
	case "!!bool":
		var b bool
		if n.Decode(&b) != nil {
			w.fail(n, "%q is neither true nor false", n.Value)
		}
		w.out = strconv.AppendBool(w.out, b)
	case "!!int", "!!float":
		w.number(n)
	default: // strings, and timestamps as they are written
		w.quoted(n.Value)
	}
}

func (w *yamlWriter) number(n *yaml.Node) {
	if json.Valid([]byte(n.Value)) {
		w.out = append(w.out, n.Value...)
		return
	}
	var f float64
	if err := n.Decode(&f); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		w.fail(n, "%s is no JSON number; write it in quotes if it is meant as text", n.Value)
		return
	}
	w.out = strconv.AppendFloat(w.out, f, 'g', -1, 64)
}

func (w *yamlWriter) quoted(s string) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return
	}
	w.out = append(w.out, bytes.TrimRight(b.Bytes(), "\n")...)
}
