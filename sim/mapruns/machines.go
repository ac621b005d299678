package mapruns

import (
	"fmt"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
)

// A shape is a machine whose only state is a distributed Map over the lines of an object.
type shape struct {
	name      string
	kind      string // of the child runs
	fields    string // of the Map
	tolerated int    // failed items; -1: all
	batch     int    // items of a child run, at most
	exports   bool
}

const exported = `"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"out","Prefix.$":"$.key"},` +
	`"WriterConfig":{"Transformation":"NONE","OutputType":"JSONL"}},`

var shapes = []shape{
	{"strict", "STANDARD", exported, 0, 1, true},
	{"express", "EXPRESS", exported + `"ToleratedFailurePercentage":100,`, -1, 1, true},
	{"batches", "EXPRESS", exported + `"ToleratedFailureCount":2,"ItemBatcher":{"MaxItemsPerBatch":2},`, 2, 2, true},
	{"inline", "STANDARD", `"ToleratedFailureCount":1,`, 1, 1, false},
	{"quick", "EXPRESS", ``, 0, 1, false},
}

// definition returns the machine. Its child runs call work, wait, and call look; work may be bad for an item.
func (s *shape) definition() string {
	items := `"items.$":"States.Array($)"`
	if s.batch > 1 {
		items = `"items.$":"$.Items"`
	}
	const retry = `"Retry":[{"ErrorEquals":["Unlucky","Weft.Unstarted"],"IntervalSeconds":1,"MaxAttempts":10000,"BackoffRate":1}]`
	return fmt.Sprintf(`{"StartAt":"M","States":{"M":{"Type":"Map","Label":"each","MaxConcurrency":3,%s"End":true,
		"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"in","Key.$":"$.key"},"ReaderConfig":{"InputType":"JSONL"}},
		"ItemSelector":{"run.$":"$$.Execution.Name","n.$":"$$.Map.Item.Value.n"},
		"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"%s"},"StartAt":"T","States":{
			"T":{"Type":"Task","Resource":"work","Parameters":{%s},%s,"Next":"W"},
			"W":{"Type":"Wait","Seconds":1,"Next":"L"},
			"L":{"Type":"Task","Resource":"look",%s,"End":true}}}}}}`, s.fields, s.kind, items, retry, retry)
}

func (s *shape) revision() (blob []byte, id partition.BlobID) {
	v := statemachine.Revision{Machine: s.name, ID: "v1", RoleARN: "arn:aws:iam::123456789012:role/r", Definition: []byte(s.definition())}
	blob = v.Encode()
	return blob, partition.BlobOf(blob)
}

// fails reports whether a Map Run over n items fails when those in bad do. Of a batch all fail together, and it ends as
// soon as it must, so that more may have failed than are bad.
func (s *shape) fails(bad map[int]bool, n int) bool {
	if s.tolerated < 0 {
		return false
	}
	failed := 0
	for first := 0; first < n; first += s.batch {
		last, any := min(first+s.batch, n), false
		for i := first; i < last; i++ {
			any = any || bad[i]
		}
		if any {
			failed += last - first
		}
	}
	return failed > s.tolerated
}
