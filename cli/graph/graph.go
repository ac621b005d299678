// Package graph draws a state machine: as a text tree for a terminal, for Graphviz (dot) and for Mermaid.
package graph

import (
	"fmt"
	"io"
	"strings"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/picture"
)

// edge is a way out of a state.
type edge struct {
	label string // "" for Next
	to    string // "" for the end of the graph
	catch bool
}

// edges returns the ways out of s in the order they are tried.
func edges(s *asl.State) []edge {
	var out []edge
	switch {
	case s.Choice != nil:
		for i := range s.Choice.Rules {
			out = append(out, edge{label: condition(&s.Choice.Rules[i].Cond), to: s.Choice.Rules[i].Next})
		}
		if s.Choice.Default != "" {
			out = append(out, edge{label: "otherwise", to: s.Choice.Default})
		}
	case s.Next != "":
		out = append(out, edge{to: s.Next})
	case s.End, s.Type == asl.Succeed:
		out = append(out, edge{})
	}
	for _, c := range s.Catch {
		out = append(out, edge{label: "on " + strings.Join(c.ErrorEquals, ", "), to: c.Next, catch: true})
	}
	return out
}

// what says what a state does, in a few words: "Task count, 2 retriers".
func what(s *asl.State) string {
	w := s.Type.String()
	switch {
	case s.Task != nil:
		name := s.Task.Target.Function
		if name == "" {
			name = s.Task.Resource
		}
		w += " " + name
	case s.Wait != nil:
		w += " " + wait(s.Wait)
	case s.Fail != nil && s.Fail.Error != nil:
		w += " " + *s.Fail.Error
	case s.Map != nil && s.Map.MaxConcurrency > 0:
		w += fmt.Sprintf(", at most %d at a time", s.Map.MaxConcurrency)
	case s.Parallel != nil:
		w += ", " + console.Count(int64(len(s.Parallel.Branches)), "branch")
		w = strings.Replace(w, "branchs", "branches", 1)
	}
	if n := len(s.Retry); n > 0 {
		w += ", " + console.Count(int64(n), "retrier")
	}
	return console.Clean(w)
}

func wait(p *asl.WaitPart) string {
	switch {
	case p.SecondsPath != nil:
		return "for seconds at " + show(p.SecondsPath)
	case p.TimestampPath != nil:
		return "until the time at " + show(p.TimestampPath)
	case p.Timestamp != "":
		return "until " + p.Timestamp
	}
	return fmt.Sprintf("%ds", p.Seconds)
}

// show writes a path as it was written.
func show(path any) string {
	if s, ok := path.(fmt.Stringer); ok {
		return s.String()
	}
	return "a path"
}

// inner returns the graphs inside a state with a label for each ("" when there is but one).
func inner(s *asl.State) (graphs []*asl.Graph, labels []string) {
	if s.Map != nil && s.Map.Processor != nil {
		return []*asl.Graph{s.Map.Processor}, []string{""}
	}
	if s.Parallel != nil {
		for i, b := range s.Parallel.Branches {
			graphs = append(graphs, b)
			labels = append(labels, fmt.Sprintf("branch %d", i+1))
		}
	}
	return graphs, labels
}

// symbols spell the comparison operators that have a sign.
var symbols = []struct{ suffix, sign string }{
	{"GreaterThanEquals", ">="}, {"LessThanEquals", "<="}, {"GreaterThan", ">"}, {"LessThan", "<"}, {"Equals", "="},
}

// condition writes a Choice rule in a line.
func condition(c *asl.Condition) string {
	switch {
	case c.Compare != nil:
		return comparison(c.Compare)
	case c.Not != nil:
		return "not (" + condition(c.Not) + ")"
	case len(c.And) > 0:
		return join(c.And, " and ")
	case len(c.Or) > 0:
		return join(c.Or, " or ")
	}
	return "if"
}

func join(conds []asl.Condition, word string) string {
	parts := make([]string, len(conds))
	for i := range conds {
		parts[i] = condition(&conds[i])
		if len(conds[i].And)+len(conds[i].Or) > 0 {
			parts[i] = "(" + parts[i] + ")"
		}
	}
	return strings.Join(parts, word)
}

func comparison(c *asl.Comparison) string {
	left := show(c.Variable)
	if strings.HasPrefix(c.Op, "Is") {
		is := strings.ToLower(strings.TrimPrefix(c.Op, "Is"))
		if c.Value == false {
			return left + " is not " + is
		}
		return left + " is " + is
	}
	right := literal(c.Value)
	if c.Other != nil {
		right = show(c.Other)
	}
	for _, s := range symbols {
		if strings.HasSuffix(c.Op, s.suffix) {
			return left + " " + s.sign + " " + right
		}
	}
	return left + " " + c.Op + " " + right // StringMatches
}

func literal(v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(v)
}

