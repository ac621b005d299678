package deploy

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"time"

	"github.com/weftworks/weft/fault"
)

// Archive is a ZIP file of code.
type Archive struct {
	Path string `json:"path"`
	Hash string `json:"hash"` // SHA-256 of the file, base64
}

// ReadArchive returns the archive at a path.
func ReadArchive(path string) (Archive, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Archive{}, err
	}
	sum := sha256.Sum256(data)
	return Archive{path, base64.StdEncoding.EncodeToString(sum[:])}, nil
}

// Bundle is an application that has been packaged.
type Bundle struct {
	Name string // of the application
	Arch string // what its programs are built for: "arm64" or "amd64"
	// Layer has the runtime, which starts before the language's own; nil: the functions have it within.
	Layer     *Archive
	Functions []Function
}

// Function is a function of an application.
type Function struct {
	Name    string // of the IR
	Runtime string // as the platform calls it: "python3.13", "nodejs22.x", "provided.al2023"
	Handler string
	Code    Archive
	Memory  int // MiB
	Timeout time.Duration
	Env     map[string]string
	Start   bool // runs begin here
	Wrapped bool // the layer's program starts the language's runtime
}

// Start returns the function at which runs begin.
func (b *Bundle) Start() (*Function, error) {
	for i := range b.Functions {
		if b.Functions[i].Start {
			return &b.Functions[i], nil
		}
	}
	return nil, fault.New("deploy.bundle", fault.InvalidDefinition, b.Name, "no function of the application is the one that runs begin at")
}
