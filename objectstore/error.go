package objectstore

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/weftworks/weft/fault"
)

// Code is S3's name for what went wrong, as in the Code of its error responses.
type Code string

// The codes that Weft itself knows. A server may answer others.
const (
	NoSuchKey          Code = "NoSuchKey"
	NoSuchBucket       Code = "NoSuchBucket"
	NoSuchVersion      Code = "NoSuchVersion"
	AccessDenied       Code = "AccessDenied"
	PreconditionFailed Code = "PreconditionFailed"
	InvalidBucketName  Code = "InvalidBucketName"
	KeyTooLong         Code = "KeyTooLongError"
	InvalidArgument    Code = "InvalidArgument"
	BucketTaken        Code = "BucketAlreadyOwnedByYou"
	InvalidRange       Code = "InvalidRange"
	InvalidRequest     Code = "InvalidRequest"
	NotImplemented     Code = "NotImplemented"
	InternalError      Code = "InternalError"
	// ParentIsObject is what a directory answers to a key of which another is a parent: a file cannot have files below it.
	ParentIsObject Code = "ObjectParentIsFile"
)

// known has the HTTP status, the words of S3, and the Kind of our codes.
var known = map[Code]struct {
	status  int
	message string
	kind    fault.Kind
}{
	NoSuchKey:          {404, "The specified key does not exist.", fault.ResourceNotFound},
	NoSuchBucket:       {404, "The specified bucket does not exist", fault.ResourceNotFound},
	NoSuchVersion:      {404, "The specified version does not exist.", fault.ResourceNotFound},
	AccessDenied:       {403, "Access Denied", fault.Unauthorized},
	PreconditionFailed: {412, "At least one of the pre-conditions you specified did not hold", fault.Conflict},
	InvalidBucketName:  {400, "The specified bucket is not valid.", fault.InvalidArgument},
	KeyTooLong:         {400, "Your key is too long", fault.InvalidArgument},
	BucketTaken:        {409, "Your previous request to create the named bucket succeeded and you already own it.", fault.Conflict},
	InvalidRange:       {416, "The requested range is not satisfiable", fault.InvalidArgument},
	InvalidRequest:     {400, "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.", fault.InvalidArgument},
	NotImplemented:     {501, "A header you provided implies functionality that is not implemented", fault.InvalidArgument},
	InvalidArgument:    {400, "Invalid Argument", fault.InvalidArgument},
	InternalError:      {500, "We encountered an internal error. Please try again.", fault.Unavailable},
	ParentIsObject:     {409, "Object parent already exists as a file.", fault.Conflict},
}

// Error is what a store answers when it does not do as asked.
type Error struct {
	Op      string // "Get", "Head", "Put", "Delete", "List"
	Name    Name   // Key is empty where the bucket is meant
	Code    Code
	Status  int    // of HTTP
	Message string // S3's words
	// RequestID and HostID are what the server calls the request; stores without a server make them up.
	RequestID, HostID string
	Err               error // beneath, may be nil
}

// NewError makes the error that S3 would answer with a code. err is what lies beneath; nil where nothing does.
func NewError(op string, name Name, code Code, err error) *Error {
	k := known[code]
	return &Error{Op: op, Name: name, Code: code, Status: k.status, Message: k.message, RequestID: rand.Text()[:16], HostID: rand.Text(), Err: err}
}

// Error returns what failed, on which object and why.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s %s: %s: %s", e.Op, e.Name, e.Code, e.Message)
	if e.Err != nil {
		s += " (" + e.Err.Error() + ")"
	}
	return s
}

// Unwrap returns a fault.Error whose Kind fits the code, and what lies beneath.
func (e *Error) Unwrap() []error {
	kind := fault.Unavailable
	if k, ok := known[e.Code]; ok {
		kind = k.kind
	} else if e.Status == 403 {
		kind = fault.Unauthorized
	} else if e.Status >= 400 && e.Status < 500 {
		kind = fault.InvalidArgument
	}
	under := []error{fault.New("objectstore."+e.Op, kind, e.Name.String(), "%s: %s", e.Code, e.Message)}
	if e.Err != nil {
		under = append(under, e.Err)
	}
	return under
}

// Cause returns the words in which Step Functions reports the error to a state machine.
func (e *Error) Cause() string {
	s := fmt.Sprintf("%s (Service: S3, Status Code: %d, Request ID: %s", e.Message, e.Status, e.RequestID)
	if e.HostID != "" {
		s += ", Extended Request ID: " + e.HostID
	}
	return s + ")"
}

// Cause returns the words in which Step Functions reports any error of a store: Error.Cause where there is one.
func Cause(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Cause()
	}
	return err.Error()
}

// Exception returns the error's name in tasks that call S3: "S3.NoSuchKeyException". S3's model names an exception for
// missing keys and buckets; what it does not name is S3.S3Exception.
func (e *Error) Exception() string {
	switch e.Code {
	case NoSuchKey, NoSuchBucket:
		return "S3." + string(e.Code) + "Exception"
	}
	return "S3.S3Exception"
}

// IsCode reports whether err has an *Error with this code in its chain.
func IsCode(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
