package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/client"
	"github.com/weftworks/weft/cli/project"
	"github.com/weftworks/weft/cloudformation"
	"github.com/weftworks/weft/fault"
)

// importFlags says what becomes of a template's machines.
type importFlags struct {
	parameters             []string
	region, account, stack string
	dryRun, update         bool
	out                    string
}

func (a *app) machinesImport(r *remote) *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import TEMPLATE|-",
		Short: "Create the state machines of a CloudFormation or SAM template",
		Long: `Create the state machines of a CloudFormation or SAM template: AWS::StepFunctions::StateMachine and
AWS::Serverless::StateMachine. Conditions, mappings, parameters and intrinsic functions are worked out as CloudFormation does;
other resources become names and ARNs, made of their logical ids unless the template names them. What the template does not
hold, such as exports of other stacks, --parameter gives. What of it is not imported is said on standard error.`,
		Example: `  weft machines import template.yaml --dry-run
  weft machines import template.yaml --parameter Stage=prod --update
  weft machines import template.yaml --out machines      # files instead of a server`,
		Args: args(1, 1, "TEMPLATE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.out != "" && (f.dryRun || f.update) {
				return usage("--out writes files and creates nothing: leave out --dry-run and --update")
			}
			return a.importTemplate(cmd.Context(), r, args[0], f)
		},
	}
	fl := cmd.Flags()
	fl.StringArrayVar(&f.parameters, "parameter", nil, "`NAME=VALUE` of a parameter of the template, an export of another stack, or RESOURCE[.ATTRIBUTE]; repeat for more")
	fl.StringVar(&f.region, "region", "", "`REGION` of ARNs (default the server's)")
	fl.StringVar(&f.account, "account", "", "`ACCOUNT` of ARNs (default the server's)")
	fl.StringVar(&f.stack, "stack", "", "`NAME` of the stack, AWS::StackName (default the template's file name)")
	fl.BoolVar(&f.dryRun, "dry-run", false, "print the machines and create nothing; needs no server")
	fl.BoolVar(&f.update, "update", false, "give machines that exist the template's definition; their open runs keep theirs")
	fl.StringVar(&f.out, "out", "", "write NAME.asl.json files into `DIR` and create nothing; needs no server")
	return cmd
}

func (a *app) importTemplate(ctx context.Context, r *remote, path string, f importFlags) error {
	local := f.dryRun || f.out != ""
	if !local {
		if err := f.ofServer(ctx, r); err != nil {
			return err
		}
	}
	found, err := a.readTemplate(path, f)
	if err != nil {
		return err
	}
	for _, m := range found.Machines {
		def := newDefinition(path+", "+m.LogicalID, m.Definition)
		def.express = m.Type == "EXPRESS"
		if _, err := a.check(def); err != nil {
			return err
		}
	}
	if f.out != "" {
		if err := os.MkdirAll(f.out, 0o777); err != nil {
			return fault.New("", fault.InvalidArgument, f.out, "cannot make the directory: %w", errors.Unwrap(err))
		}
	}
	for i := range found.Machines {
		if err := a.importMachine(ctx, r, &found.Machines[i], f); err != nil {
			return err
		}
	}
	if len(found.Machines) == 0 {
		a.note("%s has no state machines", path)
	}
	return nil
}

// ofServer makes region and account those of the server's ARNs, if it has any yet.
func (f *importFlags) ofServer(ctx context.Context, r *remote) error {
	if _, err := r.dial(); err != nil {
		return err
	}
	prefix, err := r.arnPrefix(ctx)
	if err != nil {
		return err
	}
	if parts := strings.Split(prefix, ":"); len(parts) >= 5 {
		if f.region == "" {
			f.region = parts[3]
		}
		if f.account == "" {
			f.account = parts[4]
		}
	}
	return nil
}

// readTemplate reads a template's machines, and says what is wrong with it or not imported.
func (a *app) readTemplate(path string, f importFlags) (*cloudformation.Result, error) {
	var text []byte
	var err error
	dir := "."
	if path == "-" {
		def, stdinErr := a.readDefinition(path)
		if stdinErr != nil {
			return nil, stdinErr
		}
		path, text = def.name, def.text
	} else if text, err = project.Read(path); err != nil {
		return nil, err
	} else {
		dir = filepath.Dir(path)
	}
	o := cloudformation.Options{Region: f.region, Account: f.account, Stack: f.stack, Parameters: map[string]string{}}
	if o.Stack == "" {
		o.Stack = project.MachineName(strings.TrimSuffix(path, filepath.Ext(path)))
	}
	for _, p := range f.parameters {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, usage("--parameter %q is not NAME=VALUE", p)
		}
		o.Parameters[name] = value
	}
	o.ReadFile = func(name string) ([]byte, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return project.Read(name)
	}
	found, err := cloudformation.Import(text, o)
	var problems cloudformation.Problems
	if errors.As(err, &problems) {
		var said []problem
		for _, p := range problems {
			said = append(said, problem{line: p.Line, column: p.Column, message: p.Message})
		}
		return nil, a.refuse(newDefinition(shortPath(path), text), said)
	}
	if err != nil {
		return nil, err
	}
	for _, n := range found.Notes {
		a.note("%s:%d:%d: %s: %s", shortPath(path), n.Line, n.Column, n.Resource, n.Message)
	}
	return found, nil
}

