package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/engine/integration"
)

// task is the arguments of an HTTP Task, checked.
type task struct {
	endpoint    *url.URL
	method      string
	connection  string // ARN or name; "": none
	headers     http.Header
	query       url.Values
	requestBody any
	form        bool   // encode the body as a form
	arrays      string // how a form writes arrays
}

// The ways in which a form writes arrays (RequestEncodingOptions.ArrayFormat).
const (
	arraysIndices  = "INDICES"  // a[0]=1&a[1]=2
	arraysRepeat   = "REPEAT"   // a=1&a=2
	arraysCommas   = "COMMAS"   // a=1,2
	arraysBrackets = "BRACKETS" // a[]=1&a[]=2
	arraysNone     = "NONE"     // a=[1,2]
)

const formType = "application/x-www-form-urlencoded"

var methods = []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"}

func wrong(format string, args ...any) error {
	return integration.Errorf("States.Runtime", format, args...)
}

func read(arguments []byte) (*task, error) {
	v, err := jsonvalue.Parse(arguments)
	o, ok := v.(*jsonvalue.Object)
	if err != nil || !ok {
		return nil, wrong("The Parameters of http:invoke must be an object with ApiEndpoint and Method")
	}
	t := &task{arrays: arraysIndices}
	if t.endpoint, err = url.Parse(member(o, "ApiEndpoint")); err != nil || t.endpoint.Host == "" || (t.endpoint.Scheme != "http" && t.endpoint.Scheme != "https") {
		return nil, wrong("The field 'ApiEndpoint' must be a URL like https://api.example.com/v1/orders but was: %q", member(o, "ApiEndpoint"))
	}
	if t.method = member(o, "Method"); !slices.Contains(methods, t.method) {
		return nil, wrong("The field 'Method' must be one of %s but was: %q", strings.Join(methods, ", "), t.method)
	}
	for _, key := range []string{"InvocationConfig", "Authentication"} {
		if v, _ := o.Get(key); v != nil && t.connection == "" {
			config, _ := v.(*jsonvalue.Object)
			if config == nil || member(config, "ConnectionArn") == "" {
				return nil, wrong("The field '%s' must be an object with a ConnectionArn", key)
			}
			t.connection = member(config, "ConnectionArn")
		}
	}
	t.requestBody, _ = o.Get("RequestBody")
	if err := t.readHeaders(o); err != nil {
		return nil, err
	}
	if err := t.readQuery(o); err != nil {
		return nil, err
	}
	return t, t.readTransform(o)
}

// member returns a string member; "" when it is missing or no string.
func member(o *jsonvalue.Object, key string) string {
	v, _ := o.Get(key)
	s, _ := v.(string)
	return s
}

func (t *task) readHeaders(o *jsonvalue.Object) error {
	t.headers = http.Header{}
	v, _ := o.Get("Headers")
	if v == nil {
		return nil
	}
	headers, ok := v.(*jsonvalue.Object)
	if !ok {
		return wrong("The field 'Headers' must be an object")
	}
	for name, v := range headers.All() {
		if reserved(name) {
			return wrong("The header %q cannot be set by an HTTP Task", name)
		}
		t.headers[http.CanonicalHeaderKey(name)] = texts(v)
	}
	return nil
}

// reserved reports whether Step Functions keeps a header to itself: those that say where a request comes from, who
// asks, and how the connection is used.
func reserved(name string) bool {
	lower := strings.ToLower(name)
	for _, prefix := range []string{"x-forwarded-", "x-amz-", "x-amzn-"} {
		if strings.HasPrefix(lower, prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"accept-encoding", "authorization", "connection", "content-encoding", "content-length", "date", "expect", "forwarded", "from", "host",
		"http2-settings", "max-forwards", "origin", "proxy-authorization", "referer", "server", "te", "trailer", "transfer-encoding", "upgrade", "via", "warning",
	}, lower)
}

