package asl

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft/asl/jsonpath"
	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/limits"
)

var rewrite = flag.Bool("rewrite", false, "write what Parse reports into testdata")

// TestProblems runs testdata/*.txt. A file is a list of cases: a line "=== name" (with " express" at the end
// for an EXPRESS machine), a definition, a line "---", and the problems. Run with -rewrite after a change and read
// the difference.
func TestProblems(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(string(text))
			if *rewrite {
				err = os.WriteFile(file, []byte(got), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			if !*rewrite && got != string(text) {
				t.Errorf("%s differs; run `go test ./asl -rewrite` and read the difference:\n%s", file, firstDifference(got, string(text)))
			}
		})
	}
}

// replay returns the file with the problems that Parse reports now.
func replay(text string) string {
	var b strings.Builder
	for _, block := range strings.Split("\n"+text, "\n=== ")[1:] {
		name, body, _ := strings.Cut(block, "\n")
		definition, _, _ := strings.Cut(body, "\n---")
		machine, problems := Parse([]byte(definition), Options{Express: strings.HasSuffix(name, " express")})
		fmt.Fprintf(&b, "=== %s\n%s\n---\n", name, definition)
		for _, p := range problems {
			fmt.Fprintf(&b, "%s %s\n  %s\n", p.Code, p.Path, strings.ReplaceAll(p.Error(), "\n", "\n  "))
			if p.ServiceMessage != p.Message || p.ServiceLocation != p.Path {
				fmt.Fprintf(&b, "  service: %s at %q\n", p.ServiceMessage, p.ServiceLocation)
			}
		}
		if machine != nil {
			b.WriteString("ok\n")
		}
	}
	return b.String()
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("line %d is now\n%s", i+1, strings.Join(g[i:min(i+5, len(g))], "\n"))
		}
	}
	return "the file is longer"
}

const wide = `{
  "Comment": "everything", "Version": "1.0", "TimeoutSeconds": 60, "StartAt": "Count",
  "States": {
    "Count": {
      "Type": "Task", "Resource": "arn:aws-cn:lambda:cn-north-1:123456789012:function:count:live", "Next": "Each",
      "TimeoutSeconds": 10, "HeartbeatSecondsPath": "$.beat", "InputPath": null, "ResultPath": "$.count", "OutputPath": "$",
      "Parameters": {"file.$": "$.file", "run.$": "$$.Execution.Id", "plain": {"a": [1, 2.50]}, "list": [{"x.$": "$.x"}, 7]},
      "ResultSelector": {"n.$": "$.n"},
      "Retry": [{"ErrorEquals": ["A", "B"], "JitterStrategy": "FULL", "MaxDelaySeconds": 9}, {"ErrorEquals": ["States.ALL"], "MaxAttempts": 0, "BackoffRate": 1.5, "IntervalSeconds": 3}],
      "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Broken", "ResultPath": null}]
    },
    "Each": {
      "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 4, "ToleratedFailurePercentage": 12.5, "ItemSelector": {"v.$": "$$.Map.Item.Value"},
      "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "Inner", "States": {"Inner": {"Type": "Pass", "Result": {"k": [1]}, "End": true}}},
      "Next": "Choose"
    },
    "Choose": {
      "Type": "Choice", "Default": "Both",
      "Choices": [
        {"Variable": "$.n", "NumericGreaterThanPath": "$.m", "Next": "Later"},
        {"And": [{"Variable": "$.a", "IsPresent": true}, {"Not": {"Variable": "$.a", "StringMatches": "x*"}}], "Next": "Done"}
      ]
    },
    "Both": {"Type": "Parallel", "Branches": [
      {"StartAt": "Left", "States": {"Left": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "Parameters": {"FunctionName": "f", "Payload": {"t.$": "$$.Task.Token"}}, "End": true}}},
      {"StartAt": "Right", "States": {"Right": {"Type": "Succeed"}}}
    ], "Next": "Later"},
    "Later": {"Type": "Wait", "Timestamp": "2026-03-14T01:59:00Z", "Next": "Done"},
    "Done": {"Type": "Succeed"},
    "Broken": {"Type": "Fail", "ErrorPath": "$.Error", "Cause": "it broke"}
  }
}`

func mustParse(t testing.TB, text string) *Machine {
	t.Helper()
	m, problems := Parse([]byte(text), Options{})
	if problems.Err() != nil {
		t.Fatalf("%v\n%s", problems, text)
	}
	return m
}

