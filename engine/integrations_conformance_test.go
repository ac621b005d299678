package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine/integration"
	"github.com/weftworks/weft/engine/integration/sink"
	"github.com/weftworks/weft/internal/conformance"
	"github.com/weftworks/weft/internal/conformance/fakes"
	"github.com/weftworks/weft/limits"
)

// integrationFloors are how many cases of the file must agree in each tier.
var integrationFloors = [3]int{17, 17, 17}

// TestConformanceIntegrations runs the recorded cases of integrations that are built in through a node: the SDK talks to
// services in this process, topics and buses lead to sinks there.
func TestConformanceIntegrations(t *testing.T) {
	t.Parallel()
	dir, ok := conformance.Dir()
	if !ok {
		t.Skip("no recordings: set WEFT_CONFORMANCE to the directory that holds asl/pure.jsonl")
	}
	cases, err := conformance.Load(dir, "integrations")
	if err != nil {
		t.Fatal(err)
	}
	var n [3]int
	total, left := 0, 0
	for _, c := range cases {
		synctest.Test(t, func(t *testing.T) {
			set := recordedServices(t, &fakes.S3{})
			if !c.Comparable() || len(c.Machines) == 0 || !supported(c, set) {
				left++
				return
			}
			restoreTopics(c)
			total++
			tiers := c.Compare(runCase(t, c, Options{Integrations: set}))
			for i, yes := range [...]bool{tiers.T1, tiers.T2, tiers.T3} {
				if yes {
					n[i]++
				}
			}
			if !tiers.T3 {
				t.Logf("%s: %s", c.ID, tiers.Why)
			}
		})
	}
	fmt.Printf("conformance: integrations T1 %d/%d T2 %d/%d T3 %d/%d (left out: %d)\n", n[0], total, n[1], total, n[2], total, left)
	for i, floor := range integrationFloors {
		if n[i] < floor {
			t.Errorf("%d cases agree in T%d, %d did before", n[i], i+1, floor)
		}
	}
}

// recordedServices has what the recorded cases call.
func recordedServices(t *testing.T, objects *fakes.S3) *integration.Set {
	sinkhole := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	hosts := fakes.Transport{"sqs": &fakes.SQS{}, "dynamodb": &fakes.DynamoDB{}, "s3": objects, "sink": sinkhole}
	set := services(t, hosts)
	err := sink.Register(set, sink.Config{Topics: map[string]string{"*": "http://sink/sns"}, Buses: map[string]string{"*": "http://sink/events"},
		HTTP: &http.Client{Transport: hosts}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// putRecorded puts the objects that a case begins with.
func putRecorded(t *testing.T, c *conformance.Case, objects *fakes.S3) {
	t.Helper()
	objects.Put("bucket-x", "present", nil)
	for _, call := range c.APICalls {
		if call.Op != "s3.put_object" {
			continue
		}
		var args struct{ Bucket, Key, Body string }
		if err := json.Unmarshal(call.Args, &args); err != nil {
			t.Fatal(err)
		}
		objects.Put(args.Bucket, args.Key, []byte(recordedText(c, args.Body)))
	}
}

// recordedText is what a recorded body was: bytes are not in the recording; what the machine read of them is.
func recordedText(c *conformance.Case, body string) string {
	if body != "<obj>" {
		return body
	}
	if found := recordedBody.FindSubmatch(c.Expected["get_execution_history"]); found != nil {
		return string(found[1])
	}
	return ""
}

var recordedBody = regexp.MustCompile(`"Body": ?"([^"]*)"`)

// supported reports whether all machines of a case can be run.
func supported(c *conformance.Case, set asl.Integrations) bool {
	var problems []error
	for _, m := range c.Machines {
		_, p := asl.Parse([]byte(m.Definition), asl.Options{Express: m.Type == "EXPRESS", Limits: limits.AWS, Integrations: set})
		problems = append(problems, p.Err())
	}
	return errors.Join(problems...) == nil
}

// restoreTopics gives FIFO topics the ending that the recordings' rewriting took from their names.
func restoreTopics(c *conformance.Case) {
	if !strings.Contains(c.ID, "test_fifo_") {
		return
	}
	for i := range c.Executions {
		c.Executions[i].Input = strings.Replace(c.Executions[i].Input, `:111111111111:t"`, `:111111111111:t.fifo"`, 1)
	}
}
