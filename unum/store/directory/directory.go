// Package directory takes a data directory for a process: it makes it, so that its name survives a power cut, and keeps
// other processes out of it.
//
//	lock, err := directory.Take("embedded.Open", vfs.Default, dir)
//	defer lock.Close()
package directory

import (
	"errors"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/fault"
)

// Take makes a directory if it is not there and locks its file LOCK until the result is closed, or the process ends. It
// fails with fault.Conflict when another has it. op is for errors.
func Take(op string, fs vfs.FS, dir string) (io.Closer, error) {
	if err := build(fs, dir); err != nil {
		return nil, fault.New(op, fault.InvalidArgument, dir, "the directory cannot be made: %w", err)
	}
	lock, err := fs.Lock(fs.PathJoin(dir, "LOCK"))
	if err != nil {
		return nil, fault.New(op, fault.Conflict, dir, "the directory is in use by another process, or cannot be locked; stop that process, or use its store through its address: %w", err)
	}
	return lock, nil
}

// build makes a directory and its parents and makes their entries durable.
func build(fs vfs.FS, dir string) error {
	if _, err := fs.Stat(dir); err == nil {
		return nil
	}
	parent := fs.PathDir(dir)
	if parent != dir && parent != "." && parent != "" {
		if err := build(fs, parent); err != nil {
			return err
		}
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if parent == "" {
		parent = "."
	}
	d, err := fs.OpenDir(parent)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
