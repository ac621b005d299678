package check

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

var anyNonce = regexp.MustCompile(`N\d+k\d+N`)

// ending is what is left at the end of a history, whoever did what. Which execution of a request comes first has no name here.
func (m *model) ending(w *world) string {
	var lines []string
	add := func(kind, s string) { lines = append(lines, anyNonce.ReplaceAllString(kind+" "+s, "N")) }
	for _, p := range w.records {
		rec := m.records.items[p.val]
		add("record", fmt.Sprint(m.texts.items[p.key], rec.Step, rec.Members, rec.Failed, rec.Ended, string(rec.Value)))
	}
	for _, p := range w.seen {
		add("seen", m.texts.items[p.key]+" "+m.texts.items[p.val])
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n")
}

// TestReduction compares the reduced exploration with that of all transitions.
func TestReduction(t *testing.T) {
	t.Parallel()
	var compared atomic.Int32
	t.Cleanup(func() {
		if n := compared.Load(); n < 30 {
			t.Errorf("%d cases were small enough to be compared", n)
		}
	})
	for _, c := range Cases(false) {
		if c.Large {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			m, first := newModel(c)
			all := map[string]bool{}
			whole := m.search(first, 20_000, m.steps, func(w *world) { all[m.ending(w)] = true })
			if !whole.Complete {
				return // there are too many worlds to compare with
			}
			compared.Add(1)
			m, first = newModel(c)
			m.lazy = m.canWait()
			few := map[string]bool{}
			part := m.settledSearch(first, 200_000, func(w *world) {
				if w == nil {
					clear(few)
					return
				}
				few[m.ending(w)] = true
			})
			t.Logf("%d of %d worlds, %d of %d transitions, %d endings", part.Worlds, whole.Worlds, part.Transitions, whole.Transitions, len(all))
			if whole.Broken != nil || part.Broken != nil || !part.Complete {
				t.Fatal(whole, part)
			}
			if !maps.Equal(all, few) {
				t.Errorf("%d endings of all histories, %d of those that are left", len(all), len(few))
			}
		})
	}
}

// TestReductionOfMistakes compares what the two say of a protocol that is broken, in cases that break and others.
func TestReductionOfMistakes(t *testing.T) {
	t.Parallel()
	for i := range Mistakes {
		t.Run(Mistakes[i].Name, func(t *testing.T) {
			t.Parallel()
			broken, whole := 0, 0
			for _, c := range Cases(false) {
				if c.Cancel || c.Timeout || c.fallible() {
					continue // some mistakes leave those who end lines no end
				}
				c.Mistake = &Mistakes[i]
				m, first := newModel(c)
				all := m.search(first, 800, m.steps, nil)
				if all.Broken == nil && !all.Complete {
					continue // too many worlds to compare with
				}
				few := Search(c, 20_000)
				if (all.Broken == nil) != (few.Broken == nil) || few.Broken == nil && !few.Complete {
					t.Errorf("%s: %v of all histories, %v of those that are left", c.Name, all.Broken, few.Broken)
				}
				if whole++; all.Broken != nil {
					broken++
				}
			}
			t.Logf("broken in %d of %d cases", broken, whole)
		})
	}
}
