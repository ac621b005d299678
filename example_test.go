package weft_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/engine/function"
)

const greet = `{
  "StartAt": "Greet",
  "States": {
    "Greet": {
      "Type": "Task",
      "Resource": "greet",
      "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 3}],
      "End": true
    }
  }
}`

type visitor struct {
	Name string `json:"name"`
}

// Example runs a state machine inside a Go program. Opened again on the same directory, the node goes on with the
// runs that were open, whatever ended the process.
func Example() {
	dir, err := os.MkdirTemp("", "weft-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()

	functions := function.NewRegistry()
	defer functions.Close()
	err = functions.Register("greet", function.JSON(func(_ context.Context, v visitor) (string, error) {
		return "hello, " + v.Name, nil
	}), function.Settings{Concurrency: 64})
	if err != nil {
		log.Fatal(err)
	}

	node, err := engine.Open(engine.Options{Dir: dir, Functions: functions})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = node.Close() }()
	if _, err := node.CreateMachine(ctx, engine.CreateMachine{Name: "greet", Definition: []byte(greet)}); err != nil {
		log.Fatal(err)
	}

	// When StartRun returns, the run is on the disk. Starting the same name again with the same input is the same run.
	run, err := node.StartRun(ctx, engine.StartRun{Machine: "greet", Name: "ada-1", Input: []byte(`{"name": "Ada"}`)})
	if err != nil {
		log.Fatal(err)
	}
	run, err = node.WaitRun(ctx, run.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(run.Status, string(run.Output))

	events, err := node.History(ctx, run.ID, engine.HistoryQuery{})
	if err != nil {
		log.Fatal(err)
	}
	for _, ev := range events {
		fmt.Println(ev.ID, ev.Type)
	}
	// Output:
	// SUCCEEDED "hello, Ada"
	// 1 ExecutionStarted
	// 2 TaskStateEntered
	// 3 LambdaFunctionScheduled
	// 4 LambdaFunctionStarted
	// 5 LambdaFunctionSucceeded
	// 6 TaskStateExited
	// 7 ExecutionSucceeded
}
