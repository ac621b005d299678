// Command weft-check explores the protocol of runs without an orchestrator: every interleaving of small graphs, random
// histories of larger ones, and the mistakes that have to be caught.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"sync"
	"time"

	"github.com/weftworks/weft/unum/check"
)

func main() {
	deep := flag.Bool("deep", false, "bounds for minutes instead of seconds")
	worlds := flag.Int("worlds", 2_000_000, "worlds of a case at most")
	only := flag.String("case", "", "explore the cases whose names this regular expression matches")
	walks := flag.Uint64("walks", 10_000, "random histories")
	mistakes := flag.Bool("mistakes", false, "break the protocol in each known way, and print how that is caught")
	flag.Parse()
	name, err := regexp.Compile(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "weft-check: -case:", err)
		os.Exit(2)
	}
	cases := append(check.Five(*deep), check.Cases(*deep)...)
	ok := explore(cases, name, *worlds)
	if *mistakes {
		ok = blunder(*worlds) && ok
	}
	if !walk(*walks) || !ok {
		os.Exit(1)
	}
}

// done is what has come of a case.
type done struct {
	c check.Case
	r *check.Report
}

// explore explores cases, as many at a time as there are processors, and prints a line for each as it ends.
func explore(cases []check.Case, name *regexp.Regexp, limit int) bool {
	todo, results := make(chan check.Case), make(chan done)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for c := range todo {
				fmt.Fprintln(os.Stderr, time.Now().Format(time.TimeOnly), c.Name)
				results <- done{c, check.Search(c, limit)}
			}
		})
	}
	go func() {
		for _, c := range cases {
			if name.MatchString(c.Name) {
				todo <- c
			}
		}
		close(todo)
		wg.Wait()
		close(results)
	}()
	fmt.Println("| case | duplicates, crashes, repeats, failures | worlds | transitions | ends | time |\n|---|---|---|---|---|---|")
	ok, complete, all, worlds, transitions := true, 0, 0, 0, 0
	for d := range results {
		b, r, more := d.c.Bounds, d.r, ""
		if all++; r.Complete {
			complete++
		} else {
			more = " of more"
		}
		fmt.Printf("| %s | %d, %d, %d, %d | %d%s | %d | %d | %.1f s |\n", d.c.Name, b.Duplicates, b.Crashes, b.Repeats, b.Failures, r.Worlds, more, r.Transitions, r.Ends, r.Elapsed.Seconds())
		worlds, transitions = worlds+r.Worlds, transitions+r.Transitions
		if r.Broken != nil {
			fmt.Println(r)
			ok = false
		}
	}
	fmt.Printf("\n%d worlds, %d transitions, %d of %d cases complete\n", worlds, transitions, complete, all)
	return ok
}

func blunder(limit int) bool {
	ok := true
	for i := range check.Mistakes {
		m := &check.Mistakes[i]
		for _, c := range check.Cases(false) {
			if c.Name != m.Case {
				continue
			}
			c.Mistake = m
			r := check.Explore(c, limit)
			fmt.Printf("\n%s (%s):\n%s\n", m.Name, c.Name, r)
			ok = ok && r.Broken != nil
		}
	}
	return ok
}

func walk(n uint64) bool {
	began, steps := time.Now(), 0
	for seed := range n {
		r := check.Walk(check.Random(seed), seed)
		if steps += r.Transitions; r.Broken != nil {
			fmt.Printf("seed %d: %+v\n%s\n", seed, check.Random(seed), r)
			return false
		}
	}
	fmt.Printf("%d random histories, %d steps in %.1f s: nothing broke\n", n, steps, time.Since(began).Seconds())
	return true
}
