package function_test

import (
	"context"
	"fmt"
	"time"

	"github.com/weftworks/weft/engine/function"
)

// A function that works for long beats, so that one that hangs is told from it.
func ExampleBeat() {
	count := function.JSON(func(ctx context.Context, rows []string) (int, error) {
		for range rows { // work on a row, then
			function.Beat(ctx)
			if ctx.Err() != nil {
				return 0, context.Cause(ctx) // nobody waits for the rest
			}
		}
		return len(rows), nil
	})
	r := function.NewRegistry()
	defer r.Close()
	if err := r.Register("count", count, function.Settings{Heartbeat: 30 * time.Second}); err != nil {
		fmt.Println(err)
	}
	res, err := r.Invoke(context.Background(), &function.Request{Function: "count", Input: []byte(`["a","b","c"]`)})
	fmt.Println(string(res.Output), err)
	// Output: 3 <nil>
}
