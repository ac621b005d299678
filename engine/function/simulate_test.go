package function_test

import (
	"fmt"
	"time"

	"github.com/weftworks/weft/engine/function"
)

func ExampleTurns() {
	turns := function.NewTurns(function.Settings{Concurrency: 1, Rate: 2, Burst: 1, Queue: 1})
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	first, _ := turns.Enter(&function.Request{}, now)
	second, _ := turns.Enter(&function.Request{}, now)
	_, ok := turns.Enter(&function.Request{}, now)
	fmt.Println("the first runs:", first.Runs(), "the second:", second.Runs(), "there is room for a third:", ok)

	turns.Leave(first)
	fmt.Println("there is room, and no token:", turns.Next(now) == nil)
	at, _ := turns.Wake()
	fmt.Println("after", at.Sub(now), "it is the second's turn:", turns.Next(at) == second, second.Runs())
	// Output:
	// the first runs: true the second: false there is room for a third: false
	// there is room, and no token: true
	// after 500ms it is the second's turn: true true
}
