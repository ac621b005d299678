package cli

import (
	"cmp"
	"context"
	"errors"

	"cloud.google.com/go/firestore"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/deploy"
	"github.com/weftworks/weft/unum/deploy/build"
	"github.com/weftworks/weft/unum/deploy/gcp"
	platform "github.com/weftworks/weft/unum/platform/gcp"
	firestorestore "github.com/weftworks/weft/unum/store/firestore"
)

// placeOf completes where on Google Cloud a deployment is; AWS's SDK knows where by itself.
func (a *app) placeOf(f *deployFlags) error {
	if f.to != toGCP {
		return nil
	}
	f.project = cmp.Or(f.project, a.Env("GOOGLE_CLOUD_PROJECT"), a.Env("CLOUDSDK_CORE_PROJECT"))
	f.region = cmp.Or(f.region, a.Env("GOOGLE_CLOUD_REGION"), a.Env("CLOUDSDK_FUNCTIONS_REGION"))
	switch {
	case f.project == "":
		return usage("no project is known: give --project, or set GOOGLE_CLOUD_PROJECT")
	case f.region == "":
		return usage("no region is known: give --region, or set GOOGLE_CLOUD_REGION")
	}
	return nil
}

// onGoogle returns the resources of a build on Google Cloud.
func (f *deployFlags) onGoogle(m *build.Manifest, dir string, s *deploy.State) ([]deploy.Resource, error) {
	place := gcp.Place{Project: f.project, Region: f.region}
	s.Settings = map[string]string{"project": f.project, "region": f.region}
	return place.Resources(&gcp.Build{Manifest: m, Dir: dir}, f.name, place.QueueOf(s, f.name))
}

// googleTemplate writes a template for Terraform.
func (a *app) googleTemplate(m *build.Manifest, dir string, f *deployFlags) error {
	place := gcp.Place{Project: f.project, Region: f.region}
	wanted, err := place.Resources(&gcp.Build{Manifest: m, Dir: dir}, f.name, place.Queue(f.name, "tasks"))
	if err != nil {
		return err
	}
	return a.template(len(wanted), f, func(relative func(string) (string, error)) ([]byte, error) {
		return place.Terraform(wanted, f.name, relative)
	})
}

// openGoogle opens Google Cloud, wherever gcloud's variables say its APIs are.
func (a *app) openGoogle(ctx context.Context) (deploy.Target, func(), error) {
	o, err := gcp.OptionsOf(a.Env)
	if err != nil {
		return nil, nil, err
	}
	t, err := gcp.Open(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	return t, func() { _ = t.Close() }, nil // nothing is under way
}

// googleRuntime is cloudRuntime on Google Cloud.
func (a *app) googleRuntime(ctx context.Context, s *deploy.State) (*unum.Runtime, func(), error) {
	c, err := gcp.Connect(s)
	if err != nil {
		return nil, nil, err
	}
	records, err := firestore.NewClientWithDatabase(ctx, c.Project, c.Database)
	if err != nil {
		return nil, nil, fault.New("", fault.Unauthorized, s.Name, "Firestore cannot be opened: %w", err)
	}
	tasks, err := platform.Dial(ctx, a.Env)
	if err != nil {
		return nil, nil, errors.Join(err, records.Close())
	}
	closeAll := func() { _ = errors.Join(records.Close(), tasks.Close()) } // nothing is under way
	p, err := platform.New(tasks, platform.Config{Queue: c.Queue, Targets: c.Targets, ServiceAccount: c.Account, Deadline: platform.AnswerTime})
	if err != nil {
		closeAll()
		return nil, nil, err
	}
	return &unum.Runtime{Store: firestorestore.New(records, gcp.Collection), Platform: p}, closeAll, nil
}
