package compile

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/ir"
)

var rewrite = flag.Bool("rewrite", false, "write what the machines in testdata compile to into them")

// TestMachines compiles testdata/*.json and compares what comes of them: a line for each function and continuation.
func TestMachines(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	machines := 0
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ".asl.json")
		if !ok {
			continue
		}
		machines++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			definition, err := os.ReadFile("testdata/" + f.Name())
			if err != nil {
				t.Fatal(err)
			}
			app, err := Machine(definition, Options{Name: name, Functions: []string{"one", "two"}})
			if err != nil {
				t.Fatal(err)
			}
			if problems := app.Validate(); len(problems) > 0 {
				t.Errorf("the app is not valid: %v", problems)
			}
			got := summary(app)
			golden := "testdata/" + name + ".txt"
			if *rewrite {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil || got != string(want) {
				t.Errorf("%v: it compiles to (run with -rewrite to accept):\n%s", err, got)
			}
		})
	}
	if machines < 5 {
		t.Errorf("there are %d machines in testdata", machines)
	}
}

func summary(app *ir.App) string {
	var b strings.Builder
	kinds := map[ir.Kind]string{ir.Invoke: "invoke", ir.Map: "map", ir.FanIn: "fanIn"}
	for _, f := range app.Functions {
		b.WriteString(f.Name)
		if f.Start {
			b.WriteString(" (start)")
		}
		b.WriteString(" code=" + f.Code + " state=" + f.Glue.State)
		if len(f.Sets) > 0 {
			b.WriteString(" sets=" + strings.Join(f.Sets, ","))
		}
		b.WriteByte('\n')
		for i := range f.Next {
			c := &f.Next[i]
			b.WriteString("  " + kinds[c.Kind] + " " + c.To + " if " + c.If.String())
			if c.Set != "" {
				b.WriteString(" set=" + c.Set)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func TestRefused(t *testing.T) {
	t.Parallel()
	task := func(resource, more string) string {
		return `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"` + resource + `"` + more + `,"End":true}}}`
	}
	dist := func(more string) string {
		return `{"StartAt":"M","States":{"M":{"Type":"Map","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}` + more + `,"End":true}}}`
	}
	for what, c := range map[string]struct{ definition, want string }{
		"an activity":           {task("arn:aws:states:us-east-1:123456789012:activity:a", ""), `1:26: state "T": nobody keeps the queue of an activity: call a function instead`},
		"a task token":          {task("arn:aws:states:::lambda:invoke.waitForTaskToken", `,"Parameters":{"FunctionName":"f","Payload":{"t.$":"$$.Task.Token"}}`), "nobody waits for a task token"},
		"a job":                 {task("arn:aws:states:::states:startExecution.sync", `,"Parameters":{"StateMachineArn":"x"}`), "nobody waits for a job"},
		"an integration":        {task("arn:aws:states:::sqs:sendMessage", `,"Parameters":{"QueueUrl":"x"}`), "the integration sqs:sendMessage is the engine's: call it in a function"},
		"a function by a path":  {task("arn:aws:states:::lambda:invoke", `,"Parameters":{"FunctionName.$":"$.f"}`), "write its FunctionName out"},
		"a reader":              {dist(`,"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"JSON"},"Parameters":{"Bucket":"b","Key":"k"}}`), "nobody reads the items"},
		"a batcher":             {dist(`,"ItemBatcher":{"MaxItemsPerBatch":2}`), "nobody fills the batches"},
		"a writer":              {dist(`,"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b","Prefix":"p"}}`), "nobody writes the objects"},
		"two things, each told": {`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:us-east-1:123456789012:activity:a","Next":"B"},"B":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","End":true}}}`, "\n1:119: state \"B\""},
	} {
		_, err := Machine([]byte(c.definition), Options{Name: "m"})
		if !fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
	if _, err := Machine([]byte(`{"StartAt":"A"}`), Options{Name: "m"}); !fault.Is(err, fault.InvalidDefinition) {
		t.Errorf("no machine: %v", err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	c := &compiler{taken: map[string]bool{}}
	for _, x := range [][2]string{{"Charge", "Charge"}, {"charge", "charge-2"}, {"Send e-mail!", "Send-e-mail-"}, {"1st", "F1st"}, {"日本", "F--"}, {strings.Repeat("a", 80), strings.Repeat("a", 56)}} {
		if got := c.unique(x[0]); got != x[1] {
			t.Errorf("%q is named %q, want %q", x[0], got, x[1])
		}
	}
}
