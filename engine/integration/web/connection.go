package web

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weftworks/weft/engine/integration"
)

// Connection is how to speak to an API: EventBridge's connections. At most one of Username, APIKeyName and OAuth is set.
type Connection struct {
	Username, Password      string // basic authentication
	APIKeyName, APIKeyValue string // a header
	OAuth                   *OAuth // client credentials
	Parameters                     // in every request
}

// Parameters are added to requests and win over a task's own.
type Parameters struct{ Headers, Query, Body map[string]string }

// OAuth gets tokens by client credentials (RFC 6749, section 4.4).
type OAuth struct {
	URL                    string // of the token endpoint
	Method                 string // "": POST
	ClientID, ClientSecret string
	Parameters             // in requests for a token, e.g. scope in Body
}

// connectionName returns the name in an ARN arn:aws:events:REGION:ACCOUNT:connection/NAME/ID, or a name itself.
func connectionName(arn string) string {
	_, rest, ok := strings.Cut(arn, ":connection/")
	if !ok {
		return arn
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// connection is a Connection with the token it has. A nil one does nothing.
type connection struct {
	Connection
	name string

	mu      sync.Mutex // held while a token is fetched, so that one request does for all
	token   string
	expires time.Time // zero: it does not say
}

func (c *connection) parameters() Parameters {
	if c == nil {
		return Parameters{}
	}
	return c.Parameters
}

// authorize adds what the connection has to a request's headers.
func (c *connection) authorize(ctx context.Context, t *tasks, r *http.Request) error {
	if c == nil {
		return nil
	}
	for k, v := range c.Headers {
		r.Header.Set(k, v)
	}
	switch {
	case c.OAuth != nil:
		token, err := c.get(ctx, t)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	case c.APIKeyName != "":
		r.Header.Set(c.APIKeyName, c.APIKeyValue)
	case c.Username != "":
		r.SetBasicAuth(c.Username, c.Password)
	}
	return nil
}

// redirect follows redirects, and takes the connection's secrets from those to another host.
func (c *connection) redirect(r *http.Request, via []*http.Request) error {
	if len(via) >= redirectsMost {
		return http.ErrUseLastResponse
	}
	if c != nil && r.URL.Host != via[0].URL.Host {
		r.Header.Del("Authorization")
		r.Header.Del(c.APIKeyName)
		for k := range c.Headers {
			r.Header.Del(k)
		}
	}
	return nil
}

func (c *connection) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = ""
}

// get returns a token that has not expired.
func (c *connection) get(ctx context.Context, t *tasks) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && (c.expires.IsZero() || t.cfg.Now().Before(c.expires)) {
		return c.token, nil
	}
	token, life, err := c.fetch(ctx, t)
	if err != nil {
		return "", err
	}
	c.token, c.expires = token, time.Time{}
	if life > 0 {
		c.expires = t.cfg.Now().Add(life)
	}
	return token, nil
}

// fetch asks for a token; life is how long it is good, a tenth less than the server says.
func (c *connection) fetch(ctx context.Context, t *tasks) (token string, life time.Duration, err error) {
	refused := func(format string, args ...any) (string, time.Duration, error) {
		return "", 0, integration.Errorf("Events.ConnectionResource.InvalidConnectionState", "connection "+c.name+": "+format, args...)
	}
	r, err := c.OAuth.request(ctx)
	if err != nil {
		return refused("%v", err)
	}
	res, err := t.cfg.HTTP.RoundTrip(r)
	if err != nil {
		return refused("no token from %s: %v", r.URL.Redacted(), err)
	}
	defer func() { _ = res.Body.Close() }()
	const most = 1 << 20
	var answer struct {
		Token   string  `json:"access_token"`
		Seconds float64 `json:"expires_in"`
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, most))
	if err != nil || res.StatusCode != http.StatusOK || json.Unmarshal(body, &answer) != nil || answer.Token == "" {
		return refused("no token from %s: it answered %s", r.URL.Redacted(), res.Status)
	}
	const year = 365 * 24 * 3600
	return answer.Token, time.Duration(min(max(answer.Seconds, 0), year)*0.9) * time.Second, nil
}

// request is the request for a token.
func (o *OAuth) request(ctx context.Context) (*http.Request, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {o.ClientID}, "client_secret": {o.ClientSecret}}
	for k, v := range o.Body {
		form.Set(k, v)
	}
	method := o.Method
	if method == "" {
		method = http.MethodPost
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	query := u.Query()
	for k, v := range o.Query {
		query.Set(k, v)
	}
	body := form.Encode()
	if method == http.MethodGet {
		for k, v := range form {
			query[k] = v
		}
		body = ""
	}
	u.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", formType)
	r.Header.Set("Accept", "application/json")
	for k, v := range o.Headers {
		r.Header.Set(k, v)
	}
	return r, nil
}

func sorted(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
