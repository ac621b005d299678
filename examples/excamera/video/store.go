package video

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Lost says that what an earlier stage has written is not there: the film was finished, or somebody has removed it.
type Lost struct{ Problem string }

func (e Lost) Error() string { return e.Problem }

// store is the directory of a film.
type store string

// parts is where the files are that go when the film is finished.
const parts = "parts"

// newStore makes the directory of a film below base.
func newStore(base string) (store, error) {
	if base == "" {
		base = filepath.Join(os.TempDir(), fmt.Sprintf("weft-excamera-%d", os.Getuid()))
	}
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(base, "film-*")
	if err != nil {
		return "", err
	}
	return store(dir), os.Mkdir(filepath.Join(dir, parts), 0o700)
}

func (s store) path(name string) string { return filepath.Join(string(s), parts, name) }

// put keeps data, and returns the name of it, which is made from the contents.
func (s store) put(data []byte) (name string, err error) {
	sum := sha256.Sum256(data)
	name = hex.EncodeToString(sum[:12])
	return name, replace(s.path(name), data)
}

// get returns what put has kept under a name.
func (s store) get(name string) ([]byte, error) {
	if name == "" || name != filepath.Base(name) {
		return nil, Lost{fmt.Sprintf("%q names nothing in %s", name, string(s))}
	}
	data, err := os.ReadFile(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Lost{fmt.Sprintf("%s is not there any more: start a new run", s.path(name))}
	}
	return data, err
}

// replace writes a file whole, or not at all.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".*.part")
	if errors.Is(err, fs.ErrNotExist) {
		return Lost{fmt.Sprintf("%s is not there any more: start a new run", filepath.Dir(path))}
	}
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone after the rename
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
