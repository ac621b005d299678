package machine_test

import (
	"fmt"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/machine"
)

// A run is a fold: events in, commands and history out.
func Example() {
	definition, problems := asl.Parse([]byte(`{"StartAt":"Greet","States":{
		"Greet":{"Type":"Task","Resource":"greet","ResultPath":"$.greeting","Next":"Rest"},
		"Rest":{"Type":"Wait","Seconds":3600,"End":true}}}`), asl.Options{})
	if len(problems) > 0 {
		fmt.Println(problems.Err())
		return
	}
	in := &machine.Interpreter{Definition: definition}
	run := in.NewFrame(machine.Execution{Name: "first"})
	var out machine.Output

	in.Step(run, machine.Event{Kind: machine.Start, Now: 0, Output: []byte(`{"city":"Oslo"}`)}, &out)
	call := out.Commands[0]
	fmt.Printf("invoke %s %s\n", call.Function, call.Input)

	out.Reset()
	in.Step(run, machine.Event{Kind: machine.TaskSucceeded, Now: 20, ID: call.ID, Output: []byte(`"hei"`)}, &out)
	timer := out.Commands[0]
	fmt.Printf("wake at %d ms\n", timer.Due)

	stored := run.AppendBinary(nil) // survives what it must
	run, _ = machine.DecodeFrame(stored, in)

	out.Reset()
	in.Step(run, machine.Event{Kind: machine.TimerFired, Now: timer.Due, ID: timer.ID}, &out)
	end := out.Commands[len(out.Commands)-1]
	fmt.Printf("%s %s\n", end.Status, end.Output)
	for _, e := range out.History {
		fmt.Println(e.ID, e.Type)
	}
	// Output:
	// invoke greet {"city":"Oslo"}
	// wake at 3600020 ms
	// SUCCEEDED {"city":"Oslo","greeting":"hei"}
	// 8 WaitStateExited
	// 9 ExecutionSucceeded
}
