package cli

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	embedded "github.com/weftworks/weft"
)

// shop is a program with workflows.
type shop struct {
	approval embedded.EventOf[bool]
	order    *embedded.WorkflowOf[string, string]
	all      []embedded.Declaration
}

func newShop() *shop {
	s := &shop{approval: embedded.Event[bool]("approval")}
	charge := embedded.Function("charge", func(_ context.Context, sku string) (string, error) {
		if sku == "gold" {
			return "", errors.New("too dear")
		}
		return "paid for " + sku, nil
	})
	s.order = embedded.Workflow("order", func(w *embedded.Flow, sku string) (string, error) {
		if ok, err := s.approval.Wait(w); err != nil || !ok {
			return "", errors.New("not approved")
		}
		return charge.Call(w, sku)
	})
	account := embedded.Entity[int]("account")
	embedded.Operation(account, "add", func(_ *embedded.EntityContext, s *int, n int) (int, error) { *s += n; return *s, nil })
	s.all = []embedded.Declaration{charge, s.order, account}
	return s
}

// served serves a shop until the test ends and returns a session of it.
func (s *shop) served(t *testing.T, dir string) session {
	t.Helper()
	app, err := embedded.Open(embedded.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)}, s.all...)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- app.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, app.Close()); err != nil {
			t.Error(err)
		}
	})
	return session{t, map[string]string{"WEFT_SERVER": "http://" + l.Addr().String()}}
}

// nextMillisecond returns in another millisecond, so that lists have an order.
func nextMillisecond() {
	for began := time.Now().UnixMilli(); time.Now().UnixMilli() == began; {
		runtime.Gosched()
	}
}

// says checks that a text has a part.
func says(t *testing.T, what, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%s says nothing of %q:\n%s", what, part, text)
	}
}

func TestWorkflowsOfAServer(t *testing.T) {
	t.Parallel()
	shop := newShop()
	s := shop.served(t, "")
	out, _ := s.run(0, "workflows", "list")
	says(t, "workflows list", out, "order")
	_, stderr := s.run(3, "workflows", "start", "ordr")
	says(t, "a workflow that is not there", stderr, "there are: order")
	out, _ = s.run(0, "workflows", "start", "order", "--id", "order-7", "--input", `"tea"`, "--tag", "shop=north")
	if out != "order-7\n" {
		t.Errorf("start printed %q", out)
	}
	nextMillisecond()
	s.run(0, "workflows", "start", "order", "--id", "a/b", "--input", `"gold"`)
	nextMillisecond()
	s.run(5, "runs", "wait", "order-7", "--timeout", "1ms")
	s.run(0, "runs", "suspend", "order-7", "--reason", "stock-taking")
	out, _ = s.run(0, "runs", "show", "order-7")
	for _, want := range []string{"SUSPENDED", "stock-taking", "shop=north", `"tea"`} {
		says(t, "runs show", out, want)
	}
	s.run(4, "runs", "restart", "order-7")
	s.run(0, "runs", "resume", "order-7")
	_, stderr = s.run(0, "runs", "raise", "order-7", "approval", "true")
	says(t, "raise", stderr, "raised approval in order-7")
	if out, _ = s.run(0, "runs", "wait", "order-7"); out != "\"paid for tea\"\n" {
		t.Errorf("wait printed %q", out)
	}
	s.run(0, "runs", "raise", "a/b", "approval", "true")
	_, stderr = s.run(1, "runs", "wait", "a/b")
	for _, want := range []string{"a/b failed", "too dear", "weft runs history a/b"} {
		says(t, "a run that failed", stderr, want)
	}
	out, _ = s.run(1, "runs", "wait", "a/b", "--json")
	says(t, "wait --json", out, `"failure":{"type":"Error","message":"too dear"}`)
	s.run(0, "runs", "rewind", "a/b")
	s.run(1, "runs", "wait", "a/b")

	checkWorkflowMistakes(t, s)
	checkWorkflowLists(t, s)
	checkWorkflowHistory(t, s, shop)

	s.run(0, "runs", "tag", "a/b", "shop=south", "x=1")
	out, _ = s.run(0, "runs", "tag", "a/b", "x=", "--json")
	says(t, "tag --json", out, `"tags":{"shop":"south"}`)
	_, stderr = s.run(0, "runs", "terminate", "a/b")
	says(t, "terminating an ended run", stderr, "has ended already: FAILED")
	s.run(2, "runs", "purge")
	s.run(2, "runs", "purge", "a/b", "--status", "failed")
	s.run(2, "runs", "purge", "--status", "timed_out")
	_, stderr = s.run(0, "runs", "purge", "--status", "failed", "--tag", "shop=south")
	says(t, "purge", stderr, "purged 1 run")
	s.run(0, "runs", "purge", "order-7")
	s.run(3, "runs", "show", "order-7")
}

