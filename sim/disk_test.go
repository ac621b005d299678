package sim

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const category = vfs.DiskWriteCategory("test")

func testDisk(seed uint64) (*Disk, *faultPlan) {
	plan := new(faultPlan)
	return newDisk(rand.New(rand.NewPCG(seed, 1)), plan), plan
}

func writeAll(t *testing.T, f vfs.File, data []byte, off int64) {
	t.Helper()
	if _, err := f.WriteAt(data, off); err != nil {
		t.Fatal(err)
	}
}

func readAll(t *testing.T, d *Disk, name string) []byte {
	t.Helper()
	f, err := d.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	stat, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, stat.Size())
	if len(b) > 0 {
		if _, err := f.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// synced makes a durable file of n sectors of 'a'.
func synced(t *testing.T, d *Disk, n int) vfs.File {
	t.Helper()
	f, err := d.Create("dir/file", category)
	if err != nil {
		t.Fatal(err)
	}
	writeAll(t, f, bytes.Repeat([]byte{'a'}, n*sector), 0)
	dir, err := d.OpenDir("dir")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), dir.Sync()); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPowerCutTearsAtSectors(t *testing.T) {
	t.Parallel()
	outcomes := make(map[string]bool)
	for seed := range uint64(200) {
		d, _ := testDisk(seed)
		f := synced(t, d, 3)
		writeAll(t, f, bytes.Repeat([]byte{'b'}, 3*sector), 0)
		d.PowerCut()
		b := readAll(t, d, "dir/file")
		shape := ""
		for i := range 3 {
			s := b[i*sector : (i+1)*sector]
			if !bytes.Equal(s, bytes.Repeat(s[:1], sector)) {
				t.Fatalf("seed %d: sector %d is torn", seed, i)
			}
			shape += string(s[:1])
		}
		outcomes[shape] = true
	}
	for _, want := range []string{"aaa", "bbb", "aba", "bab", "abb", "bba"} {
		if !outcomes[want] {
			t.Errorf("no seed of 200 leaves %s: %v", want, outcomes)
		}
	}
}

func TestKillKeepsWhatWasWritten(t *testing.T) {
	t.Parallel()
	d, _ := testDisk(1)
	f := synced(t, d, 1)
	writeAll(t, f, []byte("new"), 0)
	d.Kill()
	if b := readAll(t, d, "dir/file"); string(b[:3]) != "new" {
		t.Errorf("after a kill the file begins with %q", b[:3])
	}
}

func TestSyncedSurvives(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		d, _ := testDisk(seed)
		synced(t, d, 2)
		if err := d.Rename("dir/file", "dir/moved"); err != nil {
			t.Fatal(err)
		}
		d.PowerCut()
		_, old := d.names["dir/file"]
		_, moved := d.names["dir/moved"]
		if old == moved {
			t.Fatalf("seed %d: a rename is half done: old %t, new %t", seed, old, moved)
		}
	}
}

func TestFailedSyncIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	lost := false
	for seed := range uint64(50) {
		d, plan := testDisk(seed)
		f := synced(t, d, 1)
		writeAll(t, f, []byte("new"), 0)
		plan.failAt = plan.accesses + 1
		if err := f.Sync(); !errors.Is(err, errIO) {
			t.Fatalf("the sync gave %v", err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		d.PowerCut()
		lost = lost || string(readAll(t, d, "dir/file")[:3]) != "new"
	}
	if !lost {
		t.Error("a sync after a failed one always made the data durable, as it does not on Linux")
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	d, _ := testDisk(1)
	f := synced(t, d, 1)
	d.full = true
	writeAll(t, f, []byte("in place"), 0)
	if _, err := f.WriteAt([]byte("longer"), sector); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a write that makes the file longer gave %v", err)
	}
	if err := f.Preallocate(0, 2*sector); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Preallocate gave %v", err)
	}
}

func TestCrashAtAccess(t *testing.T) {
	t.Parallel()
	d, plan := testDisk(1)
	plan.crashAt = 3
	defer func() {
		if _, ok := recover().(crash); !ok || plan.accesses != 3 {
			t.Errorf("no crash at access 3, but %d accesses", plan.accesses)
		}
	}()
	synced(t, d, 1)
	synced(t, d, 1)
}
