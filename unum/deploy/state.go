package deploy

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/weftworks/weft/fault"
)

// Owned is a resource that a deployment has made, or has begun to.
type Owned struct {
	ID    ID     `json:"id"`
	Name  string `json:"name"`
	Attrs Attrs  `json:"attrs,omitempty"` // none: it may not be there
}

// State is what is remembered of a deployment, in a file of its own.
type State struct {
	Version int    `json:"version"`
	Name    string `json:"name"`   // of the deployment
	Target  string `json:"target"` // "local", "aws", "gcp"
	// Settings say where it is, as the target needs it: region, project, directory, …
	Settings map[string]string `json:"settings,omitempty"`
	// Resources are in the order in which they were made.
	Resources []Owned `json:"resources"`

	path string
}

const stateVersion = 1

// Load reads the state of a deployment; a new one when there is no file.
func Load(path string) (*State, error) {
	s := &State{Version: stateVersion, path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fault.New("deploy.load", fault.Corrupt, path, "the file of the deployment is no JSON of ours: %w", err)
	}
	if s.Version != stateVersion {
		return nil, fault.New("deploy.load", fault.Unsupported, path, "the file of the deployment is of version %d, and this Weft knows %d", s.Version, stateVersion)
	}
	return s, nil
}

// Save writes the state to its file, all of it or nothing.
func (s *State) Save() error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), s.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Remove removes the file.
func (s *State) Remove() error {
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Find returns what the deployment has of an id and a name, nil if nothing.
func (s *State) Find(id ID, name string) *Owned {
	i := slices.IndexFunc(s.Resources, func(o Owned) bool { return o.ID == id && o.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Resources[i]
}

// Attr returns an attribute of a resource that the deployment has; "" if it has none.
func (s *State) Attr(id ID, attr string) string {
	for i := range s.Resources {
		if s.Resources[i].ID == id {
			return s.Resources[i].Attrs[attr]
		}
	}
	return ""
}

// own remembers a resource.
func (s *State) own(r *Resource, attrs Attrs) {
	if o := s.Find(r.ID, r.Name); o != nil {
		o.Attrs = attrs
		return
	}
	s.Resources = append(s.Resources, Owned{r.ID, r.Name, attrs})
}

func (s *State) disown(o *Owned) {
	s.Resources = slices.DeleteFunc(s.Resources, func(other Owned) bool { return other.ID == o.ID && other.Name == o.Name })
}
