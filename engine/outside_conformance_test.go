package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftworks/weft/engine/integration/sink"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/internal/conformance"
	"github.com/weftworks/weft/internal/conformance/fakes"
)

// outsideFloors are how many cases of each file must agree in each tier.
var outsideFloors = map[string][3]int{"nested": {15, 15, 15}, "callback": {47, 47, 47}}

// TestConformanceOutside runs the recorded cases whose tasks others complete: runs that runs start, workers of activities,
// and whoever reads a task token from a queue.
func TestConformanceOutside(t *testing.T) {
	t.Parallel()
	dir, ok := conformance.Dir()
	if !ok {
		t.Skip("no recordings: set WEFT_CONFORMANCE to the directory that holds asl/pure.jsonl")
	}
	for _, file := range slices.Sorted(maps.Keys(outsideFloors)) {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			cases, err := conformance.Load(dir, file)
			if err != nil {
				t.Fatal(err)
			}
			var n [3]int
			total, left := 0, 0
			for _, c := range cases {
				if !c.Comparable() || len(c.Machines) == 0 {
					t.Logf("left out: %s", c.ID)
					left++
					continue
				}
				total++
				synctest.Test(t, func(t *testing.T) {
					tiers := c.Compare(playCase(t, c))
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
			fmt.Printf("conformance: %s T1 %d/%d T2 %d/%d T3 %d/%d (left out: %d)\n", file, n[0], total, n[1], total, n[2], total, left)
			for i, floor := range outsideFloors[file] {
				if n[i] < floor {
					t.Errorf("%s: %d cases agree in T%d, %d did before", file, n[i], i+1, floor)
				}
			}
		})
	}
}

func playCase(t *testing.T, c *conformance.Case) []conformance.Answer {
	queues := &fakes.SQS{}
	sinkhole := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	hosts := fakes.Transport{"sqs": queues, "sink": sinkhole}
	set := services(t, hosts)
	err := sink.Register(set, sink.Config{Topics: map[string]string{"*": "http://sink/sns"}, HTTP: &http.Client{Transport: hosts}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	defer synctest.Wait()
	defer leave()
	opts := Options{Partitions: 3, Functions: behaving(t, c, false), Integrations: set}
	return runCase(t, c, opts, func(n *Node) {
		p := &outsiders{t: t, ctx: ctx, node: n, ends: c.Ends()}
		for _, raw := range c.Activities {
			var arn string
			if err := json.Unmarshal(raw, &arn); err != nil {
				t.Fatal(err)
			}
			name := arn[strings.LastIndexByte(arn, ':')+1:]
			if _, err := n.CreateActivity(ctx, CreateActivity{Name: name}); err != nil {
				t.Fatal(err)
			}
			go p.work(name)
		}
		for _, e := range c.Executions {
			var in struct {
				QueueURL string `json:"QueueUrl"`
			}
			if json.Unmarshal([]byte(e.Input), &in) == nil && strings.HasPrefix(in.QueueURL, "http://sqs/") {
				go p.read(queues, in.QueueURL[strings.LastIndexByte(in.QueueURL, '/')+1:])
			}
		}
	})
}

// outsiders do with a case's tasks what the recording says became of them.
type outsiders struct {
	t    *testing.T
	ctx  context.Context
	node *Node
	ends []conformance.End
}

// next returns the next recorded event of one of the types.
func (p *outsiders) next(pattern string, kinds ...string) (conformance.End, bool) {
	for len(p.ends) > 0 {
		e := p.ends[0]
		p.ends = p.ends[1:]
		if slices.Contains(kinds, e.Kind) && (pattern == "" || strings.Contains(e.Resource, pattern)) {
			return e, true
		}
	}
	return conformance.End{}, false
}

// work is an activity's worker.
func (p *outsiders) work(activity string) {
	for {
		begin, ok := p.next("", "ActivityStarted")
		if !ok {
			return
		}
		w, err := p.node.TakeTask(p.ctx, activity, begin.Worker, time.Minute)
		if err != nil || w == nil {
			return
		}
		if end, ok := p.next("", "ActivitySucceeded", "ActivityFailed", "ActivityTimedOut"); ok {
			p.end(w.Token, end, w.Input)
		}
	}
}

// read takes task tokens out of the messages of a queue.
func (p *outsiders) read(queues *fakes.SQS, queue string) {
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-time.After(time.Second):
		}
		m, ok := queues.Take(queue)
		if !ok {
			continue
		}
		var body map[string]any
		if json.Unmarshal([]byte(m.Body), &body) != nil {
			continue
		}
		for _, v := range body {
			text, _ := v.(string)
			if _, err := statemachine.ParseToken(text); err != nil {
				continue
			}
			if end, ok := p.next(".", "TaskSucceeded", "TaskFailed", "TaskTimedOut"); ok {
				p.end(text, end, []byte(m.Body))
			}
		}
	}
}

// end reports what became of a task. An output that is an object was made of what the task was given.
func (p *outsiders) end(token string, e conformance.End, given []byte) {
	var err error
	switch {
	case strings.HasSuffix(e.Kind, "Succeeded"):
		output := given
		if text, ok := e.Output.(string); ok {
			output = []byte(text)
		}
		if err = p.node.HeartbeatTask(p.ctx, token); err == nil {
			err = p.node.SucceedTask(p.ctx, token, output)
		}
	case strings.HasSuffix(e.Kind, "Failed"):
		err = p.node.FailTask(p.ctx, token, Reason{Error: e.Error, Cause: e.Cause})
	}
	if err != nil {
		p.t.Error(err)
	}
}
