package partition

// timerKey names a timer in the partition.
type timerKey struct {
	due int64
	ref Ref
	id  uint64
}

func (a timerKey) less(b timerKey) bool {
	if a.due != b.due {
		return a.due < b.due
	}
	if a.ref != b.ref {
		return a.ref < b.ref
	}
	return a.id < b.id
}

// timers is the heap of all armed timers of a partition: 24 bytes each. Cancelled timers stay in the heap and in
// dead until they come up or are half of the heap.
type timers struct {
	heap []timerKey
	dead map[timerKey]struct{}
}

func (t *timers) live() int { return len(t.heap) - len(t.dead) }

func (t *timers) add(k timerKey) {
	t.heap = append(t.heap, k)
	i := len(t.heap) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !k.less(t.heap[up]) {
			break
		}
		t.heap[i] = t.heap[up]
		i = up
	}
	t.heap[i] = k
}

func (t *timers) cancel(k timerKey) {
	if t.dead == nil {
		t.dead = make(map[timerKey]struct{})
	}
	t.dead[k] = struct{}{}
	if len(t.dead) > 1024 && len(t.dead) > len(t.heap)/2 {
		t.compact()
	}
}

// compact drops the cancelled timers and restores the heap.
func (t *timers) compact() {
	kept := t.heap[:0]
	for _, k := range t.heap {
		if _, gone := t.dead[k]; !gone {
			kept = append(kept, k)
		}
	}
	t.heap = kept
	clear(t.dead)
	for i := len(t.heap)/2 - 1; i >= 0; i-- {
		t.down(i)
	}
}

func (t *timers) down(i int) {
	k := t.heap[i]
	for {
		c := 2*i + 1
		if c >= len(t.heap) {
			break
		}
		if c+1 < len(t.heap) && t.heap[c+1].less(t.heap[c]) {
			c++
		}
		if !t.heap[c].less(k) {
			break
		}
		t.heap[i] = t.heap[c]
		i = c
	}
	t.heap[i] = k
}

// first returns the earliest live timer.
func (t *timers) first() (timerKey, bool) {
	for len(t.heap) > 0 {
		k := t.heap[0]
		if _, gone := t.dead[k]; !gone {
			return k, true
		}
		delete(t.dead, k)
		t.pop()
	}
	return timerKey{}, false
}

func (t *timers) pop() {
	n := len(t.heap) - 1
	t.heap[0] = t.heap[n]
	t.heap = t.heap[:n]
	if n > 0 {
		t.down(0)
	}
}

// fire takes a timer out when its Due is folded. It need not be the first: a recovery folds what was logged.
func (t *timers) fire(k timerKey) {
	if len(t.heap) > 0 && t.heap[0] == k {
		t.pop()
		return
	}
	t.cancel(k)
}
