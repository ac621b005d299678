// Package collision has the CollisionSearch workload: which numbers of a range have a given hash? A range that is too
// large for one function is divided, by sub-workflows ten ways at a time, or at once. The papers' ranges and leaves are a thousand
// times as large.
package collision

import (
	"context"
	"fmt"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/bench/workload"
)

const (
	arity = 10
	leaf  = 10_000
	total = 1_000_000
	// target is the hash that is looked for: that of the number below, which every search must find.
	hidden = 777_777
	mask   = 1<<18 - 1 // few enough hashes that there are collisions
)

// job is a range of numbers.
type job struct{ From, Count int }

// hash mixes a number (SplitMix64's finaliser) and keeps some bits.
func hash(n int) uint64 {
	z := uint64(n) + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return (z ^ z>>31) & mask
}

func find(j job) (found []int) {
	want := hash(hidden)
	for n := j.From; n < j.From+j.Count; n++ {
		if hash(n) == want {
			found = append(found, n)
		}
	}
	return found
}

// cut divides a range into n.
func cut(j job, n int) []job {
	parts := make([]job, n)
	for i := range parts {
		parts[i] = job{From: j.From + i*(j.Count/n), Count: j.Count / n}
	}
	return parts
}

var scan = weft.Function("scan", func(_ context.Context, j job) ([]int, error) { return find(j), nil }, weft.Idempotent())

// divide needs a name before it is made, as it calls itself.
var divide *weft.WorkflowOf[job, []int]

func init() {
	divide = weft.Workflow("divide", func(w *weft.Flow, j job) ([]int, error) {
		if j.Count <= leaf {
			return scan.Call(w, j)
		}
		return join(w, cut(j, arity), func(j job) weft.Future[[]int] { return divide.Start(w, j) })
	})
}

var flat = weft.Workflow("flat", func(w *weft.Flow, j job) ([]int, error) {
	return join(w, cut(j, j.Count/leaf), func(j job) weft.Future[[]int] { return scan.Start(w, j) })
})

func join(w *weft.Flow, parts []job, start func(job) weft.Future[[]int]) (found []int, err error) {
	futures := make([]weft.Future[[]int], len(parts))
	for i, j := range parts {
		futures[i] = start(j)
	}
	lists, err := weft.All(w, futures...)
	for _, list := range lists {
		found = append(found, list...)
	}
	return found, err
}

// Divide is the search by sub-workflows.
func Divide() *workload.Workload {
	return search("collision", "CollisionSearch: divide and conquer by sub-workflows, ten ways at a time", divide)
}

// Flat is the search with one workflow.
func Flat() *workload.Workload {
	return search("collision-flat", "CollisionSearch: one workflow calls all functions side by side", flat)
}

func search(name, about string, program *weft.WorkflowOf[job, []int]) *workload.Workload {
	want := fmt.Sprint(find(job{0, total}))
	return &workload.Workload{
		Name: name, About: fmt.Sprintf("%s; %d hashes, %d a function", about, total, leaf),
		Declared: []weft.Declaration{program, scan}, Unit: "hashes", Units: total, Outstanding: 8,
		Do: func(ctx context.Context, s workload.System, _ int) error {
			got, err := workload.Run(ctx, s, program, job{0, total})
			if err != nil {
				return err
			}
			return workload.Want("what was found", fmt.Sprint(got), want)
		},
	}
}
