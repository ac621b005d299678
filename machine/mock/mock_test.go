package mock

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/machine"
)

const order = `{
 "StartAt": "Charge",
 "States": {
  "Charge": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "charge", "Payload.$": "$"},
   "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 60, "MaxAttempts": 3, "BackoffRate": 2}],
   "Catch": [{"ErrorEquals": ["Declined"], "Next": "Refused"}],
   "OutputPath": "$.Payload", "Next": "Rest"},
  "Rest": {"Type": "Wait", "Seconds": 86400, "Next": "Each"},
  "Each": {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": {"StartAt": "Ship", "States": {"Ship": {"Type": "Task", "Resource": "ship", "End": true}}}, "End": true},
  "Refused": {"Type": "Fail", "Error": "Refused", "Cause": "no money"}
 }}`

const mocks = `{
 "StateMachines": {"Order": {"TestCases": {
  "Happy": {"Charge": "Good", "Ship": "Shipped", "Expect": {"Status": "SUCCEEDED", "Output": ["sent", "sent"], "Path": ["Charge", "Rest", "Each", "Ship", "Ship"]}},
  "Numbered": {"Charge": "Good", "Ship": "OneByOne", "Expect": {"Output": ["first", "second"]}},
  "Retry": {"Charge": "GoodAtLast", "Ship": "Shipped", "Input": {"n": 1}, "Expect": {"Status": "SUCCEEDED"}},
  "Declined": {"Charge": "Declined", "Expect": {"Status": "FAILED", "Error": "Refused", "Cause": "money"}},
  "TooFew": {"Charge": "BusyOnce", "Expect": {"Status": "FAILED", "Error": "States.Runtime", "Cause": "no mocked response for call 1"}},
  "Unmocked": {"Charge": "Good", "Expect": {"Status": "FAILED", "Error": "States.Runtime", "Cause": "'ship'"}},
  "Wrong": {"Charge": "Declined", "Expect": {"Status": "SUCCEEDED", "Output": 1, "Error": "E", "Cause": "C", "Path": ["X"]}}
 }}},
 "MockedResponses": {
  "Good": {"0": {"Return": {"Payload": {"items": [1, 2]}}}},
  "GoodAtLast": {"0": {"Throw": {"Error": "Busy", "Cause": "c"}}, "1-2": {"Throw": {"Error": "Busy"}}, "3": {"Return": {"Payload": {"items": []}}}},
  "BusyOnce": {"0": {"Throw": {"Error": "Busy"}}},
  "Declined": {"0": {"Throw": {"Error": "Declined", "Cause": "card"}}},
  "Shipped": {"0": {"Return": "sent"}},
  "OneByOne": {"0": {"Return": "first"}, "1": {"Return": "second"}}
 }}`

func definition(t testing.TB, text string) *asl.Machine {
	t.Helper()
	m, problems := asl.Parse([]byte(text), asl.Options{})
	if len(problems) > 0 {
		t.Fatal(problems.Err())
	}
	return m
}

func run(t *testing.T, name string) (*Case, *Report) {
	t.Helper()
	f, err := Parse([]byte(mocks))
	if err != nil {
		t.Fatal(err)
	}
	c := f.Machine("Order").Case(name)
	r, err := Run(&Test{Definition: definition(t, order), Mocks: c, Input: c.Input, Start: 1_000_000})
	if err != nil {
		t.Fatal(err)
	}
	return c, r
}

func TestCases(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Happy", "Numbered", "Retry", "Declined", "TooFew", "Unmocked"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, r := run(t, name)
			if d := c.Expect.Differences(r); d != nil {
				t.Error(strings.Join(d, "\n"))
			}
		})
	}
}

func TestTimeIsVirtual(t *testing.T) {
	t.Parallel()
	_, r := run(t, "Retry")
	if want := int64(60+120+240+86400) * 1000; r.Elapsed != want {
		t.Errorf("took %d ms of virtual time, want %d", r.Elapsed, want)
	}
	first := r.Visits[0]
	if first.Attempts != 4 || !slices.Equal(first.Errors, []string{"Busy", "Busy", "Busy"}) || r.Visits[1].Entered != 420_000 {
		t.Errorf("visits %+v", r.Visits)
	}
}

func TestDifferencesNameEach(t *testing.T) {
	t.Parallel()
	c, r := run(t, "Wrong")
	got := strings.Join(c.Expect.Differences(r), "\n")
	want := `Status: expected SUCCEEDED, got FAILED
Output: expected 1, got none
Error: expected E, got Refused
Cause: expected a text with C, got no money
Path: expected X, got Charge → Refused`
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestEndlessRunEnds(t *testing.T) {
	t.Parallel()
	m := definition(t, `{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 1, "Next": "B"},
		"B": {"Type": "Choice", "Choices": [{"Variable": "$.x", "IsPresent": true, "Next": "C"}], "Default": "A"}, "C": {"Type": "Succeed"}}}`)
	if _, err := Run(&Test{Definition: m, MaxSteps: 50}); err == nil || !strings.Contains(err.Error(), "50 steps") {
		t.Errorf("err = %v", err)
	}
	token := definition(t, `{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
		"Parameters": {"FunctionName": "f", "Payload": {"t.$": "$$.Task.Token"}}, "End": true}}}`)
	call := func(c *machine.Command) machine.Event {
		return machine.Event{Kind: machine.TaskSubmitted, ID: c.ID, Output: []byte("1")}
	}
	if _, err := Run(&Test{Definition: token, Call: call}); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("err = %v", err)
	}
}

