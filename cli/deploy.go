package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
	here "github.com/weftworks/weft/unum/deploy/local"
)

// weftDir is where deployments are remembered, below the working directory.
const weftDir = ".weft"

// The targets of deployments.
const (
	toLocal = "local"
	toAWS   = "aws"
	toGCP   = "gcp"
)

var targets = []string{toLocal, toAWS, toGCP}

// deployFlags are the flags of `weft deploy`.
type deployFlags struct {
	to, name, config, state        string
	dryRun, json, quiet            bool
	export, out                    string
	run, serve                     bool
	input, listen                  string
	arch, region, profile, project string
	prices                         string
}

const deployHelp = `Deploy a state machine, or instructions written by hand, so that it runs without an orchestrator: the
functions themselves carry the workflow on. PATH is what weft compile takes; for aws and gcp also the directory of
a weft build.

The plan is made of what is really there: deploying again changes what has changed, and goes on where an earlier
attempt broke off. --dry-run prints the plan and changes nothing. weft destroy takes everything away again. What was
deployed is remembered in .weft/deployments.

--to local runs the functions on this machine. With --run the application runs once, in this process: on stderr its
checkpoints appear and vanish, and what the run would cost; on stdout is its result. With --serve it goes on
serving until it is interrupted: weft runs start --on local.

--to aws and --to gcp take credentials and regions from where the clouds' own tools take them. --export writes a
template for AWS SAM or Terraform instead of deploying.`