func checkWorkflowMistakes(t *testing.T, s session) {
	t.Helper()
	_, stderr := s.run(3, "runs", "show", "order-8")
	says(t, "a mistyped id", stderr, "did you mean order-7?")
	_, stderr = s.run(3, "runs", "raise", "order_7", "approval")
	says(t, "a mistyped id", stderr, "did you mean order-7?")
	_, stderr = s.run(3, "runs", "terminate", "something-else")
	says(t, "a run that is not there", stderr, "weft runs list")
	_, stderr = s.run(4, "runs", "raise", "order-7", "approval")
	says(t, "a run that has ended", stderr, "takes no events")
	_, stderr = s.run(2, "runs", "raise", "order-7", "approval", "{")
	says(t, "data that is no JSON", stderr, "the event's data:1:")
	s.run(2, "runs", "list", "--tag", "shop")
	s.run(2, "runs", "list", "--from", "whenever")
	s.run(2, "runs", "list", "--status", "lost")
	s.run(2, "runs", "list", "greet", "--workflow", "order")

	dir := files(t, map[string]string{"kind.asl.json": branches})
	s.run(0, "machines", "create", "kind", filepath.Join(dir, "kind.asl.json"))
	s.run(0, "runs", "start", "kind", "--name", "m1", "--input", `{"ok":true}`, "--wait")
	_, stderr = s.run(2, "runs", "terminate", "kind/m1")
	says(t, "terminating a machine's run", stderr, "is a run of a state machine")
	_, stderr = s.run(2, "runs", "stop", "order-7")
	says(t, "stopping a workflow's run", stderr, "weft runs terminate")
	s.run(0, "runs", "show", "kind/m1")
	_, stderr = s.run(3, "runs", "show", "kind/m2")
	says(t, "a mistyped name", stderr, "did you mean kind/m1?")
}

func checkWorkflowLists(t *testing.T, s session) {
	t.Helper()
	ids := func(args ...string) (ids []string) {
		out, _ := s.run(0, append([]string{"runs", "list", "--json"}, args...)...)
		for line := range strings.Lines(out) {
			var run struct{ ID, Run string }
			if err := json.Unmarshal([]byte(line), &run); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			ids = append(ids, run.ID+run.Run)
		}
		return ids
	}
	for _, c := range []struct {
		args string
		want []string
	}{
		{"", []string{"kind/m1", "a/b", "order-7"}},
		{"--limit 2", []string{"kind/m1", "a/b"}},
		{"kind", []string{"kind/m1"}},
		{"--workflow order", []string{"a/b", "order-7"}},
		{"--workflow none", nil},
		{"--tag shop=north", []string{"order-7"}},
		{"--prefix a/", []string{"a/b"}},
		{"--status succeeded", []string{"kind/m1", "order-7"}},
		{"--status completed --workflow order", []string{"order-7"}},
		{"--status failed", []string{"a/b"}},
		{"--status timed_out", nil},
		{"--status suspended", nil},
		{"--from 1h", []string{"a/b", "order-7"}},
		{"--before 1h", nil},
	} {
		if d := cmp.Diff(c.want, ids(strings.Fields(c.args)...)); d != "" {
			t.Errorf("runs list %s: %s", c.args, d)
		}
	}
	out, _ := s.run(0, "runs", "list")
	if !regexp.MustCompile(`(?m)^RUN +STATUS +STARTED +ELAPSED +WORKFLOW\n(.*\n)*order-7 +COMPLETED .* order$`).MatchString(out) {
		t.Errorf("runs list:\n%s", out)
	}
}

