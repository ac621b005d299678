package reference

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/weftworks/weft/internal/conformance"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/ir"
	"github.com/weftworks/weft/unum/program"
	"github.com/weftworks/weft/unum/protocol"
)

// Recorded is an execution of a recording, compiled.
type Recorded struct {
	App     *ir.App
	Program protocol.Program
	Run     string // its id
	Input   []byte
	Timeout int64 // milliseconds; 0: none
	Code    func(code string, input []byte) Reply
}

// Record compiles the executions of a case. An error says why the case cannot run without an orchestrator.
func Record(c *conformance.Case) ([]*Recorded, error) {
	behaviours := map[string]string{}
	var functions []string
	for _, f := range c.Functions {
		behaviours[f.Name] = f.Behaviour
		functions = append(functions, f.Name)
	}
	var all []*Recorded
	for i := range c.Executions {
		e := &c.Executions[i]
		m := c.Machine(e.MachineARN)
		if m == nil {
			return nil, fmt.Errorf("there is no machine %s", e.MachineARN)
		}
		r := &Recorded{Run: e.Name}
		if r.Run == "" {
			r.Run = fmt.Sprintf("5d8f2f0e-0000-4000-8000-%012d", i)
		}
		if err := r.compile(m, functions); err != nil {
			return nil, err
		}
		r.Input = []byte("{}")
		if e.Input != "" {
			r.Input = compacted(e.Input)
		}
		attempt := 0
		r.Code = func(code string, input []byte) Reply {
			attempt++
			b := conformance.Behave(behaviours[code], input, attempt)
			out := protocol.Outcome{Kind: protocol.Returned, Output: b.Output, Error: b.Error, Cause: b.Cause}
			if b.Error != "" {
				out.Kind = protocol.Raised
			}
			return Reply{Outcome: out, After: b.After.Milliseconds()}
		}
		all = append(all, r)
	}
	return all, nil
}

func (r *Recorded) compile(m *conformance.Machine, functions []string) (err error) {
	if len(functions) == 0 {
		functions = []string{"none"} // a name that is evaluated is that of no function
	}
	express := m.Type == "EXPRESS"
	options := compile.Options{Name: "recorded", Functions: functions, Express: express, Limits: limits.AWS}
	if r.App, err = compile.Machine([]byte(m.Definition), options); err != nil {
		return err
	}
	p, err := program.NewCompiled(r.App, program.Identity{MachineARN: m.ARN, RoleARN: m.RoleARN, Express: express, Limits: limits.AWS})
	if err != nil {
		return err
	}
	r.Program, r.Timeout = p, 1000*p.TimeoutSeconds()
	return nil
}

func compacted(text string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(json.RawMessage(text)) != nil {
		return []byte(text)
	}
	return bytes.TrimSpace(b.Bytes())
}

// Answer is an end as the recordings are compared with.
func Answer(e *protocol.End) conformance.Answer {
	a := conformance.Answer{Status: "SUCCEEDED", Output: string(e.Output)}
	if e.Failed {
		a.Status = "FAILED"
	}
	if e.Status != "" {
		a.Status = e.Status
	}
	if e.HasError {
		a.Error = &e.Error
	}
	if e.HasCause {
		a.Cause = &e.Cause
	}
	return a
}