// TestMockedTokenTask shows that a mocked result is the task's own: no token is waited for, no envelope put around it.
func TestMockedTokenTask(t *testing.T) {
	t.Parallel()
	m := definition(t, `{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
		"Parameters": {"FunctionName": "f", "Payload": {"t.$": "$$.Task.Token"}}, "End": true}}}`)
	f, err := Parse([]byte(`{"StateMachines": {"M": {"TestCases": {"C": {"A": "R"}}}}, "MockedResponses": {"R": {"0": {"Return": {"ok": true}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(&Test{Definition: m, Mocks: f.Machine("M").Case("C")})
	if err != nil || string(r.Output) != `{"ok":true}` {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{`:                                                     "not JSON",
		`[]`:                                                    "the file: must be an object",
		`{}`:                                                    "StateMachines is missing",
		`{"StateMachines": {}, "X": 1}`:                         "X: unknown",
		`{"StateMachines": {"M": {}}}`:                          "StateMachines.M: TestCases is missing",
		testCase(`{"A": "No"}`):                                 `StateMachines.M.TestCases.C.A: there is no response "No"`,
		testCase(`{"A": 1}`):                                    "must be the name of a response",
		testCase(`{"Expect": {"Status": "OK"}}`):                "Expect.Status: must be one of",
		testCase(`{"Expect": {"Path": "A"}}`):                   "Path: must be an array",
		testCase(`{"Expect": {"Path": [1]}}`):                   "Path[0]: must be the name",
		testCase(`{"Expect": {"Error": 1}}`):                    "Error: must be a string",
		testCase(`{"Expect": {"Nothing": 1}}`):                  "Nothing: unknown",
		responses(`{"x": {"Return": 1}}`):                       `MockedResponses.R.x: a key is a call`,
		responses(`{"2-1": {"Return": 1}}`):                     `a key is a call`,
		responses(`{"0": {}}`):                                  "must have one of Return and Throw",
		responses(`{"0": {"Throw": {"Err": ""}}}`):              "Throw.Err: unknown",
		responses(`{"0": {"Throw": {"Error": 1}}}`):             "Throw.Error: must be a string",
		responses(`{"0-2": {"Return": 1}, "2": {"Return": 1}}`): "call 2 has two answers",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func testCase(c string) string {
	return fmt.Sprintf(`{"StateMachines": {"M": {"TestCases": {"C": %s}}}}`, c)
}

func responses(r string) string {
	return fmt.Sprintf(`{"StateMachines": {}, "MockedResponses": {"R": %s}}`, r)
}

// TestAWSFileIsRead reads a file that has nothing of ours.
func TestAWSFileIsRead(t *testing.T) {
	t.Parallel()
	f, err := Parse([]byte(`{"StateMachines": {"A": {"TestCases": {"One": {"S": "R"}, "Two": {"S": "R"}}}, "B": {"TestCases": {}}},
		"MockedResponses": {"R": {"0": {"Return": null}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if f.Machine("A").Case("Two") == nil || f.Machine("B") == nil || f.Machine("C") != nil || f.Machine("A").Case("Three") != nil {
		t.Errorf("%+v", f.Machines)
	}
	if got := f.Machines[0].Cases[0].States(); !slices.Equal(got, []string{"S"}) {
		t.Errorf("states %v", got)
	}
}

// TestCaseAsFile holds that a case written as a file and read again answers the same.
func TestCaseAsFile(t *testing.T) {
	t.Parallel()
	f, err := Parse([]byte(mocks))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range f.Machine("Order").Cases {
		again, err := Parse(c.File("M"))
		if err != nil {
			t.Fatal(err)
		}
		d := again.Machine("M").Case(c.Name)
		for _, state := range append(c.States(), "None") {
			for call := range int64(5) {
				a, ok1 := c.Respond(state, call, call%2)
				b, ok2 := d.Respond(state, call, call%2)
				if ok1 != ok2 || string(a.Output) != string(b.Output) || a.Failed != b.Failed || a.Error != b.Error || a.Cause != b.Cause {
					t.Errorf("%s, call %d of %s: %+v, written and read %+v", c.Name, call, state, a, b)
				}
			}
		}
	}
}

func TestUnknownStates(t *testing.T) {
	t.Parallel()
	f, err := Parse([]byte(`{"StateMachines": {"M": {"TestCases": {"C": {"Charge": "R", "Rest": "R", "Chrage": "R"}}}}, "MockedResponses": {"R": {"0": {"Return": 1}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Machines[0].Cases[0].Unknown(definition(t, order)); !slices.Equal(got, []string{"Chrage", "Rest"}) {
		t.Errorf("unknown %v", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(mocks)
	f.Add(`{"StateMachines": {"M": {"TestCases": {"C": {"Input": 1, "Expect": {}}}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse([]byte(text))
		if err == nil && !json.Valid([]byte(text)) {
			t.Errorf("read %q as %+v", text, file)
		}
	})
}
