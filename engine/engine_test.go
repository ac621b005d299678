package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
)

// chain returns a machine of n calls of "hello" in a row.
func chain(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"StartAt":"S1","States":{`)
	for i := 1; i <= n; i++ {
		next := fmt.Sprintf(`"Next":"S%d"},`, i+1)
		if i == n {
			next = `"End":true}`
		}
		fmt.Fprintf(&b, `"S%d":{"Type":"Task","Resource":"hello",%s`, i, next)
	}
	b.WriteString(`}}`)
	return []byte(b.String())
}

const (
	waits = `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}`
	pass  = `{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}`
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// registry has functions in process: hello echoes, others as given.
func registry(t testing.TB, more map[string]func(context.Context, []byte) ([]byte, error)) *function.Registry {
	t.Helper()
	r := function.NewRegistry()
	all := map[string]func(context.Context, []byte) ([]byte, error){
		"hello": func(_ context.Context, in []byte) ([]byte, error) { return in, nil },
	}
	for name, fn := range more {
		all[name] = fn
	}
	for name, fn := range all {
		if err := r.Register(name, function.Go(fn), function.Settings{}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// reopen opens a node on a directory; it is closed at the end of the test, or before.
func reopen(t testing.TB, opts Options) *Node {
	t.Helper()
	if opts.Functions == nil {
		opts.Functions = registry(t, nil)
	}
	opts.Logger = quiet()
	n, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func create(t testing.TB, n *Node, name, definition string) {
	t.Helper()
	if _, err := n.CreateMachine(t.Context(), CreateMachine{Name: name, Definition: []byte(definition)}); err != nil {
		t.Fatal(err)
	}
}

func start(t testing.TB, n *Node, s StartRun) *Run {
	t.Helper()
	run, err := n.StartRun(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func wait(t testing.TB, n *Node, id RunID) *Run {
	t.Helper()
	run, err := n.WaitRun(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func wantKind(t testing.TB, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Fatalf("error is %v (kind %d), want kind %d", err, fault.KindOf(err), kind)
	}
}

func TestRunSurvivesReopen(t *testing.T) {
	t.Parallel()
	opts := Options{Dir: t.TempDir()}
	n := reopen(t, opts)
	create(t, n, "five", string(chain(5)))
	run := wait(t, n, start(t, n, StartRun{Machine: "five", Name: "a", Input: []byte(`{"x": 1}`)}).ID)
	if run.Status != machine.Succeeded || string(run.Output) != `{"x":1}` {
		t.Fatalf("run = %+v", run)
	}
	events, err := n.History(t.Context(), run.ID, HistoryQuery{})
	if err != nil || int64(len(events)) != run.Events {
		t.Fatalf("%d events and error %v, want %d", len(events), err, run.Events)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = reopen(t, opts)
	again, err := n.Run(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	if again.Status != machine.Succeeded || !bytes.Equal(again.Output, run.Output) || again.Events != run.Events {
		t.Fatalf("after reopening: %+v", again)
	}
	more, err := n.History(t.Context(), run.ID, HistoryQuery{})
	if err != nil || fmt.Sprint(more) != fmt.Sprint(events) {
		t.Fatalf("the history changed: %v, %v", more, err)
	}
	page, err := n.ListRuns(t.Context(), ListRuns{Machine: "five"})
	if err != nil || len(page.Runs) != 1 || page.Runs[0].Status != machine.Succeeded {
		t.Fatalf("page = %+v, %v", page, err)
	}
}

// TestCrashKeepsWhatWasAcknowledged cuts the power under a node at rest and in full work: everything acknowledged is
// there afterwards and ends as it should.
func TestCrashKeepsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	opts := Options{Dir: "data", FS: disk, Partitions: 3}
	n := reopen(t, opts)
	create(t, n, "five", string(chain(5)))
	create(t, n, "sleep", waits)
	var ids []RunID
	for i := range 200 {
		s := StartRun{Machine: "five", Input: fmt.Appendf(nil, `{"n":%d}`, i)}
		if i%4 == 0 {
			s.Machine = "sleep"
		}
		ids = append(ids, start(t, n, s).ID)
	}
	crashed := disk.CrashClone(vfs.CrashCloneCfg{})
	_ = n.Close()
	opts.FS = crashed
	n = reopen(t, opts)
	for i, id := range ids {
		if id.Machine == "sleep" {
			if run, err := n.Run(t.Context(), id); err != nil || run.Status != machine.Running {
				t.Fatalf("sleeping run %d: %+v, %v", i, run, err)
			}
			continue
		}
		run := wait(t, n, id)
		if want := fmt.Sprintf(`{"n":%d}`, i); string(run.Output) != want {
			t.Fatalf("run %d ended %s with %s, want %s", i, run.Status, run.Output, want)
		}
	}
}

func TestTimersFireAfterReopen(t *testing.T) {
	t.Parallel()
	opts := Options{Dir: t.TempDir()}
	n := reopen(t, opts)
	create(t, n, "short", `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1,"End":true}}}`)
	id := start(t, n, StartRun{Machine: "short"}).ID
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = reopen(t, opts)
	if run := wait(t, n, id); run.Status != machine.Succeeded || run.Stopped-run.Started < 1000 {
		t.Fatalf("run = %+v", run)
	}
}

func TestUnansweredCallsAreMadeAgain(t *testing.T) {
	t.Parallel()
	opts := Options{Dir: t.TempDir()}
	entered := make(chan struct{}, 1)
	var calls atomic.Int32
	opts.Functions = registry(t, map[string]func(context.Context, []byte) ([]byte, error){
		"hello": func(ctx context.Context, in []byte) ([]byte, error) {
			if calls.Add(1) == 1 {
				entered <- struct{}{}
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return []byte(`"second"`), nil
		},
	})
	n := reopen(t, opts)
	create(t, n, "one", string(chain(1)))
	id := start(t, n, StartRun{Machine: "one"}).ID
	<-entered
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = reopen(t, opts)
	if run := wait(t, n, id); string(run.Output) != `"second"` {
		t.Fatalf("run = %+v", run)
	}
}

func TestStartNames(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{Dir: t.TempDir()})
	create(t, n, "sleep", waits)
	first := start(t, n, StartRun{Machine: "sleep", Name: "a", Input: []byte(`{"x":1}`)})
	second := start(t, n, StartRun{Machine: "sleep", Name: "a", Input: []byte(`{ "x": 1 }`)})
	if first.Started != second.Started {
		t.Error("an equal start made another run")
	}
	_, err := n.StartRun(t.Context(), StartRun{Machine: "sleep", Name: "a", Input: []byte(`{"x":2}`)})
	wantKind(t, err, fault.RunExists)
	if _, err := n.StopRun(t.Context(), first.ID, Because("Enough", "why not")); err != nil {
		t.Fatal(err)
	}
	_, err = n.StartRun(t.Context(), StartRun{Machine: "sleep", Name: "a", Input: []byte(`{"x":1}`)})
	wantKind(t, err, fault.RunExists)
	run, err := n.Run(t.Context(), first.ID)
	if err != nil || run.Status != machine.Aborted || run.Error != "Enough" || run.Cause != "why not" {
		t.Fatalf("stopped run = %+v, %v", run, err)
	}
	_, err = n.StartRun(t.Context(), StartRun{Machine: "nobody"})
	wantKind(t, err, fault.MachineNotFound)
	_, err = n.Run(t.Context(), RunID{"sleep", "nobody"})
	wantKind(t, err, fault.RunNotFound)
	_, err = n.StopRun(t.Context(), RunID{"sleep", "nobody"}, Reason{})
	wantKind(t, err, fault.RunNotFound)
}

func TestInputAtTheDoor(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{Dir: t.TempDir(), Limits: limits.AWS})
	create(t, n, "pass", pass)
	for name, input := range map[string]string{
		"cut":   `{"a":`,
		"deep":  strings.Repeat("[", 100_000),
		"large": `"` + strings.Repeat("x", limits.AWS.PayloadBytes) + `"`,
		"words": `hello`,
		"utf-8": "\"\xff\"",
	} {
		_, err := n.StartRun(t.Context(), StartRun{Machine: "pass", Input: []byte(input)})
		if !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestRunsArePinned(t *testing.T) {
	t.Parallel()
	opts := Options{Dir: t.TempDir()}
	n := reopen(t, opts)
	gate := `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1,"Next":"P"},"P":{"Type":"Pass","Result":%q,"End":true}}}`
	create(t, n, "m", fmt.Sprintf(gate, "old"))
	id := start(t, n, StartRun{Machine: "m"}).ID
	if _, err := n.UpdateMachine(t.Context(), UpdateMachine{Name: "m", Definition: fmt.Appendf(nil, gate, "new")}); err != nil {
		t.Fatal(err)
	}
	later := start(t, n, StartRun{Machine: "m"}).ID
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = reopen(t, opts)
	if run := wait(t, n, id); string(run.Output) != `"old"` {
		t.Errorf("the first run ended with %s", run.Output)
	}
	if run := wait(t, n, later); string(run.Output) != `"new"` {
		t.Errorf("the second run ended with %s", run.Output)
	}
	m, err := n.RunDefinition(t.Context(), id)
	if err != nil || !strings.Contains(string(m.Definition), "old") {
		t.Errorf("definition of the first run: %+v, %v", m, err)
	}
}

func TestDeleteWaitsForOpenRuns(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{Dir: t.TempDir()})
	create(t, n, "sleep", waits)
	id := start(t, n, StartRun{Machine: "sleep"}).ID
	if err := n.DeleteMachine(t.Context(), "sleep"); err != nil {
		t.Fatal(err)
	}
	m, err := n.Machine(t.Context(), "sleep")
	if err != nil || !m.Deleting {
		t.Fatalf("machine = %+v, %v", m, err)
	}
	_, err = n.StartRun(t.Context(), StartRun{Machine: "sleep"})
	wantKind(t, err, fault.MachineDeleting)
	if _, err := n.StopRun(t.Context(), id, Reason{}); err != nil {
		t.Fatal(err)
	}
	n.finishDeletes(t.Context())
	_, err = n.Machine(t.Context(), "sleep")
	wantKind(t, err, fault.MachineNotFound)
	if err := n.DeleteMachine(t.Context(), "sleep"); err != nil {
		t.Errorf("deleting what is gone: %v", err)
	}
}

func TestListPages(t *testing.T) {
	t.Parallel()
	opts := Options{Dir: t.TempDir(), Partitions: 3}
	n := reopen(t, opts)
	create(t, n, "pass", pass)
	create(t, n, "sleep", waits)
	const count = 57
	want := map[string]bool{}
	for i := range count {
		name := fmt.Sprintf("r%d", i)
		want[name] = true
		m := "pass"
		if i%3 == 0 {
			m = "sleep"
		}
		run := start(t, n, StartRun{Machine: m, Name: name})
		if m == "pass" {
			wait(t, n, run.ID)
		}
		if i == count/2 {
			if err := n.Flush(t.Context()); err != nil { // half from the store, half from memory
				t.Fatal(err)
			}
		}
	}
	got := map[string]bool{}
	for _, m := range []string{"pass", "sleep"} {
		q := ListRuns{Machine: m, Limit: 7}
		last := int64(1 << 62)
		for {
			page, err := n.ListRuns(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Runs {
				if got[r.ID.Name] || r.Started > last {
					t.Fatalf("%s is listed twice or out of order", r.ID.Name)
				}
				got[r.ID.Name], last = true, r.Started
			}
			if page.Cursor == "" {
				break
			}
			q.Cursor = page.Cursor
		}
	}
	if len(got) != count {
		t.Errorf("%d of %d runs are listed", len(got), count)
	}
	page, err := n.ListRuns(t.Context(), ListRuns{Machine: "sleep", Status: machine.Succeeded})
	if err != nil || len(page.Runs) != 0 {
		t.Errorf("SUCCEEDED runs of sleep: %+v, %v", page, err)
	}
	_, err = n.ListRuns(t.Context(), ListRuns{Machine: "sleep", Cursor: "no cursor"})
	wantKind(t, err, fault.InvalidToken)
}

func TestRetentionRemovesEndedRuns(t *testing.T) {
	t.Parallel()
	opts := Options{Dir: t.TempDir(), Retain: map[machine.Status]time.Duration{machine.Succeeded: time.Hour, machine.Aborted: 0}}
	n := reopen(t, opts)
	create(t, n, "pass", pass)
	create(t, n, "sleep", waits)
	done := wait(t, n, start(t, n, StartRun{Machine: "pass", Name: "a"}).ID)
	open := start(t, n, StartRun{Machine: "sleep"})
	stopped := start(t, n, StartRun{Machine: "sleep"})
	if _, err := n.StopRun(t.Context(), stopped.ID, Reason{}); err != nil {
		t.Fatal(err)
	}
	if err := n.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.purge(time.Now())
	if _, err := n.Run(t.Context(), done.ID); err != nil {
		t.Errorf("a run was removed before its time: %v", err)
	}
	n.purge(time.Now().Add(2 * time.Hour))
	if _, err := n.Run(t.Context(), done.ID); !fault.Is(err, fault.RunNotFound) {
		t.Errorf("the ended run is still there: %v", err)
	}
	for _, id := range []RunID{open.ID, stopped.ID} {
		if _, err := n.Run(t.Context(), id); err != nil {
			t.Errorf("a run that retention keeps: %v", err)
		}
	}
	if page, err := n.ListRuns(t.Context(), ListRuns{Machine: "pass"}); err != nil || len(page.Runs) != 0 {
		t.Errorf("removed runs are listed: %+v, %v", page, err)
	}
	// The name is free again, and the definition is there although its last run is gone.
	wait(t, n, start(t, n, StartRun{Machine: "pass", Name: "a", Input: []byte(`1`)}).ID)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = reopen(t, opts)
	if run, err := n.Run(t.Context(), done.ID); err != nil || string(run.Output) != "1" {
		t.Errorf("the second run of the name: %+v, %v", run, err)
	}
}

func TestEndlessMachineDoesNotStopOthers(t *testing.T) {
	t.Parallel()
	set := limits.Default
	set.HistoryEvents = 20_000
	n := reopen(t, Options{Dir: t.TempDir(), Partitions: 1, Limits: set})
	create(t, n, "loop", `{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Choice","Default":"A",
		"Choices":[{"Variable":"$.never","IsPresent":true,"Next":"C"}]},"C":{"Type":"Succeed"}}}`)
	create(t, n, "pass", pass)
	loop := start(t, n, StartRun{Machine: "loop"})
	if run := wait(t, n, start(t, n, StartRun{Machine: "pass"}).ID); run.Status != machine.Succeeded {
		t.Fatalf("the other run: %+v", run)
	}
	run := wait(t, n, loop.ID)
	if run.Status != machine.Failed || run.Events > set.HistoryEvents {
		t.Fatalf("the endless run: %+v", run)
	}
	events, err := n.History(t.Context(), loop.ID, HistoryQuery{From: 9_990, Limit: 20})
	if err != nil || len(events) != 20 || events[0].ID != 9_990 || events[19].ID != 10_009 {
		t.Fatalf("the middle of a long history: %d events, %v", len(events), err)
	}
	last, err := n.History(t.Context(), loop.ID, HistoryQuery{Reverse: true, Limit: 3})
	if err != nil || len(last) != 3 || last[0].ID != run.Events {
		t.Fatalf("the end of a long history: %+v, %v", last, err)
	}
}

func TestTaskToken(t *testing.T) {
	t.Parallel()
	tokens := make(chan string, 1)
	opts := Options{Dir: t.TempDir(), Functions: registry(t, map[string]func(context.Context, []byte) ([]byte, error){
		"ask": func(_ context.Context, in []byte) ([]byte, error) {
			tokens <- strings.Trim(string(in), `"`)
			return []byte(`"asked"`), nil
		},
	})}
	n := reopen(t, opts)
	create(t, n, "approval", `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken",
		"Parameters":{"FunctionName":"ask","Payload.$":"$$.Task.Token"},"End":true}}}`)
	id := start(t, n, StartRun{Machine: "approval"}).ID
	token := <-tokens
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = reopen(t, opts)
	select {
	case again := <-tokens: // the answer of the function may not have been logged before the close
		if again != token {
			t.Error("the token changed")
		}
	default:
	}
	wantKind(t, n.SucceedTask(t.Context(), "nonsense", []byte(`1`)), fault.InvalidToken)
	wantKind(t, n.SucceedTask(t.Context(), token, []byte(`{`)), fault.InvalidOutput)
	if err := n.HeartbeatTask(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if err := n.SucceedTask(t.Context(), token, []byte(`{"ok": true}`)); err != nil {
		t.Fatal(err)
	}
	if run := wait(t, n, id); string(run.Output) != `{"ok":true}` {
		t.Fatalf("run = %+v", run)
	}
	wantKind(t, n.FailTask(t.Context(), token, Reason{}), fault.TaskTimedOut)
}

