package asl

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftworks/weft/internal/conformance"
)

// recorded is what these tests need of one recorded case.
type recorded struct {
	ID       string
	Machines []struct{ Definition, Type string }
	APICalls []struct {
		Op   string
		Args json.RawMessage
	} `json:"api_calls"`
	Expected map[string]json.RawMessage
}

// recordings returns the recorded cases of one file and skips the test where the data is absent.
func recordings(t *testing.T, file string) (cases []recorded) {
	t.Helper()
	dir, ok := conformance.Dir()
	if !ok {
		t.Skip("no recordings: set WEFT_CONFORMANCE to the directory that holds asl/pure.jsonl")
	}
	f, err := os.Open(filepath.Join(dir, "asl", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var c recorded
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if lines.Err() != nil || len(cases) == 0 {
		t.Fatalf("%s: %d cases, %v", file, len(cases), lines.Err())
	}
	return cases
}

// files have machines that Step Functions took or refused.
var files = []string{"pure.jsonl", "lambda.jsonl", "callback.jsonl", "nested.jsonl", "s3.jsonl", "integrations.jsonl", "api.jsonl"}

// TestAcceptedDefinitionsParse holds that what Step Functions accepted is clean, or uses only what comes later.
func TestAcceptedDefinitionsParse(t *testing.T) {
	t.Parallel()
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			clean, later := 0, 0
			for _, c := range recordings(t, file) {
				if rejection(c) != "" {
					continue
				}
				for _, m := range c.Machines {
					_, problems := Parse([]byte(m.Definition), Options{Express: m.Type == "EXPRESS", Integrations: AWSIntegrations})
					switch {
					case len(problems) == 0:
						clean++
					case problems.Unsupported():
						later++
					default:
						t.Errorf("%s: %v\n%s", c.ID, problems.Err(), m.Definition)
					}
				}
			}
			t.Logf("%s: %d clean, %d use what is not supported yet", file, clean, later)
		})
	}
}

// TestRejectedDefinitions holds that what Step Functions rejected is rejected with its words.
func TestRejectedDefinitions(t *testing.T) {
	t.Parallel()
	compared := 0
	for _, file := range append(files, "teststate.jsonl") {
		for _, c := range recordings(t, file) {
			compared += compareRejection(t, c)
		}
	}
	if compared == 0 {
		t.Error("nothing was compared")
	}
}

func compareRejection(t *testing.T, c recorded) (compared int) {
	t.Helper()
	want := rejection(c)
	for _, call := range c.APICalls {
		var args struct{ Definition, Type string }
		if err := json.Unmarshal(call.Args, &args); err != nil || args.Definition == "" {
			continue
		}
		switch {
		case call.Op == "validate_state_machine_definition":
			compareDiagnostics(t, c, serviceProblems(args.Definition, args.Type))
			compared++
		case want != "":
			got := serviceProblems(args.Definition, args.Type).ServiceMessage()
			// Two refusals of 2024 are in Python's words, an emulator's and not the service's: that they refuse is all they say.
			if words := strings.HasPrefix(want, "Invalid State Machine"); words && got != want || got == "" {
				t.Errorf("%s:\n got %s\nwant %s", c.ID, got, want)
			}
			compared++
		}
	}
	return compared
}

func serviceProblems(definition, kind string) Problems {
	_, problems := Parse([]byte(definition), Options{Express: kind == "EXPRESS", Integrations: AWSIntegrations})
	return problems.Service()
}

// rejection returns the message of the InvalidDefinition error that the case expects in Step Functions' own form.
func rejection(c recorded) string {
	for _, answer := range c.Expected {
		var e struct {
			Error struct{ Code, Message string }
		}
		if json.Unmarshal(answer, &e) == nil && e.Error.Code == "InvalidDefinition" {
			return e.Error.Message
		}
	}
	return ""
}

func compareDiagnostics(t *testing.T, c recorded, problems Problems) {
	t.Helper()
	type diagnostic struct{ Code, Location, Message string }
	var want struct{ Diagnostics []diagnostic }
	if err := json.Unmarshal(c.Expected["validation_response"], &want); err != nil {
		t.Errorf("%s: %v", c.ID, err)
		return
	}
	if problems.Unsupported() {
		return
	}
	if len(problems) != len(want.Diagnostics) {
		t.Errorf("%s: got %v, want %v", c.ID, problems, want.Diagnostics)
		return
	}
	for i, p := range problems {
		if got := (diagnostic{string(p.Code), p.ServiceLocation, p.ServiceMessage}); got != want.Diagnostics[i] {
			t.Errorf("%s:\n got %+v\nwant %+v", c.ID, got, want.Diagnostics[i])
		}
	}
}
