// Package filehash has the FileHash workload: a run hashes many files whose sizes differ by orders of magnitude, each with
// a call of a function. The papers have 5,000 files in a cloud store; here their contents are made up on the way.
package filehash

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/bench/workload"
)

const (
	files  = 200
	blocks = 2000 // of the largest file; the i-th has blocks/(i+1), so that a few have most of the work
)

// sum hashes a file.
func sum(file int) string {
	h := sha256.New()
	var block [1024]byte
	for i := range 1 + blocks/(file+1) {
		binary.LittleEndian.PutUint64(block[:], uint64(file)<<32|uint64(i))
		_, _ = h.Write(block[:]) // never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}

// fold hashes hashes.
func fold(sums []string) string {
	h := sha256.New()
	for _, s := range sums {
		_, _ = h.Write([]byte(s))
	}
	return hex.EncodeToString(h.Sum(nil))
}

var hash = weft.Function("hash", func(_ context.Context, file int) (string, error) { return sum(file), nil }, weft.Idempotent())

var program = weft.Workflow("filehash", func(w *weft.Flow, _ int) (string, error) {
	futures := make([]weft.Future[string], files)
	for i := range futures {
		futures[i] = hash.Start(w, i)
	}
	sums, err := weft.All(w, futures...)
	if err != nil {
		return "", err
	}
	return fold(sums), nil
})

// New returns the workload.
func New() *workload.Workload {
	sums := make([]string, files)
	for i := range sums {
		sums[i] = sum(i)
	}
	want := fold(sums)
	return &workload.Workload{
		Name: "filehash", About: fmt.Sprintf("FileHash: %d files of 1 KiB to %d KiB, a call for each", files, blocks),
		Declared: []weft.Declaration{program, hash}, Unit: "files", Units: files, Outstanding: 8,
		Do: func(ctx context.Context, s workload.System, n int) error {
			got, err := workload.Run(ctx, s, program, n)
			if err != nil {
				return err
			}
			return workload.Want("the hash of hashes", got, want)
		},
	}
}
