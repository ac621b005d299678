package local

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weftworks/weft/faas/lambdaapi"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/cost"
	platform "github.com/weftworks/weft/unum/platform/local"
	"github.com/weftworks/weft/unum/protocol"
	"github.com/weftworks/weft/unum/store/remote"
)

// addressFile is where a server writes in its directory how it is reached.
const addressFile = "server.json"

// address is how a server is reached by those who may read the directory.
type address struct {
	URL   string `json:"url"`
	Token string `json:"token"`
	PID   int    `json:"pid"`
}

// Paths of the server.
const (
	storePath = "/store"
	usagePath = "/usage/"
)

// closing is how long a server waits for what is being executed when it ends.
const closing = 10 * time.Second

// Serve answers on a loopback listener until ctx ends: Lambda's API, so that the AWS CLI and SDKs can invoke functions, the
// datastore, and what runs have used. Where it listens is written into dir, for Dial; then ready is called, which may be nil.
func (h *Host) Serve(ctx context.Context, l net.Listener, dir string, ready func()) error {
	api, err := lambdaapi.New(lambdaapi.Config{Service: h.service})
	if err != nil {
		return err
	}
	var secret [18]byte
	rand.Read(secret[:]) //nolint:errcheck // it never fails
	at := address{"http://" + l.Addr().String(), hex.EncodeToString(secret[:]), os.Getpid()}
	mux := http.NewServeMux()
	mux.Handle("/", api)
	mux.Handle(storePath+"/", http.StripPrefix(storePath, remote.Handler(h.Runtime.Store, at.Token)))
	mux.Handle("GET "+usagePath+"{run}", h.usage(at.Token))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	if err := writeAddress(dir, &at); err != nil {
		return errors.Join(err, api.Close())
	}
	if ready != nil {
		ready()
	}
	stop := context.AfterFunc(ctx, func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
		defer cancel()
		_ = server.Shutdown(ending) // Serve returns either way
	})
	defer stop()
	err = server.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, os.Remove(filepath.Join(dir, addressFile)), api.Close())
}

func writeAddress(dir string, at *address) error {
	text, err := json.Marshal(at)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, addressFile), text, 0o600)
	}
	return err
}

// usage answers what a run has used.
func (h *Host) usage(token string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1 {
			http.Error(w, "the token is missing or wrong", http.StatusUnauthorized)
			return
		}
		used, known := h.Meter.Usage(r.PathValue("run"))
		if !known {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(used) // a client that is gone needs none
	}
}

// Client talks to a server in another process.
type Client struct {
	Runtime *unum.Runtime
	at      address
	store   *remote.Client
}

// Dial returns the client of the server that has written its address into dir; fault.Unavailable if there is none.
func Dial(dir string, program protocol.Program) (*Client, error) {
	const op = "local.dial"
	text, err := os.ReadFile(filepath.Join(dir, addressFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(op, fault.Unavailable, dir, "no server runs the deployment: start it with weft deploy --to local --serve")
	}
	if err != nil {
		return nil, err
	}
	c := new(Client)
	if err := json.Unmarshal(text, &c.at); err != nil {
		return nil, fault.New(op, fault.Corrupt, dir, "the address of the server cannot be read: %w", err)
	}
	if conn, err := net.DialTimeout("tcp", strings.TrimPrefix(c.at.URL, "http://"), 2*time.Second); err == nil {
		_ = conn.Close() // it was only to see that somebody listens
	} else {
		return nil, fault.New(op, fault.Unavailable, dir, "the server that ran the deployment does not answer any more: start it with weft deploy --to local --serve")
	}
	if c.store, err = remote.Open(c.at.URL+storePath, c.at.Token); err != nil {
		return nil, err
	}
	p, err := platform.Dial(c.at.URL, nil)
	if err != nil {
		return nil, err
	}
	c.Runtime = &unum.Runtime{Store: c.store, Platform: p, Program: program}
	return c, nil
}

// Close lets connections go.
func (c *Client) Close() { c.store.Close() }

// Usage returns what a run has used; false: the server has not counted it.
func (c *Client) Usage(ctx context.Context, run string) (cost.Usage, bool, error) {
	const op = "local.usage"
	var u cost.Usage
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.at.URL+usagePath+run, nil)
	if err != nil {
		return u, false, err
	}
	req.Header.Set("Authorization", "Bearer "+c.at.Token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return u, false, fault.New(op, fault.Unavailable, run, "%w", err)
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		err = json.NewDecoder(res.Body).Decode(&u)
		return u, err == nil, err
	case http.StatusNotFound:
		return u, false, nil
	}
	return u, false, fault.New(op, fault.Unavailable, run, "the server answered %s", res.Status)
}
