package wrapper

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/function/lambdaruntime"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/protocol"
)

// The test binary is also the wrapper: with WRAPPER_TEST_LOG set, it puts a fake runtime around its arguments.
func TestMain(m *testing.M) {
	if path := os.Getenv("WRAPPER_TEST_LOG"); path != "" {
		if err := wrapArguments(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func wrapArguments(path string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	api := os.Getenv("AWS_LAMBDA_RUNTIME_API")
	l := &Lambda{API: api, Config: Config{
		Name: "fn", Runtime: &fake{path: path}, Entry: os.Getenv("WRAPPER_TEST_ENTRY") != "", Open: openRecords,
	}}
	if len(os.Args) > 1 {
		p, err := NewProcess(ProcessConfig{Name: "fn", Argv: os.Args[1:], Platform: api})
		if err != nil {
			return err
		}
		defer p.Close()
		l.Code = p
	}
	return l.Serve(ctx)
}

// fake is a Runtime that remembers checkpoints, and writes what it does into a file, for the test to read.
type fake struct {
	path string

	mu   sync.Mutex
	seen map[string]protocol.Outcome
}

// step is a line of that file.
type step struct {
	Begun   string // id of the run, when it began with an event
	Run     string
	Input   string
	Skipped bool
	Outcome protocol.Outcome
}

func (f *fake) Handle(ctx context.Context, request []byte, code unum.Run) error {
	var r protocol.Request
	if err := json.Unmarshal(request, &r); err != nil {
		return err
	}
	if string(r.State) == `{"do":"no store"}` {
		return errors.New("the datastore is away")
	}
	return f.execute(ctx, step{Run: r.Run, Input: string(r.State)}, code)
}

func (f *fake) Begin(ctx context.Context, run string, event []byte, _ time.Duration, code unum.Run) error {
	return f.execute(ctx, step{Begun: run, Run: run, Input: string(event)}, code)
}

func (f *fake) execute(ctx context.Context, s step, code unum.Run) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.Outcome, s.Skipped = f.seen[s.Run]; !s.Skipped {
		if s.Outcome = code(ctx, "fn", []byte(s.Input)); context.Cause(ctx) != nil {
			return context.Cause(ctx)
		}
		if f.seen == nil {
			f.seen = map[string]protocol.Outcome{}
		}
		f.seen[s.Run] = s.Outcome
	}
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(json.NewEncoder(file).Encode(s), file.Close())
}

func openRecords(ctx context.Context, delivery []byte, handle func(context.Context, []byte) error) ([]byte, bool, error) {
	var batch struct {
		Records []struct {
			Body string `json:"body"`
		}
	}
	if json.Unmarshal(delivery, &batch) != nil || len(batch.Records) == 0 {
		return nil, false, nil
	}
	for _, r := range batch.Records {
		if err := handle(ctx, []byte(r.Body)); err != nil {
			return nil, true, err
		}
	}
	return []byte(`{"batchItemFailures":[]}`), true, nil
}

// wrapped launches what another launcher does behind the wrapper.
type wrapped struct {
	inner  lambdaruntime.Launcher // nil: nothing
	log    string
	env    []string
	before []string // what executes the wrapper
}

func (w wrapped) Launch(ctx context.Context) (lambdaruntime.Command, error) {
	self, err := os.Executable()
	if err != nil {
		return lambdaruntime.Command{}, err
	}
	var c lambdaruntime.Command
	if w.inner != nil {
		if c, err = w.inner.Launch(ctx); err != nil {
			return c, err
		}
	}
	c.Argv = slices.Concat(w.before, []string{self}, c.Argv)
	c.Env = append(append(c.Env, "WRAPPER_TEST_LOG="+w.log), w.env...)
	return c, nil
}

// rig is a function behind the wrapper on a platform, which is a Pool.
type rig struct {
	t    *testing.T
	pool *lambdaruntime.Pool
	log  string

	mu    sync.Mutex
	lines []string
	calls int
}

func newRig(t *testing.T, inner lambdaruntime.Launcher, env ...string) *rig {
	t.Helper()
	return newRigAround(t, wrapped{inner: inner, env: env})
}

func newRigAround(t *testing.T, launch wrapped) *rig {
	t.Helper()
	r := &rig{t: t, log: filepath.Join(t.TempDir(), "log")}
	launch.log = r.log
	var err error
	r.pool, err = lambdaruntime.New(lambdaruntime.Config{
		Name: "fn", Launch: launch, Processes: 1, Init: time.Minute, Log: slog.New(slog.DiscardHandler),
		Env: []string{"PYTHONDONTWRITEBYTECODE=1"},
		Lines: func(l function.LogLine) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.lines = append(r.lines, l.Text)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.pool.Close() })
	return r
}

func need(t *testing.T, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not on the PATH", tool)
		}
		t.Skipf("%s is not on the PATH; install it to run this test", tool)
	}
}

