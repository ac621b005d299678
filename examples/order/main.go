// Command order is a three-step order with a human approval in the middle. Kill it anywhere and start it again.
package main

import (
	"context"
	"fmt"

	"github.com/weftworks/weft"
)

var reserve = weft.Function("reserve", func(_ context.Context, item string) (string, error) {
	fmt.Println("reserving", item)
	return "shelf 12", nil
})
var ship = weft.Function("ship", func(_ context.Context, shelf string) (string, error) { return "shipped from " + shelf, nil })
var approval = weft.Event[string]("approval")
var order = weft.Workflow("order", func(w *weft.Flow, item string) (string, error) {
	shelf, err := reserve.Call(w, item)
	if err != nil {
		return "", err
	}
	if answer, err := approval.Wait(w); err != nil || answer != "y" {
		return "not approved", err
	}
	return ship.Call(w, shelf)
})

func main() {
	ctx, answer := context.Background(), ""
	app, err := weft.Open(weft.Options{Dir: "order-data"}, reserve, ship, order)
	if err != nil {
		panic(err)
	}
	run, _ := order.Run(ctx, app, "a teapot", weft.WithID("order-7"), weft.OrExisting())
	fmt.Print("approve? [y] ")
	_, _ = fmt.Scanln(&answer)
	_ = approval.Raise(ctx, app, run.ID(), answer) // an error if it has ended
	fmt.Println(run.Wait(ctx))
}