// Tree writes m as an indented text tree, the ways out of each state behind an arrow.
func Tree(w io.Writer, name string, m *asl.Machine, style console.Style) {
	fmt.Fprintf(w, "%s%s\n", style.Bold(console.Clean(name)), style.Dim("  starts at "+console.Clean(m.Graph.StartAt)))
	tree(w, &m.Graph, "", style)
}

func tree(w io.Writer, g *asl.Graph, indent string, style console.Style) {
	names, kinds := 0, 0
	for _, s := range g.States {
		names = max(names, console.Width(console.Clean(s.Name)))
		kinds = max(kinds, console.Width(what(s)))
	}
	names, kinds = min(names, 40), min(kinds, 44)
	for i, s := range g.States {
		branch, below := "├─ ", "│  "
		if i == len(g.States)-1 {
			branch, below = "└─ ", "   "
		}
		ways := edges(s)
		line := indent + branch + console.Pad(console.Clean(s.Name), names) + "  " + style.Dim(console.Pad(what(s), kinds))
		if s.Choice == nil && len(ways) > 0 && !ways[0].catch {
			line += "  " + arrow(ways[0])
			ways = ways[1:]
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
		for _, e := range ways {
			fmt.Fprintf(w, "%s%s  %s  %s\n", indent, below, console.Clean(e.label), arrow(e))
		}
		graphs, labels := inner(s)
		for k, in := range graphs {
			deeper := indent + below
			if labels[k] != "" {
				fmt.Fprintf(w, "%s%s\n", deeper, style.Dim(labels[k]+"  starts at "+console.Clean(in.StartAt)))
			}
			tree(w, in, deeper, style)
		}
	}
}

func arrow(e edge) string {
	if e.to == "" {
		return "→ end"
	}
	return "→ " + console.Clean(e.to)
}

// Dot writes m as a Graphviz digraph; Maps and Parallels are clusters.
func Dot(w io.Writer, name string, m *asl.Machine) {
	fmt.Fprintf(w, "digraph %s {\n  rankdir=TB; compound=true;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n", picture.DotText(name))
	fmt.Fprintf(w, "  start [shape=circle, label=\"\", width=0.2, style=filled, fillcolor=black];\n  start -> %s;\n", node(m.Graph.Start))
	dot(w, &m.Graph, "  ")
	fmt.Fprintln(w, "}")
}

func dot(w io.Writer, g *asl.Graph, indent string) {
	for _, s := range g.States {
		graphs, _ := inner(s)
		if len(graphs) > 0 {
			fmt.Fprintf(w, "%ssubgraph cluster_%d {\n%s  label=%s;\n", indent, s.Index, indent, picture.DotText(s.Name+" ("+what(s)+")"))
			fmt.Fprintf(w, "%s  %s [shape=point];\n", indent, node(s))
			for _, in := range graphs {
				fmt.Fprintf(w, "%s  %s -> %s [style=dotted];\n", indent, node(s), node(in.Start))
				dot(w, in, indent+"  ")
			}
			fmt.Fprintf(w, "%s}\n", indent)
		} else {
			fmt.Fprintf(w, "%s%s [label=%s];\n", indent, node(s), picture.DotText(s.Name+"\n"+what(s)))
		}
		for _, e := range edges(s) {
			if to := g.ByName[e.to]; to != nil {
				style := ""
				if e.catch {
					style = ", style=dashed"
				}
				fmt.Fprintf(w, "%s%s -> %s [label=%s%s];\n", indent, node(s), node(to), picture.DotText(e.label), style)
			}
		}
	}
}

func node(s *asl.State) string { return fmt.Sprintf("s%d", s.Index) }

// Mermaid writes m as a Mermaid flowchart; Maps and Parallels are subgraphs.
func Mermaid(w io.Writer, m *asl.Machine) {
	fmt.Fprintf(w, "flowchart TD\n  start(( )) --> %s\n", node(m.Graph.Start))
	mermaid(w, &m.Graph, "  ")
}

func mermaid(w io.Writer, g *asl.Graph, indent string) {
	for _, s := range g.States {
		graphs, _ := inner(s)
		if len(graphs) > 0 {
			fmt.Fprintf(w, "%ssubgraph %s[%s]\n", indent, node(s), picture.MermaidText(s.Name+" ("+what(s)+")"))
			for _, in := range graphs {
				mermaid(w, in, indent+"  ")
			}
			fmt.Fprintf(w, "%send\n", indent)
		} else if s.Choice != nil {
			fmt.Fprintf(w, "%s%s{%s}\n", indent, node(s), picture.MermaidText(s.Name))
		} else {
			fmt.Fprintf(w, "%s%s[%s]\n", indent, node(s), picture.MermaidText(s.Name+"\n"+what(s)))
		}
	}
	for _, s := range g.States {
		for _, e := range edges(s) {
			to := g.ByName[e.to]
			if to == nil {
				continue
			}
			line := "-->"
			if e.catch {
				line = "-.->"
			}
			if e.label != "" {
				line += "|" + picture.MermaidText(e.label) + "|"
			}
			fmt.Fprintf(w, "%s%s %s %s\n", indent, node(s), line, node(to))
		}
	}
}