func python(t *testing.T) lambdaruntime.Launcher {
	need(t, "python3")
	return lambdaruntime.Python(absolute(t, "testdata"), "fn.handler")
}

func node(t *testing.T) lambdaruntime.Launcher {
	need(t, "node")
	return lambdaruntime.Node(absolute(t, "testdata"), "fn.handler")
}

func absolute(t *testing.T, dir string) string {
	t.Helper()
	abs, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

func request(run, input string) string {
	b, err := json.Marshal(protocol.Request{
		Version: 1, Run: run, Function: "fn", State: []byte(input), Lines: []protocol.Line{{Step: 1}},
	})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// deliver has the platform invoke the function once.
func (r *rig) deliver(payload string, timeout time.Duration) (string, *function.Error) {
	r.t.Helper()
	r.calls++
	return r.deliverAs(fmt.Sprintf("request-%d", r.calls), payload, timeout)
}

func (r *rig) deliverAs(id, payload string, timeout time.Duration) (string, *function.Error) {
	r.t.Helper()
	res, err := r.pool.Invoke(r.t.Context(), &function.Request{Function: "fn", ID: id, Input: []byte(payload), Timeout: timeout})
	var e *function.Error
	if errors.As(err, &e) {
		return "", e
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return string(res.Output), nil
}

// run delivers a request and returns the outcome of its instance.
func (r *rig) run(input string, timeout time.Duration) protocol.Outcome {
	r.t.Helper()
	r.calls++
	run := fmt.Sprintf("run-%d", r.calls)
	if out, e := r.deliver(request(run, input), timeout); e != nil || out != "null" {
		r.t.Fatalf("%s: the platform got %s %v", input, out, e)
	}
	s := r.last()
	if s.Run != run || s.Input != input || s.Begun != "" || s.Skipped {
		r.t.Fatalf("%s: the runtime saw %+v", input, s)
	}
	return s.Outcome
}

// last returns the last thing the runtime did.
func (r *rig) last() (s step) {
	r.t.Helper()
	text, err := os.ReadFile(r.log)
	if err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		s = step{}
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			r.t.Fatal(err)
		}
	}
	return s
}

func (r *rig) output() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

// pid is the process that gave an output.
func pid(t *testing.T, o protocol.Outcome) float64 {
	t.Helper()
	var out struct{ Pid float64 }
	if err := json.Unmarshal(o.Output, &out); err != nil || out.Pid == 0 {
		t.Fatalf("%+v: %v", o, err)
	}
	return out.Pid
}

// document is an error as a language's runtime tells it.
type document struct {
	Type    string   `json:"errorType"`
	Message string   `json:"errorMessage"`
	Stack   []string `json:"stackTrace"`
	Trace   []string `json:"trace"`
}

func TestLanguagesUntouched(t *testing.T) {
	t.Parallel()
	for name, launch := range map[string]func(*testing.T) lambdaruntime.Launcher{"python": python, "node": node} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, launch(t))
			first := r.run(`{"do":"work","n":1}`, time.Minute)
			if first.Kind != protocol.Returned || !strings.Contains(string(first.Output), `"echo":`) {
				t.Fatalf("work: %+v", first)
			}
			failed := r.run(`{"do":"fail"}`, time.Minute)
			var doc document
			if err := json.Unmarshal([]byte(failed.Cause), &doc); err != nil {
				t.Fatal(err)
			}
			if failed.Kind != protocol.Raised || failed.Error != "CardRefused" || doc.Type != "CardRefused" || doc.Message != "no money" ||
				!strings.Contains(strings.Join(append(doc.Stack, doc.Trace...), "\n"), "handler") {
				t.Errorf("fail: %+v", failed)
			}
			if warm := r.run(`{"do":"work"}`, time.Minute); pid(t, warm) != pid(t, first) {
				t.Error("the process was not kept")
			}
			crashed := r.run(`{"do":"crash"}`, time.Minute)
			if crashed.Kind != protocol.Broken || crashed.Error != "Runtime.ExitError" ||
				crashed.Cause != `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: `+fmt.Sprintf("request-%d", r.calls)+` Error: Runtime exited with error: exit status 3"}` {
				t.Errorf("crash: %+v", crashed)
			}
			slow := r.run(`{"do":"sleep"}`, 3*time.Second) // a quarter of which is the runtime's
			if slow.Kind != protocol.Broken || slow.Error != "Sandbox.Timedout" || !strings.Contains(slow.Cause, "Task timed out after") {
				t.Errorf("sleep: %+v", slow)
			}
			if again := r.run(`{"do":"work"}`, time.Minute); pid(t, again) == pid(t, first) {
				t.Error("the process outlived its crash")
			}
			r.run(`{"do":"context"}`, time.Minute)
			var told struct {
				ID, ARN string
				LeftMS  int `json:"left_ms"`
			}
			if err := json.Unmarshal(r.last().Outcome.Output, &told); err != nil {
				t.Fatal(err)
			}
			if told.ID != fmt.Sprintf("request-%d", r.calls) || told.ARN != lambdaruntime.DefaultARNPrefix+"fn" || told.LeftMS > 58000 || told.LeftMS < 1000 {
				t.Errorf("the code is told %+v", told)
			}
		})
	}
}

