package asl

import (
	"fmt"
	"strings"
)

// ParseFunctionName returns the name of the function that text means: a name, a Lambda ARN of any
// partition, or a partial ARN ("123456789012:function:name"), each with or without a version or alias.
func ParseFunctionName(text string) (name, qualifier string, ok bool) {
	parts := strings.Split(text, ":")
	switch {
	case len(parts) >= 7 && parts[0] == "arn" && parts[2] == "lambda" && parts[5] == "function":
		parts = parts[6:]
	case len(parts) >= 3 && parts[1] == "function":
		parts = parts[2:]
	case len(parts) >= 2 && parts[0] == "function":
		parts = parts[1:]
	}
	if len(parts) > 2 || !isFunctionName(parts[0]) {
		return "", "", false
	}
	if len(parts) == 2 {
		qualifier = parts[1]
		if qualifier != "$LATEST" && !isFunctionName(qualifier) {
			return "", "", false
		}
	}
	return parts[0], qualifier, true
}

// isFunctionName allows what Lambda allows, and the dot.
func isFunctionName(s string) bool {
	const most = 140
	for _, c := range []byte(s) {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			if (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
				return false
			}
		}
	}
	return s != "" && len(s) <= most
}

// resource works out what the Resource of a Task means.
func (r *graphReader) resource(s *spot, t *TaskPart) {
	f := s.member("Resource")
	if name, _, ok := ParseFunctionName(t.Resource); ok {
		t.Target = Target{Kind: TargetFunction, Function: name}
		return
	}
	parts := strings.SplitN(t.Resource, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" || parts[2] != "states" {
		r.report(f, SchemaInvalid, `write a function's name or Lambda ARN, or "arn:aws:states:::lambda:invoke"`, "%q names no function and no integration", t.Resource).ServiceMessage =
			"Value is not a valid resource ARN"
		return
	}
	if name, ok := strings.CutPrefix(parts[5], "activity:"); ok {
		r.activity(f, t, name)
		return
	}
	service, action, ok := cutLast(parts[5], ":")
	if parts[3] != "" || parts[4] != "" || !ok || service == "" || action == "" {
		r.report(f, SchemaInvalid, `write it like "arn:aws:states:::lambda:invoke"`, "%q is no integration", t.Resource).ServiceMessage =
			fmt.Sprintf("The resource provided %s is not recognized. The value is not a valid resource ARN, or the resource is not available in this region.", t.Resource)
		return
	}
	t.Target = Target{ResourceType: service, Resource: action}
	if service == "lambda" && action == "invoke:2" {
		action = "invoke"
	}
	verb, pattern, _ := strings.Cut(action, ".")
	if r.express(f, pattern) {
		return
	}
	t.Target.WaitForToken = pattern == "waitForTaskToken"
	if service == "lambda" && verb == "invoke" && (pattern == "" || t.Target.WaitForToken) {
		t.Target.Kind = TargetLambdaInvoke
		return
	}
	if t.own(service, verb, pattern) {
		return
	}
	r.integration(s, f, t, service, verb, pattern)
}

func (r *graphReader) activity(f *spot, t *TaskPart, name string) {
	if r.options.Express {
		r.report(f, SchemaInvalid, "use a STANDARD state machine", "an EXPRESS state machine cannot use activities").ServiceMessage =
			"Express state machine does not support Activity ARN"
		return
	}
	if name == "" || strings.ContainsAny(name, ":/") {
		r.report(f, SchemaInvalid, `write it like "arn:aws:states:us-east-1:123456789012:activity:NAME"`, "%q names no activity", t.Resource).ServiceMessage =
			"Value is not a valid resource ARN"
		return
	}
	t.Target = Target{Kind: TargetActivity, Activity: name}
}

// express reports an integration pattern that EXPRESS machines lack.
func (r *graphReader) express(f *spot, pattern string) bool {
	if !r.options.Express {
		return false
	}
	message := ""
	switch {
	case pattern == "waitForTaskToken": // the second blank before "at" is Step Functions' own
		message = "Express state machine does not support '.waitForTaskToken' service integration "
	case pattern == "sync" || strings.HasPrefix(pattern, "sync:"):
		message = "Express state machine does not support '.sync' service integration"
	default:
		return false
	}
	r.report(f, SchemaInvalid, "use a STANDARD state machine", "an EXPRESS state machine cannot wait for .%s", pattern).ServiceMessage = message
	return true
}

// cutLast splits service from action: "aws-sdk:s3:getObject" at its last colon, but "states:startExecution.sync:2" before ".sync:2".
func cutLast(s, sep string) (before, after string, ok bool) {
	body, suffix := s, ""
	if i := strings.Index(s, ".sync:"); i >= 0 {
		body, suffix = s[:i], s[i:]
	}
	i := strings.LastIndex(body, sep)
	if i < 0 {
		return "", "", false
	}
	return body[:i], body[i+len(sep):] + suffix, true
}
