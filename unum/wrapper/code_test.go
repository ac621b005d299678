package wrapper

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft/engine/function"
)

// Every kind of code answers the same input.
func TestKindsOfCode(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	root := t.TempDir()
	for name, text := range map[string]string{
		"code/echo.py":  "import json, sys\n\ndef handler(event, context):\n    return event\n",
		"code/echo.js":  "exports.handler = async (event) => event;\n",
		"code/echo.sh":  "#!/bin/sh\ncat\necho noise >&2\n",
		"code/serve.py": httpFunction,
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Key") == "k" {
			_, _ = io.Copy(rw, r.Body)
		}
	}))
	t.Cleanup(server.Close)
	for text, want := range map[string]string{
		`{"python": "echo.handler", "dir": "code"}`:                       `{"n":1}`,
		`{"command": ["./echo.sh"], "dir": "code"}`:                       `{"n":1}`,
		`{"serve": ["python3", "serve.py"], "dir": "code"}`:               `{"path":"/","body":{"n":1},`,
		`{"url": "` + server.URL + `", "headers": {"X-Key": "k"}}`:        `{"n":1}`,
		`{"node": "echo.handler", "dir": "code"}`:                         `{"n":1}`,
		`{"process": ["/bin/sh", "-c", "exec python3 \"$0\"", "nofile"]}`: "Runtime.ExitError",
	} {
		t.Run(text[2:9], func(t *testing.T) {
			t.Parallel()
			if strings.Contains(text, "node") {
				need(t, "node")
			}
			c, err := ParseCode(text)
			if err != nil {
				t.Fatal(err)
			}
			code, err := c.Open(t.Context(), "fn", root, "")
			if err != nil {
				t.Fatal(err)
			}
			defer code.(io.Closer).Close()
			res, err := code.Invoke(t.Context(), &function.Request{Function: "fn", ID: "id", Input: []byte(`{"n":1}`), Timeout: 20 * time.Second})
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = string(res.Output)
			}
			if !strings.HasPrefix(got, want) {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

func TestNoCode(t *testing.T) {
	t.Parallel()
	c, err := ParseCode("")
	if err != nil {
		t.Fatal(err)
	}
	if code, err := c.Open(t.Context(), "fn", "", ""); code != nil || err != nil {
		t.Errorf("%v %v", code, err)
	}
	for _, text := range []string{`[`, `{"python": "a.b", "url": "http://x"}`} {
		if _, err := ParseCode(text); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}
