package directory_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/store/directory"
)

func TestTake(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	lock, err := directory.Take("op", vfs.Default, dir)
	if err != nil {
		t.Fatal(err)
	}
	if other, err := directory.Take("op", vfs.Default, dir); !fault.Is(err, fault.Conflict) {
		t.Errorf("%v, %v", other, err)
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
	again, err := directory.Take("op", vfs.Default, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// TestNamesSurvive cuts the power after a directory was made.
func TestNamesSurvive(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	if _, err := directory.Take("op", fs, "a/b/c"); err != nil {
		t.Fatal(err)
	}
	left := fs.CrashClone(vfs.CrashCloneCfg{RNG: rand.New(rand.NewPCG(1, 1))})
	if _, err := left.Stat("a/b/c"); err != nil {
		t.Error(err)
	}
}
