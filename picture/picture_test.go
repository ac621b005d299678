package picture

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func greet() *Graph {
	return &Graph{
		Name: `a "graph"`, Start: []string{"x", "nowhere"},
		Nodes: []Node{{"x", "x\n<code>"}, {"y", `y "\`}, {"z", "z"}},
		Edges: []Edge{{"x", "y", "a|b\nif $out < 3", Bold}, {"y", "z", "", Solid}, {"z", "x", "again", Dashed}, {"y", "y", "self", Dotted}, {"x", "gone", "", Solid}},
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	const dot = `digraph "a \"graph\"" {
  rankdir=TB;
  node [shape=box, style=rounded, fontname="sans-serif"];
  start0 [shape=circle, label="", width=0.2, style=filled, fillcolor=black];
  start0 -> n0;
  n0 [label="x\n<code>"];
  n1 [label="y \"\\"];
  n2 [label="z"];
  n0 -> n1 [label="a|b\nif $out < 3", style=bold];
  n1 -> n2 [label=""];
  n2 -> n0 [label="again", style=dashed];
  n1 -> n1 [label="self", style=dotted];
}
`
	if got := string(greet().Dot()); got != dot {
		t.Errorf("as DOT\n%s", got)
	}
	const mermaid = `flowchart TD
  start0(( )) --> n0
  n0["x<br/>#lt;code#gt;"]
  n1["y #quot;\"]
  n2["z"]
  n0 ==>|"a#124;b<br/>if $out #lt; 3"| n1
  n1 --> n2
  n2 -.->|"again"| n0
  n1 -.->|"self"| n1
`
	if got := string(greet().Mermaid()); got != mermaid {
		t.Errorf("as Mermaid\n%s", got)
	}
}

// wellFormed reads an SVG to its end and counts elements.
func wellFormed(t *testing.T, svg []byte) map[string]int {
	t.Helper()
	dec, count := xml.NewDecoder(strings.NewReader(string(svg))), map[string]int{}
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return count
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		if start, ok := token.(xml.StartElement); ok {
			count[start.Name.Local]++
		}
	}
}

func TestSVG(t *testing.T) {
	t.Parallel()
	svg := greet().SVG()
	// A background and three boxes, a start, and a text for each line: four in boxes, four at edges.
	if n := wellFormed(t, svg); n["rect"] != 4 || n["circle"] != 1 || n["text"] != 4+4 {
		t.Errorf("there are %v in\n%s", n, svg)
	}
	for _, g := range []*Graph{{}, {Name: "\x00\xff<&\ufffe", Nodes: []Node{{"", "\x01\n\n"}}, Start: []string{""}, Edges: []Edge{{"", "", "\x02", Solid}}}} {
		wellFormed(t, g.SVG())
	}
}

// TestLayout holds for random graphs that boxes do not overlap, that all is inside, and that edges lead down unless they
// close a cycle.
func TestLayout(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 0))
		g := &Graph{Start: []string{"0"}}
		for i := range 1 + r.IntN(25) {
			g.Nodes = append(g.Nodes, Node{fmt.Sprint(i), strings.Repeat("w", r.IntN(20)) + strings.Repeat("\nmore", r.IntN(3))})
		}
		for range r.IntN(40) {
			g.Edges = append(g.Edges, Edge{From: fmt.Sprint(r.IntN(len(g.Nodes))), To: fmt.Sprint(r.IntN(len(g.Nodes))), Label: strings.Repeat("l", r.IntN(9))})
		}
		l := g.layout()
		if n := len(l.wires) + len(l.loops); n != len(g.Edges) {
			t.Errorf("seed %d: %d of %d edges are drawn", seed, n, len(g.Edges))
		}
		for _, w := range l.wires {
			for i := 1; i < len(w.through); i++ {
				if a, b := l.vertices[w.through[i-1]], l.vertices[w.through[i]]; b.rank != a.rank+1 || b.y-b.height/2 <= a.y+a.height/2 {
					t.Errorf("seed %d: an edge from rank %d to %d", seed, a.rank, b.rank)
				}
			}
		}
		for i := range l.vertices {
			v := &l.vertices[i]
			if v.x-v.width/2 < 0 || v.x+v.width/2 > l.width || v.y-v.height/2 < 0 || v.y+v.height/2 > l.height {
				t.Errorf("seed %d: vertex %d is outside", seed, i)
			}
			for j := range i {
				u := &l.vertices[j]
				if u.rank == v.rank && abs(u.x-v.x) < (u.width+v.width)/2 {
					t.Errorf("seed %d: vertices %d and %d overlap", seed, i, j)
				}
			}
		}
		wellFormed(t, g.SVG())
	}
}

func abs(x float64) float64 { return max(x, -x) }

// TestUntangle has two edges that cross only if nobody cares.
func TestUntangle(t *testing.T) {
	t.Parallel()
	g := &Graph{Nodes: []Node{{"a", "a"}, {"b", "b"}, {"c", "c"}, {"d", "d"}}, Edges: []Edge{{From: "a", To: "d"}, {From: "b", To: "c"}}}
	l := g.layout()
	if n := l.crossings(); n != 0 {
		t.Errorf("%d edges cross", n)
	}
	if x := []float64{l.vertices[0].x, l.vertices[3].x}; abs(x[0]-x[1]) > 0.1 {
		t.Errorf("a is at %v, and d, below it alone, at %v", x[0], x[1])
	}
}
