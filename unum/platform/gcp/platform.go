package gcp

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/url"
	"strconv"
	"time"

	cloudtasks "cloud.google.com/go/cloudtasks/apiv2"
	pb "cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
)

// MaxPayload is how many bytes a payload may have. A task has at most 100 KB with its address, headers and names, which
// get the rest.
const MaxPayload = 92 << 10

// hop is how far ahead a task is scheduled at most: Cloud Tasks takes 30 days. A later one is delivered before its time
// and scheduled again by the Handler that gets it, which the headers ask for.
const (
	hop             = 29 * 24 * time.Hour
	notBeforeHeader = "Weft-Not-Before" // Unix milliseconds
	functionHeader  = "Weft-Function"
)

// What fails in passing is tried again, with pauses drawn from a range that doubles. That a task is there twice does no harm.
const (
	tries     = 8
	pauseLow  = 20 * time.Millisecond
	pauseHigh = 2 * time.Second
)

// AnswerTime is how long Cloud Tasks waits for the answer of a function at most. It is the right Config.Deadline where the
// functions' time-outs are not known, or differ: the platform answers when they have passed, and to deliver a request again
// before would have it executed twice at once.
const AnswerTime = 30 * time.Minute

// Config says where requests go.
type Config struct {
	// Queue is the name of the queue of Cloud Tasks: projects/P/locations/L/queues/Q.
	Queue string
	// Targets are the URLs of functions by their names. Others are refused with fault.ResourceNotFound.
	Targets map[string]string
	// ServiceAccount is the e-mail of the account in whose name functions are called, which needs roles/run.invoker. "": requests
	// carry no token, which functions that anybody may call take.
	ServiceAccount string
	// Deadline is how long an execution may take until Cloud Tasks gives up waiting for its answer, 15 seconds to 30 minutes.
	// It should be a little more than the time-out of the functions. 0: Cloud Tasks' 10 minutes.
	Deadline time.Duration
}

// Platform is a unum.Platform.
type Platform struct {
	client *cloudtasks.Client
	config Config
}

var _ unum.Platform = (*Platform)(nil)

// New returns the platform behind a queue. The client is the caller's, to close too.
func New(client *cloudtasks.Client, c Config) (*Platform, error) {
	const op = "gcp.New"
	for name, target := range c.Targets {
		if u, err := url.Parse(target); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return nil, fault.New(op, fault.InvalidArgument, name, "the target %q is no URL like https://us-central1-P.cloudfunctions.net/F", target)
		}
	}
	c.Targets = maps.Clone(c.Targets)
	return &Platform{client, c}, nil
}

// MaxPayload implements unum.Platform.
func (p *Platform) MaxPayload() int { return MaxPayload }

// Invoke implements unum.Platform.
func (p *Platform) Invoke(ctx context.Context, function string, payload []byte, notBefore time.Time) error {
	const op = "gcp.Invoke"
	target, known := p.config.Targets[function]
	switch {
	case !known:
		return fault.New(op, fault.ResourceNotFound, function, "no URL is known of the function; deploy the application again")
	case len(payload) > MaxPayload:
		return fault.New(op, fault.LimitExceeded, function, "the payload has %d bytes, at most %d may be; pass it by reference", len(payload), MaxPayload)
	}
	req := &pb.CreateTaskRequest{Parent: p.config.Queue, Task: p.task(function, target, payload, notBefore, time.Now())}
	err := retry(ctx, func() error {
		_, err := p.client.CreateTask(ctx, req)
		return err
	})
	if err != nil {
		return failed(ctx, op, function, err)
	}
	return nil
}

func (p *Platform) task(function, target string, payload []byte, notBefore, now time.Time) *pb.Task {
	req := &pb.HttpRequest{Url: target, HttpMethod: pb.HttpMethod_POST, Body: payload, Headers: map[string]string{"Content-Type": "application/json"}}
	if p.config.ServiceAccount != "" {
		req.AuthorizationHeader = &pb.HttpRequest_OidcToken{OidcToken: &pb.OidcToken{ServiceAccountEmail: p.config.ServiceAccount, Audience: target}}
	}
	task := &pb.Task{MessageType: &pb.Task_HttpRequest{HttpRequest: req}}
	if p.config.Deadline > 0 {
		task.DispatchDeadline = durationpb.New(p.config.Deadline)
	}
	if notBefore.After(now.Add(hop)) {
		req.Headers[notBeforeHeader] = strconv.FormatInt(notBefore.UnixMilli(), 10)
		req.Headers[functionHeader] = url.QueryEscape(function)
		notBefore = now.Add(hop)
	}
	if notBefore.After(now) {
		task.ScheduleTime = timestamppb.New(notBefore)
	}
	return task
}

// retry calls fn until it does not fail in passing.
func retry(ctx context.Context, fn func() error) error {
	high := pauseLow
	for try := 1; ; try++ {
		err := fn()
		switch status.Code(err) {
		case codes.Aborted, codes.Unavailable, codes.ResourceExhausted, codes.Internal, codes.DeadlineExceeded:
		default:
			return err
		}
		if try == tries {
			return err
		}
		timer := time.NewTimer(rand.N(high))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		high = min(2*high, pauseHigh)
	}
}

// failed makes a fault of an error of Cloud Tasks'.
func failed(ctx context.Context, op, function string, err error) error {
	if gone := ctx.Err(); gone != nil {
		return fault.New(op, fault.Unavailable, function, "the caller has gone: %w", gone)
	}
	switch status.Code(err) {
	case codes.NotFound, codes.FailedPrecondition:
		return fault.New(op, fault.ResourceNotFound, function, "the queue is not there; deploy the application again: %w", err)
	case codes.ResourceExhausted, codes.Aborted:
		return fault.New(op, fault.Busy, function, "Cloud Tasks did not take it in %d tries: %w", tries, err)
	case codes.Unavailable, codes.DeadlineExceeded:
		return fault.New(op, fault.Unavailable, function, "Cloud Tasks does not answer: %w", err)
	case codes.PermissionDenied, codes.Unauthenticated:
		return fault.New(op, fault.Unauthorized, function, "Cloud Tasks refuses these credentials; they need roles/cloudtasks.enqueuer, and roles/iam.serviceAccountUser for the account of the tasks: %w", err)
	case codes.InvalidArgument:
		return fault.New(op, fault.InvalidArgument, function, "Cloud Tasks does not take it: %w", err)
	default:
		return fault.New(op, fault.Internal, function, "Cloud Tasks: %w", err)
	}
}
