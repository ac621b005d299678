// Package jsonpath is JSONPath as Step Functions speaks it, which is Jayway's dialect, and the reference
// paths by which results are written.
package jsonpath

// Path is a compiled path. "$" starts at the data, "$$" at the context object.
type Path struct{}

// Reference is a compiled reference path: names and non-negative indexes only, one place in a value.
type Reference struct{}