func (t *task) readQuery(o *jsonvalue.Object) error {
	t.query = url.Values{}
	v, _ := o.Get("QueryParameters")
	if v == nil {
		return nil
	}
	parameters, ok := v.(*jsonvalue.Object)
	if !ok {
		return wrong("The field 'QueryParameters' must be an object")
	}
	for name, v := range parameters.All() {
		t.query[name] = texts(v)
	}
	return nil
}

func (t *task) readTransform(o *jsonvalue.Object) error {
	v, _ := o.Get("Transform")
	if v == nil {
		return nil
	}
	transform, ok := v.(*jsonvalue.Object)
	if !ok {
		return wrong("The field 'Transform' must be an object")
	}
	switch encoding := member(transform, "RequestBodyEncoding"); encoding {
	case "URL_ENCODED":
		t.form = true
	case "", "NONE":
	default:
		return wrong("The field 'Transform.RequestBodyEncoding' must be NONE or URL_ENCODED but was: %q", encoding)
	}
	options, _ := transform.Get("RequestEncodingOptions")
	if options, ok := options.(*jsonvalue.Object); ok {
		if format := member(options, "ArrayFormat"); format != "" {
			t.arrays = format
		}
	}
	if all := []string{arraysIndices, arraysRepeat, arraysCommas, arraysBrackets, arraysNone}; !slices.Contains(all, t.arrays) {
		return wrong("The field 'Transform.RequestEncodingOptions.ArrayFormat' must be one of %s but was: %q", strings.Join(all, ", "), t.arrays)
	}
	return nil
}

// texts are the values of a header or a parameter: an array's items, or the value itself.
func texts(v any) []string {
	items, ok := v.([]any)
	if !ok {
		return []string{text(v)}
	}
	list := make([]string, len(items))
	for i, item := range items {
		list[i] = text(item)
	}
	return list
}

func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return jsonvalue.Text(v)
}

func (t *task) contentType() string {
	if t.form {
		return formType
	}
	return "application/json"
}

// body is the request's body with a connection's parameters in it.
func (t *task) body(more map[string]string) ([]byte, error) {
	v := t.requestBody
	if len(more) > 0 {
		o, ok := v.(*jsonvalue.Object)
		switch {
		case v == nil:
			o = jsonvalue.NewObject(len(more))
		case !ok:
			return nil, wrong("The field 'RequestBody' must be an object, as the connection adds members to it")
		default:
			o = o.Clone()
		}
		for _, name := range sorted(more) {
			o.Set(name, more[name])
		}
		v = o
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(v), nil
	case *jsonvalue.Object:
		if t.form {
			var pairs []string
			for name, x := range v.All() {
				pairs = t.appendForm(pairs, name, x)
			}
			return []byte(strings.Join(pairs, "&")), nil
		}
	}
	return jsonvalue.Append(nil, v), nil
}

// appendForm adds a member of the body to a form: objects inside as a[b]=1, arrays as the task says.
func (t *task) appendForm(pairs []string, name string, v any) []string {
	switch v := v.(type) {
	case *jsonvalue.Object:
		for key, x := range v.All() {
			pairs = t.appendForm(pairs, name+"["+key+"]", x)
		}
		return pairs
	case []any:
		switch t.arrays {
		case arraysCommas:
			return append(pairs, pair(name, strings.Join(texts(v), ",")))
		case arraysNone:
			return append(pairs, pair(name, text(v)))
		}
		for i, x := range v {
			pairs = t.appendForm(pairs, t.itemName(name, i), x)
		}
		return pairs
	}
	return append(pairs, pair(name, text(v)))
}

func (t *task) itemName(name string, i int) string {
	switch t.arrays {
	case arraysIndices:
		return fmt.Sprintf("%s[%d]", name, i)
	case arraysBrackets:
		return name + "[]"
	}
	return name
}

// pair is one member of a form. Brackets and commas stay readable, as Step Functions writes them.
func pair(name, value string) string {
	plain := strings.NewReplacer("%5B", "[", "%5D", "]", "%2C", ",")
	return plain.Replace(url.QueryEscape(name)) + "=" + plain.Replace(url.QueryEscape(value))
}
