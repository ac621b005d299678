package dir

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/weftworks/weft/objectstore"
)

// Delete removes the file of an object and the directories that are empty without it, up to its bucket's.
func (s *Store) Delete(ctx context.Context, name objectstore.Name) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	file, err := locate("Delete", name)
	if err != nil {
		return err
	}
	parent, err := s.remove(file)
	if err == nil {
		err = syncDir(s.root, parent)
	}
	if err == nil {
		return nil
	}
	if err = s.failed("Delete", name, err); objectstore.IsCode(err, objectstore.NoSuchKey) {
		return nil
	}
	return err
}

// remove removes a regular file and returns the closest directory above that stays.
func (s *Store) remove(file string) (parent string, err error) {
	s.tree.Lock()
	defer s.tree.Unlock()
	info, err := s.root.Stat(file)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() { // no object, as for Get
		return "", fs.ErrNotExist
	}
	if err := s.root.Remove(file); err != nil {
		return "", err
	}
	parent = path.Dir(file)
	for strings.Contains(parent, "/") {
		if err := s.root.Remove(parent); err != nil && !errors.Is(err, fs.ErrNotExist) {
			break // it has others, or must stay
		}
		parent = path.Dir(parent)
	}
	return parent, nil
}