func TestMachineIsWhatTheTextSays(t *testing.T) {
	t.Parallel()
	m := mustParse(t, wide)
	for i, s := range m.AllStates {
		if s.Index != i || s.Graph.ByName[s.Name] != s {
			t.Errorf("state %d is %+v", i, s)
		}
	}
	names := []string{}
	for _, s := range m.AllStates {
		names = append(names, s.Name)
	}
	count, each, choose, both := m.AllStates[0], m.AllStates[1], m.AllStates[3], m.AllStates[4]
	checks := []struct {
		what      string
		got, want any
	}{
		{"order", strings.Join(names, " "), "Count Each Inner Choose Both Left Right Later Done Broken"},
		{"start", m.Graph.Start, count},
		{"position", count.Pos, Pos{4, 5}},
		{"next", count.NextState, each},
		{"catch", count.Catch[0].To.Name, "Broken"},
		{"caught result", count.Catch[0].ResultPath.Null, true},
		{"target", count.Task.Target, Target{Kind: TargetFunction, Function: "count"}},
		{"timeout", count.Task.Timeout, Duration{Set: true, Seconds: 10}},
		{"heartbeat", count.Task.Heartbeat.Path.String(), "$.beat"},
		{"null input", count.InputPath.Null, true},
		{"first retrier", fmt.Sprintf("%+v", count.Retry[0]), "{ErrorEquals:[A B] IntervalSeconds:1 MaxAttempts:3 BackoffRate:2 MaxDelaySeconds:9 FullJitter:true}"},
		{"second retrier", fmt.Sprintf("%+v", count.Retry[1]), "{ErrorEquals:[States.ALL] IntervalSeconds:3 MaxAttempts:0 BackoffRate:1.5 MaxDelaySeconds:0 FullJitter:false}"},
		{"selector", each.Parameters != nil, true},
		{"tolerance", fmt.Sprint(each.Map.HasTolerance, each.Map.ToleratedFailurePercentage), "true 12.5"},
		{"processor's parent", each.Map.Processor.Parent, each},
		{"result", string(m.AllStates[2].Result), `{"k":[1]}`},
		{"comparison", choose.Choice.Rules[0].Cond.Compare.String(), "$.n NumericGreaterThan $.m"},
		{"rule", choose.Choice.Rules[1].Cond.And[1].Not.Compare.String(), `$.a StringMatches "x*"`},
		{"rule's target", choose.Choice.Rules[1].To.Name, "Done"},
		{"default", choose.Choice.DefaultState, both},
		{"token", both.Parallel.Branches[0].Start.Task.Target, Target{Kind: TargetLambdaInvoke, ResourceType: "lambda", Resource: "invoke.waitForTaskToken", WaitForToken: true}},
		{"error path", m.Graph.ByName["Broken"].Fail.ErrorPath.String(), "$.Error"},
	}
	for _, c := range checks {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
}

// fixed is a Scope of given values.
type fixed struct{ data, context any }

func (f fixed) Data() any                   { return f.data }
func (f fixed) Context() any                { return f.context }
func (f fixed) Variable(string) (any, bool) { return nil, false }

func TestTemplate(t *testing.T) {
	t.Parallel()
	count := mustParse(t, wide).Graph.Start
	context, _ := jsonvalue.ParseString(`{"Execution":{"Id":"r1"}}`)
	data, _ := jsonvalue.ParseString(`{"file":"a.go","x":1e3}`)
	v, err := count.Parameters.Eval(fixed{data, context})
	if want := `{"file":"a.go","run":"r1","plain":{"a":[1,2.50]},"list":[{"x":1e3},7]}`; err != nil || jsonvalue.Text(v) != want {
		t.Errorf("%s, %v, want %s", jsonvalue.Text(v), err, want)
	}
	_, err = count.Parameters.Eval(fixed{jsonvalue.NewObject(0), context})
	e, ok := err.(*TemplateError)
	if !ok || e.Field != "file.$" || e.Expr != "$.file" {
		t.Fatalf("error %v", err)
	}
	if _, ok := e.Err.(*jsonpath.MissingError); !ok {
		t.Errorf("cause %v", e.Err)
	}
}

func TestParseFunctionName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"arn:aws:lambda:us-east-1:123456789012:function:f":          "f",
		"arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST":  "f $LATEST",
		"arn:aws-us-gov:lambda:eu-west-1:123456789012:function:f:7": "f 7",
		"123456789012:function:f":                                   "f",
		"function:f:live":                                           "f live",
		"my-fn_2":                                                   "my-fn_2",
		"my-fn:3":                                                   "my-fn 3",
		"arn:aws:lambda:us-east-1:123456789012:layer:f":             "",
		"arn:aws:states:::lambda:invoke":                            "",
		"a b":                                                       "",
		"":                                                          "",
		"f:":                                                        "",
	} {
		name, qualifier, ok := ParseFunctionName(text)
		if got := strings.TrimSpace(name + " " + qualifier); got != want || ok != (want != "") {
			t.Errorf("%s is %q, %v, want %q", text, got, ok, want)
		}
	}
}

