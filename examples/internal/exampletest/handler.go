package exampletest

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A call of a handler outside of weft prints {"result"} or {"type","message"} on stdout.
const (
	pythonCall = `
import importlib, json, sys
event = json.load(sys.stdin)
try:
    out = {"result": getattr(importlib.import_module(sys.argv[1]), sys.argv[2])(event, None)}
except Exception as e:
    out = {"type": type(e).__name__, "message": str(e)}
json.dump(out, sys.stdout, allow_nan=False)
`
	nodeCall = `
const [module, handler] = process.argv.slice(1);
const event = JSON.parse(require('fs').readFileSync(0));
require(process.cwd() + '/' + module)[handler](event, {}).then(
  (result) => console.log(JSON.stringify({ result })),
  (e) => console.log(JSON.stringify({ type: e.name, message: e.message })));
`
)

// HandlerError is the error a handler raised.
type HandlerError struct{ Type, Message string }

func (e *HandlerError) Error() string { return e.Type + ": " + e.Message }

// Python calls a handler ("file.function") in dir with input, a JSON text, and decodes its result into v. It
// returns a *HandlerError for what the handler raised.
func Python(t testing.TB, dir, handler, input string, v any) error {
	t.Helper()
	module, name, _ := strings.Cut(handler, ".")
	return call(t, dir, input, v, Need(t, "python3", "Python 3.9 or later"), "-c", pythonCall, module, name)
}

// Node is Python for Node handlers.
func Node(t testing.TB, dir, handler, input string, v any) error {
	t.Helper()
	module, name, _ := strings.Cut(handler, ".")
	return call(t, dir, input, v, Need(t, "node", "Node.js 18.17 or later"), "-e", nodeCall, module, name)
}

func call(t testing.TB, dir, input string, v any, argv ...string) error {
	t.Helper()
	out, stderr, err := Command(t, dir, input, argv...)
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, stderr)
	}
	var answer struct {
		Result        json.RawMessage
		Type, Message string
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("%q answered %q: %v\n%s", argv, out, err, stderr)
	}
	if answer.Type != "" {
		return &HandlerError{Type: answer.Type, Message: answer.Message}
	}
	if err := json.Unmarshal(answer.Result, v); err != nil {
		t.Fatalf("%q answered %s: %v", argv, answer.Result, err)
	}
	return nil
}

// Command runs argv in dir with input on stdin and returns what it wrote; err is its exit code if not 0.
func Command(t testing.TB, dir, input string, argv ...string) (stdout []byte, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stdin = strings.NewReader(input)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%q: %v", argv, err)
	}
	return o.Bytes(), e.String(), err
}
