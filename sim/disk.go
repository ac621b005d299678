package sim

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// sector is what a disk writes whole or not at all (bytes).
const sector = 512

// errIO is what an access that was told to fail returns.
var errIO = errors.New("input/output error (simulated)")

// crash is what an access panics with that was told to end the process.
type crash struct{ power bool }

// faultPlan says what happens at which access, counted over the disk and the store. Zero: never.
type faultPlan struct {
	accesses int64
	failAt   int64
	crashAt  int64
	power    bool // the crash at crashAt is a power cut, not the death of the process
}

// access counts one and carries out what is planned for it.
func (p *faultPlan) access() error {
	p.accesses++
	if p.accesses == p.crashAt {
		panic(crash{power: p.power})
	}
	if p.accesses == p.failAt {
		return errIO
	}
	return nil
}

// Disk is a file system with a cache of what was written and a platter that has what was synced. It implements vfs.FS
// as far as the commit log uses it.
type Disk struct {
	rng    *rand.Rand
	plan   *faultPlan
	full   bool
	dirs   map[string]bool
	names  map[string]*inode // in the cache
	synced map[string]*inode // on the platter
	moves  []move            // from synced to names, oldest first
	inodes []*inode          // all, oldest first
	locks  map[string]bool
}

var _ vfs.FS = (*Disk)(nil)

// move is a change of names that is not durable yet: file is nil when the name went.
type move struct {
	dir, name string
	file      *inode
	gone      string // Rename: the old name, which goes in the same move
}

// inode is a file's bytes.
type inode struct {
	cache, platter []byte
	dirty          map[int]bool // sectors written and not synced
}

func newDisk(rng *rand.Rand, plan *faultPlan) *Disk {
	return &Disk{
		rng: rng, plan: plan, dirs: map[string]bool{".": true, "/": true}, names: make(map[string]*inode),
		synced: make(map[string]*inode), locks: make(map[string]bool),
	}
}

// Kill ends the process: what it wrote stays in the cache.
func (d *Disk) Kill() { clear(d.locks) }

// PowerCut forgets the cache. Of the sectors written and not synced any may be on the platter, and of the changes of
// names the oldest may be.
func (d *Disk) PowerCut() {
	d.Kill()
	odds := []float64{0, 0.5, 1}[d.rng.IntN(3)]
	for _, f := range d.inodes {
		for _, s := range f.dirtySectors() {
			if d.rng.Float64() < odds {
				f.persist(s)
			}
		}
		clear(f.dirty)
		f.cache = slices.Clone(f.platter)
	}
	d.persistMoves("", d.rng.IntN(len(d.moves)+1))
	d.moves = nil
	d.names = make(map[string]*inode, len(d.synced))
	d.inodes = d.inodes[:0]
	for _, name := range sortedNames(d.synced) {
		d.names[name] = d.synced[name]
		d.inodes = append(d.inodes, d.synced[name])
	}
}

func sortedNames(m map[string]*inode) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// persistMoves brings the oldest n moves in dir ("": anywhere) to the platter.
func (d *Disk) persistMoves(dir string, n int) {
	kept := d.moves[:0:0]
	for _, m := range d.moves {
		if (dir != "" && m.dir != dir) || n == 0 {
			kept = append(kept, m)
			continue
		}
		n--
		if m.gone != "" {
			delete(d.synced, m.gone)
		}
		if m.file != nil {
			d.synced[m.name] = m.file
		} else {
			delete(d.synced, m.name)
		}
	}
	d.moves = kept
}

func (f *inode) dirtySectors() []int {
	list := make([]int, 0, len(f.dirty))
	for s := range f.dirty {
		list = append(list, s)
	}
	slices.Sort(list)
	return list
}

// persist brings one sector to the platter.
func (f *inode) persist(s int) {
	from, to := s*sector, min((s+1)*sector, len(f.cache))
	if from >= to {
		return
	}
	if grow := to - len(f.platter); grow > 0 {
		f.platter = append(f.platter, make([]byte, grow)...)
	}
	copy(f.platter[from:to], f.cache[from:to])
}