// checkWorkflowHistory looks at the table, and replays what --json prints.
func checkWorkflowHistory(t *testing.T, s session, shop *shop) {
	t.Helper()
	const want = `ELAPSED  EVENT          ID  WHAT      DETAIL
      T  RunStarted         order     "tea"
      T  RunSuspended                 stock-taking
      T  RunResumed
      T  EventRaised        approval  true
      T  CallScheduled   1  charge    "tea"
      T  CallCompleted   1            "paid for tea"
      T  RunCompleted                 "paid for tea"
`
	for _, args := range [][]string{{}, {"--follow"}} {
		out, _ := s.run(0, append([]string{"runs", "history", "order-7"}, args...)...)
		if d := cmp.Diff(want, regexp.MustCompile(` *\d+\.\d{3}s`).ReplaceAllString(out, "      T")); d != "" {
			t.Error(d)
		}
	}
	out, _ := s.run(0, "runs", "history", "order-7", "--reverse", "--limit", "1")
	says(t, "history --reverse --limit 1", out, "RunCompleted")
	if strings.Count(out, "\n") != 2 {
		t.Errorf("history --reverse --limit 1:\n%s", out)
	}
	out, _ = s.run(0, "runs", "history", "order-7", "--json")
	history, err := embedded.ReadHistory(strings.NewReader(out))
	if err != nil || len(history) != strings.Count(out, "\n") {
		t.Errorf("%d events, %v\n%s", len(history), err, out)
	}
	embedded.Replay(t, history, shop.order)
}

func TestEntitiesOfAServer(t *testing.T) {
	t.Parallel()
	s := newShop().served(t, "")
	_, stderr := s.run(3, "entities", "show", "account/ada")
	says(t, "an entity that is not there", stderr, "weft entities list")
	s.run(0, "entities", "signal", "account/ada", "add", "5")
	s.run(0, "entities", "signal", "account/ada", "add", "--", "-2")
	s.run(0, "entities", "signal", "account/b/c", "add", "1")
	_, stderr = s.run(3, "entities", "signal", "acount/ada", "add", "1")
	says(t, "a kind that is not there", stderr, "there are: account")
	s.run(2, "entities", "signal", "account", "add", "1")
	s.run(2, "entities", "signal", "account/ada", "add", "one")
	s.run(0, "entities", "signal", "account/ada", "add", "100", "--at", "1h")
	// An entity's state is read behind its operations only when they are done: they are, as the last signal was durable.
	out, _ := s.run(0, "entities", "show", "account/ada", "--json")
	says(t, "entities show", out, `"state":3`)
	out, _ = s.run(0, "entities", "show", "account/b/c")
	says(t, "entities show", out, "account/b/c")
	out, _ = s.run(0, "entities", "list", "account", "--prefix", "b")
	if strings.Count(out, "\n") != 2 || !strings.Contains(out, "account/b/c") {
		t.Errorf("entities list:\n%s", out)
	}
	out, _ = s.run(0, "entities", "list", "--json", "--limit", "1")
	if strings.Count(out, "\n") != 1 {
		t.Errorf("entities list --json:\n%s", out)
	}
}

// TestRunsWithoutTheirCode holds what weft serve does with the directory of a program: it lists, shows and ends its runs,
// and says why they wait.
func TestRunsWithoutTheirCode(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	shop := newShop()
	app, err := embedded.Open(embedded.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)}, shop.all...)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"one", "two"} {
		if _, err := shop.order.Run(t.Context(), app, "tea", embedded.WithID(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	url, _ := startServer(t, nil, "serve", "--data", dir)
	s := session{t, map[string]string{"WEFT_SERVER": url}}
	out, _ := s.run(0, "runs", "list", "--workflow", "order")
	says(t, "runs list", out, "one")
	s.run(0, "runs", "raise", "one", "approval", "true")
	out, _ = s.run(0, "runs", "show", "one")
	says(t, "runs show", out, `does not have the code of workflow "order"`)
	_, stderr := s.run(5, "runs", "wait", "one", "--timeout", "1ms")
	says(t, "runs wait", stderr, "does not have the code")
	_, stderr = s.run(3, "workflows", "start", "order")
	says(t, "workflows start", stderr, "no workflows written in Go")
	s.run(0, "runs", "terminate", "two", "--reason", "not wanted")
	_, stderr = s.run(1, "runs", "wait", "two")
	says(t, "runs wait", stderr, "not wanted")
	out, _ = s.run(0, "runs", "history", "two")
	says(t, "runs history", out, "RunTerminated")
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}