// TestFullDiskAnswersNoSuccess lets every file operation of the log fail from some moment on.
func TestFullDiskAnswersNoSuccess(t *testing.T) {
	t.Parallel()
	for name, errno := range map[string]error{"no space": errors.New("no space left on device"), "i/o error": errors.New("input/output error")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var broken atomic.Bool
			disk := vfs.NewCrashableMem()
			fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
				writes := op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileWriteAt || op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData
				if broken.Load() && writes && strings.Contains(op.Path, "log") {
					return errno
				}
				return nil
			}))
			n := reopen(t, Options{Dir: "data", FS: fs, Partitions: 2})
			create(t, n, "pass", pass)
			kept := wait(t, n, start(t, n, StartRun{Machine: "pass", Name: "kept"}).ID)
			broken.Store(true)
			_, err := n.StartRun(t.Context(), StartRun{Machine: "pass", Name: "lost"})
			wantKind(t, err, fault.Unavailable)
			if !strings.Contains(err.Error(), errno.Error()) {
				t.Errorf("the error does not say why: %v", err)
			}
			_, err = n.StartRun(t.Context(), StartRun{Machine: "pass"})
			wantKind(t, err, fault.Unavailable)
			if n.Healthy() == nil {
				t.Error("the node says it is healthy")
			}
			_ = n.Close()
			n = reopen(t, Options{Dir: "data", FS: disk.CrashClone(vfs.CrashCloneCfg{})})
			if run, err := n.Run(t.Context(), kept.ID); err != nil || run.Status != machine.Succeeded {
				t.Errorf("what was durable: %+v, %v", run, err)
			}
			if _, err := n.Run(t.Context(), RunID{"pass", "lost"}); !fault.Is(err, fault.RunNotFound) {
				t.Errorf("what was refused: %v", err)
			}
		})
	}
}

func TestDirectoryIsLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	reopen(t, Options{Dir: dir})
	_, err := Open(Options{Dir: dir, Logger: quiet()})
	wantKind(t, err, fault.Conflict)
}

func TestBadDefinitionIsRefused(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{Dir: t.TempDir()})
	create(t, n, "pass", pass)
	bad := []byte(`{"StartAt":"Q","States":{"P":{"Type":"Pass","End":true}}}`)
	_, err := n.CreateMachine(t.Context(), CreateMachine{Name: "bad", Definition: bad})
	wantKind(t, err, fault.InvalidDefinition)
	_, err = n.UpdateMachine(t.Context(), UpdateMachine{Name: "pass", Definition: bad})
	wantKind(t, err, fault.InvalidDefinition)
}

func TestPartitionsAreFixed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := reopen(t, Options{Dir: dir, Partitions: 3}).Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{Dir: dir, Partitions: 4, Logger: quiet()})
	wantKind(t, err, fault.InvalidArgument)
	if got := len(reopen(t, Options{Dir: dir}).lanes); got != 3 {
		t.Errorf("%d partitions", got)
	}
}

// TestLostLogFiles takes the log away: what the store has stays, and what comes later survives another start.
func TestLostLogFiles(t *testing.T) {
	t.Parallel()
	opts := Options{Dir: t.TempDir()}
	n := reopen(t, opts)
	create(t, n, "pass", pass)
	kept := wait(t, n, start(t, n, StartRun{Machine: "pass"}).ID)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(opts.Dir, "log")); err != nil {
		t.Fatal(err)
	}
	n = reopen(t, opts)
	later := wait(t, n, start(t, n, StartRun{Machine: "pass"}).ID)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = reopen(t, opts)
	for _, id := range []RunID{kept.ID, later.ID} {
		if run, err := n.Run(t.Context(), id); err != nil || run.Status != machine.Succeeded {
			t.Errorf("run %s: %+v, %v", id.Name, run, err)
		}
	}
}

