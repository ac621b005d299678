package durable_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weftworks/weft/durable"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts in testdata give now into them")

// TestScripts runs testdata/*.txt. A script is commands, each with what it gives under it, indented:
//
//	code NAME             the code of codes_test.go that runs from now on, also in a replay
//	step MS: INPUT; ...   a step at a time, see input
//	evict                 end the coroutine and replay its history
//	close                 end the coroutine: what its deferred functions say
//	rewind [ID ...]       take the failed run back, and go on
//	terminate REASON      what the partition puts into the history
//	history               all events
//
// What code says with say is indented as well, before the actions.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(t, string(text))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Errorf("%s gives (go test -run TestScripts -rewrite writes it, then read the difference)\n%s", file, got)
			}
		})
	}
}

func runScript(t *testing.T, text string) string {
	s := &script{}
	defer s.close()
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "\t") {
			continue
		}
		out.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		s.said = nil
		lines, err := s.do(line)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for _, l := range append(s.said, lines...) {
			out.WriteString("\t" + strings.ReplaceAll(l, "\n", " / ") + "\n")
		}
	}
	return out.String()
}

// script plays the part of a partition for one run.
type script struct {
	code    durable.Code
	run     *durable.Run
	history []durable.Event
	inbox   []durable.Event
	seq     uint64
	said    []string
}

func (s *script) say(format string, args ...any) {
	s.said = append(s.said, fmt.Sprintf(format, args...))
}

func (s *script) close() {
	if s.run != nil {
		s.run.Close()
	}
	s.run = nil
}

func (s *script) do(line string) ([]string, error) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "code":
		s.code = codes(s)[rest]
		if s.code == nil {
			return nil, errors.New("no such code")
		}
		return nil, nil
	case "evict":
		s.close()
		return s.replay(), nil
	case "close":
		s.close()
		return nil, nil
	case "terminate":
		s.history = append(s.history, durable.Event{Kind: durable.RunTerminated, Data: []byte(rest)})
		return nil, nil
	case "history":
		return describe(s.history), nil
	case "rewind":
		return s.rewind(rest)
	case "step":
		at, inputs, ok := strings.Cut(rest, ":")
		ms, err := strconv.ParseInt(at, 10, 64)
		if err != nil || !ok {
			return nil, errors.New("step MS: inputs")
		}
		for text := range strings.SplitSeq(inputs, ";") {
			if text = strings.TrimSpace(text); text != "" {
				e, err := input(text)
				if err != nil {
					return nil, err
				}
				s.inbox = append(s.inbox, e)
			}
		}
		return s.step(ms), nil
	}
	return nil, errors.New("no such command")
}

// input reads one input: start DATA, event NAME DATA, KIND ID [DATA], KIND ID TYPE MESSAGE for failures.
func input(text string) (durable.Event, error) {
	word, rest, _ := strings.Cut(text, " ")
	switch word {
	case "start":
		return durable.Event{Kind: durable.RunStarted, Name: "flow", Version: "v1", Data: []byte(rest), Start: &durable.Start{Seed: 7, Execution: 1}}, nil
	case "event":
		name, data, _ := strings.Cut(rest, " ")
		return durable.Event{Kind: durable.EventRaised, Name: name, Data: []byte(data)}, nil
	}
	kind, ok := durable.KindOf(word)
	if !ok {
		return durable.Event{}, fmt.Errorf("no kind %q", word)
	}
	e := durable.Event{Kind: kind}
	if kind == durable.RunSuspended || kind == durable.RunResumed {
		e.Data = []byte(rest)
		return e, nil
	}
	id, rest, _ := strings.Cut(rest, " ")
	var err error
	if e.ID, err = strconv.ParseUint(id, 10, 64); err != nil {
		return e, err
	}
	switch kind {
	case durable.CallFailed, durable.ChildFailed, durable.EntityFailed:
		name, message, _ := strings.Cut(rest, " ")
		e.Failure = &durable.Failure{Type: strings.TrimSuffix(name, "!"), Message: message, Final: strings.HasSuffix(name, "!"), Seq: e.ID}
	default:
		if rest != "" {
			e.Data = []byte(rest)
		}
	}
	return e, nil
}

