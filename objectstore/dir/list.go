package dir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"syscall"

	"github.com/weftworks/weft/objectstore"
)

// namesAtOnce bounds the names of one directory that a listing has in memory. A larger directory is read several times.
const namesAtOnce = 1 << 16

// List walks the directories of a bucket in the order of the keys.
func (s *Store) List(ctx context.Context, bucket, prefix, after string) iter.Seq2[objectstore.Info, error] {
	return func(yield func(objectstore.Info, error) bool) {
		name := objectstore.Name{Bucket: bucket}
		if !bucketName(bucket) {
			yield(objectstore.Info{}, objectstore.NewError("List", name, objectstore.InvalidBucketName, nil))
			return
		}
		if info, err := s.root.Stat(bucket); err != nil || !info.IsDir() {
			yield(objectstore.Info{}, s.failed("List", name, fs.ErrNotExist))
			return
		}
		w := &walk{store: s, ctx: ctx, bucket: bucket, prefix: prefix, after: after, most: namesAtOnce, yield: yield}
		if err := w.directory(prefix[:strings.LastIndexByte(prefix, '/')+1]); err != nil && !errors.Is(err, errStopped) {
			yield(objectstore.Info{}, err)
		}
	}
}

// walk is one listing.
type walk struct {
	store                 *Store
	ctx                   context.Context
	bucket, prefix, after string
	most                  int // names in memory of one directory
	yield                 func(objectstore.Info, error) bool
}

var errStopped = errors.New("the caller has seen enough")

// directory gives the objects whose keys begin with key, which is empty or ends in a slash. Of what is in it, a file is
// known by its part of the key, a directory by its part and a slash, so that parts sort as the keys do.
func (w *walk) directory(key string) error {
	for last, more := "", true; more; {
		parts, err := w.parts(key, last)
		if err != nil {
			return err
		}
		for _, part := range parts {
			step := w.object
			if strings.HasSuffix(part, "/") {
				step = w.directory
			}
			if err := step(key + part); err != nil {
				return err
			}
			last = part
		}
		more = len(parts) == w.most
	}
	return nil
}

// object gives one object.
func (w *walk) object(key string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	f, info, err := w.store.open(w.ctx, "List", objectstore.Name{Bucket: w.bucket, Key: key})
	if objectstore.IsCode(err, objectstore.NoSuchKey) {
		return nil // removed meanwhile, or no regular file
	} else if err != nil {
		return err
	}
	_ = f.Close() // it was only read
	if !w.yield(info, nil) {
		return errStopped
	}
	return nil
}

// parts returns the first parts in a directory, at most w.most, that sort behind last ("": all) and are wanted.
func (w *walk) parts(key, last string) ([]string, error) {
	at := w.bucket
	if key != "" {
		at += "/" + pathOf(key[:len(key)-1])
	}
	found := &smallest{most: w.most}
	err := w.names(at, "", func(part string) {
		if isDir := strings.HasSuffix(part, "/"); (last == "" || part > last) && w.wanted(key+part, isDir) {
			found.add(part)
		}
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return nil, w.store.failed("List", objectstore.Name{Bucket: w.bucket, Key: key}, err)
	}
	return found.sorted(), nil
}

// names calls fn with each part in a directory, in no order. below is where in it the beginning of a part goes on, or "".
func (w *walk) names(at, below string, fn func(part string)) error {
	d, err := w.store.root.Open(at + "/" + below)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	for {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		entries, err := d.ReadDir(1024)
		for _, e := range entries {
			if err := w.name(at, below+e.Name(), e.Type(), fn); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// name calls fn with the part that a name in a directory stands for, if it stands for one.
func (w *walk) name(at, name string, mode fs.FileMode, fn func(part string)) error {
	if mode&fs.ModeSymlink != 0 {
		info, err := w.store.root.Stat(at + "/" + name)
		if err != nil {
			return nil // it leads to nothing, or out of the store
		}
		mode = info.Mode()
	}
	part, more := unescape(name)
	switch {
	case more && mode.IsDir():
		return w.names(at, name+"/", fn)
	case more || escape(part) != name: // no key has this path
	case mode.IsDir():
		fn(part + "/")
	case mode.IsRegular():
		fn(part)
	}
	return nil
}

// wanted reports whether keys that begin with key, or are it if it is a file's, can be in the listing.
func (w *walk) wanted(key string, isDir bool) bool {
	if !isDir {
		return strings.HasPrefix(key, w.prefix) && key > w.after
	}
	return (strings.HasPrefix(key, w.prefix) || strings.HasPrefix(w.prefix, key)) && (key > w.after || strings.HasPrefix(w.after, key))
}

// smallest keeps the smallest of what is added to it.
type smallest struct {
	most  int
	parts []string
}

func (s *smallest) add(part string) {
	if s.parts = append(s.parts, part); len(s.parts) >= 2*s.most {
		s.parts = s.sorted()
	}
}

func (s *smallest) sorted() []string {
	slices.Sort(s.parts)
	return s.parts[:min(len(s.parts), s.most)]
}
