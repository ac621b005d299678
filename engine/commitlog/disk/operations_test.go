package disk

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// recorder is an errorfs injector that writes down what changes the file system.
type recorder struct{ strings.Builder }

func (r *recorder) MaybeError(op errorfs.Op) error {
	names := map[errorfs.OpKind]string{
		errorfs.OpCreate: "create", errorfs.OpRemove: "remove", errorfs.OpRename: "rename",
		errorfs.OpMkdirAll: "mkdir", errorfs.OpFilePreallocate: "preallocate",
		errorfs.OpFileWriteAt: "write", errorfs.OpFileSync: "sync", errorfs.OpFileSyncData: "syncdata",
	}
	name, ok := names[op.Kind]
	if !ok {
		return nil
	}
	fmt.Fprintf(r, "  %s %s", name, op.Path)
	if op.Kind == errorfs.OpFileWriteAt {
		fmt.Fprintf(r, " at %d", op.Offset)
	}
	r.WriteByte('\n')
	return nil
}

// TestOperations compares the order of all changes to files with testdata/operations.txt: what is synced
// before what is what the log's safety rests on. Read the difference before you write it anew
// (go test -run TestOperations -rewrite).
func TestOperations(t *testing.T) {
	t.Parallel()
	var r recorder
	o := manual(errorfs.Wrap(vfs.NewMem(), &r), nil)
	o.SegmentBytes = segmentBytesMin
	var log *Log
	step := func(what string, do func() error) {
		fmt.Fprintln(&r, what)
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	open := func() (err error) {
		log, err = Open(testDir, o)
		return err
	}
	write := func(n int) func() error {
		return func() error {
			if _, err := log.Append(1, make([]byte, n)); err != nil {
				return err
			}
			return log.Flush()
		}
	}
	step("open an empty directory", open)
	step("a frame", write(1000))
	step("a frame more", write(1000))
	step("a frame that needs the next segment", write(3000))
	step("trim", func() error { return log.Trim(log.next) })
	step("a frame that needs the next segment, from a spare", write(3000))
	step("close", func() error { return log.Close() })
	step("open again", open)
	step("close", func() error { return log.Close() })
	step("open what was not used", open)
	step("close", func() error { return log.Close() })

	const golden = "testdata/operations.txt"
	if *rewrite {
		if err := os.WriteFile(golden, []byte(r.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || r.String() != string(want) {
		t.Errorf("the operations are not those of %s (%v):\n%s", golden, err, r.String())
	}
}
