package remote

import (
	"bufio"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/ratchet"
)

// question is the body of a request that is no blob's.
type question struct {
	Keys   []string `json:"keys,omitempty"` // or the one key
	Nonce  string   `json:"nonce,omitempty"`
	Step   int64    `json:"step,omitempty"`
	Record []byte   `json:"record,omitempty"`
	Member string   `json:"member,omitempty"`
	Failed bool     `json:"failed,omitempty"`
}

// key returns the one key.
func (q *question) key() string {
	if len(q.Keys) != 1 {
		return "" // which no store takes
	}
	return q.Keys[0]
}

// reply is the body of an answer that is no blob's. Records are nil where there is none.
type reply struct {
	Records [][]byte `json:"records,omitempty"`
	Done    bool     `json:"done,omitempty"`
	Error   *failure `json:"error,omitempty"`
}

// failure is a fault on the wire.
type failure struct {
	Op      string `json:"op,omitempty"`
	Kind    string `json:"kind"`
	Subject string `json:"subject,omitempty"`
	Message string `json:"message"`
}

// questionBytes bounds a request: a record with all that stores take, or pageKeys keys.
const questionBytes = 2 << 20

// pageKeys is how many keys a Client names in one request.
const pageKeys = 1000

// answerBytes bounds an answer: pageKeys records with all that stores take, in base64, and a blob.
const answerBytes = 512 << 20

// expiresHeader has when a blob expires.
const expiresHeader = "Weft-Expires"

type handler struct {
	store unum.Store
	token string
}

// Handler serves a store to those who have the token, which must not be empty.
func Handler(store unum.Store, token string) http.Handler {
	h := &handler{store, token}
	mux := http.NewServeMux()
	for name, op := range map[string]func(context.Context, *question) (reply, error){
		"get": h.get, "create": h.create, "advance": h.advance, "add": h.add, "delete": h.delete, "deleteblobs": h.deleteBlobs,
	} {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) { serve(w, r, op) })
	}
	mux.HandleFunc("POST /putblob", h.putBlob)
	mux.HandleFunc("POST /getblob", h.getBlob)
	mux.HandleFunc("POST /keys", h.keys)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want, got := []byte("Bearer "+token), []byte(r.Header.Get("Authorization"))
		if token == "" || subtle.ConstantTimeCompare(want, got) != 1 {
			refuse(w, fault.New("remote", fault.Unauthorized, "", "the datastore wants another token: give the one that its process was started with"))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// serve answers one operation.
func serve(w http.ResponseWriter, r *http.Request, op func(context.Context, *question) (reply, error)) {
	var q question
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, questionBytes)).Decode(&q); err != nil {
		refuse(w, fault.New("remote", fault.InvalidArgument, "", "the request cannot be read: %w", err))
		return
	}
	answer, err := op(r.Context(), &q)
	if err != nil {
		refuse(w, err)
		return
	}
	say(w, http.StatusOK, answer)
}

func say(w http.ResponseWriter, status int, answer reply) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // who asked may have gone
}

func failureOf(err error) *failure {
	f := &failure{Kind: fault.KindOf(err).String(), Message: err.Error()}
	var known *fault.Error
	if errors.As(err, &known) {
		f.Op, f.Subject, f.Message = known.Op, known.Subject, known.Message()
	}
	return f
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	switch fault.KindOf(err) {
	case fault.Unauthorized:
		status = http.StatusUnauthorized
	case fault.ResourceNotFound:
		status = http.StatusNotFound
	case fault.Busy, fault.Unavailable:
		status = http.StatusServiceUnavailable
	case fault.Internal, fault.Corrupt:
		status = http.StatusInternalServerError
	}
	say(w, status, reply{Error: failureOf(err)})
}

func (h *handler) get(ctx context.Context, q *question) (reply, error) {
	recs, err := h.store.Get(ctx, q.Keys)
	return reply{Records: encode(recs...)}, err
}

// encode returns the bytes of records, nil of nil.
func encode(recs ...*unum.Record) [][]byte {
	all := make([][]byte, len(recs))
	for i, r := range recs {
		if r != nil {
			all[i] = ratchet.Append(nil, r)
		}
	}
	return all
}

func (h *handler) create(ctx context.Context, q *question) (reply, error) {
	rec, err := ratchet.Decode(q.Record)
	if err != nil {
		return reply{}, err
	}
	cur, created, err := h.store.Create(ctx, q.key(), rec)
	return reply{Records: encode(cur), Done: created}, err
}

func (h *handler) advance(ctx context.Context, q *question) (reply, error) {
	rec, err := ratchet.Decode(q.Record)
	if err != nil {
		return reply{}, err
	}
	cur, advanced, err := h.store.Advance(ctx, q.key(), q.Nonce, q.Step, rec)
	return reply{Records: encode(cur), Done: advanced}, err
}

func (h *handler) add(ctx context.Context, q *question) (reply, error) {
	cur, added, err := h.store.Add(ctx, q.key(), q.Nonce, q.Step, q.Member, q.Failed)
	return reply{Records: encode(cur), Done: added}, err
}

func (h *handler) delete(ctx context.Context, q *question) (reply, error) {
	return reply{}, h.store.Delete(ctx, q.Keys)
}

func (h *handler) deleteBlobs(ctx context.Context, q *question) (reply, error) {
	return reply{}, h.store.DeleteBlobs(ctx, q.Keys)
}

// The lines of an answer to "keys": keys, and then allKeys, or a reply with an error, which begins with noKey. Keys have no
// spaces.
const (
	allKeys = " all"
	noKey   = " "
)

func (h *handler) keys(w http.ResponseWriter, r *http.Request) {
	l, ok := h.store.(unum.Lister)
	if !ok {
		refuse(w, fault.New("Keys", fault.Unsupported, "", "this datastore cannot say what it keeps"))
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=us-ascii")
	lines := bufio.NewWriter(w)
	defer lines.Flush() //nolint:errcheck // who asked may have gone
	err := l.Keys(r.Context(), r.URL.Query().Get("prefix"), func(key string) bool {
		_, err := fmt.Fprintln(lines, key)
		return err == nil
	})
	if err == nil {
		fmt.Fprintln(lines, allKeys)
		return
	}
	text, err := json.Marshal(reply{Error: failureOf(err)})
	if err == nil {
		fmt.Fprintf(lines, "%s%s\n", noKey, text)
	}
}

// putBlob takes the blob as the body; its key is in the query, since it is text of any length.
func (h *handler) putBlob(w http.ResponseWriter, r *http.Request) {
	expires, err := strconv.ParseInt(r.Header.Get(expiresHeader), 10, 64)
	if err != nil {
		refuse(w, fault.New("PutBlob", fault.InvalidArgument, "", "no %s: %w", expiresHeader, err))
		return
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, ratchet.BlobBytes))
	if err != nil {
		refuse(w, fault.New("PutBlob", fault.InvalidArgument, "", "the blob cannot be read: %w", err))
		return
	}
	if err := h.store.PutBlob(r.Context(), r.URL.Query().Get("key"), data, expires); err != nil {
		refuse(w, err)
		return
	}
	say(w, http.StatusOK, reply{})
}

func (h *handler) getBlob(w http.ResponseWriter, r *http.Request) {
	data, err := h.store.GetBlob(r.Context(), r.URL.Query().Get("key"))
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = w.Write(data) // who asked may have gone
}
