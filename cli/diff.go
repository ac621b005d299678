package cli

import (
	"context"
	"encoding/json"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/diff"
	"github.com/weftworks/weft/cli/client"
	"github.com/weftworks/weft/cli/console"
)

// differs ends a command whose --exit-code tells of differences; they have been printed.
type differs struct{}

func (differs) Error() string { return "there are differences" }

func (a *app) machinesDiff(r *remote) *cobra.Command {
	var exit bool
	cmd := &cobra.Command{
		Use:   "diff MACHINE|ARN [FROM] [TO]",
		Short: "Show how a state machine's versions, or a file, differ: by state and field",
		Long: `Show how two definitions of a state machine differ, by state and field. FROM and TO are each the number of a version,
current, a FILE, or - for stdin. Without TO, a file is compared with what is current, and a version likewise; without FROM it is
the newest version. The order of states and fields makes no difference, nor does how numbers are written.`,
		Example: `  weft machines diff order                      # what publishing would change
  weft machines diff order 1 2
  weft machines diff order ./order.asl.json     # what an update would change
  weft machines diff order order.asl.json --exit-code || echo "not deployed"`,
		Args: args(1, 3, "MACHINE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, to, err := a.compared(cmd.Context(), r, args)
			if err != nil {
				return err
			}
			return a.showDiff(r, from, to, exit)
		},
	}
	exitCodeFlag(cmd, &exit)
	return cmd
}

func exitCodeFlag(cmd *cobra.Command, exit *bool) {
	cmd.Flags().BoolVar(exit, "exit-code", false, "exit with 1 if there are differences")
}

