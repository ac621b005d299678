// Package picture draws directed graphs: for Graphviz (DOT), for Mermaid, and as an SVG that needs nothing else.
//
//	g := &picture.Graph{Name: "greet", Start: []string{"hello"}}
//	g.Nodes = []picture.Node{{ID: "hello", Label: "hello"}, {ID: "bye", Label: "bye"}}
//	g.Edges = []picture.Edge{{From: "hello", To: "bye", Label: "$out > 5"}}
//	svg := g.SVG()
package picture

import (
	"fmt"
	"strings"
)

// Graph is what is drawn. IDs are texts of any kind; edges to nodes that are not there are left out.
type Graph struct {
	Name  string
	Start []string // IDs of nodes that have an arrow from nowhere
	Nodes []Node
	Edges []Edge
}

// Node is a box. Label may have several lines; the first is the title.
type Node struct{ ID, Label string }

// Style is how an edge looks.
type Style uint8

// The styles.
const (
	Solid Style = iota
	Bold
	Dashed
	Dotted
)

// Edge is an arrow. Label is short; "" for none.
type Edge struct {
	From, To string
	Label    string
	Style    Style
}

// index returns the place of each node.
func (g *Graph) index() map[string]int {
	at := make(map[string]int, len(g.Nodes))
	for i, n := range g.Nodes {
		at[n.ID] = i
	}
	return at
}

// Dot returns the graph as a digraph of Graphviz.
func (g *Graph) Dot() []byte {
	var b strings.Builder
	at := g.index()
	fmt.Fprintf(&b, "digraph %s {\n  rankdir=TB;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n", DotText(g.Name))
	for i, id := range g.Start {
		if n, ok := at[id]; ok {
			fmt.Fprintf(&b, "  start%d [shape=circle, label=\"\", width=0.2, style=filled, fillcolor=black];\n  start%d -> n%d;\n", i, i, n)
		}
	}
	for i, n := range g.Nodes {
		fmt.Fprintf(&b, "  n%d [label=%s];\n", i, DotText(n.Label))
	}
	styles := [...]string{Solid: "", Bold: ", style=bold", Dashed: ", style=dashed", Dotted: ", style=dotted"}
	for _, e := range g.Edges {
		from, ok1 := at[e.From]
		to, ok2 := at[e.To]
		if ok1 && ok2 {
			fmt.Fprintf(&b, "  n%d -> n%d [label=%s%s];\n", from, to, DotText(e.Label), styles[e.Style])
		}
	}
	b.WriteString("}\n")
	return []byte(b.String())
}

// DotText quotes a text for Graphviz.
func DotText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// Mermaid returns the graph as a flowchart of Mermaid.
func (g *Graph) Mermaid() []byte {
	var b strings.Builder
	at := g.index()
	b.WriteString("flowchart TD\n")
	for i, id := range g.Start {
		if n, ok := at[id]; ok {
			fmt.Fprintf(&b, "  start%d(( )) --> n%d\n", i, n)
		}
	}
	for i, n := range g.Nodes {
		fmt.Fprintf(&b, "  n%d[%s]\n", i, MermaidText(n.Label))
	}
	arrows := [...]string{Solid: "-->", Bold: "==>", Dashed: "-.->", Dotted: "-.->"}
	for _, e := range g.Edges {
		from, ok1 := at[e.From]
		to, ok2 := at[e.To]
		if !ok1 || !ok2 {
			continue
		}
		arrow := arrows[e.Style]
		if e.Label != "" {
			arrow += "|" + MermaidText(e.Label) + "|"
		}
		fmt.Fprintf(&b, "  n%d %s n%d\n", from, arrow, to)
	}
	return []byte(b.String())
}

// MermaidText quotes a text for Mermaid, whose escapes are HTML entities.
func MermaidText(s string) string {
	r := strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "|", "#124;", "\n", "<br/>")
	return `"` + r.Replace(s) + `"`
}
