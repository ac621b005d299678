package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/cli/progress"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
)

// printResult writes a run's result to stdout, and why it failed to stderr. The error says how the process
// ends: nil, or runFailed. logs are the last lines of the function that failed; hint is where to look next.
func (a *app) printResult(r result, f progress.Failure, asJSON bool, logs functionLogs, hint string) error {
	if asJSON {
		if err := a.printJSON(r); err != nil {
			return err
		}
	}
	if r.Status == machine.Succeeded {
		if asJSON {
			return nil
		}
		return a.printValue(r.Output)
	}
	if !asJSON {
		a.printFailure(r, f, logs, hint)
	}
	return runFailed{r.Status}
}

// printValue writes one JSON text: indented for a person, compact for a program.
func (a *app) printValue(text []byte) error {
	s := console.CompactJSON(text)
	if a.OutTTY {
		s = console.PrettyJSON(text)
	}
	if _, err := fmt.Fprintln(a.Out, s); err != nil {
		return fault.New("", fault.Unavailable, "stdout", "cannot write the result: %w", err)
	}
	return nil
}

// jsonResult is what --json prints for a run. Absent members are null.
type jsonResult struct {
	Status    string          `json:"status"`
	Output    json.RawMessage `json:"output"`
	Error     *string         `json:"error"`
	Cause     *string         `json:"cause"`
	ARN       string          `json:"arn"`
	Events    int64           `json:"events"`
	ElapsedMS int64           `json:"elapsed_ms"`
}

func (a *app) printJSON(r result) error {
	out := jsonResult{Status: statusName(r.Status), Output: r.Output, Error: r.Error, Cause: r.Cause,
		ARN: r.ARN, Events: r.Events, ElapsedMS: r.Elapsed.Milliseconds()}
	text, err := marshal(out)
	if err != nil {
		return fault.New("", fault.Internal, r.ARN, "the result is no JSON: %w", err)
	}
	return a.printValue(text)
}

// marshal is json.Marshal that leaves <, > and & alone.
func marshal(v any) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return []byte(strings.TrimSuffix(b.String(), "\n")), err
}

// functionLogs are the last lines a failed function wrote; zero when there are none.
type functionLogs struct{ function, tail string }

// logLines bounds how many lines of a function's log are shown.
const logLines = 12

// printFailure explains on stderr how a run ended that did not succeed.
func (a *app) printFailure(r result, f progress.Failure, logs functionLogs, hint string) {
	s := a.errStyle()
	var b strings.Builder
	fmt.Fprintf(&b, "weft: %s\n", s.Red(console.Clean(r.headline(f))))
	field := func(name string, text *string) {
		if text == nil || *text == "" {
			return
		}
		body := console.CleanLines(prettyText(*text))
		lines := strings.SplitN(body, "\n", 2)
		fmt.Fprintf(&b, "  %s  %s\n", s.Bold(name), lines[0])
		if len(lines) > 1 {
			fmt.Fprintf(&b, "%s\n", console.Indent(lines[1], "         "))
		}
	}
	field("error", r.Error)
	field("cause", r.Cause)
	if f.Raised != nil && f.Raised.Cause != deref(r.Cause) { // else the Fail state passes it on
		cause := causeLine(f.Raised.Cause)
		field("raised", &cause)
	}
	if logs.tail != "" {
		fmt.Fprintf(&b, "  %s of function %s:\n%s\n", s.Bold("last log lines"), console.Clean(logs.function),
			console.Indent(console.CleanLines(lastLines(logs.tail, logLines)), "    | "))
	}
	if hint != "" {
		fmt.Fprintf(&b, "  %s\n", s.Dim(hint))
	}
	fmt.Fprint(a.Err, b.String())
}

// prettyText indents text that is a JSON object or array and leaves other text alone.
func prettyText(text string) string {
	t := strings.TrimSpace(text)
	if strings.HasPrefix(t, "{") || strings.HasPrefix(t, "[") {
		return console.PrettyJSON([]byte(t))
	}
	return text
}

// lastLines returns the last n lines of text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}