func (d *Disk) write(f *inode, p []byte, off int64) (int, error) {
	if err := d.plan.access(); err != nil {
		return d.put(f, p[:d.rng.IntN(len(p)+1)], off), err
	}
	if d.full && off+int64(len(p)) > int64(len(f.cache)) {
		return 0, syscall.ENOSPC
	}
	return d.put(f, p, off), nil
}

func (d *Disk) put(f *inode, p []byte, off int64) int {
	if len(p) == 0 {
		return 0
	}
	if grow := int(off) + len(p) - len(f.cache); grow > 0 {
		f.cache = append(f.cache, make([]byte, grow)...)
	}
	copy(f.cache[off:], p)
	for s := int(off) / sector; s*sector < int(off)+len(p); s++ {
		f.dirty[s] = true
	}
	return len(p)
}

// sync makes a file durable. When it fails, part of it is, and the rest never will be unless it is written again: the
// cache holds it as clean, as Linux does.
func (d *Disk) sync(f *inode) error {
	err := d.plan.access()
	for _, s := range f.dirtySectors() {
		if err == nil || d.rng.IntN(2) == 0 {
			f.persist(s)
		}
	}
	clear(f.dirty)
	return err
}

// Create implements vfs.FS.
func (d *Disk) Create(name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.plan.access(); err != nil {
		return nil, err
	}
	f := &inode{dirty: make(map[int]bool)}
	d.inodes = append(d.inodes, f)
	d.rename(move{dir: path.Dir(name), name: name, file: f})
	return &file{disk: d, inode: f, name: name}, nil
}

func (d *Disk) rename(m move) {
	if m.gone != "" {
		delete(d.names, m.gone)
	}
	if m.file != nil {
		d.names[m.name] = m.file
	} else {
		delete(d.names, m.name)
	}
	d.moves = append(d.moves, m)
}

// Open implements vfs.FS.
func (d *Disk) Open(name string, _ ...vfs.OpenOption) (vfs.File, error) {
	if err := d.plan.access(); err != nil {
		return nil, err
	}
	f := d.names[name]
	if f == nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
	}
	return &file{disk: d, inode: f, name: name}, nil
}

// OpenReadWrite implements vfs.FS.
func (d *Disk) OpenReadWrite(name string, c vfs.DiskWriteCategory, _ ...vfs.OpenOption) (vfs.File, error) {
	if d.names[name] == nil {
		return d.Create(name, c)
	}
	return d.Open(name)
}

// OpenDir implements vfs.FS.
func (d *Disk) OpenDir(name string) (vfs.File, error) {
	if err := d.plan.access(); err != nil {
		return nil, err
	}
	return &file{disk: d, name: name}, nil
}

// Remove implements vfs.FS.
func (d *Disk) Remove(name string) error {
	if err := d.plan.access(); err != nil {
		return err
	}
	if d.names[name] == nil {
		return &os.PathError{Op: "remove", Path: name, Err: os.ErrNotExist}
	}
	d.rename(move{dir: path.Dir(name), name: name})
	return nil
}

// Rename implements vfs.FS.
func (d *Disk) Rename(from, to string) error {
	if err := d.plan.access(); err != nil {
		return err
	}
	f := d.names[from]
	if f == nil {
		return &os.PathError{Op: "rename", Path: from, Err: os.ErrNotExist}
	}
	d.rename(move{dir: path.Dir(to), name: to, file: f, gone: from})
	return nil
}

// MkdirAll implements vfs.FS. Directories are durable at once: the log makes its own only once.
func (d *Disk) MkdirAll(dir string, _ os.FileMode) error {
	for ; dir != "." && dir != "/"; dir = path.Dir(dir) {
		d.dirs[dir] = true
	}
	return nil
}

// Lock implements vfs.FS.
func (d *Disk) Lock(name string) (io.Closer, error) {
	if d.locks[name] {
		return nil, errors.New("locked")
	}
	d.locks[name] = true
	return unlocker{d, name}, nil
}

