package gcp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/protocol"
)

// DefaultAttempts is how often an instance is executed until its failure counts: as often as AWS Lambda does.
const DefaultAttempts = 3

// bodyMost is how many bytes of a request are read: a message of Pub/Sub has 10 MB, in base64.
const bodyMost = 14 << 20

// Handler is a function of a workflow as an HTTP handler.
type Handler struct {
	// Handle executes the request that a payload is (unum.Runtime.Handle). After an error it is called again, in another
	// delivery, and in the end with the request's Failure set.
	Handle func(ctx context.Context, payload []byte) error
	// Platform schedules again what has come before its time, which is nothing but waits of more than 29 days.
	Platform *Platform
	// Attempts is how often an instance is executed until its failure counts. 0: DefaultAttempts.
	Attempts int
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Log hears of executions that failed. nil: slog.Default().
	Log *slog.Logger
}

// ServeHTTP answers 204 when the request needs no further delivery, 400 when it is none, 429 when the datastore is
// overloaded, and 500 when it has to be delivered again.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "requests of workflows are POSTed", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMost))
	if err != nil {
		code := http.StatusBadRequest
		if large := new(http.MaxBytesError); errors.As(err, &large) {
			code = http.StatusRequestEntityTooLarge
		}
		http.Error(w, err.Error(), code)
		return
	}
	d, err := decode(r.Header, body)
	if err == nil {
		err = h.deliver(r.Context(), d)
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	h.log().WarnContext(r.Context(), "an execution failed", "attempt", r.Header.Get("X-CloudTasks-TaskRetryCount"), "error", err)
	http.Error(w, err.Error(), statusOf(err))
}

func (h *Handler) log() *slog.Logger {
	if h.Log != nil {
		return h.Log
	}
	return slog.Default()
}

func statusOf(err error) int {
	switch fault.KindOf(err) {
	case fault.InvalidInput:
		return http.StatusBadRequest
	case fault.Busy:
		return http.StatusTooManyRequests
	default:
		return http.StatusInternalServerError
	}
}

// deliver does what a delivery is for. After an error there has to be another one.
func (h *Handler) deliver(ctx context.Context, d *delivery) error {
	now := time.Now
	if h.Now != nil {
		now = h.Now
	}
	if d.notBefore.After(now()) {
		if h.Platform == nil {
			return fault.New("gcp.handle", fault.Unsupported, d.function, "the request has come before its time, and the handler has no platform")
		}
		return h.Platform.Invoke(ctx, d.function, d.payload, d.notBefore)
	}
	attempts := h.Attempts
	if attempts == 0 {
		attempts = DefaultAttempts
	}
	if d.attempt >= attempts {
		name, cause := d.broken()
		return h.giveUp(ctx, d.payload, name, cause, now())
	}
	err := h.Handle(ctx, d.payload)
	if err == nil || d.attempt != attempts-1 || ctx.Err() != nil {
		return err
	}
	h.log().WarnContext(ctx, "the last attempt failed: the instance has failed", "error", err)
	return h.giveUp(ctx, d.payload, "Lambda.Unknown", err.Error(), now())
}

// giveUp executes the request that takes the place of one which could not be executed.
func (h *Handler) giveUp(ctx context.Context, payload []byte, name, cause string, now time.Time) error {
	req, err := unum.DecodeRequest(payload)
	if err != nil {
		return err
	}
	if req.Failure == nil {
		req.Failure = &protocol.Outcome{Kind: protocol.Broken, Error: name, Cause: cause, Now: now.UnixMilli()}
	}
	if payload, err = unum.EncodeRequest(req); err != nil {
		return err
	}
	return h.Handle(ctx, payload)
}
