// Package client speaks to a Weft server: the Step Functions API (awsJson 1.0 on POST /), as much of it as the CLI
// needs, without an AWS SDK; and the REST API for workflows and entities. Failures are *fault.Error with the kind the
// server meant.
//
//	c, err := client.New("http://127.0.0.1:8400", os.Getenv("WEFT_TOKEN"))
//	run, err := c.DescribeExecution(ctx, arn)
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/weftworks/weft/fault"
)

// responseBytes bounds a response: a page of histories with large payloads fits.
const responseBytes = 256 << 20

// Client talks to one server. It is safe for concurrent use.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// New returns a client of the server at base, an http or https URL. A token, if any, is sent with every
// request. An unusable URL is fault.InvalidArgument.
func New(base, token string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fault.New("", fault.InvalidArgument, base, "this is no server URL; write one like http://127.0.0.1:8400")
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     30 * time.Second,
	}
	return &Client{base: strings.TrimRight(base, "/"), token: token, http: &http.Client{Transport: transport}}, nil
}

// Server is the URL the client talks to.
func (c *Client) Server() string { return c.base }

// Close releases idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Call does one operation: in is sent as JSON, the answer is decoded into out (nil: thrown away).
// A server that is not reachable is fault.Unavailable and says how to start one.
func (c *Client) Call(ctx context.Context, op string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fault.New(op, fault.InvalidArgument, "", "the request is no JSON: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/", bytes.NewReader(body))
	if err != nil {
		return fault.New(op, fault.InvalidArgument, c.base, "%w", err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "AWSStepFunctions."+op)
	status, text, err := c.send(op, req)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return c.failure(op, status, text)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fault.New(op, fault.Unavailable, c.base, "the server's answer is not what the Step Functions API says (%v); is something else listening there?", err)
	}
	return nil
}

// send sends a request and returns its answer, whatever the status.
func (c *Client) send(op string, req *http.Request) (status int, text []byte, err error) {
	req.Header.Set("User-Agent", "weft-cli")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, c.unreachable(req.Context(), op, err)
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(io.LimitReader(resp.Body, responseBytes+1))
	if err != nil {
		return 0, nil, c.unreachable(req.Context(), op, err)
	}
	if len(text) > responseBytes {
		return 0, nil, fault.New(op, fault.LimitExceeded, c.base, "the answer is larger than %d MiB", responseBytes>>20)
	}
	return resp.StatusCode, text, nil
}

func (c *Client) unreachable(ctx context.Context, op string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	return fault.New(op, fault.Unavailable, c.base,
		"no server answers here (%v); start one with `weft dev`, `weft serve` or a program that calls ListenAndServe, or name another with --server or WEFT_SERVER", err)
}

// failure turns an error answer into an *fault.Error.
func (c *Client) failure(op string, status int, text []byte) error {
	var e struct {
		Type     string `json:"__type"`
		Message  string `json:"message"`
		Message2 string `json:"Message"`
	}
	if json.Unmarshal(text, &e) != nil || e.Type == "" {
		kind := fault.Unavailable
		if status == http.StatusUnauthorized || status == http.StatusForbidden {
			kind = fault.Unauthorized
		}
		return fault.New(op, kind, c.base, "answered HTTP %d, which is not the Step Functions API; is something else listening there?", status)
	}
	name := e.Type[strings.LastIndexByte(e.Type, '#')+1:]
	msg := e.Message
	if msg == "" {
		msg = e.Message2
	}
	kind, ok := kinds[name]
	if !ok && status < 500 {
		kind = fault.InvalidArgument
	}
	if kind == fault.Unauthorized {
		return fault.New(op, kind, c.base, "the server wants its token; put it into WEFT_TOKEN (%w)", &RemoteError{Type: name, Message: msg})
	}
	if hint := hints[kind]; hint != "" {
		return fault.New(op, kind, "", "%w; %s", &RemoteError{Type: name, Message: msg}, hint)
	}
	return &fault.Error{Op: op, Kind: kind, Err: &RemoteError{Type: name, Message: msg}}
}

// hints say what to do about what a server answered.
var hints = map[fault.Kind]string{
	fault.MachineNotFound: "list what there is with `weft machines list`",
	fault.RunNotFound:     "list what there is with `weft runs list`",
	fault.Busy:            "try again in a moment",
}

// RemoteError is what a server answered: an API error type and its words.
type RemoteError struct{ Type, Message string }

func (e *RemoteError) Error() string {
	if e.Message == "" {
		return e.Type
	}
	return fmt.Sprintf("%s (%s)", e.Message, e.Type)
}

// kinds maps the API's error types to fault kinds.
var kinds = map[string]fault.Kind{
	"InternalFailure":                     fault.Internal,
	"ValidationException":                 fault.InvalidArgument,
	"SerializationException":              fault.InvalidArgument,
	"UnknownOperationException":           fault.Unsupported,
	"MissingRequiredParameter":            fault.InvalidArgument,
	"InvalidArn":                          fault.InvalidArn,
	"InvalidName":                         fault.InvalidName,
	"InvalidDefinition":                   fault.InvalidDefinition,
	"InvalidExecutionInput":               fault.InvalidInput,
	"InvalidOutput":                       fault.InvalidOutput,
	"InvalidToken":                        fault.InvalidToken,
	"StateMachineDoesNotExist":            fault.MachineNotFound,
	"StateMachineAlreadyExists":           fault.MachineExists,
	"StateMachineDeleting":                fault.MachineDeleting,
	"StateMachineTypeNotSupported":        fault.MachineType,
	"ExecutionDoesNotExist":               fault.RunNotFound,
	"ExecutionAlreadyExists":              fault.RunExists,
	"TaskDoesNotExist":                    fault.TaskNotFound,
	"TaskTimedOut":                        fault.TaskTimedOut,
	"ResourceNotFound":                    fault.ResourceNotFound,
	"TooManyTags":                         fault.TooManyTags,
	"ServiceQuotaExceededException":       fault.LimitExceeded,
	"ExecutionLimitExceeded":              fault.LimitExceeded,
	"StateMachineLimitExceeded":           fault.LimitExceeded,
	"ConflictException":                   fault.Conflict,
	"ThrottlingException":                 fault.Busy,
	"ServiceUnavailable":                  fault.Unavailable,
	"UnrecognizedClientException":         fault.Unauthorized,
	"AccessDeniedException":               fault.Unauthorized,
	"MissingAuthenticationToken":          fault.Unauthorized,
	"MissingAuthenticationTokenException": fault.Unauthorized,
	"IncompleteSignature":                 fault.Unauthorized,
	"IncompleteSignatureException":        fault.Unauthorized,
	"InvalidSignatureException":           fault.Unauthorized,
	"ActivityDoesNotExist":                fault.ActivityNotFound,
	"ExecutionNotRedrivable":              fault.NotRedrivable,
	"ActivityLimitExceeded":               fault.LimitExceeded,
	"ActivityWorkerLimitExceeded":         fault.ActivityWorkers,
}