func TestParseTimestamp(t *testing.T) {
	t.Parallel()
	for text, valid := range map[string]bool{
		"2016-12-05T21:29:29Z": true, "2016-12-05T21:29:29.123456789+05:30": true, "2016-12-05t21:29:29z": false, "2016-12-05 21:29:29Z": false,
		"2016-12-05T21:29:29": false, "2016-13-05T21:29:29Z": false, "2016-12-05T25:29:29Z": false, "05-12-2016T21:29:29Z": false, "2016-12-05T21:29:29,5Z": false, "": false,
	} {
		if v, err := ParseTimestamp(text); (err == nil) != valid {
			t.Errorf("%s: %v, %v", text, v, err)
		}
	}
	if v, _ := ParseTimestamp("2016-12-05T21:29:29+01:00"); !v.Equal(time.Date(2016, 12, 5, 20, 29, 29, 0, time.UTC)) {
		t.Errorf("offset: %v", v)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	small := Options{Limits: limits.Set{DefinitionBytes: 50}}
	if _, problems := Parse([]byte(wide), small); len(problems) != 1 || !strings.Contains(problems[0].Message, "at most 50") {
		t.Errorf("size: %v", problems)
	}
	unknown := []byte(strings.Repeat(`,"Nonsense":1`, 5000))
	for i := range 20_000 {
		unknown = fmt.Appendf(unknown, `,"Nonsense%d":1`, i)
	}
	many := `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true` + string(unknown) + `}}}`
	_, problems := Parse([]byte(many), Options{})
	if len(problems) != maxProblems || !strings.Contains(problems[maxProblems-1].Message, "more problems") {
		t.Errorf("%d problems, the last %v", len(problems), problems[len(problems)-1].Message)
	}
	deep := `{"StartAt":"C","States":{"C":{"Type":"Choice","Choices":[{"Next":"C",` + strings.Repeat(`"Not":{`, 2000) + strings.Repeat("}", 2000) + `}]}}}`
	if _, problems := Parse([]byte(deep), Options{}); len(problems) != 1 || problems[0].Code != InvalidJSON {
		t.Errorf("depth: %v", problems)
	}
}

// chain is a definition of n Task states one after the other.
func chain(n int) []byte {
	b := []byte(`{"StartAt":"S0","States":{`)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `"S%d":{"Type":"Task","Resource":"f","ResultPath":"$.r"`, i)
		if i == n-1 {
			b = append(b, `,"End":true}`...)
		} else {
			b = fmt.Appendf(b, `,"Next":"S%d"}`, i+1)
		}
	}
	return append(b, "}}"...)
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		text := chain(n)
		b.Run(fmt.Sprintf("states=%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, problems := Parse(text, Options{}); problems != nil {
					b.Fatal(problems)
				}
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(wide), false)
	f.Add([]byte(`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","Next":"B"},"B":[]}}`), true)
	f.Add([]byte(`{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Map","Items":"{% $x %}","ItemProcessor":{"StartAt":"A","States":{}},"End":true}}}`), false)
	f.Fuzz(func(t *testing.T, text []byte, express bool) {
		m, problems := Parse(text, Options{Express: express})
		if (m == nil) != (len(problems) > 0) {
			t.Fatalf("machine %v with problems %v", m, problems)
		}
		lines := strings.Count(string(text), "\n") + 1
		for _, p := range problems {
			if p.Pos.Line < 1 || p.Pos.Line > lines || p.Pos.Column < 1 || p.Code == "" || p.Message == "" || p.ServiceMessage == "" {
				t.Errorf("problem %+v", p)
			}
		}
		if m == nil {
			return
		}
		for i, s := range m.AllStates {
			if s.Index != i || s.Next != "" && s.NextState == nil || s.Graph.Start == nil {
				t.Errorf("state %+v", s)
			}
		}
	})
}

func ExampleParse() {
	definition := `{
  "StartAt": "Greet",
  "States": {
    "Greet": {"Type": "Task", "Resorce": "greet", "Next": "Dome"},
    "Done": {"Type": "Sucseed"}
  }
}`
	_, problems := Parse([]byte(definition), Options{})
	for _, p := range problems {
		fmt.Println(p.Error())
	}
	// Output:
	// line 4, column 14: state "Greet": required and missing: Resource; add Resource
	// line 4, column 31: state "Greet", Resorce: a Task state has no field "Resorce"; did you mean "Resource"?
	// line 4, column 59: state "Greet", Next: there is no state "Dome"; did you mean "Done"?
	// line 5, column 22: state "Done", Type: there is no state type "Sucseed"; did you mean "Succeed"?
}