type unlocker struct {
	disk *Disk
	name string
}

func (u unlocker) Close() error {
	delete(u.disk.locks, u.name)
	return nil
}

// List implements vfs.FS.
func (d *Disk) List(dir string) ([]string, error) {
	if err := d.plan.access(); err != nil {
		return nil, err
	}
	var names []string
	for _, name := range sortedNames(d.names) {
		if path.Dir(name) == dir {
			names = append(names, path.Base(name))
		}
	}
	return names, nil
}

// Stat implements vfs.FS.
func (d *Disk) Stat(name string) (vfs.FileInfo, error) {
	if f := d.names[name]; f != nil {
		return info{name: path.Base(name), size: int64(len(f.cache))}, nil
	}
	if d.dirs[name] {
		return info{name: path.Base(name), dir: true}, nil
	}
	return nil, &os.PathError{Op: "stat", Path: name, Err: os.ErrNotExist}
}

var errNotSimulated = errors.New("this disk does not simulate that")

// Link implements vfs.FS.
func (d *Disk) Link(string, string) error { return errNotSimulated }

// RemoveAll implements vfs.FS.
func (d *Disk) RemoveAll(string) error { return errNotSimulated }

// ReuseForWrite implements vfs.FS.
func (d *Disk) ReuseForWrite(string, string, vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, errNotSimulated
}

// PathBase implements vfs.FS.
func (d *Disk) PathBase(p string) string { return path.Base(p) }

// PathJoin implements vfs.FS.
func (d *Disk) PathJoin(elem ...string) string { return strings.Join(elem, "/") }

// PathDir implements vfs.FS.
func (d *Disk) PathDir(p string) string { return path.Dir(p) }

// GetDiskUsage implements vfs.FS.
func (d *Disk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{}, errNotSimulated
}

// Unwrap implements vfs.FS.
func (d *Disk) Unwrap() vfs.FS { return nil }

// file is an open file, or an open directory when it has no inode.
type file struct {
	disk  *Disk
	inode *inode
	name  string
	off   int64
}

func (f *file) Close() error { return nil }

func (f *file) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.off)
	f.off += int64(n)
	return n, err
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.disk.plan.access(); err != nil {
		return 0, err
	}
	if off >= int64(len(f.inode.cache)) {
		return 0, io.EOF
	}
	n := copy(p, f.inode.cache[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Write(p []byte) (int, error) {
	n, err := f.WriteAt(p, f.off)
	f.off += int64(n)
	return n, err
}

func (f *file) WriteAt(p []byte, off int64) (int, error) { return f.disk.write(f.inode, p, off) }

func (f *file) Preallocate(offset, length int64) error {
	if f.disk.full && offset+length > int64(len(f.inode.cache)) {
		return syscall.ENOSPC
	}
	return nil
}

func (f *file) Stat() (vfs.FileInfo, error) {
	return info{name: path.Base(f.name), size: int64(len(f.inode.cache))}, nil
}

func (f *file) Sync() error {
	if f.inode == nil {
		if err := f.disk.plan.access(); err != nil {
			return err
		}
		f.disk.persistMoves(f.name, len(f.disk.moves))
		return nil
	}
	return f.disk.sync(f.inode)
}

func (f *file) SyncTo(int64) (bool, error) { return true, f.Sync() }

func (f *file) SyncData() error { return f.Sync() }

func (f *file) Prefetch(int64, int64) error { return nil }

func (f *file) Fd() uintptr { return vfs.InvalidFd }

// info is what Stat tells.
type info struct {
	name string
	size int64
	dir  bool
}

func (i info) Name() string           { return i.name }
func (i info) Size() int64            { return i.size }
func (i info) Mode() os.FileMode      { return 0o644 }
func (i info) ModTime() time.Time     { return time.Time{} }
func (i info) IsDir() bool            { return i.dir }
func (i info) Sys() any               { return nil }
func (i info) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }
