package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/integration"
	"github.com/weftworks/weft/internal/conformance/fakes"
)

// api answers by path, and tells in its answer what it was asked.
type api struct {
	tokens int
	bad    map[string]bool // tokens that are refused
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch r.URL.Path {
	case "/echo":
		var headers []string
		for k, v := range r.Header {
			if !slices.Contains([]string{"User-Agent", "Content-Type"}, k) {
				headers = append(headers, k+"="+strings.Join(v, "+"))
			}
		}
		slices.Sort(headers)
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintf(w, "%s %s?%s %s %s [%s]", r.Method, r.URL.Host, r.URL.RawQuery, strings.Join(headers, " "), r.Header.Get("Content-Type"), body)
	case "/json":
		w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"b": 1.50, "a": []}`)
	case "/missing":
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":"no such order"}`)
	case "/image":
		w.Header().Set("Content-Type", "image/png")
	case "/away":
		http.Redirect(w, r, "http://other/echo", http.StatusFound)
	case "/token":
		a.tokens++
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"t%d %s","expires_in":100}`, a.tokens, body)
	case "/guarded":
		if a.bad[r.Header.Get("Authorization")[:9]] {
			w.WriteHeader(http.StatusUnauthorized)
		}
		fmt.Fprint(w, r.Header.Get("Authorization"))
	}
}

type clock struct{ now time.Time }

func webSet(t *testing.T, a *api, c *clock) *integration.Set {
	t.Helper()
	set := integration.NewSet()
	err := Register(set, Config{
		HTTP: fakes.Transport{"api": a, "other": a}, Now: func() time.Time { return c.now },
		Connections: map[string]Connection{
			"basic": {Username: "u", Password: "p", Parameters: Parameters{Headers: map[string]string{"X-Own": "h"}, Query: map[string]string{"q": "own"}, Body: map[string]string{"b": "own"}}},
			"key":   {APIKeyName: "X-Key", APIKeyValue: "k"},
			"oauth": {OAuth: &OAuth{URL: "http://api/token", ClientID: "id", ClientSecret: "secret", Parameters: Parameters{Body: map[string]string{"scope": "all"}}}},
			"none":  {OAuth: &OAuth{URL: "http://api/missing", ClientID: "id", ClientSecret: "secret"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func call(t *testing.T, set *integration.Set, arguments string) string {
	t.Helper()
	res, err := set.Invoke(t.Context(), &function.Request{Function: "arn:aws:states:::http:invoke", Input: []byte(arguments), ID: "1", Key: "k"})
	var failed *function.Error
	switch {
	case err == nil:
		return string(res.Output)
	case errors.As(err, &failed):
		return failed.Type + ": " + failed.Cause
	}
	t.Fatal(err)
	return ""
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	set := webSet(t, &api{}, &clock{})
	echo := func(more string) string { return `{"ApiEndpoint":"http://api/echo","Method":"POST"` + more + `}` }
	text := func(s string) string {
		return `{"Headers":{"content-type":["text/plain"]},"ResponseBody":"` + s + `","StatusCode":200,"StatusText":"OK"}`
	}
	const connected = `,"Authentication":{"ConnectionArn":"arn:aws:events:us-east-1:1:connection/`
	for _, tc := range []struct{ arguments, want string }{
		{echo(``), text(`POST api?   []`)},
		{echo(`,"RequestBody":{"a":1.0},"Headers":{"X-A":["1",2]},"QueryParameters":{"q":[1,"b c"],"x":true}`),
			text(`POST api?q=1&q=b+c&x=true X-A=1+2 application/json [{\"a\":1.0}]`)},
		{echo(`,"RequestBody":"plain","Headers":{"Content-Type":"text/csv"}`), text(`POST api?  text/csv [plain]`)},
		{echo(`,"RequestBody":{"a":[1,2],"o":{"k":"ä b"}},"Transform":{"RequestBodyEncoding":"URL_ENCODED"}`),
			text(`POST api?  application/x-www-form-urlencoded [a[0]=1&a[1]=2&o[k]=%C3%A4+b]`)},
		{echo(`,"RequestBody":{"a":[1,2]},"Transform":{"RequestBodyEncoding":"URL_ENCODED","RequestEncodingOptions":{"ArrayFormat":"COMMAS"}}`),
			text(`POST api?  application/x-www-form-urlencoded [a=1,2]`)},
		{echo(`,"RequestBody":{"a":[1,2]},"Transform":{"RequestBodyEncoding":"URL_ENCODED","RequestEncodingOptions":{"ArrayFormat":"REPEAT"}}`),
			text(`POST api?  application/x-www-form-urlencoded [a=1&a=2]`)},
		{echo(`,"RequestBody":{"a":[1,2]},"Transform":{"RequestBodyEncoding":"URL_ENCODED","RequestEncodingOptions":{"ArrayFormat":"BRACKETS"}}`),
			text(`POST api?  application/x-www-form-urlencoded [a[]=1&a[]=2]`)},
		{echo(`,"RequestBody":{"b":"mine"},"QueryParameters":{"q":"mine"}` + connected + `basic/id"}`),
			text(`POST api?q=own Authorization=Basic dTpw X-Own=h application/json [{\"b\":\"own\"}]`)},
		{echo(connected + `key/id"}`), text(`POST api? X-Key=k  []`)},
		{`{"ApiEndpoint":"http://api/away","Method":"GET"` + connected + `key/id"}}`, text(`GET other? Referer=http://api/away  []`)},
		{`{"ApiEndpoint":"http://api/json","Method":"GET"}`,
			`{"Headers":{"content-type":["application/problem+json; charset=utf-8"]},"ResponseBody":{"b":1.50,"a":[]},"StatusCode":201,"StatusText":"Created"}`},
		{`{"ApiEndpoint":"http://api/missing","Method":"GET"}`, `States.Http.StatusCode.404: {"error":"no such order"}`},
		{`{"ApiEndpoint":"http://nowhere/x","Method":"GET"}`, `States.Http.Socket: GET http://nowhere/x: dial tcp: lookup nowhere: no such host`},
		{`{"ApiEndpoint":"http://api/image","Method":"GET"}`, `States.Runtime: The answer is of the type "image/png"; only text and JSON can be a state's result.`},
		{`{"ApiEndpoint":"api/x","Method":"GET"}`, `States.Runtime: The field 'ApiEndpoint' must be a URL like https://api.example.com/v1/orders but was: "api/x"`},
		{`{"ApiEndpoint":"http://api/echo","Method":"TRACE"}`, `States.Runtime: The field 'Method' must be one of GET, POST, PUT, DELETE, PATCH, OPTIONS, HEAD but was: "TRACE"`},
		{echo(`,"Headers":{"Host":"x"}`), `States.Runtime: The header "Host" cannot be set by an HTTP Task`},
		{echo(connected + `nobody/id"}`), `Events.ConnectionResource.NotFound: there is no connection arn:aws:events:us-east-1:1:connection/nobody/id; declare it in weft.yaml under connections`},
		{echo(connected + `none/id"}`), `Events.ConnectionResource.InvalidConnectionState: connection none: no token from http://api/missing: it answered 404 Not Found`},
	} {
		if got := call(t, set, tc.arguments); got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.arguments, got, tc.want)
		}
	}
}

