package iamapi

import (
	"bytes"
	"encoding/xml"
)

// node is an element of an answer: its value is a string, or []node.
type node struct {
	name  string
	value any
}

// append writes the element to b.
func (n node) append(b []byte) []byte {
	b = append(b, "<"+n.name+">"...)
	switch v := n.value.(type) {
	case string:
		var text bytes.Buffer
		_ = xml.EscapeText(&text, []byte(v)) // a buffer takes everything
		b = append(b, text.Bytes()...)
	case []node:
		for _, child := range v {
			b = child.append(b)
		}
	}
	return append(b, "</"+n.name+">"...)
}

// list is a list under a name.
func list(name string, all []string, element func(string) node) node {
	nodes := make([]node, len(all))
	for i, s := range all {
		nodes[i] = element(s)
	}
	return node{name, nodes}
}

// text is an element of a list of texts.
func text(s string) node { return node{"member", s} }
