package conformance

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Reply is what a function of the recordings answers: Output, or Error and Cause, after some time.
type Reply struct {
	Output       []byte
	Error, Cause string
	After        time.Duration
}

// Behave plays a function of the recordings (their README lists the behaviours). attempt tells request ids apart.
func Behave(behaviour string, input []byte, attempt int) Reply {
	switch behaviour {
	case "identity":
		return Reply{Output: input}
	case "raise_exception":
		return raise("Exception", "Some exception was raised.", 2, `raise Exception("Some exception was raised.")`, attempt)
	case "raise_custom_exception":
		return raise("CustomException", "", 9, "raise CustomException()", attempt)
	case "return_bytes_str":
		return Reply{Output: []byte(`"HelloWorld!"`)}
	case "large_output":
		return Reply{Output: []byte(`"` + strings.Repeat("é", 257*1024/2) + `"`)}
	case "wait_60_seconds":
		return Reply{After: time.Minute, Output: input}
	case "return_decorated_input":
		var v any
		if err := json.Unmarshal(input, &v); err != nil {
			return Reply{Error: "Runtime.UnmarshalError", Cause: err.Error()}
		}
		out, _ := json.Marshal("input-event-" + python(v))
		return Reply{Output: out}
	case "return_hello_world":
		return Reply{Output: []byte(`{"Return":"HelloWorld"}`)}
	}
	return Reply{Error: "Lambda.ResourceNotFoundException", Cause: "Function not found"}
}

func raise(name, message string, line int, source string, attempt int) Reply {
	cause, _ := json.Marshal(map[string]any{
		"errorMessage": message, "errorType": name, "requestId": fmt.Sprintf("00000000-0000-4000-8000-%012d", attempt),
		"stackTrace": []string{fmt.Sprintf("  File \"/var/task/handler.py\", line %d, in handler\n    %s\n", line, source)},
	})
	return Reply{Error: name, Cause: string(cause)}
}

// python is Python's str of a JSON value, as far as the recordings need it.
func python(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case string:
		return "'" + v + "'"
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = python(x)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprint(v)
}
