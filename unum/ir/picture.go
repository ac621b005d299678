package ir

import (
	"fmt"
	"strings"

	"github.com/weftworks/weft/picture"
)

// Picture returns the graph of the app as one to be drawn: an arrow for each continuation, bold where it makes many of one
// (map) or one of many (fanIn), dashed for errors, dotted to a function from one whose value it reads without being led to.
func (a *App) Picture() *picture.Graph {
	g := &picture.Graph{Name: a.Name}
	for _, f := range a.Functions {
		if f.Start {
			g.Start = append(g.Start, f.Name)
		}
		g.Nodes = append(g.Nodes, picture.Node{ID: f.Name, Label: f.label()})
		for i := range f.Next {
			c := &f.Next[i]
			style := [...]picture.Style{Invoke: picture.Solid, Map: picture.Bold, FanIn: picture.Bold, Catch: picture.Dashed}
			e := picture.Edge{From: f.Name, To: c.To, Label: c.label()}
			if e.Label == "" && c.To == f.Name {
				e.Label = "again"
			}
			if int(c.Kind) < len(style) {
				e.Style = style[c.Kind]
			}
			g.Edges = append(g.Edges, e)
			for k := range c.Values {
				if v := &c.Values[k]; v.Function != f.Name && !a.leads(v.Function, c.To) {
					g.Edges = append(g.Edges, picture.Edge{From: v.Function, To: c.To, Label: v.String(), Style: picture.Dotted})
				}
			}
		}
	}
	return g
}

// leads reports whether a function has a continuation to another.
func (a *App) leads(from, to string) bool {
	f := a.Function(from)
	if f == nil {
		return true // there is nothing to draw
	}
	for i := range f.Next {
		if f.Next[i].To == to {
			return true
		}
	}
	return false
}

// label says what a function is, below its name.
func (f *Function) label() string {
	var of []string
	switch {
	case f.Code == "":
		of = append(of, "no code")
	case f.Code != f.Name:
		of = append(of, f.Code)
	}
	if f.Glue != nil && f.Glue.State != "" {
		if state := f.Glue.State[strings.LastIndexByte(f.Glue.State, '/')+1:]; strings.ReplaceAll(state, " ", "-") != f.Name {
			of = append(of, state)
		}
	}
	if f.NoCheckpoint {
		of = append(of, "no checkpoint")
	}
	if n := len(f.Retry); n > 0 {
		of = append(of, "retry")
	}
	if len(of) == 0 {
		return f.Name
	}
	return f.Name + "\n" + strings.Join(of, ", ")
}

// label says what a continuation does and when.
func (c *Continuation) label() string {
	var of []string
	switch c.Kind {
	case Map:
		of = append(of, "each")
	case FanIn:
		names := make([]string, len(c.Values))
		for i := range c.Values {
			names[i] = c.Values[i].String()
		}
		if c.Set != "" {
			names = append(names, "set "+c.Set)
		}
		of = append(of, strings.Join(names, ", "))
	case Catch:
		of = append(of, "on "+strings.Join(c.Errors, ", "))
	}
	if c.If != nil && !c.If.Equal(ExitIs(c.To)) { // the arrow leads there, after all
		of = append(of, "if "+c.If.String())
	}
	for _, set := range []struct {
		name string
		to   *Expr
	}{{"$0", c.Index}, {"$size", c.Size}} {
		if set.to != nil {
			of = append(of, fmt.Sprintf("%s = %s", set.name, set.to))
		}
	}
	if c.Next {
		of = append(of, "next iteration")
	}
	return strings.Join(of, "\n")
}