// TestTokens holds that a token serves until nine tenths of its life are over, or until it is refused.
func TestTokens(t *testing.T) {
	t.Parallel()
	a, c := &api{bad: map[string]bool{}}, &clock{now: time.Unix(0, 0)}
	set := webSet(t, a, c)
	ask := func() string {
		got := call(t, set, `{"ApiEndpoint":"http://api/guarded","Method":"GET","Authentication":{"ConnectionArn":"oauth"}}`)
		_, got, _ = strings.Cut(got, `"ResponseBody":"Bearer `)
		got, _, _ = strings.Cut(got, `"`)
		return got
	}
	const form = " client_id=id&client_secret=secret&grant_type=client_credentials&scope=all"
	for _, step := range []struct {
		what string
		do   func()
		want string
	}{
		{"at first", func() {}, "t1" + form},
		{"at once again", func() {}, "t1" + form},
		{"after 89 s", func() { c.now = c.now.Add(89 * time.Second) }, "t1" + form},
		{"after 90 s", func() { c.now = c.now.Add(time.Second) }, "t2" + form},
		{"once it is refused", func() { a.bad["Bearer t2"] = true }, "t3" + form},
	} {
		step.do()
		if got := ask(); got != step.want {
			t.Errorf("%s: the token is %q, want %q", step.what, got, step.want)
		}
	}
}
