package check

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
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
				t.Skip("too many worlds to compare with")
			}
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
