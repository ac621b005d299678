// Package wordcount has the WordCount workload: map and reduce with entities. Each mapper has a text of its own and
// signals to each reducer the counts of the words that fall to it; a reducer that has heard from all mappers signals its result
// to a summary, and the summary raises an event in the run that waits. The papers take books; here words are drawn by
// Zipf's law.
package wordcount

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/bench/workload"
)

// The shape is the smallest of the papers', 5x10 with 10,986 words.
const (
	mappers    = 5
	reducers   = 10
	words      = 2200   // of each mapper
	vocabulary = 20_000 // words there are
)

// Total is what there is to know about all texts.
type Total struct{ Words, Distinct int }

type counts map[string]int

// reducing is the state of a reducer.
type reducing struct {
	Counts counts
	Heard  int // mappers
}

// part is what one mapper has for one reducer.
type part struct {
	Job    string // run id
	Counts counts
}

type report struct {
	Job   string
	Total Total
}

type summing struct {
	Heard int // reducers
	Total Total
}

var (
	mapper  = weft.Entity[int]("mapper")
	reducer = weft.Entity[reducing]("reducer")
	summary = weft.Entity[summing]("summary")
	done    = weft.Event[Total]("done")

	count = weft.Operation(mapper, "count", func(c *weft.EntityContext, _ *int, job string) (int, error) {
		parts := split(text(c.Key()[len(job)+1:]))
		c.Delete()
		for r := range parts {
			if err := reduce.Signal(c, key(job, r), part{job, parts[r]}); err != nil {
				return 0, err
			}
		}
		return words, nil
	})
	reduce = weft.Operation(reducer, "reduce", func(c *weft.EntityContext, s *reducing, p part) (int, error) {
		if s.Counts == nil {
			s.Counts = make(counts)
		}
		for word, n := range p.Counts {
			s.Counts[word] += n
		}
		if s.Heard++; s.Heard < mappers {
			return s.Heard, nil
		}
		r := report{Job: p.Job, Total: Total{Distinct: len(s.Counts)}}
		for _, n := range s.Counts {
			r.Total.Words += n
		}
		c.Delete()
		return s.Heard, sum.Signal(c, p.Job, r)
	})
	sum = weft.Operation(summary, "sum", func(c *weft.EntityContext, s *summing, r report) (int, error) {
		s.Total.Words += r.Total.Words
		s.Total.Distinct += r.Total.Distinct
		if s.Heard++; s.Heard < reducers {
			return s.Heard, nil
		}
		c.Delete()
		return s.Heard, done.Send(c, r.Job, s.Total)
	})

	program = weft.Workflow("wordcount", func(w *weft.Flow, _ int) (Total, error) {
		for m := range mappers {
			if err := count.Signal(w, key(w.ID(), m), w.ID()); err != nil {
				return Total{}, err
			}
		}
		return done.Wait(w)
	})
)

func key(job string, n int) string { return job + "." + strconv.Itoa(n) }

// text returns the words of a mapper.
func text(mapper string) []int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(mapper))
	zipf := rand.NewZipf(rand.New(rand.NewPCG(h.Sum64(), 1)), 1.1, 2, vocabulary-1)
	list := make([]int, words)
	for i := range list {
		list[i] = int(zipf.Uint64())
	}
	return list
}

// split counts words by the reducer they fall to.
func split(list []int) (parts [reducers]counts) {
	for _, word := range list {
		r := word % reducers
		if parts[r] == nil {
			parts[r] = make(counts)
		}
		parts[r]["word"+strconv.Itoa(word)]++
	}
	return parts
}

// expected counts all texts in one go.
func expected() Total {
	seen := make(map[int]bool)
	for m := range mappers {
		for _, word := range text(strconv.Itoa(m)) {
			seen[word] = true
		}
	}
	return Total{Words: mappers * words, Distinct: len(seen)}
}

// New returns the workload.
func New() *workload.Workload {
	want := expected()
	return &workload.Workload{
		Name: "wordcount", About: fmt.Sprintf("WordCount: %d mappers signal %d reducers, %d words drawn by Zipf's law", mappers, reducers, mappers*words),
		Declared: []weft.Declaration{mapper, reducer, summary, program}, Unit: "words", Units: mappers * words, Outstanding: 8,
		Do: func(ctx context.Context, s workload.System, n int) error {
			got, err := workload.Run(ctx, s, program, n)
			if err != nil {
				return err
			}
			return workload.Want("the count", got, want)
		},
	}
}
