package config

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/integration/web"
)

func TestIntegrations(t *testing.T) {
	t.Setenv("WEFT_TEST_SECRET", "s3cret")
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write([]byte(`{"key":"` + r.Header.Get("X-Key") + `","got":` + string(body) + `}`))
	}))
	defer crm.Close()
	c, err := Parse("f", t.TempDir(), []byte(`
aws: {region: eu-north-1, profile: dev, endpoints: {sqs: "http://127.0.0.1:9324"}}
functions:
  mailer: {runtime: http, url: "`+crm.URL+`"}
integrations:
  crm:createLead: {url: "`+crm.URL+`", headers: {X-Key: {env: WEFT_TEST_SECRET}}, timeout: 5s}
  aws-sdk:sesv2:sendEmail: {function: mailer}
  sqs:sendMessage: {function: mailer}
connections:
  stripe: {basic: {username: u, password: {env: WEFT_TEST_SECRET}}, headers: {A: b}}
  crm: {oauth: {url: "http://x/token", clientId: i, clientSecret: s, method: PUT, body: {scope: all}}}
sinks: {sns: {orders: "http://x/orders"}, events: {default: "http://x/events"}}
`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(AWS{"eu-north-1", "dev", map[string]string{"sqs": "http://127.0.0.1:9324"}}, c.AWS); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]Integration{
		{Name: "crm:createLead", URL: crm.URL, Headers: map[string]string{"X-Key": "s3cret"}, Timeout: 5 * time.Second},
		{Name: "aws-sdk:sesv2:sendEmail", Function: "mailer", Timeout: DefaultTimeout},
		{Name: "sqs:sendMessage", Function: "mailer", Timeout: DefaultTimeout},
	}, c.Own); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(map[string]web.Connection{
		"stripe": {Username: "u", Password: "s3cret", Parameters: web.Parameters{Headers: map[string]string{"A": "b"}}},
		"crm": {OAuth: &web.OAuth{URL: "http://x/token", Method: "PUT", ClientID: "i", ClientSecret: "s",
			Parameters: web.Parameters{Body: map[string]string{"scope": "all"}}}},
	}, c.Connections); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(Sinks{map[string]string{"orders": "http://x/orders"}, map[string]string{"default": "http://x/events"}}, c.Sinks); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}

	registry, err := c.Registry(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	set, err := c.Integrations(Services{Functions: registry})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	names := set.Names()
	for _, want := range []string{"aws-sdk:s3:getObject", "aws-sdk:dynamodb:query", "dynamodb:updateItem", "events:putEvents", "http:invoke", "sns:publish"} {
		if !slices.Contains(names, want) {
			t.Errorf("there is no %s", want)
		}
	}
	for name, want := range map[string]string{
		"crm:createLead": `{"key":"s3cret","got":{"a":1}}`, "aws-sdk:sesv2:sendEmail": `{"key":"","got":{"a":1}}`, "sqs:sendMessage": `{"key":"","got":{"a":1}}`,
	} {
		res, err := set.Invoke(t.Context(), &function.Request{Function: "arn:aws:states:::" + name, Input: []byte(`{"a":1}`), ID: "1"})
		if err != nil || string(res.Output) != want {
			t.Errorf("%s answered %+v, %v", name, res, err)
		}
	}
}

func TestIntegrationProblems(t *testing.T) {
	t.Parallel()
	_, err := Parse("f", t.TempDir(), []byte(`
aws: {endpoints: {sqs: x, sns: "http://x"}}
integrations:
  crm: {url: "http://x"}
  a:b: {}
  a:c: {function: nobody}
connections:
  x: {basic: {username: u, password: {env: WEFT_TEST_ABSENT}}, apiKey: {name: n, value: v}}
  y: {oauth: {url: "http://x", clientId: i, method: TRACE}}
sinks: {sqs: {}}
`))
	want := `f:2:24: the url "x" is not of the form http://host:port/path or https://…
f:2:27: endpoints has no key "sns"; it knows dynamodb, s3, sqs
f:4:3: integration "crm": a name is like crm:createLead, two words of letters, digits and '-' with a colon between them; lambda:invoke is taken
f:5:3: integration a:b: it is either a url that the arguments are posted to, or a function
f:6:3: integration a:c: no function "nobody" is declared here
f:8:3: connection x: one of basic, apiKey and oauth is enough
f:8:44: the environment has no variable WEFT_TEST_ABSENT
f:9:14: oauth needs url, clientId and clientSecret
f:9:53: method is GET, POST or PUT, not "TRACE"
f:10:9: sinks has no key "sqs"; did you mean sns?`
	if err == nil || strings.TrimSpace(err.Error()) != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}
