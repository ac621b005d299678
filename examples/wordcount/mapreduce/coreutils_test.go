package mapreduce

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/weftworks/weft/examples/wordcount/wordcounttest"
)

// TestCoreutils compares whole tables in this process; the test of the example does it through weft.
func TestCoreutils(t *testing.T) {
	t.Parallel()
	for _, mappers := range []int{1, 7, 256} {
		dir, files := wordcounttest.Tree(t, uint64(mappers))
		in := Input{Root: dir, Out: filepath.Join(t.TempDir(), "t.tsv"), Mappers: &mappers, Reducers: &mappers}
		got, err := run(t, in)
		if err != nil {
			t.Fatal(err)
		}
		table, err := os.ReadFile(got.Table)
		if err != nil {
			t.Fatal(err)
		}
		wordcounttest.Compare(t, table, wordcounttest.Coreutils(t, dir))
		if got.Files+got.BinaryFiles != files || got.Skipped != 5 || got.BinaryFiles != 2 || got.Mappers != mappers {
			t.Errorf("summary %+v, want %d files", got, files)
		}
	}
}
