package dir

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/weftworks/weft/objectstore"
)

const bufferBytes = 256 << 10

// Put begins an object as a file of its bucket that no key leads to.
func (s *Store) Put(ctx context.Context, name objectstore.Name) (objectstore.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	file, err := locate("Put", name)
	if err != nil {
		return nil, err
	}
	temp := name.Bucket + "/" + uploading + rand.Text()
	f, err := s.root.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, s.failed("Put", name, err)
	}
	return &writer{store: s, ctx: ctx, name: name, file: file, temp: temp, f: f, buffer: bufio.NewWriterSize(f, bufferBytes)}, nil
}

// writer writes an object. f is nil once it has ended.
type writer struct {
	store      *Store
	ctx        context.Context
	name       objectstore.Name
	file, temp string
	f          *os.File
	buffer     *bufio.Writer
}

func (w *writer) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	if w.f == nil {
		return 0, objectstore.NewError("Put", w.name, objectstore.InvalidArgument, fs.ErrClosed)
	}
	n, err := w.buffer.Write(p)
	if err != nil {
		err = w.store.failed("Put", w.name, err)
	}
	return n, err
}

// Commit syncs the file before it gets its name and the directories after, so that a crash leaves all of it or nothing.
func (w *writer) Commit() (info objectstore.Info, err error) {
	if err := w.ctx.Err(); err != nil {
		return info, errors.Join(err, w.Abort())
	}
	if w.f == nil {
		return info, objectstore.NewError("Put", w.name, objectstore.InvalidArgument, fs.ErrClosed)
	}
	steps := []func() error{
		w.buffer.Flush,
		w.f.Sync,
		func() error { _, err := w.f.Seek(0, 0); return err },
		func() (err error) { info, err = infoOf(w.f, w.name.Key); return err },
		w.place,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			_ = w.Abort() // what it says is less than what failed
			return objectstore.Info{}, w.refused(err)
		}
	}
	err = w.f.Close()
	w.f = nil
	if err != nil {
		return objectstore.Info{}, w.refused(err)
	}
	return info, nil
}

// place gives the file its name, and makes that durable.
func (w *writer) place() error {
	if err := w.rename(); err != nil {
		return err
	}
	for parent := path.Dir(w.file); parent != "."; parent = path.Dir(parent) { // those above may be new too
		if err := syncDir(w.store.root, parent); err != nil && !errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
			return err
		}
	}
	return nil
}

func (w *writer) rename() error {
	w.store.tree.Lock()
	defer w.store.tree.Unlock()
	if err := w.store.root.MkdirAll(path.Dir(w.file), 0o777); err != nil {
		return err
	}
	return w.store.root.Rename(w.temp, w.file)
}

func syncDir(root *os.Root, name string) error {
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (w *writer) refused(err error) error {
	for _, taken := range []error{syscall.ENOTDIR, syscall.EISDIR, syscall.EEXIST, syscall.ENOTEMPTY} {
		if errors.Is(err, taken) {
			return objectstore.NewError("Put", w.name, objectstore.ParentIsObject, err)
		}
	}
	return w.store.failed("Put", w.name, err)
}

func (w *writer) Abort() error {
	if w.f == nil {
		return nil
	}
	err := errors.Join(w.f.Close(), w.store.root.Remove(w.temp))
	w.f = nil
	return err
}
