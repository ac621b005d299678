// Package hello has the sequences of calls: HelloSequence3 and HelloSequence5, Sequence10, and a chain of 1,000.
package hello

import (
	"context"
	"fmt"
	"strings"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/bench/workload"
)

var cities = []string{"Tokyo", "Seattle", "London", "Amsterdam", "Mumbai"}

func greet(_ context.Context, city string) (string, error) { return "Hello " + city + "!", nil }

func add(_ context.Context, n int) (int, error) { return n + 1, nil }

var (
	// The papers' functions do no harm when called again.
	hello = weft.Function("hello", greet, weft.Idempotent())
	once  = weft.Function("hello-once", greet)
	next  = weft.Function("next", add, weft.Idempotent())
)

// program returns a workflow that greets the first n cities, one after the other.
func program(name string, n int, say *weft.FunctionOf[string, string]) *weft.WorkflowOf[int, string] {
	return weft.Workflow(name, func(w *weft.Flow, _ int) (string, error) {
		var said []string
		for _, city := range cities[:n] {
			s, err := say.Call(w, city)
			if err != nil {
				return "", err
			}
			said = append(said, s)
		}
		return strings.Join(said, " "), nil
	})
}

func greetings(name, about string, n int, say *weft.FunctionOf[string, string]) *workload.Workload {
	p := program(name, n, say)
	want := "Hello " + strings.Join(cities[:n], "! Hello ") + "!"
	return &workload.Workload{
		Name: name, About: about, Declared: []weft.Declaration{p, say},
		Unit: "runs", Units: 1, Outstanding: 256, Rate: 50, Delayed: true,
		Do: func(ctx context.Context, s workload.System, n int) error {
			got, err := workload.Run(ctx, s, p, n)
			if err != nil {
				return err
			}
			return workload.Want("what "+name+" says", got, want)
		},
	}
}

// Three is HelloSequence3: three calls in a row.
func Three() *workload.Workload {
	return greetings("hello3", "HelloSequence3: three calls in a row", 3, hello)
}

// Five is HelloSequence5: five calls in a row.
func Five() *workload.Workload {
	return greetings("hello5", "HelloSequence5: five calls in a row", 5, hello)
}

// FiveOnce is Five with a function that must not be called for a step that is lost later.
func FiveOnce() *workload.Workload {
	w := greetings("hello5-once", "HelloSequence5 with a function that is not idempotent", 5, once)
	w.Rate, w.Delayed = 0, false
	return w
}

// Ten is Sequence10: ten calls, each with the result of the one before.
func Ten() *workload.Workload {
	w := Sequence("seq10", 10)
	w.About = "Sequence10: ten calls, each with the result of the one before"
	w.Outstanding, w.Rate, w.Delayed = 128, 25, true
	return w
}

// Chain is a chain of 1,000 calls.
func Chain() *workload.Workload {
	w := Sequence("chain", 1000)
	w.Outstanding, w.Long = 4, true
	return w
}

// Sequence is a number of calls, each with the result of the one before.
func Sequence(name string, length int) *workload.Workload {
	p := weft.Workflow(name, func(w *weft.Flow, n int) (int, error) {
		for range length {
			var err error
			if n, err = next.Call(w, n); err != nil {
				return 0, err
			}
		}
		return n, nil
	})
	return &workload.Workload{
		Name: name, About: fmt.Sprintf("%d calls, each with the result of the one before", length),
		Declared: []weft.Declaration{p, next}, Unit: "runs", Units: 1,
		Do: func(ctx context.Context, s workload.System, n int) error {
			got, err := workload.Run(ctx, s, p, n)
			if err != nil {
				return err
			}
			return workload.Want(fmt.Sprintf("%d after %d calls", n, length), got, n+length)
		},
	}
}
