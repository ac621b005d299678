package dir

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/weftworks/weft/objectstore/objectstoretest"
)

func open(t *testing.T) (store *Store, root string) {
	t.Helper()
	root = t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "bucket"), 0o777); err != nil {
		t.Fatal(err)
	}
	store, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store, root
}

func TestConformance(t *testing.T) {
	t.Parallel()
	objectstoretest.Run(t, func(t *testing.T) objectstoretest.Bucket {
		t.Parallel()
		store, _ := open(t)
		return objectstoretest.Bucket{Store: store, Name: "bucket", Missing: "missing", PartBytes: hashedBytes, NoParents: true}
	})
}