func TestUnmodifiedGoBinary(t *testing.T) {
	t.Parallel()
	need(t, "go")
	r := newRig(t, &lambdaruntime.GoBuild{Source: "../../engine/function/lambdaruntime/testdata/echo", Name: "echo", BuildDir: t.TempDir()})
	if o := r.run(`{"Do":"add","N":1}`, time.Minute); o.Kind != protocol.Returned || !strings.Contains(string(o.Output), `"n":2`) {
		t.Errorf("add: %+v", o)
	}
	o := r.run(`{"Do":"fail"}`, time.Minute)
	if o.Error != "cardRefused" || o.Cause != `{"errorMessage":"no money","errorType":"cardRefused"}` {
		t.Errorf("fail: %+v", o)
	}
	if o := r.run(`{"Do":"panic"}`, time.Minute); o.Error != "errorString" || !strings.Contains(o.Cause, `"stackTrace":[{`) {
		t.Errorf("panic: %+v", o)
	}
}

func TestCheckpointSkipsTheCode(t *testing.T) {
	t.Parallel()
	r := newRig(t, python(t))
	for i := range 2 {
		if out, e := r.deliver(request("run", `{"do":"once"}`), time.Minute); e != nil || out != "null" {
			t.Fatalf("%s %v", out, e)
		}
		if s := r.last(); s.Skipped != (i == 1) || s.Outcome.Kind != protocol.Returned {
			t.Errorf("delivery %d: %+v", i, s)
		}
	}
	r.run(`{"do":"flush"}`, time.Minute) // whatever was printed has arrived
	if n := strings.Count(r.output(), "out of once"); n != 1 {
		t.Errorf("the code ran %d times:\n%s", n, r.output())
	}
}

func TestBrokenStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, python(t), "FN_BROKEN=yes")
	for range 2 { // each call tries again, and is answered
		o := r.run(`{}`, time.Minute)
		var doc document
		if err := json.Unmarshal([]byte(o.Cause), &doc); err != nil {
			t.Fatal(err)
		}
		if o.Kind != protocol.Broken || o.Error != "Runtime.ImportModuleError" || doc.Type != o.Error || !strings.Contains(doc.Message, "no_such_module") {
			t.Errorf("%+v", o)
		}
	}
}

func TestWhatCannotBeStarted(t *testing.T) {
	t.Parallel()
	r := newRig(t, lambdaruntime.Binary("/no/such/program", t.TempDir()))
	if o := r.run(`{}`, time.Minute); o.Kind != protocol.Broken || o.Error != "Runtime.InvalidEntrypoint" || !strings.Contains(o.Cause, "/no/such/program") {
		t.Errorf("%+v", o)
	}
}

func TestDeathBetweenCallsIsNoFailure(t *testing.T) {
	t.Parallel()
	r := newRig(t, python(t))
	first := r.run(`{"do":"die later"}`, time.Minute)
	for end := time.Now().Add(10 * time.Second); syscall.Kill(int(pid(t, first)), 0) == nil && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if o := r.run(`{"do":"work"}`, time.Minute); pid(t, o) == pid(t, first) {
		t.Error("it is alive")
	}
}

func TestTooLargeAnAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, python(t))
	if o := r.run(`{"do":"large"}`, time.Minute); o.Kind != protocol.Raised || o.Error != "Function.ResponseSizeTooLarge" {
		t.Errorf("%.300s", fmt.Sprint(o))
	}
	if o := r.run(`{"do":"work"}`, time.Minute); o.Kind != protocol.Returned {
		t.Errorf("%+v", o)
	}
}

