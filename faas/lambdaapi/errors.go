package lambdaapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/fault"
)

// apiError is an error in Lambda's words.
type apiError struct {
	status  int
	name    string
	message string
	reason  string // of TooManyRequestsException
}

func (e *apiError) Error() string { return e.name + ": " + e.message }

func invalidParameter(message string) *apiError {
	return &apiError{status: http.StatusBadRequest, name: "InvalidParameterValueException", message: message}
}

func notFound(message string) *apiError {
	return &apiError{status: http.StatusNotFound, name: "ResourceNotFoundException", message: message}
}

func conflict(message string) *apiError {
	return &apiError{status: http.StatusConflict, name: "ResourceConflictException", message: message}
}

// errorOf says in Lambda's words what went wrong.
func errorOf(err error) *apiError {
	var own *apiError
	if errors.As(err, &own) {
		return own
	}
	message := err.Error()
	var f *fault.Error
	if errors.As(err, &f) {
		message = f.Message()
	}
	switch fault.KindOf(err) {
	case fault.ResourceNotFound:
		return notFound(message)
	case fault.InvalidInput:
		return &apiError{status: http.StatusBadRequest, name: "InvalidRequestContentException", message: message}
	case fault.LimitExceeded:
		return &apiError{status: http.StatusRequestEntityTooLarge, name: "RequestTooLargeException", message: message}
	case fault.InvalidArgument, fault.InvalidName:
		return invalidParameter(message)
	case fault.Conflict:
		return conflict(message)
	case fault.Busy:
		reason := faas.CallerRate
		var t *faas.Throttled
		if errors.As(err, &t) {
			reason = t.Reason
		}
		return &apiError{status: http.StatusTooManyRequests, name: "TooManyRequestsException", message: message, reason: string(reason)}
	default:
		return &apiError{status: http.StatusInternalServerError, name: "ServiceException", message: message}
	}
}

// refuse answers an error: its type in a header, as Lambda does, and in the body whose fault it is.
func refuse(w http.ResponseWriter, err error) {
	e := errorOf(err)
	body := map[string]string{"Type": "User", "message": e.message}
	if e.status >= 500 {
		body["Type"] = "Service"
	}
	if e.name == "ResourceNotFoundException" || e.name == "ServiceException" || e.name == "InvalidZipFileException" {
		delete(body, "message")
		body["Message"] = e.message
	}
	if e.reason != "" {
		body["Reason"] = e.reason
	}
	w.Header().Set("X-Amzn-ErrorType", e.name)
	reply(w, e.status, body)
}

// reply answers v as JSON.
func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic("lambdaapi: an answer: " + err.Error()) // they are made of texts and numbers
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs none
}
