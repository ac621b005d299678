package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/internal/conformance"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/objectstore/dir"
	"github.com/weftworks/weft/server/arn"
)

// TestConformanceAPI replays the recorded calls of the control plane against the server over the engine and
// over the fake, and finds every recorded answer among ours.
func TestConformanceAPI(t *testing.T) {
	t.Parallel()
	dir, ok := conformance.Dir()
	if !ok {
		t.Skip("the recordings are not here; set WEFT_CONFORMANCE to their directory")
	}
	cases, err := conformance.Load(dir, "api")
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func(*testing.T) Backend{
		"engine": openNode,
		"fake":   func(*testing.T) Backend { return newFake() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good, left := 0, 0
			for _, c := range cases {
				b := open(t)
				if why := leftOut(b, c); why != "" {
					t.Logf("left out: %s: %s", c.ID, why)
					left++
				} else if err := replay(t, b, c); err == nil {
					good++
				} else {
					t.Errorf("%s: %v", c.ID, err)
				}
			}
			if name == "engine" {
				fmt.Printf("conformance: api %d/%d (left out: %d)\n", good, len(cases)-left, left)
			}
		})
	}
}

func openNode(t *testing.T) Backend {
	root := t.TempDir()
	objects, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	n, err := engine.Open(engine.Options{Account: "111111111111", Partitions: 1, Objects: objects, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		_ = objects.Close()
	})
	return &nodeWithObjects{Node: n, root: root}
}

// nodeWithObjects is a node whose objects are files below a directory.
type nodeWithObjects struct {
	*engine.Node
	root string
}

