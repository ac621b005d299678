package gcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"cloud.google.com/go/firestore"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/weftworks/weft/faas/cloudtasksapi"
	"github.com/weftworks/weft/faas/firestoreapi"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/platform/gcp"
	"github.com/weftworks/weft/unum/protocol"
	unumfirestore "github.com/weftworks/weft/unum/store/firestore"
)

// squares is a program: numbers are squared, each on a line of its own, and then added up.
type squares struct{}

func (squares) Entry(_ string, input []byte, _ int64) (protocol.Call, error) {
	return protocol.Call{Function: "list", State: input}, nil
}

func (squares) Work(req *protocol.Request, _ [][]byte) (protocol.Work, error) {
	return protocol.Work{Code: req.Function, Input: req.State}, nil
}

func (squares) Plan(req *protocol.Request, _ [][]byte, out *protocol.Outcome) (*protocol.Plan, error) {
	var numbers []int
	switch {
	case out.Kind != protocol.Returned:
		return &protocol.Plan{End: &protocol.End{Failed: true, Error: out.Error, Cause: out.Cause, HasError: true, HasCause: true, Now: out.Now}}, nil
	case req.Function == "list":
		err := json.Unmarshal(out.Output, &numbers)
		return &protocol.Plan{Fork: &protocol.Fork{Width: int64(len(numbers)), Parked: out.Output}}, err
	default:
		return &protocol.Plan{End: &protocol.End{Output: out.Output, Now: out.Now}}, nil
	}
}

func (squares) Head(_ []protocol.Line, parked []byte, i, _ int64) (protocol.Call, error) {
	var numbers []int
	err := json.Unmarshal(parked, &numbers)
	return protocol.Call{Function: "square", State: fmt.Append(nil, numbers[i])}, err
}

func (squares) Join(_ string, _ []protocol.Line, _ []byte, ends []*protocol.End, failed int64) (*protocol.Plan, error) {
	if failed >= 0 {
		return &protocol.Plan{End: ends[0]}, nil
	}
	var outputs []json.RawMessage
	for _, e := range ends {
		outputs = append(outputs, e.Output)
	}
	state, err := json.Marshal(outputs)
	return &protocol.Plan{Continue: &protocol.Call{Function: "sum", State: state}}, err
}

// code is the user's.
func code(_ context.Context, name string, input []byte) protocol.Outcome {
	var result any
	var err error
	switch name {
	case "list":
		var n int
		err = json.Unmarshal(input, &n)
		numbers := make([]int, n)
		for i := range numbers {
			numbers[i] = i
		}
		result = numbers
	case "square":
		var n int
		err = json.Unmarshal(input, &n)
		result = n * n
	case "sum":
		var numbers []int
		err = json.Unmarshal(input, &numbers)
		total := 0
		for _, n := range numbers {
			total += n
		}
		result = total
	}
	output, e := json.Marshal(result)
	if err = errors.Join(err, e); err != nil {
		return protocol.Outcome{Kind: protocol.Raised, Error: "Bad", Cause: err.Error()}
	}
	return protocol.Outcome{Kind: protocol.Returned, Output: output}
}

// application is a workflow on Google's side: Firestore, Cloud Tasks and functions, all local.
type application struct {
	*unum.Runtime
	documents *firestoreapi.Server
	tasks     *growing
}

// deploy starts an application. Before and after each call and execution chance is asked whether it shall fail there.
func deploy(t *testing.T, chance func() bool) *application {
	t.Helper()
	documents, err := firestoreapi.Start(firestoreapi.Config{Intercept: func(_ context.Context, _ string, call func() error) error {
		if chance() {
			return status.Error(codes.Aborted, "injected before")
		}
		if err := call(); err != nil || !chance() {
			return err
		}
		return status.Error(codes.Aborted, "injected after")
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(documents.Close)
	conn, err := grpc.NewClient(documents.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	client, err := firestore.NewClient(t.Context(), "p", option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	g := grow(t, cloudtasksapi.Config{Intercept: func(_ context.Context, method string, call func() error) error {
		err := call()
		if err == nil && method == "CreateTask" && chance() {
			return status.Error(codes.Aborted, "injected after") // and there will be two
		}
		return err
	}})
	app := &application{documents: documents, tasks: g}
	handler := &gcp.Handler{Log: quiet, Attempts: 1000, Handle: func(ctx context.Context, payload []byte) error {
		if chance() {
			return errors.New("injected before")
		}
		err := app.Handle(ctx, payload, code)
		if err == nil && chance() {
			panic(http.ErrAbortHandler) // the sandbox is gone
		}
		return err
	}}
	for _, name := range []string{"list", "square", "sum"} {
		g.add(name, handler)
	}
	app.Runtime = &unum.Runtime{Store: unumfirestore.New(client, "weft"), Platform: g.Platform, Program: squares{}}
	return app
}

// idle waits until the queue has no task.
func (a *application) idle(t *testing.T) {
	t.Helper()
	for {
		_, err := a.tasks.client.ListTasks(t.Context(), &cloudtaskspb.ListTasksRequest{Parent: queue}).Next()
		if errors.Is(err, iterator.Done) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestRuns executes runs, without faults and with many, on Google's clients: each has the one right result, and nothing is
// left of it.
func TestRuns(t *testing.T) {
	t.Parallel()
	for _, percent := range []int{0, 5} {
		t.Run(fmt.Sprintf("%d%% faults", percent), func(t *testing.T) {
			t.Parallel()
			const runs, width = 25, 8
			var faults atomic.Int64
			app := deploy(t, func() bool {
				if rand.IntN(100) >= percent {
					return false
				}
				faults.Add(1)
				return true
			})
			var group sync.WaitGroup
			for i := range runs {
				group.Go(func() { app.run(t, fmt.Sprint("run-", i), width) })
			}
			group.Wait()
			app.idle(t)
			for i := range runs {
				if err := app.Forget(t.Context(), fmt.Sprint("run-", i)); err != nil {
					t.Error(err)
				}
			}
			if n := app.documents.Len(); n != 0 {
				t.Errorf("%d documents are left", n)
			}
			t.Logf("%d runs, %d faults", runs, faults.Load())
		})
	}
}

func (a *application) run(t *testing.T, id string, width int) {
	if _, err := a.Start(t.Context(), id, fmt.Append(nil, width), 0); err != nil {
		t.Error(err)
		return
	}
	d, err := a.Wait(t.Context(), id, 50*time.Millisecond)
	if err != nil {
		t.Error(err)
		return
	}
	sum := 0
	for i := range width {
		sum += i * i
	}
	if d.Status != unum.Succeeded || string(d.Output) != fmt.Sprint(sum) {
		t.Errorf("%s: %+v, want %d", id, d, sum)
	}
}
