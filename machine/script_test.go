package machine

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine/history"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts in testdata give now into them")

// TestScripts runs testdata/*.txt. A script is a comment, a blank line, a definition, a blank line, and events,
// each behind ">" and followed by the history and the commands it gives:
//
//	> start INPUT
//	> [+MS] succeed|submit ID OUTPUT
//	> [+MS] fail|startfail ID ERROR CAUSE
//	> [+MS] heartbeat|fire ID
//	> [+MS] mapped ID OUTPUT
//	> [+MS] mapfail ID ERROR CAUSE
//	> [+MS] take ID WORKER
//	> [+MS] continue
//	> [+MS] stop ERROR CAUSE
//	> [+MS] redrive
//	> [+MS] skip STATE OUTPUT
//	> [+MS] edit STATE INPUT
//
// +MS moves the clock. A line "limits payload=N history=N transitions=N" before the definition sets limits.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(t, string(want))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("the script gives (run with -rewrite to accept):\n%s", got)
			}
		})
	}
}

var limit = regexp.MustCompile(`(payload|history|transitions|run)=(\d+)`)

func runScript(t *testing.T, text string) string {
	t.Helper()
	parts := strings.SplitN(text, "\n\n", 3)
	if len(parts) != 3 {
		t.Fatal("a script is a comment, a definition and events, a blank line between them")
	}
	l, transitions := limits.Default, 0
	for _, m := range limit.FindAllStringSubmatch(parts[0], -1) {
		n, _ := strconv.Atoi(m[2])
		switch m[1] {
		case "payload":
			l.PayloadBytes = n
		case "history":
			l.HistoryEvents = int64(n)
		case "run":
			l.RunSeconds = int64(n)
		case "transitions":
			transitions = n
		}
	}
	w := newWorld(t, parse(t, parts[1]), Execution{ID: "arn:aws:states:us-east-1:000000000000:execution:m:r", Name: "r", RoleARN: "role",
		MachineID: "arn:aws:states:us-east-1:000000000000:stateMachine:m", MachineName: "m", Seed: 7}, l)
	w.in.MaxTransitions = transitions
	w.now = 1000
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n\n%s\n", parts[0], parts[1])
	for _, line := range strings.Split(parts[2], "\n") {
		if command, ok := strings.CutPrefix(line, "> "); ok {
			fmt.Fprintf(&out, "\n%s\n", line)
			w.step(scriptEvent(t, w, command))
			printOutput(&out, &w.out, w.now)
		}
	}
	return out.String()
}

func scriptEvent(t *testing.T, w *world, line string) Event {
	t.Helper()
	verb, rest, _ := strings.Cut(line, " ")
	if after, ok := strings.CutPrefix(verb, "+"); ok {
		ms, err := strconv.ParseInt(after, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		w.now += ms
		verb, rest, _ = strings.Cut(rest, " ")
	}
	ev := Event{Now: w.now}
	kinds := map[string]EventKind{"start": Start, "continue": Continue, "succeed": TaskSucceeded, "submit": TaskSubmitted, "take": TaskTaken,
		"fail": TaskFailed, "startfail": TaskFailed, "heartbeat": TaskHeartbeat, "fire": TimerFired, "stop": Stop,
		"redrive": Redrive, "skip": Redrive, "edit": Redrive, "mapped": MapRunSucceeded, "mapfail": MapRunFailed}
	if ev.Kind = kinds[verb]; ev.Kind == 0 {
		t.Fatalf("unknown event %q", line)
	}
	switch verb {
	case "start", "stop", "continue", "redrive":
	case "skip", "edit":
		ev.Amendment.State, rest, _ = strings.Cut(rest, " ")
		if verb == "skip" {
			ev.Amendment.Output = []byte(rest)
		} else {
			ev.Amendment.Input = []byte(rest)
		}
		return ev
	default:
		var id string
		id, rest, _ = strings.Cut(rest, " ")
		n, err := strconv.ParseUint(id, 10, 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		ev.ID = n
	}
	switch verb {
	case "fail", "startfail", "stop", "mapfail":
		ev.Error, ev.Cause, _ = strings.Cut(rest, " ")
		ev.StartFailed = verb == "startfail"
	case "take":
		ev.Worker = rest
	default:
		ev.Output = []byte(rest)
	}
	return ev
}

func printOutput(out *strings.Builder, o *Output, now int64) {
	for i := range o.History {
		e := o.History[i]
		text := history.AppendJSON(nil, &e, history.JSONOptions{})
		details := []byte("")
		if i := bytes.Index(text, []byte(`Details":{`)); i >= 0 {
			details = text[i+len(`Details":`) : len(text)-1]
		}
		text = bytes.ReplaceAll(details, []byte(`{"truncated":false}`), []byte("-"))
		text = regexp.MustCompile(`,"(in|out)putDetails":-`).ReplaceAll(text, nil)
		fmt.Fprintf(out, "  %d<-%d %s %s\n", e.ID, e.Prev, e.Type, shorten(text))
	}
	for _, c := range o.Commands {
		switch c.Kind {
		case Invoke:
			fmt.Fprintf(out, "  invoke %d %s %s", c.ID, c.Function, shorten(c.Input))
			if c.TimeoutMS > 0 {
				fmt.Fprintf(out, " timeout=%d", c.TimeoutMS)
			}
			if c.Token {
				out.WriteString(" token")
			}
			out.WriteByte('\n')
		case StartMapRun:
			m := c.MapRun
			fmt.Fprintf(out, "  start-map-run %d %s items=%s max=%d tolerance=%d,%v", c.ID, m.ARN, shorten(m.Items), m.MaxConcurrency, m.Tolerance.Count, m.Tolerance.Percent)
			if m.Reader != nil {
				fmt.Fprintf(out, " reader=%s,%d", m.Reader.Arguments, m.Reader.MaxItems)
			}
			if m.Batch != nil {
				fmt.Fprintf(out, " batch=%d,%d,%s", m.Batch.MaxItems, m.Batch.MaxBytes, m.Batch.Input)
			}
			if m.Writer != nil {
				fmt.Fprintf(out, " writer=%s", m.Writer.Arguments)
			}
			out.WriteByte('\n')
		case RedriveMapRun:
			fmt.Fprintf(out, "  redrive-map-run %d\n", c.ID)
		case StopMapRun:
			fmt.Fprintf(out, "  stop-map-run %d\n", c.ID)
		case Offer:
			fmt.Fprintf(out, "  offer %d %s\n", c.ID, c.Function)
		case Withdraw:
			fmt.Fprintf(out, "  withdraw %d %s\n", c.ID, c.Function)
		case CancelInvoke:
			fmt.Fprintf(out, "  cancel-invoke %d\n", c.ID)
		case SetTimer:
			fmt.Fprintf(out, "  set-timer %d +%d\n", c.ID, c.Due-now)
		case CancelTimer:
			fmt.Fprintf(out, "  cancel-timer %d\n", c.ID)
		case Yield:
			out.WriteString("  yield\n")
		case Finish:
			fmt.Fprintf(out, "  finish %s %s", c.Status, shorten(c.Output))
			if c.HasError {
				fmt.Fprintf(out, "error=%q ", c.Error)
			}
			if c.HasCause {
				fmt.Fprintf(out, "cause=%q", c.Cause)
			}
			out.WriteByte('\n')
		}
	}
}

// shorten keeps a line readable.
func shorten(text []byte) string {
	if len(text) > 240 {
		return string(text[:200]) + fmt.Sprintf("…(%d bytes)", len(text))
	}
	return string(text)
}
