package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/cli/client"
	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/cli/graph"
	"github.com/weftworks/weft/config"
	"github.com/weftworks/weft/fault"
)

// roleARN is sent where the API wants a role and the user named none; Weft has no use for it.
const roleARN = "arn:aws:iam::000000000000:role/weft"

func (a *app) machinesCommand() *cobra.Command {
	r := &remote{app: a}
	cmd := group(&cobra.Command{
		Use:   "machines",
		Short: "Create, import, list, show, compare, check, draw and publish state machines",
		Long:  "Work with the state machines a server keeps. validate needs no server, nor does graph for a file.",
	})
	r.flags(cmd)
	cmd.AddCommand(a.machinesCreate(r), a.machinesList(r), a.machinesShow(r), a.machinesDelete(r), a.machinesValidate(r), a.machinesGraph(r),
		a.machinesImport(r), a.machinesDiff(r), a.machinesVersions(r), a.machinesPublish(r), a.machinesUnpublish(r), a.machinesAlias(r),
		a.machinesLogs(r))
	return cmd
}

func (a *app) machinesCreate(r *remote) *cobra.Command {
	var update bool
	var role, typ string
	cmd := &cobra.Command{
		Use:   "create NAME FILE|-",
		Short: "Create a state machine from a definition, or update it",
		Example: `  weft machines create greet greet.asl.json
  weft machines create greet greet.asl.json --update   # give it this definition if it exists`,
		Args: args(2, 2, "NAME FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			def, err := a.readDefinition(args[1])
			if err != nil {
				return err
			}
			switch typ = strings.ToUpper(typ); typ {
			case "STANDARD", "EXPRESS":
				def.express = typ == "EXPRESS"
			default:
				return usage("--type %q is not known; use STANDARD or EXPRESS", typ)
			}
			if _, err := a.check(def); err != nil {
				return err
			}
			c, err := r.dial()
			if err != nil {
				return err
			}
			return a.createMachine(cmd.Context(), r, c, client.CreateMachine{Name: args[0], Definition: string(def.json), RoleARN: role, Type: typ}, update)
		},
	}
	cmd.Flags().BoolVar(&update, "update", false, "if the machine exists, give it this definition; its open runs keep theirs")
	cmd.Flags().StringVar(&role, "role", roleARN, "role `ARN` to keep with the machine")
	cmd.Flags().StringVar(&typ, "type", "STANDARD", "`TYPE`: STANDARD or EXPRESS")
	return cmd
}

func (a *app) createMachine(ctx context.Context, r *remote, c *client.Client, in client.CreateMachine, update bool) error {
	arn, err := c.CreateMachine(ctx, in)
	verb := "created"
	if fault.Is(err, fault.MachineExists) && update {
		if arn, err = r.machineARN(ctx, in.Name); err == nil {
			verb = "updated"
			_, err = c.UpdateMachine(ctx, arn, in.Definition)
		}
	}
	if fault.Is(err, fault.MachineExists) {
		return fault.New("", fault.MachineExists, in.Name, "a machine of this name exists with another definition; add --update to change it (open runs keep the definition they started with)")
	}
	if err != nil {
		return err
	}
	a.note("%s %s", verb, in.Name)
	if r.json {
		return r.object(map[string]string{"name": in.Name, "arn": arn, "did": verb})
	}
	_, err = fmt.Fprintln(a.Out, arn)
	return err
}

// machineLine is what --json prints for a machine.
type machineLine struct {
	Name       string  `json:"name"`
	ARN        string  `json:"arn"`
	Type       string  `json:"type"`
	Status     string  `json:"status,omitempty"`
	Created    *string `json:"created"`
	Revision   string  `json:"revision,omitempty"`
	RoleARN    string  `json:"role_arn,omitempty"`
	Definition any     `json:"definition,omitempty"`
}

