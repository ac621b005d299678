package cloudformation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const orderFile = `{"StartAt": "Charge", "States": {
  "Charge": {"Type": "Task", "Resource": "${ChargeArn}", "Next": "Many"},
  "Many": {"Type": "Map", "MaxConcurrency": ${Batch}, "Comment": "${Other}", "End": true}}}`

func read(path string) ([]byte, error) {
	switch path {
	case "order.asl.json":
		return []byte(orderFile), nil
	case "flow.yaml":
		return []byte("StartAt: A\nStates:\n  A: {Type: Wait, Seconds: ${N}, End: true}\n"), nil
	case "bad.yaml":
		return []byte("StartAt: A\nStates:\n  A: [\n"), nil
	}
	return nil, fs.ErrNotExist
}

func load(t *testing.T, path string, o Options) *Result {
	t.Helper()
	text, err := os.ReadFile("testdata/" + path)
	if err != nil {
		t.Fatal(err)
	}
	o.ReadFile = read
	found, err := Import(text, o)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func compact(t *testing.T, text []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return b.String()
}

func TestSAM(t *testing.T) {
	t.Parallel()
	found := load(t, "orders.yaml", Options{Region: "eu-north-1", Account: "123456789012"})
	if len(found.Machines) != 2 {
		t.Fatalf("found %d machines", len(found.Machines))
	}
	order, nested := found.Machines[0], found.Machines[1]
	order.Definition, nested.Definition = []byte(compact(t, order.Definition)), []byte(compact(t, nested.Definition))
	want := Machine{LogicalID: "Order", Name: "order-dev", Type: "EXPRESS", RoleARN: "arn:aws:iam::123456789012:role/Role", Line: 34,
		Tags: []Tag{{"team", "shop"}, {"stage", "dev"}}, Tracing: []byte(`{"enabled":true}`),
		Definition: []byte(`{"StartAt":"Charge","States":{"Charge":{"Type":"Task","Resource":"arn:aws:lambda:eu-north-1:123456789012:function:dev-charge","Next":"Many"},"Many":{"Type":"Map","MaxConcurrency":5,"Comment":"${Other}","End":true}}}`)}
	if d := cmp.Diff(want, order); d != "" {
		t.Errorf("Order: -want +got\n%s", d)
	}
	text := `{"Comment":"in eu-north-1 right a","StartAt":"Sub","States":{"Sub":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync:2",` +
		`"Parameters":{"StateMachineArn":"arn:aws:states:eu-north-1:123456789012:stateMachine:order-dev","Input":{"queue":"https://sqs.eu-north-1.amazonaws.com/123456789012/Parcels","table":"Stock","alias":"arn:aws:lambda:eu-north-1:123456789012:function:dev-charge:live"}},` +
		`"MaxConcurrency":5,"Next":"Ship"},"Ship":{"Type":"Task","Resource":"arn:aws:lambda:eu-north-1:123456789012:function:Ship","Comment":"aGk=","End":true}}}`
	if d := cmp.Diff(text, string(nested.Definition)); d != "" || nested.Name != "Nested" || nested.Type != "STANDARD" {
		t.Errorf("Nested: -want +got\n%s %+v", d, nested)
	}
	var notes []string
	for _, n := range found.Notes {
		notes = append(notes, fmt.Sprintf("%d %s", n.Line, n.Message))
	}
	all := strings.Join(notes, "\n")
	for _, says := range []string{"${Other} stays as it is", "Policies is not imported", "create it with `weft activities create`", "event Nightly (Schedule) is not imported"} {
		if !strings.Contains(all, says) {
			t.Errorf("no note says %q:\n%s", says, all)
		}
	}
}

func TestParametersAndConditions(t *testing.T) {
	t.Parallel()
	found := load(t, "orders.yaml", Options{Parameters: map[string]string{"Stage": "prod", "Ship.Arn": "elsewhere"}})
	order, nested := compact(t, found.Machines[0].Definition), compact(t, found.Machines[1].Definition)
	if m := found.Machines[0]; m.Name != "order-prod" || m.Type != "STANDARD" || !strings.Contains(order, `"MaxConcurrency":50`) {
		t.Errorf("%s %s %s", m.Name, m.Type, order)
	}
	if !strings.Contains(nested, `"TimeoutSeconds":60`) || !strings.Contains(nested, `"Resource":"elsewhere"`) {
		t.Error(nested)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	m := load(t, "plain.json", Options{Stack: "shop"}).Machines[0]
	m.Definition = []byte(compact(t, m.Definition))
	want := Machine{LogicalID: "Text", Name: "shop-text", Type: "STANDARD", RoleARN: "arn:aws:iam::000000000000:role/flows", Line: 7,
		Definition: []byte(`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:fetch:live","Comment":"${Kept} 3","End":true}}}`),
		Tags:       []Tag{{"owner", "ops"}},
		Logging:    []byte(`{"level":"ALL","includeExecutionData":true,"destinations":[{"cloudWatchLogsLogGroup":{"logGroupArn":"arn:aws:logs:us-east-1:000000000000:log-group:Logs:*"}}]}`)}
	if d := cmp.Diff(want, m); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

// machineOf is a template of one machine with these properties, each a line of YAML.
func machineOf(kind string, properties ...string) string {
	return "Parameters:\n  Given: {Type: String}\n  Kept: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /a/b}\n" +
		"Conditions:\n  Loop: !Not [!Condition Loop]\nResources:\n  Topic: {Type: AWS::SNS::Topic}\n  Odd: {Type: AWS::Odd::Thing}\n" +
		"  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !GetAtt Q.QueueName}}\n" +
		"  M:\n    Type: AWS::" + kind + "::StateMachine\n    Properties:\n      " + strings.Join(properties, "\n      ") + "\n"
}

func TestWhatCannotBeImported(t *testing.T) {
	t.Parallel()
	const native, sam, pass = "StepFunctions", "Serverless", `DefinitionString: '{}'`
	for _, c := range []struct {
		text string
		line int
		says string
	}{
		{"a: [", 0, "not YAML"},
		{"{\"Resources\": {\n,}}", 2, "not JSON"},
		{"[]", 1, "an object with Resources, not a list"},
		{"Resources:\n  A: {}\n", 2, "resource A has no Type"},
		{"Resources: &a\n  A: *a\n", 1, "nested more than"},
		{machineOf(native, pass, "Definition: {}"), 11, "it has 2"},
		{machineOf(sam, pass), 11, "Definition or DefinitionUri; it has 0"},
		{machineOf(native, "DefinitionS3Location: {Bucket: b, Key: k}"), 13, "an object in S3"},
		{machineOf(sam, "DefinitionUri: s3://b/k"), 13, "fetch it"},
		{machineOf(sam, "DefinitionUri: none.json"), 13, "does not exist"},
		{machineOf(sam, "DefinitionUri: bad.yaml"), 13, "bad.yaml, line 3"},
		{machineOf(native, "DefinitionString: '{'"), 13, "invalid JSON at line 1, column 2"},
		{machineOf(native, pass, "StateMachineType: FAST"), 14, `STANDARD or EXPRESS, not "FAST"`},
		{machineOf(native, pass, "StateMachineName: !ImportValue shop-name"), 14, "--parameter shop-name=VALUE"},
		{machineOf(native, pass, "StateMachineName: !Ref Given"), 14, "--parameter Given=VALUE"},
		{machineOf(native, pass, "StateMachineName: !Ref Kept"), 14, "Parameter Store"},
		{machineOf(native, pass, "StateMachineName: !Ref Topik"), 14, `did you mean "Topic"?`},
		{machineOf(native, pass, "RoleArn: !GetAtt Odd.Arn"), 14, "--parameter Odd.Arn=VALUE"},
		{machineOf(native, pass, "RoleArn: !Ref Odd"), 14, "--parameter Odd=VALUE"},
		{machineOf(native, pass, "RoleArn: !Ref Q"), 9, "depends on itself"},
		{machineOf(native, pass, "RoleArn: !If [Loop, a, b]"), 5, "depends on itself"},
		{machineOf(native, pass, "RoleArn: !If [Lop, a, b]"), 14, `did you mean "Loop"?`},
		{machineOf(native, pass, "RoleArn: !Select [2, [a, b]]"), 14, `no item "2"`},
		{machineOf(native, pass, "RoleArn: !FindInMap [A, b, c]"), 14, "Mappings have no A"},
		{machineOf(native, pass, "RoleArn: !Cidr [a, b]"), 14, "Fn::Cidr cannot be worked out"},
		{machineOf(native, pass, "RoleArn: [a]"), 14, "has to be a text, not a list"},
		{machineOf(native, pass, "DefinitionSubstitutions: [a]"), 14, "an object, not a list"},
		{machineOf(native, pass, "DefinitionSubstitutions: {A: [a]}"), 14, "${A} has to be a text"},
		{machineOf(native, pass, "Tags: [a]"), 14, "a tag is an object"},
		{machineOf(native, pass, "<<: {}"), 14, "merge keys"},
		{machineOf(native, pass, pass), 14, "DefinitionString is there twice"},
	} {
		_, err := Import([]byte(c.text), Options{ReadFile: read})
		var problems Problems
		if !errors.As(err, &problems) || c.line != 0 && problems[0].Line != c.line || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s\n-> %v\nwant line %d, %q", c.text, err, c.line, c.says)
		}
	}
	_, err := Import([]byte(machineOf(native, pass)), Options{Parameters: map[string]string{"Gven": "1"}})
	if err == nil || !strings.Contains(err.Error(), "no use for parameter Gven; its parameters are: Given, Kept") {
		t.Errorf("a parameter that nothing uses: %v", err)
	}
}

// TestAccountNumbers holds that what begins with 0 stays as it is written.
func TestAccountNumbers(t *testing.T) {
	t.Parallel()
	found, err := Import([]byte(machineOf("Serverless", "DefinitionUri: flow.yaml", "Role: !Sub ['${A}/${B}', {A: 012345670123, B: 1.50}]", "DefinitionSubstitutions: {N: 0x10}")), Options{ReadFile: read})
	if err != nil || found.Machines[0].RoleARN != "012345670123/1.50" || !strings.Contains(compact(t, found.Machines[0].Definition), `"Seconds":16`) {
		t.Errorf("%+v %v", found, err)
	}
}

func TestDefinitionInYAML(t *testing.T) {
	t.Parallel()
	found, err := Import([]byte(machineOf("Serverless", "DefinitionUri: flow.yaml", "DefinitionSubstitutions: {N: 7}")), Options{ReadFile: read})
	if err != nil {
		t.Fatal(err)
	}
	if got := compact(t, found.Machines[0].Definition); got != `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":7,"End":true}}}` {
		t.Error(got)
	}
}

// TestBombs holds that short templates that ask for very much are refused soon.
func TestBombs(t *testing.T) {
	t.Parallel()
	var long, deep strings.Builder
	long.WriteString("Resources:\n  M: {Type: AWS::StepFunctions::StateMachine, Properties: {DefinitionString: !GetAtt Q40.QueueName}}\n")
	deep.WriteString(long.String())
	for i := range 41 {
		fmt.Fprintf(&long, "  Q%d: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub '${Q%d.QueueName}${Q%d.Arn}'}}\n", i, i-1, i-1)
		fmt.Fprintf(&deep, "  Q%d: {Type: AWS::SQS::Queue, Properties: {QueueName: !Select [0, [!GetAtt Q%d.QueueName, !GetAtt Q%d.Arn]]}}\n", i, i-1, i-1)
	}
	for _, text := range []string{long.String(), deep.String(),
		"a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"} {
		if _, err := Import([]byte(text), Options{}); err == nil || !strings.Contains(err.Error(), "more than") && !strings.Contains(err.Error(), `no resource "Q-1"`) {
			t.Errorf("%.200v", err)
		}
	}
}

func FuzzImport(f *testing.F) {
	for _, name := range []string{"orders.yaml", "plain.json"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(machineOf("Serverless", "DefinitionUri: flow.yaml", "DefinitionSubstitutions: {N: 7}")))
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := Import(text, Options{ReadFile: read})
		if err != nil {
			if problems := Problems(nil); !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		for _, m := range found.Machines {
			if !json.Valid(m.Definition) {
				t.Errorf("%s: no JSON: %s", m.LogicalID, m.Definition)
			}
		}
	})
}
