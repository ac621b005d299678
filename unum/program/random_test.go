package program

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/weftworks/weft/unum/ir"
)

// block is a part of a random workflow: it becomes functions, and says itself what it makes of an input.
type block interface {
	// write adds functions whose last continue with tail, and returns the one to begin with.
	write(w *writer, tail string, depth int) string
	// of returns the output for an input; index is $0 there.
	of(in string, index int) string
}

// writer collects functions.
type writer struct {
	text strings.Builder
	n    int
	code map[string]func(any) (any, error)
}

func (w *writer) name(kind string) string {
	w.n++
	return fmt.Sprint(kind, w.n)
}

func (w *writer) function(name, code, fields, next string) {
	if next != "" {
		fields += ", next: [" + next + "]"
	}
	fmt.Fprintf(&w.text, "- {name: %s, code: %s%s}\n", name, code, fields)
}

type task struct {
	code       string
	checkpoint bool
}

func (b task) write(w *writer, tail string, _ int) string {
	name := w.name("T")
	w.function(name, b.code, fmt.Sprintf(", checkpoint: %v", b.checkpoint), tail)
	return name
}

func (b task) of(in string, _ int) string { return b.code + "(" + in + ")" }

type chain []block

func (b chain) write(w *writer, tail string, depth int) (first string) {
	for i := len(b) - 1; i >= 0; i-- {
		first = b[i].write(w, tail, depth)
		tail = "{invoke: " + first + "}"
	}
	return first
}

func (b chain) of(in string, index int) string {
	for _, part := range b {
		in = part.of(in, index)
	}
	return in
}

type parallel []block

func (b parallel) write(w *writer, tail string, depth int) string {
	name, join := w.name("P"), w.name("J")
	var heads []string
	for _, part := range b {
		heads = append(heads, "{invoke: "+part.write(w, "{fanIn: "+join+", set: all, size: $size}", depth+1)+"}")
	}
	w.function(name, "p", ", sets: [all]", strings.Join(heads, ", "))
	w.function(join, "j", "", tail)
	return name
}

func (b parallel) of(in string, _ int) string {
	parts := make([]string, len(b))
	for i, part := range b {
		parts[i] = part.of("p("+in+")", i)
	}
	return "j(" + strings.Join(parts, " ") + ")"
}

type each struct {
	width int
	block block
}

func (b each) write(w *writer, tail string, depth int) string {
	name, join := w.name("M"), w.name("J")
	w.code[name] = func(in any) (any, error) {
		items := []string{}
		for i := range b.width {
			items = append(items, fmt.Sprintf("%s.%d", words(in), i))
		}
		return items, nil
	}
	head := b.block.write(w, "{fanIn: "+join+", set: all, size: $size}", depth+1)
	w.function(name, name, ", sets: [all]", fmt.Sprintf("{map: %s, concurrency: %d}", head, 1+b.width/2))
	w.function(join, "j", "", tail)
	return name
}

func (b each) of(in string, _ int) string {
	parts := make([]string, b.width)
	for i := range parts {
		parts[i] = b.block.of(fmt.Sprintf("%s.%d", in, i), i)
	}
	return "j(" + strings.Join(parts, " ") + ")"
}

// choice takes the first for even indices, and outside of fan-outs.
type choice struct{ even, odd block }

func (b choice) write(w *writer, tail string, depth int) string {
	name, guard := w.name("C"), "$0 % 2 == 0"
	if depth == 0 {
		guard = "$iteration == 0"
	}
	even, odd := b.even.write(w, tail, depth), b.odd.write(w, tail, depth)
	w.function(name, "c", "", fmt.Sprintf("{invoke: %s, if: %s}, {invoke: %s, if: otherwise}", even, guard, odd))
	return name
}

func (b choice) of(in string, index int) string {
	if index%2 == 0 {
		return b.even.of("c("+in+")", index)
	}
	return b.odd.of("c("+in+")", index)
}

func randomBlock(r *rand.Rand, depth int) block {
	if depth == 0 {
		return task{[]string{"a", "b", "d"}[r.IntN(3)], r.IntN(3) > 0}
	}
	switch r.IntN(5) {
	case 0:
		return each{r.IntN(4), randomBlock(r, depth-1)}
	case 1:
		return parallel{randomBlock(r, depth-1), randomBlock(r, depth-1)}
	case 2:
		return choice{randomBlock(r, depth-1), randomBlock(r, depth-1)}
	}
	return chain{randomBlock(r, depth-1), randomBlock(r, depth-1)}
}

// TestRandomWorkflows runs workflows made of chains, choices, fan-outs and joins, in any order, with executions that end
// anywhere, and compares what they end with.
func TestRandomWorkflows(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 7))
		whole := chain{task{"start", true}, randomBlock(r, 1+r.IntN(4))}
		w := &writer{code: map[string]func(any) (any, error){}}
		whole.write(w, "", 0)
		text := "version: 1\nname: random\nfunctions:\n" + strings.Replace(w.text.String(), "code: start", "code: start, start: true", 1)
		app, err := ir.Parse([]ir.File{{Name: "random.yaml", Text: []byte(text)}})
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		end := newWorld(t, app, seed, seed%3 > 0, w.code).run("x")
		if got, want := words(value(end.Output)), whole.of("x", 0); end.Failed || got != want {
			t.Fatalf("seed %d: got %s%s, want %s\n%s", seed, got, end.Cause, want, text)
		}
	}
}
