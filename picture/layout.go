package picture

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Sizes in pixels.
const (
	lineHeight  = 16
	charWidth   = 7.2
	labelHeight = 13 // of a line of a label
	labelWidth  = 6.2
	labelGap    = 5 // between labels of edges from one node
	padding     = 10
	gapX        = 36 // between nodes of a rank
	gapY        = 44 // between ranks, beside labels
	bend        = 14 // width of an edge that passes a rank
	loopWidth   = 30
	sweeps      = 12 // over the ranks, to untangle edges
)

// vertex is a node, or where an edge passes a rank.
type vertex struct {
	node          int // -1: of an edge
	rank, place   int
	x, y          float64 // of the middle
	width, height float64 // with room for labels and loops
	box           float64 // width of what is drawn
	loop          float64 // part of width at the right, for edges to itself
	labels        float64 // height of those of the edges down from it
	up, down      []int   // vertices of the ranks beside it
}

// wire is an edge with the vertices it goes through, from the upper rank to the lower.
type wire struct {
	edge    *Edge
	through []int
	turned  bool // it goes from the lower to the upper
	// first and last say which of the edges down from its first vertex it is, and which of those up from its last.
	first, last int
	label       float64 // how far down from the first vertex the middle of the label is
}

// layout places the nodes of a graph in ranks, from the top down (Sugiyama's method): cycles are cut, each node is below
// those that lead to it, edges go through every rank on their way, and ranks are ordered so that few edges cross.
type layout struct {
	vertices      []vertex
	ranks         [][]int // vertices from left to right
	wires         []wire
	loops         []*Edge // from a node to itself
	width, height float64
}

func (g *Graph) layout() *layout {
	l := &layout{}
	for i, n := range g.Nodes {
		width := 0.0
		lines := strings.Split(n.Label, "\n")
		for _, line := range lines {
			width = max(width, textWidth(line))
		}
		l.vertices = append(l.vertices, vertex{node: i, box: width + 2*padding, height: float64(len(lines))*lineHeight + 1.2*padding})
	}
	edges := l.acyclic(g)
	for _, e := range l.loops {
		v := &l.vertices[g.index()[e.From]]
		v.loop = max(v.loop, loopWidth+labelSize(e.Label))
	}
	for i := range l.vertices {
		v := &l.vertices[i]
		v.width = v.box + v.loop
	}
	l.rank(edges)
	l.lay(edges)
	l.untangle()
	l.spread()
	return l
}

// middle is the x of the middle of what is drawn.
func (v *vertex) middle() float64 { return v.x - v.loop/2 }

// labelsHeight returns how high a label is.
func labelsHeight(label string) float64 {
	if label == "" {
		return 0
	}
	return float64(1+strings.Count(label, "\n")) * labelHeight
}

// labelSize returns how wide a label is.
func labelSize(label string) (width float64) {
	for line := range strings.SplitSeq(label, "\n") {
		width = max(width, labelWidth*float64(utf8.RuneCountInString(line)))
	}
	return width
}

func textWidth(s string) float64 { return charWidth * float64(utf8.RuneCountInString(s)) }

// arc is an edge between nodes, from the upper to the lower.
type arc struct {
	from, to int
	edge     *Edge
	turned   bool
}

// acyclic returns the edges, those turned round that lead back to where a walk comes from.
func (l *layout) acyclic(g *Graph) []arc {
	at := g.index()
	out := make([][]*arc, len(g.Nodes))
	var all []*arc
	for i := range g.Edges {
		e := &g.Edges[i]
		from, ok1 := at[e.From]
		to, ok2 := at[e.To]
		switch {
		case !ok1 || !ok2:
		case from == to:
			l.loops = append(l.loops, e)
		default:
			a := &arc{from: from, to: to, edge: e}
			out[from], all = append(out[from], a), append(all, a)
		}
	}
	state := make([]uint8, len(g.Nodes)) // 1: the walk is below it, 2: done
	var walk func(n int)
	walk = func(n int) {
		state[n] = 1
		for _, a := range out[n] {
			switch state[a.to] {
			case 0:
				walk(a.to)
			case 1:
				a.turned = true
			}
		}
		state[n] = 2
	}
	for _, id := range g.Start {
		if n, ok := at[id]; ok && state[n] == 0 {
			walk(n)
		}
	}
	for n := range g.Nodes {
		if state[n] == 0 {
			walk(n)
		}
	}
	arcs := make([]arc, len(all))
	for i, a := range all {
		if arcs[i] = *a; a.turned {
			arcs[i].from, arcs[i].to = a.to, a.from
		}
	}
	return arcs
}

