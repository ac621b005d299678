package build

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weftworks/weft/fault"
)

// ManifestName is the manifest's file in the directory of a build.
const ManifestName = "build.json"

// manifestVersion is the version of the manifest that this package reads and writes.
const manifestVersion = 1

// Arch is a processor architecture, as Go names it.
type Arch string

// The architectures of Lambda.
const (
	ARM64 Arch = "arm64"
	AMD64 Arch = "amd64"
)

// Manifest says what has been built. Files are named relative to its directory, with slashes.
type Manifest struct {
	Version int    `json:"version"`
	App     string `json:"app"`
	Entry   string `json:"entry"` // the function that runs begin with
	// RunTimeoutSeconds is how long a run may take; 0: as long as it likes.
	RunTimeoutSeconds int64  `json:"runTimeoutSeconds,omitempty"`
	Archs             []Arch `json:"archs"`
	// Layers are archives with the runtime, by architecture. Every function needs the one of its architecture.
	Layers    map[Arch]string `json:"layers"`
	Functions []Deployed      `json:"functions"`
	Files     map[string]File `json:"files"`
}

// Deployed is a function to deploy on Lambda.
type Deployed struct {
	Name string `json:"name"`           // of the application's instructions
	Code string `json:"code,omitempty"` // the user's function; "": none
	// Archives are by architecture; both name one file where the code is of any.
	Archives map[Arch]string `json:"archives"`
	Runtime  string          `json:"runtime"`
	Handler  string          `json:"handler"`
	// TimeoutSeconds is what the code asks for and what the runtime needs beside it.
	TimeoutSeconds int `json:"timeoutSeconds"`
	MemoryMiB      int `json:"memoryMiB"`
	// Environment is what the function needs of its own. Where the datastore and the platform are, the deployment adds.
	Environment map[string]string `json:"environment"`
	// Google is the same for Cloud Run functions; nil if that was not built.
	Google *OnGoogle `json:"google,omitempty"`
}

// Load reads the manifest of a build's directory; fault.ResourceNotFound if there is none.
func Load(dir string) (*Manifest, error) {
	const op = "build.Load"
	file := filepath.Join(dir, ManifestName)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(op, fault.ResourceNotFound, file, "nothing has been built there; run weft build first")
	}
	if err != nil {
		return nil, fault.New(op, fault.InvalidArgument, file, "%w", err)
	}
	m := new(Manifest)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fault.New(op, fault.InvalidArgument, file, "it is no manifest of a build: %w", err)
	}
	if m.Version != manifestVersion {
		return nil, fault.New(op, fault.InvalidArgument, file, "it is of version %d and this weft knows version %d: build again", m.Version, manifestVersion)
	}
	return m, nil
}

// save writes the manifest.
func (m *Manifest) save(dir string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return replace(filepath.Join(dir, ManifestName), append(text, '\n'))
}