// importedLine is what --json prints for a machine of a template.
type importedLine struct {
	Name       string               `json:"name"`
	LogicalID  string               `json:"logical_id"`
	Type       string               `json:"type"`
	Did        string               `json:"did"` // created, updated, wrote, nothing
	ARN        string               `json:"arn,omitempty"`
	File       string               `json:"file,omitempty"`
	RoleARN    string               `json:"role_arn,omitempty"`
	Tags       []cloudformation.Tag `json:"tags,omitempty"`
	Definition json.RawMessage      `json:"definition,omitempty"`
}

func (a *app) importMachine(ctx context.Context, r *remote, m *cloudformation.Machine, f importFlags) error {
	line := importedLine{Name: m.Name, LogicalID: m.LogicalID, Type: m.Type, RoleARN: m.RoleARN, Tags: m.Tags, Did: "nothing"}
	shown := ""
	switch {
	case f.dryRun:
		line.Definition = m.Definition
		if !r.json {
			p := a.fields()
			p.head(m.Name)
			p.line("resource", m.LogicalID)
			p.line("type", m.Type)
			p.line("role", m.RoleARN)
			for _, tag := range m.Tags {
				p.line("tag", tag.Key+"="+tag.Value)
			}
			p.block("definition", string(m.Definition))
			return p.flush()
		}
	case f.out != "":
		line.Did, line.File = "wrote", filepath.Join(f.out, fileName(m.Name)+".asl.json")
		if err := os.WriteFile(line.File, append(m.Definition, '\n'), 0o666); err != nil {
			return fault.New("", fault.InvalidArgument, line.File, "cannot write the definition: %w", errors.Unwrap(err))
		}
		shown = line.File
	default:
		var err error
		if line.ARN, line.Did, err = r.putMachine(ctx, m, f.update); err != nil {
			return err
		}
		a.note("%s %s", line.Did, m.Name)
		shown = line.ARN
	}
	if r.json {
		return r.line(line)
	}
	_, err := fmt.Fprintln(a.Out, shown)
	return err
}

// fileName makes a machine's name one that stays in its directory.
func fileName(name string) string {
	return strings.NewReplacer("/", "-", `\`, "-", ":", "-").Replace(strings.TrimLeft(name, "."))
}

// putMachine creates a machine, or updates it.
func (r *remote) putMachine(ctx context.Context, m *cloudformation.Machine, update bool) (arn, did string, err error) {
	in := client.CreateMachine{Name: m.Name, Definition: string(m.Definition), RoleARN: m.RoleARN, Type: m.Type, Logging: m.Logging, Tracing: m.Tracing}
	if in.RoleARN == "" {
		in.RoleARN = roleARN
	}
	for _, tag := range m.Tags {
		in.Tags = append(in.Tags, client.Tag{Key: tag.Key, Value: tag.Value})
	}
	arn, err = r.c.CreateMachine(ctx, in)
	switch {
	case err == nil && update: // of a machine that was there, and the same, the tags may be others
		return arn, "created", r.c.TagMachine(ctx, arn, in.Tags)
	case err == nil:
		return arn, "created", nil
	case !fault.Is(err, fault.MachineExists):
		return "", "", err
	case !update:
		return "", "", fault.New("", fault.MachineExists, m.Name, "a machine of this name exists and is another; add --update to change it (open runs keep the definition they started with)")
	}
	if arn, err = r.machineARN(ctx, m.Name); err != nil {
		return "", "", err
	}
	was, err := r.c.DescribeMachine(ctx, arn)
	if err != nil {
		return "", "", err
	}
	if was.Type != m.Type {
		return "", "", fault.New("", fault.MachineExists, m.Name, "the machine is %s and the template says %s, which cannot be changed; delete it first, or give the machine another name", was.Type, m.Type)
	}
	return arn, "updated", r.c.ReplaceMachine(ctx, arn, in)
}
