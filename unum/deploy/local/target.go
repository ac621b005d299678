package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
	"github.com/weftworks/weft/unum/ir"
)

// Directory is the spec of a directory.
type Directory struct{}

// File is the spec of a file.
type File struct {
	Text string `json:"text"`
}

// What a deployment consists of in its directory.
const (
	recordsDir = "records"
	appFile    = "app.json"
)

// Resources returns what an application needs in the directory of its deployment.
func Resources(app *ir.App, dir string) []deploy.Resource {
	return []deploy.Resource{
		{ID: "directory/records", Name: Records(dir), Spec: &Directory{}},
		{ID: "file/app", Name: filepath.Join(dir, appFile), Spec: &File{string(app.JSON())}},
	}
}

// Records is where a deployment keeps its records: Config.Dir.
func Records(dir string) string { return filepath.Join(dir, recordsDir) }

// App reads the application of a deployment.
func App(dir string) (*ir.App, error) {
	text, err := os.ReadFile(filepath.Join(dir, appFile))
	if err != nil {
		return nil, fault.New("local.app", fault.ResourceNotFound, dir, "the deployment has no application any more: deploy it again")
	}
	return ir.Parse([]ir.File{{Name: appFile, Text: text}})
}

// SaveApp writes the application of a deployment that is elsewhere, for those who start runs from here.
func SaveApp(dir string, app *ir.App) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, appFile), app.JSON(), 0o600)
}

// Target is the files of this machine.
type Target struct{}

// Read implements deploy.Target.
func (Target) Read(_ context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	if r.ID.Kind() == "directory" {
		info, err := os.Stat(r.Name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil
		case err == nil && !info.IsDir():
			return nil, fault.New("local.read", fault.Conflict, r.Name, "it is a file, and a directory is wanted")
		}
		return &deploy.Observed{Spec: &Directory{}}, err
	}
	text, err := os.ReadFile(r.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return &deploy.Observed{Spec: &File{string(text)}}, err
}

// Create implements deploy.Target.
func (Target) Create(_ context.Context, r *deploy.Resource) (deploy.Attrs, error) {
	spec, file := r.Spec.(*File)
	if !file {
		return deploy.Attrs{}, os.MkdirAll(r.Name, 0o700)
	}
	if err := os.MkdirAll(filepath.Dir(r.Name), 0o700); err != nil {
		return nil, err
	}
	return deploy.Attrs{}, os.WriteFile(r.Name, []byte(spec.Text), 0o600)
}

// Update implements deploy.Target.
func (t Target) Update(ctx context.Context, r *deploy.Resource, _ *deploy.Observed) (deploy.Attrs, error) {
	return t.Create(ctx, r)
}

// Delete implements deploy.Target.
func (Target) Delete(_ context.Context, o *deploy.Owned) error { return os.RemoveAll(o.Name) }
