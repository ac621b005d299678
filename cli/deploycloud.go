package cli

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/deploy"
	"github.com/weftworks/weft/unum/deploy/aws"
	"github.com/weftworks/weft/unum/deploy/build"
	here "github.com/weftworks/weft/unum/deploy/local"
	"github.com/weftworks/weft/unum/hosted"
	"github.com/weftworks/weft/unum/ir"
	"github.com/weftworks/weft/unum/platform/lambda"
	store "github.com/weftworks/weft/unum/store/dynamodb"
)

// deployCloud deploys to a cloud, or writes a template.
func (a *app) deployCloud(ctx context.Context, path string, f *deployFlags) error {
	if err := a.placeOf(f); err != nil {
		return err
	}
	built, app, err := a.readBuild(ctx, path, f)
	if err != nil {
		return err
	}
	s, err := a.deployment(f, app.Name)
	if err != nil {
		return err
	}
	if f.export != "" && f.to == toGCP {
		return a.googleTemplate(built.Manifest, built.Dir, f)
	}
	if f.export != "" {
		wanted, err := aws.Resources(built, f.name)
		if err != nil {
			return err
		}
		return a.writeTemplate(wanted, f)
	}
	target, closeTarget, err := a.openCloud(ctx, f)
	if err != nil {
		return err
	}
	defer closeTarget()
	wanted, err := f.wanted(built, s)
	if err != nil {
		return err
	}
	if err := a.apply(ctx, target, wanted, s, f); err != nil || f.dryRun {
		return err
	}
	if err := here.SaveApp(directory(f.state, f.to, f.name), app); err != nil {
		return err
	}
	if f.json {
		return a.object(s)
	}
	if !f.quiet {
		a.note("deployed %s/%s to %s; run it with weft runs start --on %s", f.to, f.name, f.region, f.name)
	}
	return nil
}

// wanted returns the resources of a build, and notes in the state what those need to know who start runs.
func (f *deployFlags) wanted(p *aws.Package, s *deploy.State) ([]deploy.Resource, error) {
	if f.to == toAWS {
		p.Region = f.region
		s.Settings = map[string]string{"region": f.region, "profile": f.profile, "table": f.name, "prefix": aws.FunctionName(f.name, "")}
		return aws.Resources(p, f.name)
	}
	return f.onGoogle(p.Manifest, p.Dir, s)
}

// readBuild returns what is to be deployed: the build at path, or one of the application there, which is made below
// the directory of deployments.
func (a *app) readBuild(ctx context.Context, path string, f *deployFlags) (*aws.Package, *ir.App, error) {
	arch := build.Arch(f.arch)
	if beside(path, build.ManifestName) != "" {
		m, err := build.Load(path)
		if err != nil {
			return nil, nil, err
		}
		app, err := hosted.ReadApp(filepath.Join(path, "app"))
		return &aws.Package{Manifest: m, Dir: path, Arch: arch}, app, err
	}
	app, err := a.readApplication(path, f.config)
	if err != nil {
		return nil, nil, err
	}
	out := filepath.Join(f.state, "build", plainName(app.Name))
	if f.dryRun { // it leaves nothing behind
		if out, err = os.MkdirTemp("", "weft-build-"); err != nil {
			return nil, nil, err
		}
		defer os.RemoveAll(out)
	} else if err := keepOutOfGit(f.state); err != nil {
		return nil, nil, err
	}
	o, err := a.buildOptions(app, out)
	if err != nil {
		return nil, nil, err
	}
	if o.Archs = []build.Arch{arch}; f.to == toGCP {
		o.Archs, o.Google = nil, true
	}
	if f.quiet {
		o.Progress = nil
	}
	m, err := build.Build(ctx, o)
	return &aws.Package{Manifest: m, Dir: out, Arch: arch}, app.App, err
}

// openCloud opens the cloud that a deployment is on, and returns what closes it.
func (a *app) openCloud(ctx context.Context, f *deployFlags) (deploy.Target, func(), error) {
	if f.to == toGCP {
		return a.openGoogle(ctx)
	}
	t, err := aws.Open(ctx, f.region, f.profile)
	if err != nil {
		return nil, nil, err
	}
	f.region = t.Region
	return t, func() {}, nil
}

// writeTemplate writes resources for another tool.
func (a *app) writeTemplate(wanted []deploy.Resource, f *deployFlags) error {
	return a.template(len(wanted), f, func(relative func(string) (string, error)) ([]byte, error) {
		if f.export == "sam" {
			return aws.SAM(wanted, "The application "+f.name+", which needs no orchestrator", relative)
		}
		return aws.Terraform(wanted, relative)
	})
}

// template writes what text makes of n resources. relative is the path of a file as the template has it.
func (a *app) template(n int, f *deployFlags, text func(relative func(file string) (string, error)) ([]byte, error)) error {
	if f.out == "" {
		f.out = map[string]string{"sam": "template.yaml", "terraform": f.name + ".tf.json"}[f.export]
	}
	from, err := filepath.Abs(filepath.Dir(f.out))
	if err != nil {
		return err
	}
	out, err := text(func(file string) (string, error) {
		file, err := filepath.Abs(file)
		if err != nil {
			return "", err
		}
		rel, err := filepath.Rel(from, file)
		return filepath.ToSlash(rel), err
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.out, out, 0o644); err != nil {
		return fault.New("", fault.Conflict, f.out, "cannot be written: %w", err)
	}
	if !f.quiet {
		a.note("wrote %s to %s", console.Count(int64(n), "resource"), f.out)
	}
	return nil
}

// cloudRuntime connects to the datastore and the platform of a deployment, without a program.
func (a *app) cloudRuntime(ctx context.Context, s *deploy.State) (*unum.Runtime, func(), error) {
	if s.Target == toGCP {
		return a.googleRuntime(ctx, s)
	}
	var options []func(*awsconfig.LoadOptions) error
	if region := s.Settings["region"]; region != "" {
		options = append(options, awsconfig.WithRegion(region))
	}
	if profile := s.Settings["profile"]; profile != "" {
		options = append(options, awsconfig.WithSharedConfigProfile(profile))
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, nil, fault.New("", fault.InvalidArgument, s.Name, "the configuration of the AWS SDK cannot be read: %w", err)
	}
	return &unum.Runtime{
		Store:    store.New(store.Config{Client: dynamodb.NewFromConfig(cfg), Table: s.Settings["table"]}),
		Platform: hosted.Prefixed(lambda.New(cfg, lambda.Options{Queue: s.Attr("queue/delays", "url")}), s.Settings["prefix"]),
	}, func() {}, nil
}

// architectures are what functions can be built for.
var architectures = []string{string(build.ARM64), string(build.AMD64)}

func knownArch(arch string) error {
	if !slices.Contains(architectures, arch) {
		return usage("--arch %q is not known; use arm64 or amd64", arch)
	}
	return nil
}