// rank puts each node one below the lowest that leads to it.
func (l *layout) rank(arcs []arc) {
	for changed := true; changed; {
		changed = false
		for _, a := range arcs {
			if least := l.vertices[a.from].rank + 1; l.vertices[a.to].rank < least {
				l.vertices[a.to].rank, changed = least, true
			}
		}
	}
}

// lay gives edges a vertex in each rank that they pass.
func (l *layout) lay(arcs []arc) {
	for _, a := range arcs {
		w := wire{edge: a.edge, turned: a.turned, through: []int{a.from}}
		for r := l.vertices[a.from].rank + 1; r < l.vertices[a.to].rank; r++ {
			l.vertices = append(l.vertices, vertex{node: -1, rank: r, width: bend})
			w.through = append(w.through, len(l.vertices)-1)
		}
		w.through = append(w.through, a.to)
		if a.edge.Label != "" {
			v := &l.vertices[a.from]
			v.labels += labelsHeight(a.edge.Label) + labelGap
			v.width = max(v.width, labelSize(a.edge.Label)+v.loop)
		}
		for i := 1; i < len(w.through); i++ {
			above, below := w.through[i-1], w.through[i]
			l.vertices[above].down = append(l.vertices[above].down, below)
			l.vertices[below].up = append(l.vertices[below].up, above)
		}
		l.wires = append(l.wires, w)
	}
	for i := range l.vertices {
		v := &l.vertices[i]
		for len(l.ranks) <= v.rank {
			l.ranks = append(l.ranks, nil)
		}
		v.place = len(l.ranks[v.rank])
		l.ranks[v.rank] = append(l.ranks[v.rank], i)
	}
}

// untangle orders each rank by the middle of what each vertex is joined to, from the top down and back, and keeps the best.
func (l *layout) untangle() {
	best, least := l.order(), l.crossings()
	for sweep := 0; sweep < sweeps && least > 0; sweep++ {
		for k := range l.ranks {
			r, beside := k, func(v *vertex) []int { return v.up }
			if sweep%2 == 1 {
				r, beside = len(l.ranks)-1-k, func(v *vertex) []int { return v.down }
			}
			middle := func(i int) float64 {
				v := &l.vertices[i]
				return mean(beside(v), float64(v.place), func(j int) float64 { return float64(l.vertices[j].place) })
			}
			slices.SortStableFunc(l.ranks[r], func(a, b int) int { return cmp.Compare(middle(a), middle(b)) })
			l.number(r)
		}
		if n := l.crossings(); n < least {
			best, least = l.order(), n
		}
	}
	for r := range best {
		l.ranks[r] = best[r]
		l.number(r)
	}
}

func (l *layout) number(r int) {
	for place, i := range l.ranks[r] {
		l.vertices[i].place = place
	}
}

func (l *layout) order() [][]int {
	order := make([][]int, len(l.ranks))
	for r := range l.ranks {
		order[r] = slices.Clone(l.ranks[r])
	}
	return order
}

func mean(of []int, none float64, value func(int) float64) float64 {
	if len(of) == 0 {
		return none
	}
	sum := 0.0
	for _, i := range of {
		sum += value(i)
	}
	return sum / float64(len(of))
}

// crossings counts edges that cross between neighbouring ranks.
func (l *layout) crossings() (n int) {
	for _, rank := range l.ranks {
		var ends []int // places below, in the order of what is above
		for _, i := range rank {
			var below []int
			for _, j := range l.vertices[i].down {
				below = append(below, l.vertices[j].place)
			}
			slices.Sort(below)
			ends = append(ends, below...)
		}
		n += inversions(ends)
	}
	return n
}

