// Package dir is an object store in a local directory: a bucket is a subdirectory, an object a plain file whose path is its
// key. Files put there by hand are objects, and objects are files for every other program.
//
//	store, err := dir.Open("objects") // objects/shop/items.csv is s3://shop/items.csv
//	defer store.Close()
//
// A bucket is made with mkdir, or CreateBucket. Objects have no versions. With its last object a directory below a bucket goes. An object cannot have a key of which another is a parent: beside
// the file "a" there is no directory "a"; Put answers ObjectParentIsFile. Files whose names no key is escaped to (a
// lone '%', see escape.go) are not seen.
//
// An object that was committed survives a crash; of one that was not, a file .put-* may stay, which Open removes
// after a day. Nothing outside the directory is reached, by symbolic links neither.
package dir

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/objectstore"
)

const (
	// hashedBytes bounds the objects whose ETag is the MD5 of what is in them, as S3's is of an object that was put in one
	// piece. That of larger ones is made of size and time: a listing must not read gigabytes.
	hashedBytes = 8 << 20
	// uploadAge is after how long an upload that was not committed is taken for one of a process that is gone.
	uploadAge = 24 * time.Hour
)

// Store is the store in one directory.
type Store struct {
	root *os.Root
	// tree is held while directories of keys are made for an object to come, or removed behind one that went.
	tree sync.Mutex
}

var _ objectstore.Store = (*Store)(nil)

// Open opens the store in a directory, which it makes if need be, and removes uploads that were left there.
func Open(directory string) (*Store, error) {
	const op = "objectstore/dir.Open"
	if err := os.MkdirAll(directory, 0o777); err != nil {
		return nil, fault.New(op, fault.Unavailable, directory, "%w", err)
	}
	root, err := os.OpenRoot(directory)
	if err != nil {
		return nil, fault.New(op, fault.Unavailable, directory, "%w", err)
	}
	s := &Store{root: root}
	if err := s.sweep(time.Now().Add(-uploadAge)); err != nil {
		return nil, fault.New(op, fault.Unavailable, directory, "%w", errors.Join(err, root.Close()))
	}
	return s, nil
}

// Close closes the directory. Readers and writers that are open go on.
func (s *Store) Close() error { return s.root.Close() }

// sweep removes uploads that nobody has written to since a time.
func (s *Store) sweep(before time.Time) error {
	stale, err := fs.Glob(s.root.FS(), "*/"+uploading+"*")
	if err != nil {
		return err
	}
	for _, name := range stale {
		if info, err := s.root.Lstat(name); err == nil && info.Mode().IsRegular() && info.ModTime().Before(before) {
			if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// locate checks a name and returns the path of its file.
func locate(op string, name objectstore.Name) (string, error) {
	switch {
	case !bucketName(name.Bucket):
		return "", objectstore.NewError(op, name, objectstore.InvalidBucketName, nil)
	case name.Key == "" || !utf8.ValidString(name.Key):
		return "", objectstore.NewError(op, name, objectstore.InvalidArgument, errors.New("a key is UTF-8 of at least one byte"))
	case len(name.Key) > objectstore.KeyBytesMax:
		return "", objectstore.NewError(op, name, objectstore.KeyTooLong, nil)
	case name.Version != "" && name.Version != "null":
		return "", objectstore.NewError(op, name, objectstore.NoSuchVersion, nil)
	}
	return name.Bucket + "/" + pathOf(name.Key), nil
}

// bucketName reports whether a bucket may have this name: S3's letters, and capitals, which S3 once took.
func bucketName(s string) bool {
	if len(s) < 3 || len(s) > 63 || strings.Trim(s, ".") == "" {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == ""
}

// failed says in S3's words why the file system refused.
func (s *Store) failed(op string, name objectstore.Name, err error) error {
	code := objectstore.InternalError
	switch {
	case errors.Is(err, fs.ErrPermission):
		code = objectstore.AccessDenied
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		code = objectstore.NoSuchKey
		if info, err := s.root.Stat(name.Bucket); err != nil || !info.IsDir() {
			return objectstore.NewError(op, objectstore.Name{Bucket: name.Bucket}, objectstore.NoSuchBucket,
				fmt.Errorf("make it: mkdir %s", path.Join(s.root.Name(), name.Bucket)))
		}
	}
	return objectstore.NewError(op, name, code, err)
}

// Get opens the file of an object.
func (s *Store) Get(ctx context.Context, name objectstore.Name, o objectstore.GetOptions) (*objectstore.Object, error) {
	f, info, err := s.open(ctx, "Get", name)
	if err != nil {
		return nil, err
	}
	if o.Match != "" && o.Match != info.ETag {
		_ = f.Close()
		return nil, objectstore.NewError("Get", name, objectstore.PreconditionFailed, fmt.Errorf("the ETag is %s, not %s", info.ETag, o.Match))
	}
	if _, err := f.Seek(o.Offset, io.SeekStart); err != nil {
		_ = f.Close()
		return nil, objectstore.NewError("Get", name, objectstore.InvalidArgument, err)
	}
	body := io.ReadCloser(f)
	if o.Length > 0 {
		body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(f, o.Length), f}
	}
	return &objectstore.Object{Info: info, Body: body}, nil
}

// Head looks at the file of an object.
func (s *Store) Head(ctx context.Context, name objectstore.Name) (objectstore.Info, error) {
	f, info, err := s.open(ctx, "Head", name)
	if err != nil {
		return objectstore.Info{}, err
	}
	_ = f.Close() // it was only read
	return info, nil
}

func (s *Store) open(ctx context.Context, op string, name objectstore.Name) (*os.File, objectstore.Info, error) {
	if err := ctx.Err(); err != nil {
		return nil, objectstore.Info{}, err
	}
	file, err := locate(op, name)
	if err != nil {
		return nil, objectstore.Info{}, err
	}
	f, err := s.root.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a named pipe is not waited for
	if err != nil {
		return nil, objectstore.Info{}, s.failed(op, name, err)
	}
	info, err := infoOf(f, name.Key)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, objectstore.Info{}, s.failed(op, name, err)
	}
	return f, info, nil
}

// infoOf describes an open file, whose offset it moves. What is not a regular file does not exist.
func infoOf(f *os.File, key string) (objectstore.Info, error) {
	stat, err := f.Stat()
	if err != nil {
		return objectstore.Info{}, err
	}
	if !stat.Mode().IsRegular() {
		return objectstore.Info{}, fs.ErrNotExist
	}
	hash := md5.New()
	suffix := ""
	if stat.Size() <= hashedBytes {
		if _, err := io.Copy(hash, io.LimitReader(f, hashedBytes)); err != nil {
			return objectstore.Info{}, err
		}
	} else { // like the ETag of an object that was put in parts
		fmt.Fprintf(hash, "%d %d", stat.Size(), stat.ModTime().UnixNano())
		suffix = fmt.Sprintf("-%d", (stat.Size()+hashedBytes-1)/hashedBytes)
	}
	return objectstore.Info{
		Key: key, Size: stat.Size(), Modified: stat.ModTime().UTC().Truncate(time.Second),
		ETag: `"` + hex.EncodeToString(hash.Sum(nil)) + suffix + `"`, StorageClass: objectstore.StorageClassStandard,
	}, nil
}
