package resultwriter

import (
	"strconv"
	"time"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// Transformation says what of a child's result is written.
type Transformation string

// The transformations. The result of a child that did not succeed is written as by None, whichever is asked for.
const (
	None    Transformation = "NONE"    // all that DescribeExecution says of the child
	Compact Transformation = "COMPACT" // the output
	Flatten Transformation = "FLATTEN" // the output, or if that is an array its elements
)

// classes are the names of the files that results go to, in the order of the manifest.
var classes = [...]string{"FAILED", "PENDING", "SUCCEEDED"}

const (
	failed = iota
	pending
	succeeded
)

// Pending is the status of a child that was never started, as the Map Run had failed before.
const Pending = "PENDING"

// Result is how a child of a Map Run ended. Of one that was never started there are Input and Status.
type Result struct {
	ExecutionArn    string
	StateMachineArn string
	Name            string
	Status          string // SUCCEEDED, FAILED, TIMED_OUT, ABORTED, PENDING
	Input           []byte // JSON text
	Output          []byte // JSON text, of a child that succeeded
	Error, Cause    string // of one that did not; "": none
	Start, Stop     time.Time

	RedriveCount        int
	RedriveStatus       string // "": not written, and so the others
	RedriveStatusReason string
}

// class returns which files the result goes to: whatever was started and did not succeed is with the failed.
func (r Result) class() int {
	switch r.Status {
	case "SUCCEEDED":
		return succeeded
	case Pending:
		return pending
	}
	return failed
}

// timeFormat is how Step Functions writes times into results: UTC, to the millisecond.
const timeFormat = "2006-01-02T15:04:05.000Z"

// AppendResult appends a child's result, transformed, as JSON texts with between between them: one, but by Flatten as many as
// the output has elements. The output of a Map state without an exporting ResultWriter has them too. An error
// is that Output is no JSON.
func AppendResult(b []byte, t Transformation, r Result, between string) ([]byte, error) {
	if r.class() != succeeded || t == None || t == "" {
		return appendAll(b, r), nil
	}
	output, err := jsonvalue.Compact(nil, r.Output) // a line must be one
	if err != nil {
		return nil, err
	}
	if t == Flatten && output[0] == '[' {
		return appendElements(b, output, between)
	}
	return append(b, output...), nil
}

func appendElements(b, array []byte, between string) ([]byte, error) {
	v, err := jsonvalue.Parse(array)
	if err != nil {
		return nil, err
	}
	elements, _ := v.([]any) // as the first byte says
	for i, element := range elements {
		if i > 0 {
			b = append(b, between...)
		}
		b = jsonvalue.Append(b, element)
	}
	return b, nil
}

// appendAll appends all that is known, in the order of names.
func appendAll(b []byte, r Result) []byte {
	b = append(b, '{')
	text := func(name, value string) {
		if value != "" {
			b = append(jsonvalue.AppendString(append(b, `"`+name+`":`...), value), ',')
		}
	}
	when := func(name string, t time.Time) {
		if !t.IsZero() {
			text(name, t.UTC().Format(timeFormat))
		}
	}
	text("Cause", r.Cause)
	text("Error", r.Error)
	text("ExecutionArn", r.ExecutionArn)
	text("Input", string(r.Input))
	b = append(b, `"InputDetails":{"Included":true},`...)
	text("Name", r.Name)
	text("Output", string(r.Output))
	if r.Status != Pending {
		b = append(b, `"OutputDetails":{"Included":true},`...)
	}
	if r.RedriveStatus != "" {
		b = append(strconv.AppendInt(append(b, `"RedriveCount":`...), int64(r.RedriveCount), 10), ',')
		text("RedriveStatus", r.RedriveStatus)
		text("RedriveStatusReason", r.RedriveStatusReason)
	}
	when("StartDate", r.Start)
	text("StateMachineArn", r.StateMachineArn)
	text("Status", r.Status)
	when("StopDate", r.Stop)
	b[len(b)-1] = '}' // in place of the last comma
	return b
}
