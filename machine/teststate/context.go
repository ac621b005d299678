package teststate

import (
	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
)

// kind is what a member of the context object has to be.
type kind string

const (
	aString  kind = "a string"
	anInt    kind = "an integer"
	anyValue kind = ""
)

// contextMembers are what a client may put in place of the context object (Step Functions, "Accessing execution data from
// the Context object"). Map is not among them.
var contextMembers = map[string]map[string]kind{
	"Execution": {"Id": aString, "Input": anyValue, "Name": aString, "RoleArn": aString, "StartTime": aString,
		"RedriveCount": anInt, "RedriveTime": aString},
	"State":        {"EnteredTime": aString, "Name": aString, "RetryCount": anInt},
	"StateMachine": {"Id": aString, "Name": aString},
	"Task":         {"Token": aString},
}

// context returns what takes the place of members of the context object. A state that is tested has always the same name
// there, and no role when none was given.
func (r *Request) context(st *asl.State) (*jsonvalue.Object, error) {
	if r.Context == "" {
		return nil, nil
	}
	tree, err := jsonvalue.ParseString(r.Context)
	if err != nil {
		return nil, invalid("Invalid Context object provided: not valid JSON")
	}
	o, ok := tree.(*jsonvalue.Object)
	if !ok {
		return nil, invalid("Invalid Context object provided: must be an object")
	}
	for name, v := range o.All() {
		if err := checkContext(name, v); err != nil {
			return nil, err
		}
		if name == "Task" && !waits(st) {
			return nil, invalid("Invalid Context object provided: Context object contains 'Task' when state is not a Task state with a '.sync' or '.waitForTaskToken' service integration pattern")
		}
	}
	return o, nil
}

func checkContext(name string, v any) error {
	members, ok := contextMembers[name]
	switch {
	case name == "Map":
		return invalid("Invalid Context object provided: 'Map' field is not supported when mocking a Context object")
	case !ok:
		return invalid("Invalid Context object provided: Field '%s' is not allowed", name)
	}
	o, ok := v.(*jsonvalue.Object)
	if !ok {
		return invalid("Invalid Context object provided: %s must be an object", name)
	}
	for key, v := range o.All() {
		want, ok := members[key]
		if !ok {
			return invalid("Invalid Context object provided: Field '%s' is not allowed", key)
		}
		if !want.fits(v) {
			return invalid("Invalid Context object provided: %s.%s must be %s", name, key, want)
		}
	}
	return nil
}

func (k kind) fits(v any) bool {
	switch k {
	case aString:
		_, ok := v.(string)
		return ok
	case anInt:
		n, ok := v.(jsonvalue.Number)
		if ok {
			_, ok = n.Int64()
		}
		return ok
	}
	return true
}
