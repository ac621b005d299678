// Package web integrates HTTP APIs as "http:invoke": Step Functions' HTTP Task.
//
// Arguments are ApiEndpoint and Method and, if wanted, Headers, QueryParameters, RequestBody, Transform (RequestBodyEncoding
// URL_ENCODED with RequestEncodingOptions.ArrayFormat) and Authentication.ConnectionArn (or
// InvocationConfig.ConnectionArn), which names a Connection. The answer is {Headers, ResponseBody, StatusCode, StatusText};
// ResponseBody is a JSON value if the answer is JSON, else text.
//
// Errors: States.Http.StatusCode.NNN for an answer that is not 2xx, its body the cause; States.Http.Socket when no answer
// came in 60 s, or none at all; Events.ConnectionResource.* for a connection that is not there or gives no token;
// States.Runtime for arguments that are wrong, and for answers that are no text.
//
// Unlike on AWS a call needs no connection, and ApiEndpoint may be http.
//
//	set := integration.NewSet()
//	err := web.Register(set, web.Config{Connections: map[string]web.Connection{"stripe": {Username: "sk_test"}}})
package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/engine/integration"
)

// Config says how HTTP Tasks work. The zero value has no connections.
type Config struct {
	Connections map[string]Connection // by name
	// Region is in the User-Agent. "": us-east-1.
	Region string
	// ResponseBytes bounds an answer's body. 0: 6 MiB; a state's own limit comes behind it.
	ResponseBytes int
	// HTTP makes the requests. nil: a client of its own that honours HTTP_PROXY and NO_PROXY.
	HTTP http.RoundTripper
	// Now is the clock by which tokens expire. nil: time.Now.
	Now func() time.Time
}

// timeout is how long Step Functions waits for an answer.
const timeout = 60 * time.Second

// redirectsMost bounds the redirects that are followed.
const redirectsMost = 10

// Register adds http:invoke to set.
func Register(set *integration.Set, cfg Config) error {
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if cfg.ResponseBytes == 0 {
		cfg.ResponseBytes = 6 << 20
	}
	if cfg.HTTP == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxResponseHeaderBytes = 64 << 10
		cfg.HTTP = t
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	t := &tasks{cfg: cfg, connections: map[string]*connection{}}
	for name, c := range cfg.Connections {
		t.connections[name] = &connection{Connection: c, name: name}
	}
	return set.Register("http:invoke", t)
}

type tasks struct {
	cfg         Config
	connections map[string]*connection
}

// Parameters implements integration.Described.
func (t *tasks) Parameters() []string {
	return []string{"ApiEndpoint", "Method", "Authentication", "InvocationConfig", "Headers", "QueryParameters", "RequestBody", "Transform"}
}

// Call implements integration.Integration.
func (t *tasks) Call(ctx context.Context, req *integration.Request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	task, err := read(req.Arguments)
	if err != nil {
		return nil, err
	}
	var c *connection
	if task.connection != "" {
		if c = t.connections[connectionName(task.connection)]; c == nil {
			return nil, integration.Errorf("Events.ConnectionResource.NotFound",
				"there is no connection %s; declare it in weft.yaml under connections", task.connection)
		}
	}
	answer, err := t.exchange(ctx, task, c)
	if err == nil && c != nil && c.OAuth != nil && answer.status == http.StatusUnauthorized {
		c.forget() // the token may have been revoked before its time
		answer, err = t.exchange(ctx, task, c)
	}
	if err != nil {
		return nil, err
	}
	return answer.result()
}

// exchange makes the request once and reads the answer.
func (t *tasks) exchange(ctx context.Context, task *task, c *connection) (*answer, error) {
	r, err := t.request(ctx, task, c)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: t.cfg.HTTP, CheckRedirect: c.redirect}
	res, err := client.Do(r)
	if err != nil {
		return nil, socket(r, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(t.cfg.ResponseBytes)+1))
	if err != nil {
		return nil, socket(r, err)
	}
	if len(body) > t.cfg.ResponseBytes {
		return nil, integration.Errorf("States.DataLimitExceeded", "The answer of %s has more than %d bytes.", task.endpoint.Redacted(), t.cfg.ResponseBytes)
	}
	return &answer{status: res.StatusCode, header: res.Header, body: body}, nil
}

// socket is the failure of a request without an answer.
func socket(r *http.Request, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return integration.Errorf("States.Http.Socket", "%s %s: no answer within %s", r.Method, r.URL.Redacted(), timeout)
	}
	return integration.Errorf("States.Http.Socket", "%s %s: %v", r.Method, r.URL.Redacted(), err)
}

// request makes the request of a task; what a connection has wins over the task.
func (t *tasks) request(ctx context.Context, task *task, c *connection) (*http.Request, error) {
	u := *task.endpoint
	query := u.Query()
	for k, v := range task.query {
		query[k] = v
	}
	for k, v := range c.parameters().Query {
		query.Set(k, v)
	}
	u.RawQuery = query.Encode()
	body, err := task.body(c.parameters().Body)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, task.method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, integration.Errorf("States.Runtime", "The request cannot be made: %v", err)
	}
	for k, v := range task.headers {
		r.Header[http.CanonicalHeaderKey(k)] = v
	}
	if len(body) > 0 && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", task.contentType())
	}
	r.Header.Set("User-Agent", "Amazon|StepFunctions|HttpInvoke|"+t.cfg.Region)
	return r, c.authorize(ctx, t, r)
}

// answer is what an API has answered.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *answer) result() ([]byte, error) {
	if a.status < 200 || a.status > 299 {
		return nil, integration.Errorf("States.Http.StatusCode."+strconv.Itoa(a.status), "%s", a.body)
	}
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	major, _, _ := strings.Cut(kind, "/")
	if kind == "application/octet-stream" || slices.Contains([]string{"image", "video", "audio"}, major) || !utf8.Valid(a.body) {
		return nil, integration.Errorf("States.Runtime", "The answer is of the type %q; only text and JSON can be a state's result.", kind)
	}
	var body any = string(a.body)
	if kind == "application/json" || strings.HasSuffix(kind, "+json") {
		if v, err := jsonvalue.Parse(a.body); err == nil {
			body = v
		}
	}
	names := make([]string, 0, len(a.header))
	for name := range a.header {
		names = append(names, name)
	}
	slices.Sort(names)
	headers := jsonvalue.NewObject(len(names))
	for _, name := range names {
		values := make([]any, len(a.header[name]))
		for i, v := range a.header[name] {
			values[i] = v
		}
		headers.Set(strings.ToLower(name), values)
	}
	o := jsonvalue.NewObject(4)
	o.Set("Headers", headers)
	o.Set("ResponseBody", body)
	o.Set("StatusCode", jsonvalue.Int(int64(a.status)))
	o.Set("StatusText", http.StatusText(a.status))
	return jsonvalue.Append(nil, o), nil
}
