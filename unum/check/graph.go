package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/weftworks/weft/unum/protocol"
)

// Graph is a hand-written graph: lines of one task each, that take the values of others by name. The run begins with the
// fork that starts those which take nothing.
type Graph struct {
	Lines []GraphLine
	Pop   []string // whose values the task behind the join takes
	Ends  string   // instead: the line whose end is the run's
}

// GraphLine is a line of a Graph.
type GraphLine struct {
	Name  string
	Takes []string
}

// graphProgram runs a Graph. Function "g" forks, "l" + name is a line's, "z" is the task behind the join.
type graphProgram struct{ g *Graph }

func (p *graphProgram) line(name string) *GraphLine {
	for i := range p.g.Lines {
		if p.g.Lines[i].Name == name {
			return &p.g.Lines[i]
		}
	}
	panic("the graph has no line " + name)
}

func (p *graphProgram) Entry(_ string, input []byte, _ int64) (protocol.Call, error) {
	return protocol.Call{Function: "g", State: input}, nil
}

func (p *graphProgram) Work(req *protocol.Request, inputs [][]byte) (protocol.Work, error) {
	if req.Function == "g" {
		fork := &protocol.Fork{Parked: req.State}
		for _, l := range p.g.Lines {
			if len(l.Takes) == 0 {
				fork.Names = append(fork.Names, l.Name)
			}
		}
		fork.Width = int64(len(fork.Names))
		return protocol.Work{Plan: &protocol.Plan{Fork: fork}}, nil
	}
	input := req.State
	if len(inputs) > 0 {
		takes := p.line(req.Function[1:]).Takes
		for i, in := range inputs {
			if got := decodeValue(in).Node; got != takes[i] {
				return protocol.Work{}, fmt.Errorf("%s takes %v and got as value %d one of %s", req.Function, takes, i, got)
			}
		}
		input = slices.Concat([]byte("["), bytes.Join(inputs, []byte(",")), []byte("]"))
	}
	return protocol.Work{Code: req.Function, Input: input}, nil
}

func (p *graphProgram) Plan(req *protocol.Request, _ [][]byte, out *protocol.Outcome) (*protocol.Plan, error) {
	end := &protocol.End{Output: out.Output}
	if out.Kind != protocol.Returned {
		end = &protocol.End{Failed: true, Error: out.Error, Run: true}
	}
	name := req.Function[1:]
	if req.Function == "z" || end.Failed {
		return &protocol.Plan{End: end}, nil
	}
	if name == p.g.Ends {
		end.Run = true
		return &protocol.Plan{End: end}, nil
	}
	graph := &protocol.Graph{}
	for _, l := range p.g.Lines {
		if slices.Contains(l.Takes, name) {
			start := protocol.Start{Line: protocol.Line{Name: l.Name}, Call: protocol.Call{Function: "l" + l.Name}}
			graph.FanIns = append(graph.FanIns, protocol.FanIn{Values: l.Takes, Start: start})
		}
	}
	if slices.Contains(p.g.Pop, name) {
		graph.FanIns = append(graph.FanIns, protocol.FanIn{Values: p.g.Pop, Pop: true})
	}
	return &protocol.Plan{Graph: graph}, nil
}

func (p *graphProgram) Head(lines []protocol.Line, parked []byte, i, _ int64) (protocol.Call, error) {
	for _, l := range p.g.Lines {
		if len(l.Takes) > 0 {
			continue
		}
		if i == 0 {
			return protocol.Call{Function: "l" + l.Name, State: parked}, nil
		}
		i--
	}
	return protocol.Call{}, fmt.Errorf("the graph has no line %d below %v", i, lines)
}

func (p *graphProgram) Join(run string, lines []protocol.Line, _ []byte, ends []*protocol.End, _ int64) (*protocol.Plan, error) {
	v := value{Node: "join", Inst: instance(run, lines) + ":join"}
	for i, end := range ends {
		got := decodeValue(end.Output)
		if got.Node != p.g.Pop[i] {
			return nil, fmt.Errorf("the join takes %v and got as value %d one of %s", p.g.Pop, i, got.Node)
		}
		v.Exec += "," + got.Exec
	}
	return &protocol.Plan{Continue: &protocol.Call{Function: "z", State: v.encode()}}, nil
}

func (p *graphProgram) run(req *protocol.Request, token string, _ int) *protocol.Outcome {
	v := value{Node: req.Function[1:], Inst: instance(req.Run, req.Lines), Exec: token}
	return &protocol.Outcome{Kind: protocol.Returned, Output: json.RawMessage(v.encode()), Now: 1}
}

func (p *graphProgram) results(broken bool) (last string, succeed, fail bool) {
	return p.g.Ends, true, broken // the task behind the join has no name either
}
