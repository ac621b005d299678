package weft_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/fault"
)

func TestServe(t *testing.T) {
	t.Parallel()
	hello := weft.Workflow("hello", func(_ *weft.Flow, name string) (string, error) { return "hello " + name, nil })
	app, err := weft.Open(quietOptions(""), hello)
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const token = "correct-horse-battery"
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- app.Serve(ctx, l, token) }()
	ask := func(method, path, body, auth string) (int, string) {
		r, err := http.NewRequest(method, "http://"+l.Addr().String()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+auth)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	if code, text := ask("POST", "/v1/workflows/hello/runs", `{"id":"r","input":"Ada"}`, token); code != 201 {
		t.Errorf("%d %s", code, text)
	}
	if code, text := ask("GET", "/v1/runs/r/result?wait=20s", "", token); code != 200 || !strings.Contains(text, `"output":"hello Ada"`) {
		t.Errorf("%d %s", code, text)
	}
	if code, text := ask("GET", "/metrics", "", token); code != 200 || !strings.Contains(text, "weft_steps_total") {
		t.Errorf("%d %s", code, text)
	}
	if code, _ := ask("GET", "/v1/runs/r", "", "wrong"); code != 401 {
		t.Errorf("a wrong token: %d", code)
	}
	if err := app.ListenAndServe(ctx, l.Addr().String()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("an address in use: %v", err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := hello.Run(t.Context(), app, "you"); err != nil {
		t.Errorf("the App does not work any more: %v", err)
	}
}
