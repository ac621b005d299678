package server

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"testing"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/limits"
)

// TestLongHistory pages through a long history in both directions, and holds that every event comes once and in order and
// that a page costs no more memory than its own events, wherever in the history it is.
func TestLongHistory(t *testing.T) { // not parallel: it measures what the whole process allocates
	events := int64(60_000)
	set := limits.Default
	set.HistoryEvents = events
	n, err := engine.Open(engine.Options{Dir: t.TempDir(), Partitions: 1, Limits: set, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	s := newTestServer(t, n)
	loop := `{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Choice","Default":"A","Choices":[{"Variable":"$.never","IsPresent":true,"Next":"C"}]},"C":{"Type":"Succeed"}}}`
	post(s, "CreateStateMachine", fmt.Sprintf(`{"name":"loop","definition":%q,"roleArn":"arn:aws:iam::1:role/r"}`, loop))
	run := member(t, post(s, "StartExecution", `{"stateMachineArn":"loop","name":"r"}`).Body.String(), "executionArn")
	if _, err := n.WaitRun(t.Context(), engine.RunID{Machine: "loop", Name: "r"}); err != nil {
		t.Fatal(err)
	}
	for _, reverse := range []bool{false, true} {
		next, token, most, pages := int64(1), "", uint64(0), 0
		if reverse {
			next = events
		}
		for pages == 0 || token != "" {
			var page struct {
				Events []struct{ ID int64 }
				Next   string `json:"nextToken"`
			}
			more := ""
			if token != "" {
				more = fmt.Sprintf(`,"nextToken":%q`, token)
			}
			took := allocated(func() {
				w := post(s, "GetExecutionHistory", fmt.Sprintf(`{"executionArn":%q,"maxResults":1000,"reverseOrder":%v%s}`, run, reverse, more))
				if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
					t.Fatalf("%v: %.300s", err, w.Body)
				}
			})
			most = max(most, took)
			for _, e := range page.Events {
				if e.ID != next {
					t.Fatalf("reverse %v: event %d comes where %d should", reverse, e.ID, next)
				}
				if next++; reverse {
					next -= 2
				}
			}
			token, pages = page.Next, pages+1
		}
		if want := (events + 999) / 1000; int64(pages) != want || (next != 0 && next != events+1) {
			t.Errorf("reverse %v: %d pages, next is %d", reverse, pages, next)
		}
		if most > 32<<20 {
			t.Errorf("reverse %v: a page of 1,000 small events allocates %d MiB", reverse, most>>20)
		}
	}
}

// allocated returns how many bytes fn allocates.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