func (a *app) runsDiff(r *remote) *cobra.Command {
	var exit bool
	cmd := &cobra.Command{
		Use:   "diff RUN",
		Short: "Show how the definition a run has kept differs from its machine's current one",
		Example: `  weft runs diff order/7
  weft runs diff order/7 --exit-code && weft runs redrive order/7`,
		Args: args(1, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			arn, err := r.machineRunARN(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			kept, err := r.c.DescribeMachineForRun(cmd.Context(), arn)
			if err != nil {
				return err
			}
			now, err := r.c.DescribeMachine(cmd.Context(), kept.ARN)
			if err != nil {
				return err
			}
			return a.showDiff(r, definitionOf(kept, args[0]), definitionOf(now, now.Name), exit)
		},
	}
	exitCodeFlag(cmd, &exit)
	return cmd
}

// definitionOf is a server's definition, for messages under this name.
func definitionOf(m *client.Machine, name string) *definition {
	d := newDefinition(name, []byte(m.Definition))
	d.express = m.Type == "EXPRESS"
	return d
}

// current is how a person names what a machine is now.
const current = "current"

// compared returns the two definitions that the arguments name.
func (a *app) compared(ctx context.Context, r *remote, args []string) (from, to *definition, err error) {
	now, err := a.describe(ctx, r, args[0])
	if err != nil {
		return nil, nil, err
	}
	refs := [2]string{current, current}
	switch len(args) {
	case 1:
		if refs[0], err = r.newest(ctx, now); err != nil {
			return nil, nil, err
		}
	case 2:
		refs[0] = args[1]
		if isFile(args[1]) {
			refs = [2]string{current, args[1]}
		}
	case 3:
		refs = [2]string{args[1], args[2]}
	}
	var defs [2]*definition
	for i, ref := range refs {
		if defs[i], err = a.versionOrFile(ctx, r, now, ref); err != nil {
			return nil, nil, err
		}
	}
	return defs[0], defs[1], nil
}

// newest returns the number of a machine's newest version.
func (r *remote) newest(ctx context.Context, m *client.Machine) (string, error) {
	for v, err := range r.c.Versions(ctx, m.ARN, 1) {
		if err != nil {
			return "", err
		}
		return qualifier(v.ARN), nil
	}
	return "", usage("%s has no versions to compare with; name a file, or publish one with `weft machines publish %s`", m.Name, m.Name)
}

// isFile holds for what is no version; a file that is called 1 is ./1.
func isFile(ref string) bool {
	_, err := strconv.Atoi(ref)
	return err != nil && ref != current
}

func (a *app) versionOrFile(ctx context.Context, r *remote, now *client.Machine, ref string) (*definition, error) {
	switch {
	case ref == current:
		return definitionOf(now, now.Name), nil
	case !isFile(ref):
		v, err := r.c.DescribeMachine(ctx, now.ARN+":"+ref)
		if err != nil {
			return nil, err
		}
		return definitionOf(v, now.Name+":"+ref), nil
	}
	if _, err := os.Stat(ref); err != nil && ref != "-" && !strings.ContainsAny(ref, "./\\") {
		return nil, usage("%q is no version's number, not %s and no file", ref, current)
	}
	def, err := a.readDefinition(ref)
	if err == nil {
		def.express = now.Type == "EXPRESS"
	}
	return def, err
}

// changeLine is what --json prints for a difference.
type changeLine struct {
	Change diff.Kind       `json:"change"`
	State  string          `json:"state,omitempty"`
	Path   string          `json:"path"`
	Old    json.RawMessage `json:"old,omitempty"`
	New    json.RawMessage `json:"new,omitempty"`
}

// showDiff prints the differences of two definitions.
func (a *app) showDiff(r *remote, from, to *definition, exit bool) error {
	var machines [2]*asl.Machine
	for i, def := range []*definition{from, to} {
		var err error
		if machines[i], err = a.check(def); err != nil {
			return err
		}
	}
	changes := diff.Machines(machines[0], machines[1])
	for _, c := range changes {
		if !r.json {
			break
		}
		if err := r.line(changeLine{c.Kind, c.State, c.Path, c.Old, c.New}); err != nil {
			return err
		}
	}
	switch {
	case len(changes) == 0:
		a.note("%s and %s mean the same", from.name, to.name)
		return nil
	case !r.json:
		if err := a.printDiff(from, to, changes); err != nil {
			return err
		}
	}
	if exit {
		return differs{}
	}
	return nil
}

// printDiff prints differences for a person: what became of each state, and of its fields.
func (a *app) printDiff(from, to *definition, changes []diff.Change) error {
	s := a.outStyle()
	p := a.fields()
	p.printf("%s\n%s\n", s.Red("--- "+console.Clean(from.name)), s.Green("+++ "+console.Clean(to.name)))
	last := "\x00" // no state is called so
	for _, c := range changes {
		if c.Field == "" && c.Kind != diff.Changed {
			p.printf("%s %s\n", mark(s, c.Kind), s.Bold(console.Clean(c.State))+" "+s.Dim("("+stateType(&c)+")"))
			last = c.State
			continue
		}
		if c.State != last {
			title := c.State
			if title == "" {
				title = "the machine"
			}
			p.printf("%s %s\n", mark(s, diff.Changed), s.Bold(console.Clean(title)))
			last = c.State
		}
		p.printf("    %s %s: %s\n", mark(s, c.Kind), console.Clean(c.Field), a.values(s, &c))
	}
	return p.flush()
}

// mark is the sign of a change.
func mark(s console.Style, kind diff.Kind) string {
	switch kind {
	case diff.Added:
		return s.Green("+")
	case diff.Removed:
		return s.Red("-")
	}
	return s.Yellow("~")
}

// stateType is the type of a state that came or went.
func stateType(c *diff.Change) string {
	text := c.New
	if c.Kind == diff.Removed {
		text = c.Old
	}
	var state struct{ Type string }
	_ = json.Unmarshal(text, &state) // what is not there is not shown
	return console.Clean(state.Type)
}

// values shows what a field was and is. On a terminal, long ones are cut so that both can be seen.
func (a *app) values(s console.Style, c *diff.Change) string {
	show := func(text []byte) string {
		v := console.Clean(string(text))
		if a.OutTTY {
			v = console.Truncate(v, max(a.width()/3, 20))
		}
		return v
	}
	switch c.Kind {
	case diff.Added:
		return s.Green(show(c.New))
	case diff.Removed:
		return s.Red(show(c.Old))
	}
	return strings.Join([]string{s.Red(show(c.Old)), s.Green(show(c.New))}, " → ")
}
