package jsonata

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/internal/conformance"
)

// suiteCase is a case of the language's own suite.
type suiteCase struct {
	ID        string          `json:"id"`
	Expr      json.RawMessage `json:"expr"`
	Data      json.RawMessage `json:"data"`
	Dataset   *string         `json:"dataset"`
	Bindings  json.RawMessage `json:"bindings"`
	Depth     int             `json:"depth"`
	Timelimit int             `json:"timelimit"`
	Result    json.RawMessage `json:"result"`
	Undefined bool            `json:"undefinedResult"`
	Code      string          `json:"code"`
	Token     *string         `json:"token"`
	Passes    bool            `json:"passes_2_0_6"`
	Error     *struct {
		Code, Token, Message string
	} `json:"error"`
}

// text is the expression; the suite has half pairs of surrogates in it, which encoding/json would replace.
func (c *suiteCase) text(t *testing.T) string {
	tok, err := (&lexer{s: string(c.Expr)}).str('"')
	if err != nil {
		t.Fatal(err)
	}
	return tok.text
}

func tree(t testing.TB, text []byte) any {
	t.Helper()
	v, err := jsonvalue.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// run evaluates the case.
func (c *suiteCase) run(t *testing.T, datasets *jsonvalue.Object) (any, bool, error) {
	env := &Env{Now: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC).UnixMilli()}
	switch {
	case c.Data != nil:
		env.Input, env.HasInput = tree(t, c.Data), true
	case c.Dataset != nil:
		env.Input, env.HasInput = datasets.Get(*c.Dataset)
		if !env.HasInput {
			t.Fatalf("no dataset %s", *c.Dataset)
		}
	}
	if c.Bindings != nil {
		o := tree(t, c.Bindings).(*jsonvalue.Object)
		env.Variable = o.Get
	}
	env.Limits.Depth = c.Depth
	x, err := CompileWith(c.text(t), Options{Eval: true})
	if err != nil {
		return nil, false, err
	}
	return x.Eval(env)
}

// check says what is wrong with an answer; "" is nothing.
func (c *suiteCase) check(t *testing.T, v any, defined bool, err error) string {
	var e *Error
	errors.As(err, &e)
	shown := "undefined"
	switch {
	case e != nil:
		shown = e.Error() + " (token " + e.Token + ")"
	case defined:
		if f, ok := v.(Function); ok && f != nil {
			shown = "a function"
			break
		}
		shown = jsonvalue.Text(v)
	}
	code, token, message := c.Code, c.Token, ""
	if c.Error != nil {
		code, message = c.Error.Code, c.Error.Message
		if c.Error.Token != "" {
			token = &c.Error.Token
		}
	}
	switch {
	case code != "":
		if e != nil && e.Code == code && (token == nil || e.Token == *token) && (message == "" || e.Message == message) {
			return ""
		}
		want := code + " " + message
		if token != nil {
			want += " token " + *token
		}
		return shown + ", want " + want
	case c.Undefined:
		if err == nil && !defined {
			return ""
		}
		return shown + ", want undefined"
	}
	if err == nil && defined && sameDoubles(v, tree(t, c.Result)) {
		return ""
	}
	return shown + ", want " + string(c.Result)
}

// sameDoubles compares trees, numbers as the doubles they are.
func sameDoubles(a, b any) bool {
	switch a := a.(type) {
	case jsonvalue.Number:
		b, ok := b.(jsonvalue.Number)
		return ok && a.Float64() == b.Float64()
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !sameDoubles(a[i], b[i]) {
				return false
			}
		}
		return true
	case *jsonvalue.Object:
		b, ok := b.(*jsonvalue.Object)
		if !ok || a.Len() != b.Len() {
			return false
		}
		for key, v := range a.All() {
			if w, ok := b.Get(key); !ok || !sameDoubles(v, w) {
				return false
			}
		}
		return true
	case Function:
		return b == ""
	}
	switch b.(type) {
	case []any, *jsonvalue.Object:
		return false
	}
	return a == b
}

// loadSuite reads the language's own suite.
func loadSuite(t *testing.T) (datasets *jsonvalue.Object, cases []*suiteCase) {
	t.Helper()
	dir, ok := conformance.Dir()
	if !ok {
		t.Skip("no recordings: set WEFT_CONFORMANCE to the directory that has jsonata/cases.jsonl")
	}
	text, err := os.ReadFile(filepath.Join(dir, "jsonata", "datasets.json"))
	if err != nil {
		t.Fatal(err)
	}
	datasets = tree(t, text).(*jsonvalue.Object)
	if text, err = os.ReadFile(filepath.Join(dir, "jsonata", "cases.jsonl")); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		c := &suiteCase{}
		if err := json.Unmarshal(lines.Bytes(), c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	return datasets, cases
}

func TestConformanceSuite(t *testing.T) {
	t.Parallel()
	datasets, cases := loadSuite(t)
	passed, total := 0, 0
	for _, c := range cases {
		if !c.Passes {
			continue
		}
		total++
		v, defined, err := c.run(t, datasets)
		if wrong := c.check(t, v, defined, err); wrong != "" {
			t.Errorf("%s: %.200s\n\t%.300s", c.ID, c.Expr, wrong)
			continue
		}
		passed++
	}
	fmt.Printf("conformance: jsonata %d/%d\n", passed, total)
}
