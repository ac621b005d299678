package function

import (
	"context"
	"strings"
	"testing"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
)

func TestNameOf(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"count": "count",
		"arn:aws:lambda:us-east-1:123456789012:function:count":         "count",
		"arn:aws:lambda:us-east-1:123456789012:function:count:$LATEST": "count",
		"arn:aws-cn:lambda:cn-north-1:123456789012:function:count:7":   "count",
		"123456789012:function:count":                                  "count",
		"function:count":                                               "count",
		"count:live":                                                   "count",
		"arn:aws:states:::lambda:invoke":                               "arn:aws:states:::lambda:invoke",
		"my_function":                                                  "my_function",
		"arn:aws:lambda:us-east-1:123456789012:function:function":      "function",
		"arn:aws:lambda:eu-west-1:123456789012:function:" + strings.Repeat("x", 64) + ":production": strings.Repeat("x", 64),
	} {
		if got := NameOf(in); got != want {
			t.Errorf("NameOf(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestUnknownFunction(t *testing.T) {
	t.Parallel()
	r := registryWith(t, JSON(func(context.Context, int) (int, error) { return 1, nil }), Settings{Idempotent: true})
	_, err := r.Invoke(t.Context(), &Request{Function: "g"})
	e := failure(t, err)
	if e.Type != "Lambda.ResourceNotFoundException" || !e.StartFailed || !strings.HasPrefix(e.Cause, "Function not found: g") {
		t.Errorf("got %+v", e)
	}
	if info, ok := r.Lookup("arn:aws:lambda:us-east-1:1:function:f"); !ok || !info.Idempotent || info.Name != "f" {
		t.Errorf("Lookup by ARN: %+v, %v", info, ok)
	}
	if _, ok := r.Lookup("g"); ok {
		t.Error("Lookup finds g")
	}
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	ok := JSON(func(context.Context, int) (int, error) { return 1, nil })
	r := registryWith(t, ok, Settings{})
	for name, c := range map[string]struct {
		invoker Invoker
		s       Settings
		kind    fault.Kind
	}{
		"f":    {ok, Settings{}, fault.Conflict},
		"":     {ok, Settings{}, fault.InvalidName},
		"a.b":  {ok, Settings{}, fault.InvalidName},
		"nil":  {nil, Settings{}, fault.InvalidArgument},
		"less": {ok, Settings{Concurrency: -1}, fault.InvalidArgument},
	} {
		if err := r.Register(name, c.invoker, c.s); !fault.Is(err, c.kind) {
			t.Errorf("Register(%q): %v", name, err)
		}
	}
}

func TestClosedRegistry(t *testing.T) {
	t.Parallel()
	r := registryWith(t, JSON(func(context.Context, int) (int, error) { return 1, nil }), Settings{})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Invoke(t.Context(), &Request{Function: "f"}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Invoke after Close: %v", err)
	}
	if err := r.Register("g", Go(nil), Settings{}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Register after Close: %v", err)
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", limits.JSONDepth) + strings.Repeat("]", limits.JSONDepth)
	for in, want := range map[string]string{
		"":                          "null",
		" \n\t":                     "null",
		`{"a": [1, "x \" [ y"] }`:   `{"a":[1,"x \" [ y"]}`,
		`"[[[["`:                    `"[[[["`,
		`"\\"`:                      `"\\"`,
		deep:                        deep,
		"[" + deep + "]":            "!",
		`{"a":1}}`:                  "!",
		`NaN`:                       "!",
		"\"\xc3\x28\"":              "!",
		"\ufeff{}":                  "!",
		strings.Repeat("[", 100000): "!",
	} {
		got, bad := Answer([]byte(in))
		if want == "!" {
			if bad == nil || bad.Type != "Runtime.InvalidJSON" || len(bad.Cause) > 2000 {
				t.Errorf("Answer(%.40q) = %.40q, %v", in, got, bad)
			}
		} else if bad != nil || string(got) != want {
			t.Errorf("Answer(%.40q) = %.40q, %v", in, got, bad)
		}
	}
}

func TestPosted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, fallback, errorType, cause string }{
		{`{"errorMessage": "m", "errorType": "T"}`, "X", "T", `{"errorMessage": "m", "errorType": "T"}`},
		{`{"errorMessage":"m"}`, "X", "Lambda.Unknown", `The cause could not be determined because Lambda did not return an error type. Returned payload: {"errorMessage":"m"}`},
		{``, "Runtime.Oops", "Runtime.Oops", ""},
		{`[]`, "", "Lambda.Unknown", ""},
		{`null`, "", "Lambda.Unknown", ""},
		{"{\"errorType\":\"T\xff\"}", "Y", "Y", ""},
	} {
		e := Posted([]byte(c.body), c.fallback)
		if e.Type != c.errorType || (c.cause != "" && e.Cause != c.cause) {
			t.Errorf("Posted(%q) = %s: %s", c.body, e.Type, e.Cause)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"a": [1, "\""]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		out, bad := Answer(b)
		if bad != nil {
			return
		}
		again, bad := Answer(out)
		if bad != nil || string(again) != string(out) {
			t.Errorf("Answer is not idempotent: %q, then %q, %v", out, again, bad)
		}
	})
}
