package check

import (
	"strings"
	"testing"
)

func TestExplore(t *testing.T) {
	for _, c := range Cases(false) {
		t.Run(c.Name, func(t *testing.T) {
			r := Explore(c, 1_000_000)
			t.Log(r)
			if r.Broken != nil || !r.Complete {
				t.Fail()
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	for i := range Mistakes {
		m := &Mistakes[i]
		t.Run(m.Name, func(t *testing.T) {
			for _, c := range Cases(false) {
				c.Mistake = m
				if r := Explore(c, 200_000); r.Broken != nil {
					t.Logf("%s: %d steps: %s", c.Name, strings.Count(r.String(), "\n"), r)
					return
				}
			}
			t.Error("not caught")
		})
	}
}
