package wrapper

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weftworks/weft/engine/function"
)

// HTTP is the front of platforms that deliver by POST requests and take any answer but 2xx for a reason to deliver again
// (Cloud Run functions behind Cloud Tasks or Pub/Sub). It is an http.Handler.
type HTTP struct {
	Config
	// Timeout is what the platform gives a delivery, of which its requests say nothing. 0: no bound.
	Timeout time.Duration
	// Requests makes the handler of deliveries that have a request in them, where the platform has its own way to deliver
	// and to give up; handle executes one. nil: such a delivery is the request, and the platform never gives up.
	Requests func(handle func(ctx context.Context, request []byte) error) http.Handler
}

// hasRequest reports whether a payload is a request, or a message of Pub/Sub with one.
func hasRequest(payload []byte) bool {
	if isRequest(payload) {
		return true
	}
	var push struct {
		Message struct {
			Data []byte `json:"data"`
		} `json:"message"`
	}
	return json.Unmarshal(payload, &push) == nil && isRequest(push.Message.Data)
}

// idHeaders name deliveries, the same when they are tried again; the first that is there counts.
var idHeaders = []string{"X-Cloudtasks-Taskname", "Ce-Id", "Idempotency-Key", "Function-Execution-Id"}

// runIDMax is what a run id may have.
const runIDMax = 256

// runID makes a name of a platform's fit to be the id of a run.
func runID(name string) string {
	name = name[strings.LastIndexByte(name, '/')+1:]
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r) {
			return r
		}
		return '-'
	}, name)
	return name[:min(len(name), runIDMax)]
}

// ServeHTTP takes one delivery and answers it: 200 when it is done, 500 when it is to be delivered again. A plain
// invocation goes to the code as it came, if that is an http.Handler.
func (h *HTTP) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	plain, _ := h.Code.(http.Handler)
	if r.Method != http.MethodPost {
		if plain != nil {
			plain.ServeHTTP(rw, r)
			return
		}
		rw.Header().Set("Allow", http.MethodPost)
		refuse(rw, http.StatusMethodNotAllowed, "InvalidRequest", "deliveries are POST requests")
		return
	}
	payload, err := readBody(r, payloadBytes)
	if err != nil {
		status := http.StatusBadRequest
		if errors.Is(err, errTooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		refuse(rw, status, "InvalidRequest", "the delivery: "+err.Error())
		return
	}
	d := &delivery{payload: payload}
	for _, name := range idHeaders {
		if d.id = runID(r.Header.Get(name)); d.id != "" {
			break
		}
	}
	if d.id == "" {
		d.id = uuid.NewString()
	}
	if h.Timeout > 0 {
		d.deadline = time.Now().Add(h.Timeout)
	}
	again := func() *http.Request { // r, as if its body had not been read
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(payload)), int64(len(payload))
		return r
	}
	if h.Requests != nil && h.Runtime != nil && hasRequest(payload) {
		h.Requests(func(ctx context.Context, request []byte) error {
			ctx, code, end := h.begin(ctx, d)
			defer end()
			return h.Runtime.Handle(ctx, request, code)
		}).ServeHTTP(rw, again())
		return
	}
	body, taken, err := h.handle(r.Context(), d)
	if !taken && plain != nil {
		plain.ServeHTTP(rw, again())
		return
	}
	if !taken {
		var res *function.Result
		req := &function.Request{Function: h.Name, ID: d.id, Input: payload, Attempt: 1}
		if res, err = h.invoke(r.Context(), req, d.deadline); err == nil {
			body = res.Output
		}
	}
	rw.Header().Set("Content-Type", "application/json")
	if err != nil {
		kind, document := failureDocument(err)
		rw.Header().Set(headerType, headerText(kind))
		rw.WriteHeader(http.StatusInternalServerError)
		body = document
	}
	_, _ = rw.Write(body)
}
