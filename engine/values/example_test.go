package values_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/engine/values"
)

// A value's way through a node: put, passed on as a reference, read, given up.
func Example() {
	store, err := values.Open("values", &values.Options{FS: vfs.NewMem()})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	keeper := values.NewKeeper(store, &values.KeeperOptions{Manual: true})
	defer keeper.Close()
	keeper.Ready() // no partition has anything to pin

	ref, err := store.Put(context.Background(), strings.NewReader(`{"pages":[1,2,3]}`))
	if err != nil {
		panic(err)
	}
	payload := ref.Encode() // what travels
	keeper.Pin(ref.ID, 1)   // what a partition does with what it keeps

	ref, isRef := values.Parse(payload)
	fmt.Println(len(payload), "bytes stand for", ref.Size, isRef)
	content, err := store.Open(ref)
	if err != nil {
		panic(err)
	}
	if _, err := io.Copy(os.Stdout, content); err != nil {
		panic(err)
	}
	_ = content.Close()

	keeper.Unpin(ref.ID, 1) // once a snapshot without it is durable
	keeper.Collect()
	_, err = store.Open(ref)
	fmt.Println("\nstill there:", err == nil)
	// Output:
	// 22 bytes stand for 17 true
	// {"pages":[1,2,3]}
	// still there: false
}