// inversions counts the pairs of a that are out of order. It sorts a.
func inversions(a []int) (n int) {
	if len(a) < 2 {
		return 0
	}
	left, right := slices.Clone(a[:len(a)/2]), slices.Clone(a[len(a)/2:])
	n = inversions(left) + inversions(right)
	for i := range a {
		if len(right) == 0 || len(left) > 0 && left[0] <= right[0] {
			a[i], left = left[0], left[1:]
		} else {
			a[i], right = right[0], right[1:]
			n += len(left)
		}
	}
	return n
}

// spread sets coordinates: each vertex as near as its neighbours in the rank let it be to the middle of what it is joined to.
func (l *layout) spread() {
	y := float64(padding) + gapY/2
	for _, rank := range l.ranks {
		height, x, labels := 0.0, 0.0, 0.0
		for _, i := range rank {
			v := &l.vertices[i]
			height, labels = max(height, v.height), max(labels, v.labels)
			v.x = x + v.width/2
			x += v.width + gapX
		}
		for _, i := range rank {
			l.vertices[i].y = y + height/2
		}
		y += height + gapY + labels
	}
	l.ports()
	for pass := range 10 {
		for k := range l.ranks {
			r, beside := k, func(v *vertex) []int { return v.up }
			if pass%2 == 1 {
				r, beside = len(l.ranks)-1-k, func(v *vertex) []int { return v.down }
			}
			l.settle(l.ranks[r], func(v *vertex) float64 { return mean(beside(v), v.x, func(j int) float64 { return l.vertices[j].x }) })
		}
	}
	left, right := math.Inf(1), math.Inf(-1)
	for _, v := range l.vertices {
		left, right = min(left, v.x-v.width/2), max(right, v.x+v.width/2)
	}
	for _, w := range l.wires { // whose label is somewhere between its first two vertices
		a, b, half := l.vertices[w.through[0]].x, l.vertices[w.through[1]].x, labelSize(w.edge.Label)/2
		left, right = min(left, min(a, b)-half), max(right, max(a, b)+half)
	}
	for i := range l.vertices {
		l.vertices[i].x += padding - left
	}
	l.width, l.height = right-left+2*padding, y-gapY+padding
}

// ports orders the edges at each vertex by where they lead.
func (l *layout) ports() {
	place := func(i int) int { return l.vertices[i].place }
	down, up := map[int][]int{}, map[int][]int{} // wires by their first and last vertex
	for k := range l.wires {
		w := &l.wires[k]
		first, last := w.through[0], w.through[len(w.through)-1]
		down[first], up[last] = append(down[first], k), append(up[last], k)
	}
	for _, ks := range down {
		slices.SortStableFunc(ks, func(a, b int) int { return cmp.Compare(place(l.wires[a].through[1]), place(l.wires[b].through[1])) })
		y := gapY * 0.4
		for n, k := range ks {
			w := &l.wires[k]
			half := labelsHeight(w.edge.Label) / 2
			w.first, w.label = n, y+half
			y += 2*half + labelGap
		}
	}
	for _, ks := range up {
		before := func(k int) int { return l.wires[k].through[len(l.wires[k].through)-2] }
		slices.SortStableFunc(ks, func(a, b int) int { return cmp.Compare(place(before(a)), place(before(b))) })
		for n, k := range ks {
			l.wires[k].last = n
		}
	}
}

// settle moves the vertices of a rank as near to where they want to be as the order and the gaps allow, in the sense of least
// squares: neighbours that want to pass each other are moved as one block.
func (l *layout) settle(rank []int, want func(*vertex) float64) {
	type block struct {
		first, n int
		sum      float64 // of what its vertices want the block's first to be at
	}
	offset := 0.0
	offsets := make([]float64, len(rank))
	var blocks []block
	for k, i := range rank {
		v := &l.vertices[i]
		if k > 0 {
			offset += l.vertices[rank[k-1]].width/2 + gapX + v.width/2
		}
		offsets[k] = offset
		b := block{k, 1, want(v) - offset}
		for len(blocks) > 0 {
			last := blocks[len(blocks)-1]
			if last.sum/float64(last.n) <= b.sum/float64(b.n) {
				break
			}
			b = block{last.first, last.n + b.n, last.sum + b.sum}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	for _, b := range blocks {
		for k := b.first; k < b.first+b.n; k++ {
			l.vertices[rank[k]].x = b.sum/float64(b.n) + offsets[k]
		}
	}
}
