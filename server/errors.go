package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/server/awsjson"
)

// apiError is an error as a client sees it.
type apiError struct {
	Type   string
	Status int
	Text   string
}

func (e *apiError) Error() string { return e.Type + ": " + e.Text }

func (e *apiError) body() []byte {
	b, err := json.Marshal(struct {
		Type string `json:"__type"`
		Text string `json:"message"`
	}{e.Type, e.Text})
	if err != nil {
		return []byte(`{"__type":"InternalFailure"}`) // strings always marshal
	}
	return b
}

// refuse makes the error of a client's mistake: HTTP 400.
func refuse(errorType, format string, args ...any) *apiError {
	return &apiError{Type: errorType, Status: http.StatusBadRequest, Text: fmt.Sprintf(format, args...)}
}

// invalid makes a ValidationException.
func invalid(format string, args ...any) *apiError {
	return refuse("ValidationException", format, args...)
}

// faults maps kinds to error types. format, where there is one, makes the message from what the client named
// (%s), because AWS quotes it; wrap puts the fault's own words between AWS's quotes.
var faults = map[fault.Kind]struct {
	errorType string
	status    int
	format    string
	wrap      string
}{
	fault.Internal:          {errorType: "InternalFailure", status: http.StatusInternalServerError},
	fault.InvalidArgument:   {errorType: "ValidationException"},
	fault.InvalidArn:        {errorType: "InvalidArn", wrap: "Invalid Arn: '"},
	fault.InvalidName:       {errorType: "InvalidName", wrap: "Invalid Name: '"},
	fault.InvalidDefinition: {errorType: "InvalidDefinition", wrap: "Invalid State Machine Definition: '"},
	fault.InvalidInput:      {errorType: "InvalidExecutionInput", wrap: "Invalid State Machine Execution Input: '"},
	fault.InvalidOutput:     {errorType: "InvalidOutput", wrap: "Invalid Output: '"},
	fault.InvalidToken:      {errorType: "InvalidToken", format: "Invalid Token: 'Invalid token'"},
	fault.MachineNotFound:   {errorType: "StateMachineDoesNotExist", format: "State Machine Does Not Exist: '%s'"},
	fault.MachineExists:     {errorType: "StateMachineAlreadyExists", format: "State Machine Already Exists: '%s'"},
	fault.MachineDeleting:   {errorType: "StateMachineDeleting", format: "State Machine Deleting: '%s'"},
	fault.MachineType:       {errorType: "StateMachineTypeNotSupported", format: "This operation is not supported by this type of state machine"},
	fault.RunNotFound:       {errorType: "ExecutionDoesNotExist", format: "Execution Does Not Exist: '%s'"},
	fault.RunExists:         {errorType: "ExecutionAlreadyExists", format: "Execution Already Exists: '%s'"},
	fault.TaskNotFound:      {errorType: "TaskDoesNotExist", format: "Task Does Not Exist: 'Provided task does not exist'"},
	fault.TaskTimedOut:      {errorType: "TaskTimedOut", format: "Task Timed Out: 'Provided task does not exist anymore'"},
	fault.ResourceNotFound:  {errorType: "ResourceNotFound"},
	fault.TooManyTags:       {errorType: "TooManyTags"},
	fault.LimitExceeded:     {errorType: "ServiceQuotaExceededException"},
	fault.Conflict:          {errorType: "ConflictException"},
	fault.Busy:              {errorType: "ThrottlingException"},
	fault.Unavailable:       {errorType: "ServiceUnavailable", status: http.StatusServiceUnavailable},
	fault.Corrupt:           {errorType: "InternalFailure", status: http.StatusInternalServerError},
	fault.Unsupported:       {errorType: "UnsupportedOperation"},
	fault.Unauthorized:      {errorType: "UnrecognizedClientException"},
	fault.ActivityNotFound:  {errorType: "ActivityDoesNotExist", format: "Activity Does Not Exist: '%s'"},
	fault.NotRedrivable:     {errorType: "ExecutionNotRedrivable"},
	fault.ActivityWorkers:   {errorType: "ActivityWorkerLimitExceeded"},
}

// toAPI turns any error into what the client is told. subject is what the client named: an ARN or a name.
func toAPI(err error, subject string) *apiError {
	var api *apiError
	var serialization *awsjson.SerializationError
	var validation *awsjson.ValidationError
	switch {
	case errors.As(err, &api):
		return api
	case errors.As(err, &serialization):
		return refuse("SerializationException", "%s", serialization.Text)
	case errors.As(err, &validation):
		return invalid("%s", validation.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &apiError{"ServiceUnavailable", http.StatusServiceUnavailable, "the request was given up before it was answered; try again"}
	}
	return fromFault(err, subject)
}

func fromFault(err error, subject string) *apiError {
	words := err.Error()
	var f *fault.Error
	if errors.As(err, &f) {
		words = f.Message()
	}
	m, known := faults[fault.KindOf(err)]
	if !known {
		m = faults[fault.Internal]
	}
	e := &apiError{Type: m.errorType, Status: m.status, Text: words}
	if e.Status == 0 {
		e.Status = http.StatusBadRequest
	}
	switch {
	case strings.Contains(m.format, "%s"):
		e.Text = fmt.Sprintf(m.format, subject)
	case m.format != "":
		e.Text = m.format
	case m.wrap != "" && !strings.HasPrefix(words, m.wrap):
		e.Text = m.wrap + words + "'"
	}
	return e
}
