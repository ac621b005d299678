package arn

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	base := ARN{Partition: "aws", Region: "us-east-1", Account: "123456789012"}
	with := func(edit func(*ARN)) ARN { a := base; edit(&a); return a }
	const head = "arn:aws:states:us-east-1:123456789012:"
	for _, c := range []struct {
		text string
		want ARN
	}{
		{"stateMachine:greet", with(func(a *ARN) { a.Kind, a.Machine = Machine, "greet" })},
		{"stateMachine:greet:3", with(func(a *ARN) { a.Kind, a.Machine, a.Qualifier = Machine, "greet", "3" })},
		{"stateMachine:greet/each", with(func(a *ARN) { a.Kind, a.Machine, a.Label = Machine, "greet", "each" })},
		{"execution:greet:first", with(func(a *ARN) { a.Kind, a.Machine, a.Name = Run, "greet", "first" })},
		{"express:greet:first:id", with(func(a *ARN) { a.Kind, a.Machine, a.Name = ExpressRun, "greet", "first:id" })},
		{"activity:cook", with(func(a *ARN) { a.Kind, a.Name = Activity, "cook" })},
		{"mapRun:greet/each:id", with(func(a *ARN) { a.Kind, a.Machine, a.Label, a.Name = MapRun, "greet", "each", "id" })},
	} {
		got, err := Parse(head + c.text)
		if err != nil || got != c.want {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", c.text, got, err, c.want)
		}
		if s := got.String(); s != head+c.text {
			t.Errorf("String() = %q, want %q", s, head+c.text)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                       "Invalid ARN prefix: ",
		"greet":                                  "Invalid ARN prefix: greet",
		"arn:aws:s":                              "too few parts",
		"arn:aws:lambda:us-east-1:1:function:f":  "service 'lambda'",
		"arn:aws:states:us-east-1:1:machine:f":   "resource type: machine",
		"arn:aws:states:us-east-1:1:execution:f": "not complete",
		"arn:aws:states:us-east-1:1:execution:f:":         "not complete",
		"arn:aws:states:us-east-1:1:stateMachine::latest": "not complete",
		"arn:aws:states:us-east-1:1:stateMachine:":        "too few parts",
		"arn:aws:states:us-east-1:1:activity:a:b":         "not complete",
	} {
		if a, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %+v, %v; want an error with %q", text, a, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("arn:aws:states:us-east-1:1:express:f:a:b")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := Parse(text)
		if err != nil {
			return
		}
		b, err := Parse(a.String())
		if err != nil || a != b {
			t.Fatalf("%q reads as %+v, which reads back as %+v, %v", text, a, b, err)
		}
	})
}
