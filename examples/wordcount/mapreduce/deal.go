package mapreduce

import (
	"cmp"
	"container/heap"
	"slices"
)

// deal splits files, which are sorted by path, into at most n batches of about equal cost: the costliest
// file first, each to the batch that has least so far. The result depends on its arguments only, each batch is
// sorted by path, and none is empty.
func deal(files []file, n int) [][]file {
	n = min(n, len(files))
	if n == 0 {
		return nil
	}
	order := make([]int, len(files))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(files[b].size, files[a].size) })
	hands := make(hands, n)
	for i := range hands {
		hands[i].batch = i
	}
	for _, f := range order {
		hands[0].files = append(hands[0].files, f)
		hands[0].cost += files[f].size + fileCost
		heap.Fix(&hands, 0)
	}
	dealt := make([][]file, n)
	for _, h := range hands {
		slices.Sort(h.files)
		for _, f := range h.files {
			dealt[h.batch] = append(dealt[h.batch], files[f])
		}
	}
	return dealt
}

// hand is a batch while it is dealt to.
type hand struct {
	batch int
	cost  int64
	files []int
}

// hands is a heap: the batch with the least cost first, ties to the lower number.
type hands []hand

func (h hands) Len() int { return len(h) }
func (h hands) Less(i, j int) bool {
	if h[i].cost != h[j].cost {
		return h[i].cost < h[j].cost
	}
	return h[i].batch < h[j].batch
}
func (h hands) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *hands) Push(x any)   { *h = append(*h, x.(hand)) }
func (h *hands) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
