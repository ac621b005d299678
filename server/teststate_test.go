package server

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/internal/conformance"
)

// testStateFloor is how many recorded answers of TestState must agree.
const testStateFloor = 94

// TestConformanceTestState replays the recorded calls of TestState and compares every answer.
func TestConformanceTestState(t *testing.T) {
	t.Parallel()
	dir, ok := conformance.Dir()
	if !ok {
		t.Skip("the recordings are not here; set WEFT_CONFORMANCE to their directory")
	}
	cases, err := conformance.Load(dir, "teststate")
	if err != nil {
		t.Fatal(err)
	}
	good := 0
	for _, c := range cases {
		if err := replayTests(t, c); err != nil {
			t.Logf("%s: %v", c.ID, err)
			continue
		}
		good++
	}
	fmt.Printf("conformance: teststate %d/%d\n", good, len(cases))
	if good < testStateFloor {
		t.Errorf("%d cases agree, %d did before", good, testStateFloor)
	}
}

// behaving is a node whose functions behave as a case says.
func behaving(t *testing.T, c *conformance.Case) *engine.Node {
	functions := function.NewRegistry()
	for _, f := range c.Functions {
		err := functions.Register(f.Name, function.Go(func(_ context.Context, in []byte) ([]byte, error) {
			b := conformance.Behave(f.Behaviour, in, 1)
			if b.Error != "" {
				return nil, &function.Error{Type: b.Error, Cause: b.Cause}
			}
			return b.Output, nil
		}), function.Settings{})
		if err != nil {
			t.Fatal(err)
		}
	}
	n, err := engine.Open(engine.Options{Account: "111111111111", Partitions: 1, Logger: slog.New(slog.DiscardHandler), Functions: functions})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// replayTests sends a case's calls and returns the first recorded answer that none of ours matches.
func replayTests(t *testing.T, c *conformance.Case) error {
	s := newTestServer(t, behaving(t, c))
	var answers [][]string
	for _, call := range c.APICalls {
		w := post(s, camel(call.Op), string(call.Args))
		answers = append(answers, forms(w.Code, w.Body.String()))
	}
	for _, label := range slices.Sorted(maps.Keys(c.Expected)) {
		var near error
		i := slices.IndexFunc(answers, func(forms []string) bool {
			return slices.ContainsFunc(forms, func(form string) bool {
				err := c.NewMatcher().Match(label, []byte(form))
				if near == nil {
					near = err
				}
				return err == nil
			})
		})
		if i < 0 {
			return fmt.Errorf("%s: %w", label, near)
		}
		answers = slices.Delete(answers, i, i+1)
	}
	return nil
}

// forms returns an answer in the forms in which it may have been recorded: of an error there are two.
func forms(code int, body string) []string {
	if code == 200 {
		return []string{body}
	}
	var e struct {
		Type    string `json:"__type"`
		Message string
	}
	_ = json.Unmarshal([]byte(body), &e) // that an answer is JSON is held elsewhere
	var all []string
	for _, form := range []any{
		map[string]any{"Error": map[string]string{"Code": e.Type, "Message": e.Message}, "message": e.Message},
		map[string]any{"exception_typename": e.Type,
			"exception_value": fmt.Sprintf("An error occurred (%s) when calling the TestState operation: %s", e.Type, e.Message)},
	} {
		text, _ := json.Marshal(form)
		all = append(all, string(text))
	}
	return all
}
