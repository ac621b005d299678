package remote

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/backoff"
	"github.com/weftworks/weft/unum/store/ratchet"
)

// Client is a datastore in another process. It is safe for concurrent use.
type Client struct {
	base  string
	token string
	http  *http.Client
}

var (
	_ unum.Store  = (*Client)(nil)
	_ unum.Lister = (*Client)(nil)
)

// connections are kept for this many requests at a time; more open their own.
const connections = 128

// Open returns the store at an address: "http://127.0.0.1:PORT", or "unix:///PATH" of a socket. It connects with the
// first operation.
func Open(address, token string) (*Client, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}
	c := &Client{base: strings.TrimSuffix(address, "/"), token: token, http: &http.Client{Transport: transport}}
	u, err := url.Parse(address)
	switch {
	case err == nil && u.Scheme == "unix" && u.Host == "" && u.Path != "":
		path := u.Path
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
		c.base = "http://store"
	case err != nil || u.Scheme != "http" || u.Host == "":
		return nil, fault.New("remote.Open", fault.InvalidArgument, address, "this is no address of a datastore: http://127.0.0.1:PORT or unix:///PATH")
	}
	return c, nil
}

// Close lets connections go.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// ask carries out an operation. unsure says that it may have been carried out before, too.
func (c *Client) ask(ctx context.Context, op string, q *question) (answer *reply, unsure bool, err error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, false, err
	}
	data, unsure, err := c.send(ctx, op, "", body, "")
	if err != nil {
		return nil, unsure, err
	}
	answer = new(reply)
	if err := json.Unmarshal(data, answer); err != nil {
		return nil, unsure, fault.New(op, fault.Unavailable, c.base, "the answer is none of a datastore: %w", err)
	}
	return answer, unsure, nil
}

// send posts a body until it is answered with something else than that the server is away or busy.
func (c *Client) send(ctx context.Context, op, query string, body []byte, expires string) (data []byte, unsure bool, err error) {
	for n := 1; ; n++ {
		data, err = c.try(ctx, op, query, body, expires)
		passing := fault.Is(err, fault.Busy) || fault.Is(err, fault.Unavailable)
		if !passing {
			return data, unsure, err
		}
		unsure = unsure || fault.Is(err, fault.Unavailable)
		if n == backoff.Attempts {
			return nil, unsure, err
		}
		if err := backoff.Pause(ctx, n); err != nil {
			return nil, unsure, err
		}
	}
}

// try posts a body once and returns the answer's.
func (c *Client) try(ctx context.Context, op, query string, body []byte, expires string) ([]byte, error) {
	answer, err := c.post(ctx, op, query, body, expires)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	data, err := io.ReadAll(io.LimitReader(answer, answerBytes+1))
	switch {
	case err != nil:
		return nil, c.away(ctx, op, err)
	case len(data) > answerBytes:
		return nil, fault.New(op, fault.LimitExceeded, c.base, "the answer has more than %d bytes: this is no datastore", answerBytes)
	}
	return data, nil
}

// post posts a body and returns the body of the answer, if that is no error.
func (c *Client) post(ctx context.Context, op, query string, body []byte, expires string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/"+strings.ToLower(op)+query, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if expires != "" {
		req.Header.Set(expiresHeader, expires)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.away(ctx, op, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, questionBytes))
	if err != nil {
		return nil, c.away(ctx, op, err)
	}
	return nil, refusal(op, c.base, resp.StatusCode, data)
}

// away is the error of a server that is not reached, unless the caller has gone.
func (c *Client) away(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fault.New(op, fault.Unavailable, c.base, "the process that has the datastore is not reached: %w", err)
}

// refusal returns the error that a server has answered.
func refusal(op, base string, status int, data []byte) error {
	var answer reply
	if err := json.Unmarshal(data, &answer); err != nil || answer.Error == nil {
		return fault.New(op, fault.InvalidArgument, base, "HTTP %d: this is no datastore", status)
	}
	f := answer.Error
	kind, _ := fault.ParseKind(f.Kind)
	return &fault.Error{Op: f.Op, Kind: kind, Subject: f.Subject, Err: errors.New(f.Message)}
}

// records decodes records, nil where there is none.
func records(all [][]byte) ([]*unum.Record, error) {
	recs := make([]*unum.Record, len(all))
	for i, data := range all {
		if len(data) == 0 {
			continue
		}
		var err error
		if recs[i], err = ratchet.Decode(data); err != nil {
			return nil, err
		}
	}
	return recs, nil
}

// pages calls fn with the keys, some at a time; once with none.
func pages(keys []string, fn func(keys []string) error) error {
	for {
		n := min(len(keys), pageKeys)
		if err := fn(keys[:n]); err != nil {
			return err
		}
		if keys = keys[n:]; len(keys) == 0 {
			return nil
		}
	}
}

