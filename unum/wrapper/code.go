package wrapper

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/function/command"
	"github.com/weftworks/weft/engine/function/endpoint"
	"github.com/weftworks/weft/engine/function/lambdaruntime"
	"github.com/weftworks/weft/fault"
)

// Code says what runs a function's code. It has one of Process, Python, Node, Command, Serve and URL, or none: then there
// is no code. It travels as JSON in the function's environment.
type Code struct {
	// Process is a program that asks the Lambda Runtime API for its work: a Go binary, a language's runtime.
	Process []string `json:"process,omitempty"`
	// Python and Node are handlers ("file.function") that Weft's own runtimes of these languages serve.
	Python string `json:"python,omitempty"`
	Node   string `json:"node,omitempty"`
	// Command is a program that reads an input from standard input and writes the output, once for each call.
	Command []string `json:"command,omitempty"`
	// Serve is a program that listens on $PORT and takes inputs by POST: functions-framework, any HTTP server.
	Serve []string `json:"serve,omitempty"`
	// URL is a server that runs elsewhere, and Headers what it is sent with each input.
	URL     string            `json:"url,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	// Dir is where the code is, relative to the function's directory.
	Dir string `json:"dir,omitempty"`
}

// ParseCode reads the JSON of a Code; "" is one without any.
func ParseCode(text string) (Code, error) {
	var c Code
	if text == "" {
		return c, nil
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, fault.New("wrapper.ParseCode", fault.InvalidArgument, "code", "it is not what says what a function's code is: %w", err)
	}
	if n := c.kinds(); n > 1 {
		return c, fault.New("wrapper.ParseCode", fault.InvalidArgument, "code", "it names %d kinds of code, and a function has one: %s", n, text)
	}
	return c, nil
}

// None reports whether there is no code.
func (c *Code) None() bool { return c.kinds() == 0 }

func (c *Code) kinds() (n int) {
	for _, is := range []bool{len(c.Process) > 0, c.Python != "", c.Node != "", len(c.Command) > 0, len(c.Serve) > 0, c.URL != ""} {
		if is {
			n++
		}
	}
	return n
}

// Open returns what runs the code; nil for none. root is the function's directory, platform the "host:port" of the Lambda
// Runtime API behind, "" without. What it returns is to be closed if it is an io.Closer.
func (c *Code) Open(ctx context.Context, name, root, platform string) (function.Invoker, error) {
	dir := filepath.Join(root, c.Dir)
	switch {
	case len(c.Process) > 0:
		return NewProcess(ProcessConfig{Name: name, Argv: c.Process, Dir: dir, Platform: platform})
	case c.Python != "":
		return c.interpreted(ctx, lambdaruntime.Python(dir, c.Python), name, platform)
	case c.Node != "":
		return c.interpreted(ctx, lambdaruntime.Node(dir, c.Node), name, platform)
	case len(c.Command) > 0:
		return command.New(command.Config{Name: name, Argv: c.Command, Dir: dir, Lines: func(l function.LogLine) {
			fmt.Fprintln(os.Stderr, l.Text)
		}})
	case len(c.Serve) > 0:
		return NewServer(ServerConfig{Name: name, Argv: c.Serve, Dir: dir})
	case c.URL != "":
		return endpoint.New(endpoint.Config{Name: name, URL: c.URL, Headers: c.Headers})
	}
	return nil, nil
}

// interpreted runs a handler by a runtime of ours.
func (c *Code) interpreted(ctx context.Context, launch lambdaruntime.Launcher, name, platform string) (function.Invoker, error) {
	cmd, err := launch.Launch(ctx)
	if err != nil {
		return nil, err
	}
	env := append([]string{"_HANDLER=" + cmd.Handler, "LAMBDA_TASK_ROOT=" + cmd.Dir}, cmd.Env...)
	if os.Getenv("AWS_LAMBDA_FUNCTION_NAME") == "" {
		env = append(env, "AWS_LAMBDA_FUNCTION_NAME="+name)
	}
	return NewProcess(ProcessConfig{Name: name, Argv: cmd.Argv, Dir: cmd.Dir, Env: env, Platform: platform})
}