func TestRawEvents(t *testing.T) {
	t.Parallel()
	entry := newRig(t, python(t), "WRAPPER_TEST_ENTRY=yes")
	for i := range 2 { // the platform tries again with the same id
		if out, e := entry.deliverAs("event-7", `{"do":"work"}`, time.Minute); e != nil || out != `{"run":"event-7"}` {
			t.Errorf("the entry answered %s %v", out, e)
		}
		if s := entry.last(); s.Begun != "event-7" || s.Input != `{"do":"work"}` || s.Skipped != (i == 1) {
			t.Errorf("delivery %d: %+v", i, s)
		}
	}
	other := newRig(t, python(t))
	if out, e := other.deliver(`{"do":"plain"}`, time.Minute); e != nil || !strings.HasPrefix(out, `{"echo":{"do":"plain"},"pid":`) {
		t.Errorf("a plain invocation answered %s %v", out, e)
	}
	if _, e := other.deliver(`{"do":"fail"}`, time.Minute); e == nil || e.Type != "CardRefused" || !strings.Contains(e.Cause, `"stackTrace": [`) {
		t.Errorf("a plain invocation failed with %+v", e)
	}
	if _, err := os.Stat(other.log); err == nil {
		t.Error("the runtime heard of plain invocations")
	}
}

func TestEnvelopes(t *testing.T) {
	t.Parallel()
	r := newRig(t, python(t), "WRAPPER_TEST_ENTRY=yes")
	batch, err := json.Marshal(map[string]any{"Records": []any{
		map[string]string{"body": request("a", `{"do":"a"}`)}, map[string]string{"body": request("b", `{"do":"b"}`)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if out, e := r.deliver(string(batch), time.Minute); e != nil || out != `{"batchItemFailures":[]}` {
		t.Errorf("%s %v", out, e)
	}
	if s := r.last(); s.Run != "b" || s.Begun != "" {
		t.Errorf("%+v", s)
	}
}

// What the runtime cannot do, the platform is to deliver again.
func TestRuntimeFailureIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, python(t))
	if _, e := r.deliver(request("run", `{"do":"no store"}`), time.Minute); e == nil || e.Type != "Weft.RuntimeFailed" || !strings.Contains(e.Cause, "the datastore is away") {
		t.Errorf("%+v", e)
	}
	if o := r.run(`{"do":"work"}`, time.Minute); o.Kind != protocol.Returned {
		t.Errorf("afterwards %+v", o)
	}
}

func TestWithoutCode(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if o := r.run(`{}`, time.Minute); o.Kind != protocol.Broken || o.Error != "Runtime.InvalidEntrypoint" {
		t.Errorf("%+v", o)
	}
	if _, e := r.deliver(`{}`, time.Minute); e == nil || !strings.Contains(e.Cause, "takes requests of its workflow only") {
		t.Errorf("%+v", e)
	}
}

func TestLogLinesAreUntouched(t *testing.T) {
	t.Parallel()
	r := newRig(t, python(t))
	r.run(`{"do":"talk"}`, time.Minute)
	r.run(`{"do":"crash"}`, time.Minute)
	r.run(`{"do":"work"}`, time.Minute)
	out := r.output()
	for _, want := range []string{"out of talk", "err of talk", "going down"} {
		if strings.Count("\n"+out+"\n", "\n"+want+"\n") != 1 {
			t.Errorf("no line %q in\n%s", want, out)
		}
	}
}

// BenchmarkInvocation is a call of a Go function by its platform, without and with the wrapper between them.
func BenchmarkInvocation(b *testing.B) {
	source := &lambdaruntime.GoBuild{Source: "../../engine/function/lambdaruntime/testdata/echo", Name: "echo", BuildDir: b.TempDir()}
	for name, launch := range map[string]lambdaruntime.Launcher{
		"direct": source, "wrapped": wrapped{inner: source, log: filepath.Join(b.TempDir(), "log")},
	} {
		b.Run(name, func(b *testing.B) {
			pool, err := lambdaruntime.New(lambdaruntime.Config{Name: "fn", Launch: launch, Processes: 1, Init: time.Minute, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			defer pool.Close()
			call := func(i int) {
				req := &function.Request{Function: "fn", ID: fmt.Sprint("id-", i), Input: []byte(`{"Do":"add","N":1}`), Timeout: time.Minute}
				if _, err := pool.Invoke(b.Context(), req); err != nil {
					b.Fatal(err)
				}
			}
			call(-1)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				call(i)
			}
		})
	}
}