func TestLogTailReachesTheTaskThatAsks(t *testing.T) {
	t.Parallel()
	r := function.NewRegistry()
	if err := r.Register("talk", talker{}, function.Settings{}); err != nil {
		t.Fatal(err)
	}
	n := reopen(t, Options{Dir: t.TempDir(), Functions: r})
	create(t, n, "talk", `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke",
		"Parameters":{"FunctionName":"talk","LogType":"Tail"},"OutputPath":"$.LogResult","End":true}}}`)
	if run := wait(t, n, start(t, n, StartRun{Machine: "talk"}).ID); string(run.Output) != `"aGVsbG8="` {
		t.Fatalf("run = %+v", run)
	}
}

// talker is a function that logs "hello".
type talker struct{}

func (talker) Invoke(context.Context, *function.Request) (*function.Result, error) {
	return &function.Result{Output: []byte(`1`), LogTail: "hello"}, nil
}

func TestFunctionThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{Dir: t.TempDir(), Functions: registry(t, map[string]func(context.Context, []byte) ([]byte, error){
		"hello": func(context.Context, []byte) ([]byte, error) { runtime.Goexit(); return nil, nil },
	})})
	create(t, n, "one", string(chain(1)))
	if run := wait(t, n, start(t, n, StartRun{Machine: "one"}).ID); run.Status != machine.Failed {
		t.Fatalf("run = %+v", run)
	}
}
