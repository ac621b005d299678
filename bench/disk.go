package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/bench/load"
)

// benchDisk measures what a write of 512 bytes and an fdatasync cost without us.
func benchDisk(r *report, c *settings) error {
	h, err := bareSyncs(c.dir, 2000)
	if err != nil {
		return err
	}
	r.add("disk.fdatasync.p50", h.Quantile(50), "ms", "512 bytes written and synced, no Weft")
	r.add("disk.fdatasync.p99", h.Quantile(99), "ms", "")
	return nil
}

// bareSyncs writes 512 bytes and syncs them, n times, to blocks of a file that were written before.
func bareSyncs(dir string, n int) (*load.Histogram, error) {
	path := filepath.Join(dir, "fdatasync.tmp")
	f, err := vfs.Default.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(path)
	}()
	if _, err := f.Write(make([]byte, n*512)); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	h := load.NewHistogram()
	block := make([]byte, 512)
	for i := range n {
		began := time.Now()
		if _, err := f.WriteAt(block, int64(i)*512); err != nil {
			return nil, err
		}
		if err := f.SyncData(); err != nil {
			return nil, err
		}
		h.Record(time.Since(began))
	}
	return h, nil
}
