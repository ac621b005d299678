package mock_test

import (
	"fmt"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/machine/mock"
)

// A test case runs at once, whatever the machine waits for.
func ExampleRun() {
	definition, problems := asl.Parse([]byte(`{"StartAt": "Ask", "States": {
		"Ask": {"Type": "Task", "Resource": "ask", "Next": "Rest",
			"Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 3600}]},
		"Rest": {"Type": "Wait", "Seconds": 86400, "End": true}}}`), asl.Options{})
	file, err := mock.Parse([]byte(`{
		"StateMachines": {"Survey": {"TestCases": {"BusyFirst": {"Ask": "Second"}}}},
		"MockedResponses": {"Second": {"0": {"Throw": {"Error": "Busy"}}, "1": {"Return": {"answer": 42}}}}}`))
	if len(problems) > 0 || err != nil {
		fmt.Println(problems, err)
		return
	}
	report, err := mock.Run(&mock.Test{Definition: definition, Mocks: file.Machine("Survey").Case("BusyFirst")})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Status, string(report.Output), report.Path(), report.Elapsed/3_600_000, "hours")
	// Output: SUCCEEDED {"answer":42} [Ask Rest] 25 hours
}