func (a *app) deployCommand() *cobra.Command {
	var f deployFlags
	cmd := &cobra.Command{
		Use:   "deploy PATH",
		Short: "Deploy an application that needs no orchestrator: to this machine, AWS or Google Cloud",
		Long:  deployHelp,
		Example: `  weft deploy examples/text --to local --run
  weft deploy orders --to aws --dry-run
  weft deploy orders --to aws --region eu-central-1
  weft deploy orders --to aws --export terraform -o orders.tf.json`,
		Args: args(1, 1, "PATH"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.deploy(cmd.Context(), args[0], &f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.to, "to", "", "`TARGET`: local, aws or gcp")
	fl.StringVar(&f.name, "name", "", "`NAME` of the deployment, which its resources' names begin with (default the application's)")
	fl.StringVar(&f.config, "config", "", "`FILE` that declares the functions (default weft.yaml beside the machine)")
	fl.StringVar(&f.state, "state", weftDir, "`DIR` where deployments are remembered")
	fl.BoolVar(&f.dryRun, "dry-run", false, "print the plan and change nothing")
	fl.BoolVar(&f.json, "json", false, "print what was done, or the run's result, as JSON")
	fl.BoolVar(&f.quiet, "quiet", false, "show no progress")
	fl.BoolVar(&f.run, "run", false, "local: run it once, show its checkpoints and what it costs, and print the result")
	fl.StringVar(&f.input, "input", "", "with --run: `JSON`, @FILE, or - for stdin (default input.json in PATH, else {})")
	fl.StringVar(&f.prices, "prices", "aws us-east-1", "with --run: `CLOUD REGION [DATE]` of the prices")
	fl.BoolVar(&f.serve, "serve", false, "local: serve it until interrupted")
	fl.StringVar(&f.listen, "listen", "127.0.0.1:0", "with --serve: loopback `ADDRESS` to listen on")
	fl.StringVar(&f.export, "export", "", "aws, gcp: write a template for `TOOL` (sam, aws only; terraform) instead of deploying")
	fl.StringVarP(&f.out, "output", "o", "", "with --export: `FILE` to write (default template.yaml, NAME.tf.json)")
	fl.StringVar(&f.arch, "arch", "arm64", "aws: `ARCH` of the functions: arm64 or amd64")
	fl.StringVar(&f.region, "region", "", "aws, gcp: `REGION` (default as the SDK has it; gcp: $GOOGLE_CLOUD_REGION)")
	fl.StringVar(&f.profile, "profile", "", "aws: `PROFILE` of the SDK's configuration")
	fl.StringVar(&f.project, "project", "", "gcp: `PROJECT` (default $GOOGLE_CLOUD_PROJECT)")
	return cmd
}

func (f *deployFlags) check() error {
	switch {
	case f.to == "":
		return usage("--to is missing: local, aws or gcp")
	case !slices.Contains(targets, f.to):
		return usage("--to %q is not known; use local, aws or gcp", f.to)
	case (f.run || f.serve) && f.to != toLocal:
		return usage("--run and --serve are for --to local; start a run with weft runs start --on %s", f.to)
	case f.run && f.serve:
		return usage("--run ends with its run, and --serve goes on: choose one of them")
	case f.export != "" && f.to == toLocal:
		return usage("--export is for --to aws and --to gcp")
	case f.export == "sam" && f.to == toGCP:
		return usage("--export sam is for --to aws; Google Cloud has --export terraform")
	case f.export != "" && f.export != "sam" && f.export != "terraform":
		return usage("--export %q is not known; use sam or terraform", f.export)
	}
	return knownArch(f.arch)
}

func (a *app) deploy(ctx context.Context, path string, f *deployFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.to == toLocal {
		return a.deployLocal(ctx, path, f)
	}
	return a.deployCloud(ctx, path, f)
}

// goodName is what deployments may be called: their resources' names begin with it.
var goodName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

// plainName makes a deployment's name of an application's.
func plainName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	name = strings.Trim(name, "-")
	if name == "" || name[0] < 'a' {
		name = "app-" + name
	}
	return strings.TrimRight(name[:min(len(name), 40)], "-")
}

// deployment opens what is remembered of a deployment, and makes the directory it is remembered in.
func (a *app) deployment(f *deployFlags, appName string) (*deploy.State, error) {
	if f.name == "" {
		f.name = plainName(appName)
	}
	if !goodName.MatchString(f.name) {
		return nil, usage("--name %q is no name of a deployment: a small letter, then at most 39 small letters, digits and '-'", f.name)
	}
	if !f.dryRun {
		if err := keepOutOfGit(f.state); err != nil {
			return nil, err
		}
	}
	s, err := deploy.Load(statePath(f.state, f.to, f.name))
	if err != nil {
		return nil, err
	}
	s.Name, s.Target = f.name, f.to
	return s, nil
}

func statePath(state, target, name string) string {
	return filepath.Join(state, "deployments", target, name+".json")
}

// directory is where a deployment keeps files of its own.
func directory(state, target, name string) string {
	return strings.TrimSuffix(statePath(state, target, name), ".json")
}

// apply makes a plan, shows it, and carries it out unless that is all that was asked for.
func (a *app) apply(ctx context.Context, target deploy.Target, wanted []deploy.Resource, s *deploy.State, f *deployFlags) error {
	plan, err := deploy.NewPlan(ctx, target, wanted, s)
	if err != nil {
		return err
	}
	if f.dryRun {
		if f.json {
			return a.object(planJSON(plan))
		}
		return plan.Text(a.Out)
	}
	return a.carryOut(ctx, target, plan, s, f)
}

// carryOut carries out a plan with a line for each step.
func (a *app) carryOut(ctx context.Context, target deploy.Target, plan *deploy.Plan, s *deploy.State, f *deployFlags) error {
	style := a.errStyle()
	var began time.Time
	return deploy.Apply(ctx, target, plan, s, func(step deploy.Step) {
		switch {
		case f.quiet:
		case !step.Done:
			began = a.Now()
		case step.Err == nil:
			fmt.Fprintf(a.Err, "  %s %-7s %-9s %s %s\n", style.Dim(fmt.Sprintf("%2d/%d", step.Index, step.Of)), step.Action.Verb,
				step.Action.ID.Kind(), console.Clean(shortPath(step.Action.Name)), style.Dim(console.Elapsed(a.Now().Sub(began))))
		}
	})
}

// planned is an action as --json prints it.
type planned struct {
	Action  deploy.Verb     `json:"action"`
	ID      deploy.ID       `json:"id"`
	Name    string          `json:"name"`
	Changes []deploy.Change `json:"changes,omitempty"`
}

func planJSON(p *deploy.Plan) any {
	out := make([]planned, len(p.Actions))
	for i := range p.Actions {
		act := &p.Actions[i]
		out[i] = planned{act.Verb, act.ID, act.Name, act.Changes}
	}
	return map[string]any{"actions": out}
}

// object prints v as JSON: indented on a terminal.
func (a *app) object(v any) error { return (&remote{app: a}).object(v) }

func (a *app) destroyCommand() *cobra.Command {
	var f deployFlags
	cmd := &cobra.Command{
		Use:   "destroy DEPLOYMENT",
		Short: "Take a deployment away, with its functions and its records",
		Long: `Take away everything that weft deploy has made for a deployment, and the records of its runs with it.
DEPLOYMENT is its name, TARGET/NAME where several targets have one of that name, or a target that has one
deployment. Nothing is taken away that it has not made. What cannot be taken away is said, and tried again
by the same command.`,
		Example: "  weft destroy text\n  weft destroy aws/orders --dry-run",
		Args:    args(1, 1, "DEPLOYMENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := findDeployment(f.state, args[0])
			if err != nil {
				return err
			}
			f.to, f.name = s.Target, s.Name
			if f.region == "" {
				f.region = s.Settings["region"]
			}
			if f.profile == "" {
				f.profile = s.Settings["profile"]
			}
			target, closeTarget, err := a.openTarget(cmd.Context(), s, &f)
			if err != nil {
				return err
			}
			defer closeTarget()
			if err := a.apply(cmd.Context(), target, nil, s, &f); err != nil || f.dryRun {
				return err
			}
			if err := os.RemoveAll(directory(f.state, f.to, f.name)); err != nil {
				return err
			}
			if !f.quiet {
				a.note("destroyed %s/%s", f.to, f.name)
			}
			return s.Remove()
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.state, "state", weftDir, "`DIR` where deployments are remembered")
	fl.BoolVar(&f.dryRun, "dry-run", false, "print the plan and change nothing")
	fl.BoolVar(&f.json, "json", false, "with --dry-run: print the plan as JSON")
	fl.BoolVar(&f.quiet, "quiet", false, "show no progress")
	fl.StringVar(&f.region, "region", "", "aws: `REGION` (default the one it was deployed to)")
	fl.StringVar(&f.profile, "profile", "", "aws: `PROFILE` of the SDK's configuration")
	return cmd
}

// openTarget returns where a deployment is.
func (a *app) openTarget(ctx context.Context, s *deploy.State, f *deployFlags) (deploy.Target, func(), error) {
	if s.Target == toLocal {
		if c, err := here.Dial(directory(f.state, s.Target, s.Name), nil); err == nil {
			c.Close()
			return nil, nil, fault.New("", fault.Conflict, s.Target+"/"+s.Name, "the deployment is served by another process: end that first (Ctrl-C, where weft deploy --to local --serve was called)")
		}
		return here.Target{}, func() {}, nil
	}
	return a.openCloud(ctx, f)
}

// findDeployment returns what is remembered of a deployment that a person named: by NAME, TARGET/NAME, or a target that has
// just one.
func findDeployment(state, ref string) (*deploy.State, error) {
	files, err := filepath.Glob(filepath.Join(state, "deployments", "*", "*.json"))
	if err != nil {
		return nil, err
	}
	var found, all []string
	for _, file := range files {
		target, name := filepath.Base(filepath.Dir(file)), strings.TrimSuffix(filepath.Base(file), ".json")
		all = append(all, target+"/"+name)
		if ref == target || ref == name || ref == target+"/"+name {
			found = append(found, file)
		}
	}
	switch {
	case len(found) == 1:
		return deploy.Load(found[0])
	case len(all) == 0:
		return nil, fault.New("", fault.ResourceNotFound, ref, "nothing has been deployed from here; weft deploy does that")
	case len(found) == 0:
		return nil, fault.New("", fault.ResourceNotFound, ref, "there is no such deployment; there are %s", strings.Join(all, ", "))
	}
	return nil, fault.New("", fault.InvalidArgument, ref, "several deployments could be meant: name one of %s", strings.Join(all, ", "))
}