func (a *app) machinesList(r *remote) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List the state machines", Args: args(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.dial()
			if err != nil {
				return err
			}
			t := console.Table{Header: []string{"NAME", "TYPE", "CREATED", "ARN"}, Width: a.tableWidth(), Style: a.outStyle()}
			for m, err := range c.Machines(cmd.Context(), min(max(limit, 1), 1000)) {
				if err != nil {
					return err
				}
				if r.json {
					err = r.line(machineLine{Name: m.Name, ARN: m.ARN, Type: m.Type, Created: stamp(m.Created)})
				}
				if err != nil {
					return err
				}
				t.Add(m.Name, m.Type, r.clock(m.Created), m.ARN)
				if t.Len() == limit {
					break
				}
			}
			return a.printTable(r, &t, "no state machines; create one with `weft machines create NAME FILE`")
		},
	}
	limitFlag(cmd, &limit, 1000)
	return cmd
}

func (a *app) machinesShow(r *remote) *cobra.Command {
	var definition bool
	cmd := &cobra.Command{
		Use: "show NAME|ARN", Short: "Show a state machine and its definition", Args: args(1, 1, "NAME"),
		Example: `  weft machines show greet
  weft machines show greet --definition > greet.asl.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := a.describe(cmd.Context(), r, args[0])
			switch {
			case err != nil:
				return err
			case definition:
				_, err = fmt.Fprintln(a.Out, m.Definition)
				return err
			case r.json:
				return r.object(machineLine{Name: m.Name, ARN: m.ARN, Type: m.Type, Status: m.Status, Created: stamp(m.Created),
					Revision: m.RevisionID, RoleARN: m.RoleARN, Definition: json.RawMessage(m.Definition)})
			}
			f := a.fields()
			f.head(m.Name)
			f.line("arn", m.ARN)
			f.line("type", m.Type)
			f.line("status", m.Status)
			f.line("created", r.clock(m.Created))
			f.line("revision", m.RevisionID)
			f.block("definition", m.Definition)
			return f.flush()
		},
	}
	cmd.Flags().BoolVar(&definition, "definition", false, "print the definition alone, as it was given")
	return cmd
}

func (a *app) describe(ctx context.Context, r *remote, ref string) (*client.Machine, error) {
	c, err := r.dial()
	if err != nil {
		return nil, err
	}
	arn, err := r.machineARN(ctx, ref)
	if err != nil {
		return nil, err
	}
	return c.DescribeMachine(ctx, arn)
}

func (a *app) machinesDelete(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME|ARN", Short: "Delete a state machine once its open runs have ended", Args: args(1, 1, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := a.describe(cmd.Context(), r, args[0])
			if err != nil {
				return err
			}
			if err := r.c.Call(cmd.Context(), "DeleteStateMachine", map[string]string{"stateMachineArn": m.ARN}, nil); err != nil {
				return err
			}
			a.note("deleted %s; open runs, if any, go on to their end", m.Name)
			return nil
		},
	}
}

func (a *app) machinesValidate(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE|-...",
		Short: "Check definitions, without a server: every problem, its place and its fix",
		Example: `  weft machines validate greet.asl.json
  weft machines validate --json *.asl.json | jq .message`,
		Args: args(1, -1, "FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			bad := 0
			for _, path := range args {
				def, err := a.readDefinition(path)
				if err != nil {
					return err
				}
				integrations, err := integrationsBeside(path)
				if err != nil {
					return err
				}
				m, problems := def.parse(integrations)
				bad += countErrors(problems)
				if err := a.showProblems(r, def, problems); err != nil {
					return err
				}
				if countErrors(problems) == 0 {
					a.note("%s is valid: %s", def.name, console.Count(countStates(&m.Graph), "state"))
				}
			}
			if bad > 0 {
				a.note("%s", console.Count(int64(bad), "problem"))
				return reported(fault.InvalidDefinition)
			}
			return nil
		},
	}
}

// integrationsBeside returns the integrations that a definition may use under the weft.yaml in its directory.
func integrationsBeside(path string) (asl.Integrations, error) {
	dir := "."
	if path != "-" {
		dir = filepath.Dir(path)
	}
	cfg, err := config.Find(dir)
	if err != nil {
		return nil, err
	}
	return cfg.Integrations(config.Services{})
}

// showProblems prints problems to stdout, where they are this command's data.
func (a *app) showProblems(r *remote, def *definition, problems []problem) error {
	for _, p := range problems {
		if !r.json {
			fmt.Fprint(a.Out, def.explain(p, a.outStyle(), a.width()))
			continue
		}
		line := struct {
			File     string `json:"file"`
			Line     int    `json:"line"`
			Column   int    `json:"column"`
			Severity string `json:"severity"`
			Message  string `json:"message"`
			Fix      string `json:"fix"`
		}{def.name, p.line, p.column, p.severity(), p.message, p.fix}
		if err := r.line(line); err != nil {
			return err
		}
	}
	return nil
}

func countStates(g *asl.Graph) int64 {
	n := int64(0)
	for range states(g) {
		n++
	}
	return n
}

func (a *app) machinesGraph(r *remote) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "graph FILE|-|NAME|ARN",
		Short: "Draw a state machine: a text tree, Graphviz or Mermaid",
		Example: `  weft machines graph greet.asl.json
  weft machines graph greet --format dot | dot -Tsvg > greet.svg`,
		Args: args(1, 1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, m, err := a.drawable(cmd.Context(), r, args[0])
			if err != nil {
				return err
			}
			switch format {
			case "tree":
				graph.Tree(a.Out, name, m, a.outStyle())
			case "dot":
				graph.Dot(a.Out, name, m)
			case "mermaid":
				graph.Mermaid(a.Out, m)
			default:
				return usage("--format %q is not known; use tree, dot or mermaid", format)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "tree", "`FORMAT`: tree, dot or mermaid")
	return cmd
}

// drawable reads the machine from a file, or else from the server.
func (a *app) drawable(ctx context.Context, r *remote, ref string) (string, *asl.Machine, error) {
	var def *definition
	if info, err := os.Stat(ref); ref == "-" || (err == nil && !info.IsDir()) {
		if def, err = a.readDefinition(ref); err != nil {
			return "", nil, err
		}
	} else {
		kept, err := a.describe(ctx, r, ref)
		if err != nil {
			return "", nil, err
		}
		def = newDefinition(kept.Name, []byte(kept.Definition))
	}
	m, err := a.check(def)
	return def.machineName(), m, err
}

// tableWidth bounds lines of tables on a terminal only, so that nothing is lost in a pipe.
func (a *app) tableWidth() int {
	if !a.OutTTY {
		return 0
	}
	return a.width()
}

func (a *app) width() int {
	w, _ := a.Size()
	return max(w, 40)
}

// printTable prints t unless the rows went out as JSON already; empty says what to do when there are none.
func (a *app) printTable(r *remote, t *console.Table, empty string) error {
	if r.json {
		return nil
	}
	if t.Len() == 0 {
		a.note("%s", empty)
		return nil
	}
	_, err := t.WriteTo(a.Out)
	return err
}

func limitFlag(cmd *cobra.Command, limit *int, def int) {
	cmd.Flags().IntVar(limit, "limit", def, "show at most `N`; 0: all")
}

// fields prints named values of one thing.
type fields struct {
	w     io.Writer
	style console.Style
	err   error
}

func (a *app) fields() *fields { return &fields{w: a.Out, style: a.outStyle()} }

func (f *fields) printf(format string, args ...any) {
	if f.err == nil {
		_, f.err = fmt.Fprintf(f.w, format, args...)
	}
}

func (f *fields) head(s string) { f.printf("%s\n", f.style.Bold(console.Clean(s))) }

// line prints a short value unless it is empty.
func (f *fields) line(name, value string) {
	if value != "" {
		f.printf("  %s  %s\n", f.style.Dim(console.Pad(name, 10)), console.Clean(value))
	}
}

// block prints a long value, JSON indented, below its name.
func (f *fields) block(name, value string) {
	f.printf("  %s\n%s\n", f.style.Dim(name), console.Indent(console.CleanLines(prettyText(value)), "    "))
}

func (f *fields) flush() error { return f.err }