// put carries out a call of s3.put_object.
func (n *nodeWithObjects) put(t *testing.T, args json.RawMessage) {
	var o struct{ Bucket, Key, Body string }
	err := json.Unmarshal(args, &o)
	if err == nil {
		err = os.MkdirAll(filepath.Join(n.root, o.Bucket), 0o777)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(n.root, o.Bucket, o.Key), []byte(o.Body), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// overlong is a name that was as long as names may be until the recordings wrote "uid" into it.
var overlong = regexp.MustCompile(`"name": ?"a{71}-uid`)

// leftOut says why a case cannot be replayed; "" when it can.
func leftOut(b Backend, c *conformance.Case) string {
	if c.Exclude != nil && c.Exclude != false {
		return "excluded"
	}
	for _, answer := range c.Expected {
		if bytes.Contains(answer, []byte("Error=ValueError Args=")) {
			return "recorded from the emulator, whose exception it quotes"
		}
	}
	if _, events := c.Expected["end_event"]; events {
		return "answers of CloudWatch Logs"
	}
	_, isFake := b.(*fake)
	for _, call := range callsOf(c) {
		if overlong.Match(call.Args) {
			return "its name became longer than it was"
		}
		op := camel(call.Op)
		if call.Op == "s3.put_object" && !isFake {
			continue
		}
		if service, _, other := strings.Cut(call.Op, "."); other && !strings.HasSuffix(call.Op, "describe_log_groups") {
			return "calls of " + service
		} else if other {
			continue
		}
		if isFake && strings.Contains(op, "MapRun") {
			return "the fake has no Map Runs"
		}
		if operations[op].do == nil {
			return call.Op + " is not supported yet"
		}
		var args struct {
			Publish            bool
			VersionDescription string
			Definition, Type   string
		}
		_ = json.Unmarshal(call.Args, &args) // a definition of another type is refused by the server
		if isFake && (args.Publish || strings.Contains(op, "Version") || strings.Contains(op, "Alias")) {
			return "the fake has no versions"
		}
		_, problems := asl.Parse([]byte(args.Definition), asl.Options{Express: args.Type == "EXPRESS"})
		if args.Definition != "" && problems.Unsupported() {
			return problems[0].Message
		}
	}
	return ""
}

// camel turns botocore's start_execution into StartExecution.
func camel(op string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(op, "_") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}

// replay sends a case's calls and returns the first recorded answer that none of ours matches.
func replay(t *testing.T, b Backend, c *conformance.Case) error {
	s := newTestServer(t, b)
	p := &player{t: t, server: s, runs: map[string]string{}}
	for _, r := range c.Rewrites {
		p.match.from = append(p.match.from, regexp.MustCompile(r[0]))
		p.match.to = append(p.match.to, r[1])
	}
	var answers []any
	for _, call := range callsOf(c) {
		if n, ok := b.(*nodeWithObjects); ok && call.Op == "s3.put_object" {
			n.put(t, call.Args)
		}
		if op := camel(call.Op); !strings.Contains(op, ".") {
			answers = append(answers, p.call(op, p.told.complete(string(call.Args))))
		}
	}
	p.match.bound = map[string]string{}
	for _, label := range slices.Sorted(maps.Keys(c.Expected)) {
		var want any
		if err := json.Unmarshal(c.Expected[label], &want); err != nil {
			return err
		}
		if fromClient(want) {
			continue // boto refused the call itself
		}
		var near error
		i := slices.IndexFunc(answers, func(got any) bool {
			m := p.match
			m.bound = maps.Clone(m.bound)
			err := m.answer(want, got)
			if err == nil {
				p.match.bound = m.bound
			} else if near == nil {
				near = err
			}
			return err == nil
		})
		if i < 0 {
			return fmt.Errorf("%s: %w", label, near)
		}
		answers = slices.Delete(answers, i, i+1)
	}
	return nil
}

func fromClient(want any) bool {
	if m, ok := want.(map[string]any); ok {
		return m["exception_typename"] == "ParamValidationError"
	}
	s, ok := want.(string)
	return ok && strings.HasPrefix(s, "Parameter validation failed")
}

// player sends calls. runs maps recorded execution ARNs to ours.
type player struct {
	t       *testing.T
	server  *Server
	runs    map[string]string
	started []string
	told    told
	match   apiMatch
}

var runARNs = regexp.MustCompile(`arn:aws:states:[^"]*:execution:[^"]*`)

func (p *player) call(op, args string) any {
	args = runARNs.ReplaceAllStringFunc(args, p.ours)
	if op != "StartExecution" && op != "StopExecution" {
		p.settle()
	}
	w := post(p.server, op, args)
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		p.t.Fatalf("%s: %v: %s", op, err, w.Body)
	}
	if w.Code != 200 {
		return fmt.Sprintf("An error occurred (%s) when calling the %s operation: %s", answer["__type"], op, answer["message"])
	}
	p.told.note(answer)
	if op == "StartExecution" {
		p.started = append(p.started, answer["executionArn"].(string))
	}
	return answer
}

// ours returns the ARN that stands for a recorded one: of the first start of its machine that none stands for yet.
// An ARN that the recording names as made up stays as it is.
func (p *player) ours(recorded string) string {
	for _, r := range p.match.from {
		if r.MatchString(recorded) {
			return recorded
		}
	}
	if own, known := p.runs[recorded]; known {
		return own
	}
	want, _ := arn.Parse(recorded)
	for _, own := range p.started {
		got, _ := arn.Parse(own)
		if got.Machine == want.Machine && !slices.Contains(slices.Collect(maps.Values(p.runs)), own) {
			p.runs[recorded] = own
			return own
		}
	}
	return recorded
}

// settle waits until the runs that have been started are over, as the recorded tests did.
func (p *player) settle() {
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	for _, own := range p.started {
		a, _ := arn.Parse(own)
		run, err := p.server.backend.WaitRun(ctx, engine.RunID{Machine: a.Machine, Name: a.Name})
		if err != nil || run.Status == machine.Running {
			p.t.Fatalf("%s: %+v, %v", own, run, err)
		}
	}
}

// apiMatch compares a recorded answer with ours. from and to are the case's name_rewrites; bound is what the
// numbered tokens stood for.
type apiMatch struct {
	from  []*regexp.Regexp
	to    []string
	bound map[string]string
}

// later are members that AWS added after some of the recordings were made: they are compared where recorded.
var later = map[string]bool{"encryptionConfiguration": true, "redriveCount": true, "redriveStatus": true, "redriveStatusReason": true}

func (m *apiMatch) answer(want, got any) error {
	w, ok := want.(map[string]any)
	if !ok {
		if list, isList := want.([]any); isList { // the test took the list out of the answer
			if g, ok := got.(map[string]any); ok && g["stateMachines"] != nil {
				return m.value("", list, g["stateMachines"])
			}
		}
		return m.value("", want, got)
	}
	delete(w, "ResponseMetadata")
	if text, ok := w["exception_value"]; ok {
		return m.value("", text, got)
	}
	if e, ok := w["Error"].(map[string]any); ok {
		text, ok := got.(string)
		_, text, cut := strings.Cut(text, "An error occurred ")
		op := regexp.MustCompile(`^\((.*?)\) when calling the \w+ operation: (?s:(.*))$`).FindStringSubmatch(text)
		if !ok || !cut || op == nil {
			return fmt.Errorf("recorded %v, ours is %v", e, got)
		}
		return m.value("", map[string]any{"Code": e["Code"], "Message": e["Message"]}, map[string]any{"Code": op[1], "Message": op[2]})
	}
	return m.value("", w, got)
}

func (m *apiMatch) value(at string, want, got any) error {
	switch w := want.(type) {
	case map[string]any:
		g, ok := parsed(got).(map[string]any)
		if !ok {
			return fmt.Errorf("%s: recorded %v, ours is %v", at, want, got)
		}
		for k := range maps.Keys(g) {
			if _, ok := w[k]; !ok && !later[k] {
				return fmt.Errorf("%s.%s is not recorded, ours is %v", at, k, g[k])
			}
		}
		for k := range w {
			if _, ok := g[k]; !ok {
				return fmt.Errorf("%s.%s: recorded %v, ours is absent", at, k, w[k])
			}
			if err := m.value(at+"."+k, w[k], g[k]); err != nil {
				return err
			}
		}
		return nil
	case []any:
		g, ok := parsed(got).([]any)
		if !ok || len(g) != len(w) {
			return fmt.Errorf("%s: recorded %v, ours is %v", at, want, got)
		}
		for i := range w {
			if err := m.value(fmt.Sprintf("%s[%d]", at, i), w[i], g[i]); err != nil {
				return err
			}
		}
		return nil
	case string:
		return m.text(at, w, got)
	}
	if want != got {
		return fmt.Errorf("%s: recorded %v, ours is %v", at, want, got)
	}
	return nil
}

// parsed opens a string that holds JSON.
func parsed(v any) any {
	var tree any
	if s, ok := v.(string); ok && json.Unmarshal([]byte(s), &tree) == nil {
		return tree
	}
	return v
}

var (
	places   = map[string]bool{"date": true, "datetime": true, "timestamp": true, "creation-date": true, "start-date": true, "stop-date": true}
	tokens   = regexp.MustCompile(`<[^<>]*>`)
	numbered = regexp.MustCompile(`\d`)
)

func (m *apiMatch) text(at, want string, got any) error {
	if _, number := got.(float64); number && places[want] {
		return nil
	}
	g, ok := got.(string)
	if ok && places[want] {
		return nil // a time inside a definition
	}
	if !ok {
		return fmt.Errorf("%s: recorded %q, ours is %v", at, want, got)
	}
	candidates := []string{g}
	for i, re := range m.from {
		candidates = append(candidates, re.ReplaceAllString(g, m.to[i]))
	}
	for _, c := range candidates {
		if c == want || m.tokens(want, c) {
			return nil
		}
	}
	return fmt.Errorf("%s: recorded %q, ours is %q", at, want, g)
}

// tokens reports whether got is want with texts in place of its <tokens>, the same text for the same token.
func (m *apiMatch) tokens(want, got string) bool {
	names := tokens.FindAllString(want, -1)
	if names == nil {
		return false
	}
	parts := tokens.Split(want, -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	found := regexp.MustCompile(`(?s)^` + strings.Join(parts, `(.+?)`) + `$`).FindStringSubmatch(got)
	if found == nil {
		return false
	}
	for i, name := range names {
		if was, ok := m.bound[name]; ok && was != found[i+1] && numbered.MatchString(name) {
			return false
		}
		m.bound[name] = found[i+1]
	}
	return true
}