func (s *script) step(now int64) []string {
	if s.run == nil {
		s.run = durable.New(durable.Config{ID: "r", Code: s.code, OutputBytes: 100})
	}
	res := s.run.Step(now, s.inbox)
	s.history = append(s.history, durable.Event{Kind: durable.StepStarted, Time: now})
	s.history = append(s.history, s.inbox[:res.Consumed]...)
	s.history = append(s.history, res.Actions...)
	s.inbox = s.inbox[res.Consumed:]
	for i := range res.Actions {
		s.seq = max(s.seq, res.Actions[i].ID)
	}
	lines := describe(res.Actions)
	if len(res.Status) > 0 {
		lines = append(lines, "status "+string(res.Status))
	}
	if len(s.inbox) > 0 {
		lines = append(lines, fmt.Sprintf("%d inputs left", len(s.inbox)))
	}
	if res.Err != nil {
		lines = append(lines, "difference at "+res.Err.Line)
	}
	return lines
}

func (s *script) replay() []string {
	s.run = durable.New(durable.Config{ID: "r", Code: s.code, OutputBytes: 100})
	if n := s.run.Replay(s.history); n != nil {
		return []string{fmt.Sprintf("history has %s, the code did %s, at %s", orNothing(n.Want), orNothing(n.Got), n.Line)}
	}
	return nil
}

func orNothing(what string) string {
	if what == "" {
		return "nothing"
	}
	return what
}

// rewind does what the partition does with what Rewind returns.
func (s *script) rewind(ids string) ([]string, error) {
	var causes []uint64
	for f := range strings.FieldsSeq(ids) {
		id, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return nil, err
		}
		causes = append(causes, id)
	}
	back := durable.Rewind(s.history, causes)
	var lines []string
	for _, part := range []struct {
		name   string
		events []durable.Event
	}{{"keep", back.History}, {"again", back.Again}, {"rewind", back.Rewind}, {"input", back.Inputs}} {
		for _, l := range describe(part.events) {
			lines = append(lines, part.name+" "+l)
		}
	}
	s.close()
	s.history = append([]durable.Event(nil), back.History...)
	s.inbox = slices.Concat([]durable.Event{{Kind: durable.RunRewound, ID: s.seq}}, back.Inputs, s.inbox)
	return append(lines, s.replay()...), nil
}

// describe writes events as lines.
func describe(events []durable.Event) (lines []string) {
	for i := range events {
		e := &events[i]
		var b strings.Builder
		b.WriteString(e.Kind.String())
		add := func(ok bool, format string, args ...any) {
			if ok {
				fmt.Fprintf(&b, " "+format, args...)
			}
		}
		add(e.ID != 0, "%d", e.ID)
		add(e.Ref != 0, "ref=%d", e.Ref)
		add(e.Time != 0, "at %d", e.Time)
		add(e.Name != "", "%s", e.Name)
		add(e.Version != "", "(%s)", e.Version)
		add(e.Target != "", "to %s", e.Target)
		add(len(e.Targets) > 0, "of %s", strings.Join(e.Targets, ", "))
		add(e.Due != 0, "due %d", e.Due)
		add(len(e.Data) > 0, "%s", e.Data)
		if f := e.Failure; f != nil {
			message := f.Message
			if i := strings.Index(message, ". Usual causes"); i >= 0 {
				message = message[:i] + " ..."
			}
			add(true, "%s: %s", f.Type, message)
			add(f.Final, "(final)")
		}
		add(len(e.Causes) > 0, "because of %v", e.Causes)
		for _, u := range e.Unread {
			add(true, "unread %s=%s", u.Name, u.Data)
		}
		lines = append(lines, b.String())
	}
	return lines
}
