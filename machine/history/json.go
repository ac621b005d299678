package history

import (
	"strconv"
	"unsafe"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// JSONOptions says how an event is rendered.
type JSONOptions struct {
	// WithoutData leaves out inputs, outputs and parameters, as GetExecutionHistory does for
	// includeExecutionData false.
	WithoutData bool
	// VersionARN and AliasARN say by which version and alias of its machine the run was started, where it was by one.
	VersionARN, AliasARN string
}

// AppendJSON appends e as GetExecutionHistory answers it: id, previousEventId, timestamp in epoch seconds,
// type and the member with the type's details. Shapes: HistoryEvent of the Step Functions API.
func AppendJSON(dst []byte, e *Event, opts JSONOptions) []byte {
	dst = append(dst, `{"timestamp":`...)
	dst = appendSeconds(dst, e.Time)
	dst = append(dst, `,"type":"`...)
	dst = append(dst, e.Type.String()...)
	dst = append(dst, `","id":`...)
	dst = strconv.AppendInt(dst, e.ID, 10)
	dst = append(dst, `,"previousEventId":`...)
	dst = strconv.AppendInt(dst, e.Prev, 10)
	if name := types[min(e.Type, lastType)].details; name != "" {
		dst = append(dst, `,"`...)
		dst = append(dst, name...)
		dst = append(dst, `":`...)
		dst = appendDetails(dst, e, opts)
	}
	return append(dst, '}')
}

// appendSeconds appends milliseconds as seconds with three decimals, which is what the awsJson protocol's
// timestamps are.
func appendSeconds(dst []byte, ms int64) []byte {
	if ms < 0 {
		dst = append(dst, '-')
		ms = -ms
	}
	dst = strconv.AppendInt(dst, ms/1000, 10)
	dst = append(dst, '.', byte('0'+ms%1000/100), byte('0'+ms%100/10), byte('0'+ms%10))
	return dst
}

// details writes the members of one details object.
type details struct {
	b     []byte
	empty bool
}

func appendDetails(dst []byte, e *Event, opts JSONOptions) []byte {
	d := details{b: append(dst, '{'), empty: true}
	switch e.Type {
	case ActivityStarted:
		d.string("workerName", e.Name, e.Name != "")
	case EvaluationFailed:
		d.string("state", e.Name, true)
		d.string("location", e.Location, e.Location != "")
	default:
		d.string("name", e.Name, e.Name != "")
	}
	if !opts.WithoutData {
		d.payload("input", e.Input)
		d.payload("output", e.Output)
		if len(e.Assigned) > 0 {
			d.key("assignedVariables")
			d.b = append(d.b, e.Assigned...)
			d.key("assignedVariablesDetails")
			d.b = append(d.b, `{"truncated":false}`...)
		}
		d.string("parameters", asString(e.Parameters), len(e.Parameters) > 0)
	}
	d.string("error", e.Error, e.HasError)
	d.string("cause", e.Cause, e.HasCause)
	d.string("resourceType", e.ResourceType, e.ResourceType != "")
	mapRun := e.Type == MapRunStarted || e.Type == MapRunRedriven
	d.string("mapRunArn", e.Resource, mapRun)
	d.number("redriveCount", e.Length, e.Type == MapRunRedriven)
	d.string("resource", e.Resource, e.Resource != "" && !mapRun)
	d.string("region", e.Region, e.Region != "")
	switch e.Type {
	case TaskScheduled, LambdaFunctionScheduled:
		d.credentials(e.RoleARN)
	default:
		d.string("roleArn", e.RoleARN, e.RoleARN != "")
	}
	if e.Type == ExecutionStarted {
		d.string("stateMachineAliasArn", opts.AliasARN, opts.AliasARN != "")
		d.string("stateMachineVersionArn", opts.VersionARN, opts.VersionARN != "")
	}
	d.number("timeoutInSeconds", e.Timeout, e.Timeout != 0)
	d.number("heartbeatInSeconds", e.Heartbeat, e.Heartbeat != 0)
	d.number("index", e.Index, e.Type >= MapIterationAborted && e.Type <= MapIterationSucceeded)
	d.number("length", e.Length, e.Type == MapStateStarted)
	d.number("redriveCount", e.Length, e.Type == ExecutionRedriven)
	return append(d.b, '}')
}

func (d *details) key(k string) {
	if !d.empty {
		d.b = append(d.b, ',')
	}
	d.empty = false
	d.b = append(d.b, '"')
	d.b = append(d.b, k...)
	d.b = append(d.b, '"', ':')
}

func (d *details) string(k, v string, present bool) {
	if present {
		d.key(k)
		d.b = jsonvalue.AppendString(d.b, v)
	}
}

// credentials writes the role that a task is called under.
func (d *details) credentials(role string) {
	if role == "" {
		return
	}
	d.key("taskCredentials")
	d.b = append(d.b, `{"roleArn":`...)
	d.b = jsonvalue.AppendString(d.b, role)
	d.b = append(d.b, '}')
}

func (d *details) number(k string, v int64, present bool) {
	if present {
		d.key(k)
		d.b = strconv.AppendInt(d.b, v, 10)
	}
}

func (d *details) payload(k string, v []byte) {
	if len(v) == 0 {
		return
	}
	d.key(k)
	d.b = jsonvalue.AppendString(d.b, asString(v))
	d.key(k + "Details")
	d.b = append(d.b, `{"truncated":false}`...)
}

// asString views b as a string; b must not change while it is used.
func asString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
