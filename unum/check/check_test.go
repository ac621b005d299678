package check

import "testing"

func TestExplore(t *testing.T) {
	for _, c := range []Case{
		{Name: "chain of 2", Program: Seq{Task, Task}, Bounds: Bounds{Duplicates: 2, Crashes: 2, Repeats: 1}},
		{Name: "chain of 3", Program: Seq{Task, Task, Task}, Bounds: Bounds{Duplicates: 2, Crashes: 1}},
		{Name: "parallel 2", Program: Seq{Task, Par(Seq{Task}, Seq{Task}), Task}, Bounds: Bounds{Duplicates: 1, Crashes: 1}},
	} {
		t.Run(c.Name, func(t *testing.T) {
			r := Explore(c, 1_000_000)
			t.Log(r)
			if r.Broken != nil {
				t.Fail()
			}
		})
	}
}