// Get implements unum.Store.
func (c *Client) Get(ctx context.Context, keys []string) (recs []*unum.Record, err error) {
	if err := ratchet.CheckKeys("Get", keys...); err != nil {
		return nil, err
	}
	err = pages(keys, func(keys []string) error {
		answer, _, err := c.ask(ctx, "Get", &question{Keys: keys})
		if err != nil {
			return err
		}
		page, err := records(answer.Records)
		if err == nil && len(page) != len(keys) {
			err = fault.New("Get", fault.Unavailable, c.base, "%d records for %d keys", len(page), len(keys))
		}
		recs = append(recs, page...)
		return err
	})
	return recs, err
}

// conditional asks for a write that may not be done.
func (c *Client) conditional(ctx context.Context, op string, q *question) (cur *unum.Record, done, unsure bool, err error) {
	answer, unsure, err := c.ask(ctx, op, q)
	if err != nil {
		return nil, false, unsure, err
	}
	recs, err := records(answer.Records)
	if err != nil || len(recs) != 1 {
		return nil, false, unsure, errors.Join(err, fault.New(op, fault.Unavailable, c.base, "the answer is none of a datastore"))
	}
	return recs[0], answer.Done, unsure, nil
}

// Create implements unum.Store.
func (c *Client) Create(ctx context.Context, key string, rec *unum.Record) (*unum.Record, bool, error) {
	if err := ratchet.CheckRecord("Create", key, rec); err != nil {
		return nil, false, err
	}
	cur, created, unsure, err := c.conditional(ctx, "Create", &question{Keys: []string{key}, Record: ratchet.Append(nil, rec)})
	created = created || unsure && cur != nil && ratchet.Equal(cur, rec) // by a request that was not answered
	return cur, created, err
}

// Advance implements unum.Store.
func (c *Client) Advance(ctx context.Context, key, nonce string, from int64, rec *unum.Record) (*unum.Record, bool, error) {
	if err := ratchet.CheckRecord("Advance", key, rec); err != nil {
		return nil, false, err
	}
	cur, advanced, _, err := c.conditional(ctx, "Advance", &question{Keys: []string{key}, Nonce: nonce, Step: from, Record: ratchet.Append(nil, rec)})
	return cur, advanced, err
}

// Add implements unum.Store.
func (c *Client) Add(ctx context.Context, key, nonce string, step int64, member string, failed bool) (*unum.Record, bool, error) {
	if err := errors.Join(ratchet.CheckKeys("Add", key), ratchet.CheckMember("Add", key, member)); err != nil {
		return nil, false, err
	}
	cur, added, _, err := c.conditional(ctx, "Add", &question{Keys: []string{key}, Nonce: nonce, Step: step, Member: member, Failed: failed})
	return cur, added, err
}

// Delete implements unum.Store.
func (c *Client) Delete(ctx context.Context, keys []string) error {
	return c.remove(ctx, "Delete", keys)
}

func (c *Client) remove(ctx context.Context, op string, keys []string) error {
	if err := ratchet.CheckKeys(op, keys...); err != nil {
		return err
	}
	return pages(keys, func(keys []string) error {
		_, _, err := c.ask(ctx, op, &question{Keys: keys})
		return err
	})
}

// PutBlob implements unum.Store.
func (c *Client) PutBlob(ctx context.Context, key string, data []byte, expires int64) error {
	if err := ratchet.CheckBlob("PutBlob", key, data); err != nil {
		return err
	}
	_, _, err := c.send(ctx, "PutBlob", query(key), data, strconv.FormatInt(expires, 10))
	return err
}

func query(key string) string { return "?key=" + url.QueryEscape(key) }

// GetBlob implements unum.Store.
func (c *Client) GetBlob(ctx context.Context, key string) ([]byte, error) {
	if err := ratchet.CheckKeys("GetBlob", key); err != nil {
		return nil, err
	}
	data, _, err := c.send(ctx, "GetBlob", query(key), nil, "")
	return data, err
}

// DeleteBlobs implements unum.Store.
func (c *Client) DeleteBlobs(ctx context.Context, keys []string) error {
	return c.remove(ctx, "DeleteBlobs", keys)
}

// Keys implements unum.Lister, if the store that is served does. It is not repeated: fn may have been called.
func (c *Client) Keys(ctx context.Context, prefix string, fn func(key string) bool) error {
	answer, err := c.post(ctx, "Keys", "?prefix="+url.QueryEscape(prefix), nil, "")
	if err != nil {
		return err
	}
	defer answer.Close()
	lines := bufio.NewScanner(answer)
	for lines.Scan() {
		switch line := lines.Text(); {
		case line == allKeys:
			return nil
		case strings.HasPrefix(line, noKey):
			return refusal("Keys", c.base, http.StatusInternalServerError, []byte(line))
		case !fn(line):
			return nil
		}
	}
	return c.away(ctx, "Keys", errors.Join(lines.Err(), io.ErrUnexpectedEOF))
}
