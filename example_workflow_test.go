package weft_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/weftworks/weft"
)

// open opens an App in memory for an example.
func open(declared ...weft.Declaration) (*weft.App, context.Context) {
	app, err := weft.Open(weft.Options{Logger: slog.New(slog.DiscardHandler)}, declared...)
	if err != nil {
		log.Fatal(err)
	}
	return app, context.Background()
}

// finish runs a workflow and waits for its result.
func finish[In, Out any](ctx context.Context, app *weft.App, f *weft.WorkflowOf[In, Out], in In, options ...weft.StartOption) (Out, error) {
	run, err := f.Run(ctx, app, in, options...)
	if err != nil {
		log.Fatal(err)
	}
	return run.Wait(ctx)
}

// A workflow calls functions one after the other.
func ExampleWorkflow() {
	hello := weft.Function("hello", func(_ context.Context, city string) (string, error) {
		return "hello, " + city, nil
	})
	greet := weft.Workflow("greet", func(w *weft.Flow, cities []string) (out []string, err error) {
		for _, city := range cities {
			s, err := hello.Call(w, city)
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		}
		return out, nil
	})
	app, ctx := open(hello, greet)
	defer app.Close()
	fmt.Println(finish(ctx, app, greet, []string{"Oslo", "Rome"}))
	// Output: [hello, Oslo hello, Rome] <nil>
}

// Start makes calls that run at the same time; All waits for all of them.
func ExampleAll() {
	square := weft.Function("square", func(_ context.Context, n int) (int, error) { return n * n, nil })
	squares := weft.Workflow("squares", func(w *weft.Flow, n int) ([]int, error) {
		var calls []weft.Future[int]
		for i := range n {
			calls = append(calls, square.Start(w, i))
		}
		return weft.All(w, calls...)
	})
	app, ctx := open(square, squares)
	defer app.Close()
	fmt.Println(finish(ctx, app, squares, 5))
	// Output: [0 1 4 9 16] <nil>
}

// Calls have time-outs, and functions that take long say that they get on. Either way their context ends.
func ExampleWithHeartbeat() {
	work := weft.Function("work", func(ctx context.Context, beats int) (string, error) {
		for range beats {
			weft.Beat(ctx)
		}
		<-ctx.Done()
		return "", context.Cause(ctx)
	})
	try := weft.Workflow("try", func(w *weft.Flow, _ int) (string, error) {
		_, slow := work.Call(w, 0, weft.WithTimeout(5*time.Millisecond))
		_, silent := work.Call(w, 3, weft.WithHeartbeat(5*time.Millisecond))
		var a, b *weft.Failure
		return fmt.Sprint(errors.As(slow, &a) && errors.As(silent, &b), " ", a.Type, " ", b.Type), nil
	})
	app, ctx := open(work, try)
	defer app.Close()
	fmt.Println(finish(ctx, app, try, 0))
	// Output: true States.Timeout States.HeartbeatTimeout <nil>
}

// Any waits for the first of several futures of any types, here for a function or a time-out.
func ExampleAny() {
	forever := weft.Function("forever", func(ctx context.Context, _ int) (string, error) {
		<-ctx.Done()
		return "", context.Cause(ctx)
	})
	impatient := weft.Workflow("impatient", func(w *weft.Flow, _ int) (string, error) {
		call, timer := forever.Start(w, 0), weft.After(w, 10*time.Millisecond)
		if weft.Any(w, call, timer) == 1 {
			call.Cancel(w) // the function's context ends
			return "too slow", nil
		}
		return call.Await(w)
	})
	app, ctx := open(forever, impatient)
	defer app.Close()
	fmt.Println(finish(ctx, app, impatient, 0))
	// Output: too slow <nil>
}

// First waits for n of several futures.
func ExampleFirst() {
	vote := weft.Event[string]("vote")
	quorum := weft.Workflow("quorum", func(w *weft.Flow, _ int) (int, error) {
		return len(weft.First(w, 2, vote.Next(w), vote.Next(w), vote.Next(w))), nil
	})
	app, ctx := open(quorum)
	defer app.Close()
	run, _ := quorum.Run(ctx, app, 0, weft.WithID("q"))
	_ = vote.Raise(ctx, app, "q", "yes")
	_ = vote.Raise(ctx, app, "q", "yes")
	fmt.Println(run.Wait(ctx))
	// Output: 2 <nil>
}

// Failures are tried again as a policy says; Final ones are not.
func ExampleWithRetry() {
	calls := 0
	shaky := weft.Function("shaky", func(_ context.Context, give int) (int, error) {
		if calls++; calls < 3 {
			return 0, errors.New("not yet")
		}
		if give < 0 {
			return 0, weft.Final(errors.New("never"))
		}
		return calls, nil
	})
	steady := weft.Workflow("steady", func(w *weft.Flow, give int) (int, error) {
		return shaky.Call(w, give, weft.WithRetry(weft.Retry{Attempts: 5, First: time.Millisecond, Coefficient: 1.5}))
	})
	app, ctx := open(shaky, steady)
	defer app.Close()
	fmt.Println(finish(ctx, app, steady, 1))
	fmt.Println(finish(ctx, app, steady, -1))
	// Output:
	// 3 <nil>
	// 0 never
}

// A Failure tells the type and the message of the error that user code returned.
func ExampleFailure() {
	charge := weft.Function("charge", func(context.Context, int) (int, error) { return 0, declined{"4242"} })
	pay := weft.Workflow("pay", func(w *weft.Flow, cents int) (string, error) {
		_, err := charge.Call(w, cents)
		var f *weft.Failure
		if errors.As(err, &f) && f.Type == "declined" {
			return "asked for another card: " + f.Message, nil
		}
		return "paid", err
	})
	app, ctx := open(charge, pay)
	defer app.Close()
	fmt.Println(finish(ctx, app, pay, 100))
	// Output: asked for another card: card 4242 was declined <nil>
}

type declined struct{ card string }

func (d declined) Error() string { return "card " + d.card + " was declined" }

// An external event is kept until the workflow reads it; WaitFor gives up after a while.
func ExampleEvent() {
	approval := weft.Event[bool]("approval")
	order := weft.Workflow("order", func(w *weft.Flow, wait time.Duration) (string, error) {
		switch ok, err := approval.WaitFor(w, wait); {
		case errors.Is(err, weft.ErrTimeout):
			return "nobody answered", nil
		case err != nil:
			return "", err
		case ok:
			return "approved", nil
		}
		return "refused", nil
	})
	app, ctx := open(order)
	defer app.Close()
	run, _ := order.Run(ctx, app, time.Hour, weft.WithID("order-7"))
	_ = approval.Raise(ctx, app, "order-7", true)
	fmt.Println(run.Wait(ctx))
	fmt.Println(finish(ctx, app, order, time.Millisecond))
	// Output:
	// approved <nil>
	// nobody answered <nil>
}

// Runs send each other events.
func ExampleEventOf_Send() {
	ping, pong := weft.Event[string]("ping"), weft.Event[string]("pong")
	server := weft.Workflow("server", func(w *weft.Flow, _ int) (string, error) {
		from, err := ping.Wait(w)
		if err != nil {
			return "", err
		}
		return "served " + from, pong.Send(w, from, "hello from "+w.ID())
	})
	client := weft.Workflow("client", func(w *weft.Flow, to string) (string, error) {
		if err := ping.Send(w, to, w.ID()); err != nil {
			return "", err
		}
		return pong.Wait(w)
	})
	app, ctx := open(server, client)
	defer app.Close()
	run, _ := server.Run(ctx, app, 0, weft.WithID("s"))
	fmt.Println(finish(ctx, app, client, "s", weft.WithID("c")))
	fmt.Println(run.Wait(ctx))
	// Output:
	// hello from s <nil>
	// served c <nil>
}

// A workflow calls another: it is a run of its own, with an id derived from its parent's.
func ExampleWorkflowOf_Call() {
	part := weft.Workflow("part", func(w *weft.Flow, n int) (string, error) {
		return fmt.Sprintf("%s, called by %s, has %d", w.ID(), w.Parent(), n), nil
	})
	whole := weft.Workflow("whole", func(w *weft.Flow, n int) (string, error) {
		return part.Call(w, n+1, weft.WithChildTags(map[string]string{"shop": "north"}))
	})
	app, ctx := open(part, whole)
	defer app.Close()
	fmt.Println(finish(ctx, app, whole, 1, weft.WithID("w")))
	info, _ := app.Find("w:1").Info(ctx)
	fmt.Println(info.Parent, info.Tags)
	// Output:
	// w:1, called by w, has 2 <nil>
	// w map[shop:north]
}

// A workflow that runs for ever begins a fresh history now and then. Events that were not read go with it.
func ExampleWorkflowOf_ContinueAsNew() {
	add := weft.Event[int]("add")
	var counter *weft.WorkflowOf[int, int]
	counter = weft.Workflow("counter", func(w *weft.Flow, sum int) (int, error) {
		n, err := add.Wait(w)
		if err != nil || n == 0 {
			return sum, err
		}
		return 0, counter.ContinueAsNew(sum + n)
	})
	app, ctx := open(counter)
	defer app.Close()
	run, _ := counter.Run(ctx, app, 0, weft.WithID("c"))
	for _, n := range []int{5, 6, 7, 0} {
		_ = add.Raise(ctx, app, "c", n)
	}
	fmt.Println(run.Wait(ctx))
	info, _ := run.Info(ctx)
	fmt.Println(info.Execution, "executions,", info.Events, "events in the last")
	// Output:
	// 18 <nil>
	// 4 executions, 5 events in the last
}

// ticks is a package variable, so its code cannot name it: Go calls that an initialization cycle. It need not.
var ticks = weft.Workflow("ticks", func(w *weft.Flow, left int) (string, error) {
	if left == 0 {
		return fmt.Sprintf("execution %d of %s", w.Execution(), w.Workflow()), nil
	}
	w.Sleep(time.Millisecond)
	return "", weft.ContinueAsNew(w, left-1)
})

// A workflow in a package variable continues as itself without its name.
func ExampleContinueAsNew() {
	app, ctx := open(ticks)
	defer app.Close()
	fmt.Println(finish(ctx, app, ticks, 3))
	// Output: execution 4 of ticks <nil>
}

// Timers last through crashes and restarts. Time, randomness and ids come from the Flow, which gives the same ones in a
// replay.
func ExampleFlow() {
	nap := weft.Workflow("nap", func(w *weft.Flow, d time.Duration) (bool, error) {
		began, id, dice := w.Now(), w.UUID(), w.Rand().IntN(6)
		w.Sleep(d)
		w.Log().Info("awake", "id", id, "dice", dice) // not again in a replay
		return w.Now().Sub(began) >= d, nil
	})
	app, ctx := open(nap)
	defer app.Close()
	fmt.Println(finish(ctx, app, nap, 5*time.Millisecond))
	// Output: true <nil>
}

// Version keeps runs that are open going when the code changes: those that came by before the change go the old way.
func ExampleFlow_Version() {
	old := weft.Function("old", func(context.Context, int) (string, error) { return "the old way", nil })
	better := weft.Function("better", func(context.Context, int) (string, error) { return "the new way", nil })
	changed := weft.Workflow("changed", func(w *weft.Flow, n int) (string, error) {
		if w.Version("better", 0, 1) == 0 {
			return old.Call(w, n)
		}
		return better.Call(w, n)
	})
	app, ctx := open(old, better, changed)
	defer app.Close()
	fmt.Println(finish(ctx, app, changed, 0))
	// Output: the new way <nil>
}

// Several versions of a workflow live side by side; a run is pinned to the one it was started with.
func ExampleCodeVersion() {
	v1 := weft.Workflow("price", func(*weft.Flow, int) (string, error) { return "by version 1", nil }, weft.CodeVersion("1"))
	v2 := weft.Workflow("price", func(*weft.Flow, int) (string, error) { return "by version 2", nil }, weft.CodeVersion("2"))
	app, ctx := open(v1, v2)
	defer app.Close()
	fmt.Println(finish(ctx, app, v1, 0))
	fmt.Println(finish(ctx, app, v2, 0))
	// Output:
	// by version 1 <nil>
	// by version 2 <nil>
}

// The custom status tells clients how far a run is.
func ExampleSetStatus() {
	next := weft.Event[bool]("next")
	job := weft.Workflow("job", func(w *weft.Flow, _ int) (bool, error) {
		if err := weft.SetStatus(w, map[string]int{"percent": 50}); err != nil {
			return false, err
		}
		return next.Wait(w)
	})
	app, ctx := open(job)
	defer app.Close()
	run, _ := job.Run(ctx, app, 0, weft.WithID("j"))
	_ = next.Raise(ctx, app, "j", true)
	_, _ = run.Wait(ctx)
	info, _ := run.Info(ctx)
	fmt.Println(string(info.Custom), info.Status)
	// Output: {"percent":50} COMPLETED
}

type account struct{ Cents int }

var (
	accounts = weft.Entity[account]("account")
	deposit  = weft.Operation(accounts, "deposit", func(_ *weft.EntityContext, a *account, cents int) (int, error) {
		if a.Cents+cents < 0 {
			return 0, fmt.Errorf("%d cents are not enough", a.Cents)
		}
		a.Cents += cents
		return a.Cents, nil
	})
)

// Entities keep state under a key. Workflows call them, everybody signals them; an operation that fails changes nothing.
func ExampleEntity() {
	shop := weft.Workflow("shop", func(w *weft.Flow, cents int) (string, error) {
		left, err := deposit.Call(w, "ada", -cents)
		return fmt.Sprint(left, " cents left"), err
	})
	app, ctx := open(accounts, shop)
	defer app.Close()
	_ = deposit.Send(ctx, app, "ada", 100)
	fmt.Println(finish(ctx, app, shop, 30))
	_, err := finish(ctx, app, shop, 300)
	fmt.Println(err)
	state, _ := accounts.State(ctx, app, "ada")
	fmt.Println(state.Cents)
	// Output:
	// 70 cents left <nil>
	// 70 cents are not enough
	// 70
}

// Within a critical section several entities belong to one run.
func ExampleLock() {
	transfer := weft.Workflow("transfer", func(w *weft.Flow, cents int) (int, error) {
		section, err := weft.Lock(w, accounts.ID("from"), accounts.ID("to"))
		if err != nil {
			return 0, err
		}
		defer section.Leave()
		if _, err := deposit.Call(w, "from", -cents); err != nil {
			return 0, err
		}
		return deposit.Call(w, "to", cents)
	})
	app, ctx := open(accounts, transfer)
	defer app.Close()
	_ = deposit.Send(ctx, app, "from", 100)
	fmt.Println(finish(ctx, app, transfer, 80))
	fmt.Println(finish(ctx, app, transfer, 80))
	// Output:
	// 80 <nil>
	// 0 20 cents are not enough
}

// Entities signal each other, at once or later, start workflows and delete themselves.
func ExampleEntityContext() {
	reminders := weft.Entity[[]string]("reminder")
	rung := weft.Workflow("rung", func(_ *weft.Flow, what string) (string, error) { return "rang: " + what, nil })
	ring := weft.Operation(reminders, "ring", func(c *weft.EntityContext, _ *[]string, what string) (bool, error) {
		c.Delete()
		_, err := rung.Spawn(c, what, weft.WithChildID("rung-1"))
		return true, err
	})
	remember := weft.Operation(reminders, "remember", func(c *weft.EntityContext, s *[]string, what string) (bool, error) {
		*s = append(*s, what)
		return true, ring.SignalAt(c, c.Now().Add(5*time.Millisecond), c.Key(), what)
	})
	app, ctx := open(reminders, rung)
	defer app.Close()
	_ = remember.Send(ctx, app, "ada", "tea")
	for { // until the entity has started the workflow
		if out, err := rung.Find(app, "rung-1").Wait(ctx); err == nil {
			fmt.Println(out)
			break
		}
	}
	_, err := reminders.State(ctx, app, "ada")
	fmt.Println(errors.Is(err, weft.ErrNoEntity))
	// Output:
	// rang: tea
	// true
}

// An operation can be sent from outside for a time that is to come.
func ExampleOperationOf_SendAt() {
	bells := weft.Entity[int]("bell")
	rang := weft.Event[int]("rang")
	ring := weft.Operation(bells, "ring", func(c *weft.EntityContext, n *int, by int) (int, error) {
		*n += by
		return *n, rang.Send(c, "listener", *n)
	})
	listen := weft.Workflow("listen", func(w *weft.Flow, _ int) (int, error) { return rang.Wait(w) })
	app, ctx := open(bells, listen)
	defer app.Close()
	run, _ := listen.Run(ctx, app, 0, weft.WithID("listener"))
	_ = ring.SendAt(ctx, app, time.Now().Add(5*time.Millisecond), "church", 12)
	fmt.Println(run.Wait(ctx))
	// Output: 12 <nil>
}

// A run has one id for ever: starting it again with the same input is the same run, and options say what else may happen.
func ExampleWithID() {
	ok := weft.Event[bool]("ok")
	wait := weft.Workflow("wait", func(w *weft.Flow, _ int) (bool, error) { return ok.Wait(w) })
	app, ctx := open(wait)
	defer app.Close()
	first, _ := wait.Run(ctx, app, 1, weft.WithID("x"))
	again, _ := wait.Run(ctx, app, 1, weft.WithID("x"))
	fmt.Println(first.ID() == again.ID())
	_, err := wait.Run(ctx, app, 2, weft.WithID("x"))
	fmt.Println(err != nil)
	_, err = wait.Run(ctx, app, 2, weft.WithID("x"), weft.Replacing(weft.Running))
	fmt.Println(err)
	// Output:
	// true
	// true
	// <nil>
}

// A run can be stopped for a while, and started for a time to come.
func ExampleRun_Suspend() {
	ok := weft.Event[bool]("ok")
	wait := weft.Workflow("wait", func(w *weft.Flow, _ int) (bool, error) { return ok.Wait(w) })
	app, ctx := open(wait)
	defer app.Close()
	run, _ := wait.Run(ctx, app, 1, weft.WithID("x"), weft.At(time.Now().Add(time.Millisecond)))
	for info, _ := run.Info(ctx); info.Status == weft.Pending; info, _ = run.Info(ctx) {
	}
	_, _ = run.Suspend(ctx, "for lunch")
	_ = ok.Raise(ctx, app, "x", true) // waits
	info, _ := run.Info(ctx)
	fmt.Println(info.Status, info.Reason)
	_, _ = run.Resume(ctx, "")
	fmt.Println(run.Wait(ctx))
	// Output:
	// SUSPENDED for lunch
	// true <nil>
}

// Terminating a run ends the runs that it waits for, too.
func ExampleRun_Terminate() {
	never := weft.Event[bool]("never")
	inner := weft.Workflow("inner", func(w *weft.Flow, _ int) (bool, error) { return never.Wait(w) })
	outer := weft.Workflow("outer", func(w *weft.Flow, _ int) (bool, error) { return inner.Call(w, 0) })
	app, ctx := open(inner, outer)
	defer app.Close()
	run, _ := outer.Run(ctx, app, 0, weft.WithID("o"))
	for { // until the inner run is there
		if _, err := app.Find("o:1").Info(ctx); err == nil {
			break
		}
	}
	_, _ = run.Terminate(ctx, "no longer needed")
	_, err := run.Wait(ctx)
	fmt.Println(err)
	info, _ := app.Find("o:1").Wait(ctx)
	fmt.Println(info.Status)
	// Output:
	// Weft.Terminated: run "o" was terminated: no longer needed
	// TERMINATED
}

// A failed run goes on from before its failure once what made it fail is mended: what succeeded is not done again.
func ExampleRun_Rewind() {
	reserved, broken := 0, true
	reserve := weft.Function("reserve", func(context.Context, int) (int, error) { reserved++; return reserved, nil })
	charge := weft.Function("charge", func(context.Context, int) (string, error) {
		if broken {
			return "", errors.New("the bank is closed")
		}
		return "paid", nil
	})
	order := weft.Workflow("order", func(w *weft.Flow, _ int) (string, error) {
		if _, err := reserve.Call(w, 0); err != nil {
			return "", err
		}
		return charge.Call(w, 0)
	})
	app, ctx := open(reserve, charge, order)
	defer app.Close()
	run, _ := order.Run(ctx, app, 0)
	_, err := run.Wait(ctx)
	fmt.Println(err)
	broken = false
	_, _ = run.Rewind(ctx, "the bank has opened")
	fmt.Println(run.Wait(ctx))
	fmt.Println("reserved", reserved, "time")
	// Output:
	// the bank is closed
	// paid <nil>
	// reserved 1 time
}

// Runs are found by workflow, status, id, time and tags; ended ones can be restarted and purged.
func ExampleApp_Runs() {
	job := weft.Workflow("job", func(_ *weft.Flow, n int) (int, error) {
		if n == 2 {
			return 0, errors.New("no twos")
		}
		return n, nil
	})
	app, ctx := open(job)
	defer app.Close()
	for n := range 4 {
		_, _ = finish(ctx, app, job, n, weft.WithID(fmt.Sprint("job-", n)), weft.WithTags(map[string]string{"odd": fmt.Sprint(n%2 == 1)}))
	}
	failed, _, _ := app.Runs(ctx, weft.Query{Status: []weft.Status{weft.Failed}})
	for _, info := range failed {
		fmt.Println(info.ID, info.Status, info.Failure)
	}
	odd, _, _ := app.Runs(ctx, weft.Query{Workflow: "job", Tags: map[string]string{"odd": "true"}})
	fmt.Println(len(odd), "odd")
	_, _ = app.Find("job-2").Restart(ctx)
	_, _ = app.Find("job-2").Wait(ctx)
	fmt.Println(app.Purge(ctx, weft.Query{Prefix: "job-"}))
	// Output:
	// job-2 FAILED no twos
	// 2 odd
	// 4 <nil>
}

// The history of a run says what happened.
func ExampleRun_History() {
	double := weft.Function("double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	job := weft.Workflow("job", func(w *weft.Flow, n int) (int, error) { return double.Call(w, n) })
	app, ctx := open(double, job)
	defer app.Close()
	run, _ := job.Run(ctx, app, 21)
	_, _ = run.Wait(ctx)
	history, _ := run.History(ctx)
	for _, e := range history {
		fmt.Println(e.ID, e.Kind)
	}
	// Output:
	// 0 StepStarted
	// 0 RunStarted
	// 1 CallScheduled
	// 0 StepStarted
	// 1 CallCompleted
	// 0 RunCompleted
}

// A function can recognise that it is called again: its key is the same for all attempts of one call.
func ExampleFunctionKey() {
	seen := map[string]int{}
	charge := weft.Function("charge", func(ctx context.Context, cents int) (int, error) {
		seen[weft.FunctionKey(ctx)]++
		return cents, nil
	}, weft.Concurrency(8), weft.PerKey(1), weft.Rate(1000, 10), weft.Timeout(time.Minute), weft.Weights(map[string]int{"gold": 3}))
	pay := weft.Workflow("pay", func(w *weft.Flow, n int) (int, error) {
		var calls []weft.Future[int]
		for range n {
			calls = append(calls, charge.Start(w, 1, weft.WithKey("card 4242"), weft.WithTenant("gold"), weft.WithPriority(5)))
		}
		all, err := weft.All(w, calls...)
		return len(all), err
	})
	app, ctx := open(charge, pay)
	defer app.Close()
	fmt.Println(finish(ctx, app, pay, 3))
	fmt.Println(len(seen), "keys")
	// Output:
	// 3 <nil>
	// 3 keys
}

// A schedule starts a workflow by the calendar, in a time zone and with a rule for runs that overlap.
func ExampleWorkflowOf_Schedule() {
	report := weft.Workflow("report", func(_ *weft.Flow, city string) (string, error) { return "report of " + city, nil })
	app, ctx := open(report)
	defer app.Close()
	nightly, err := report.Schedule(ctx, app, "nightly", weft.Schedule{Cron: []string{"0 3 * * *"}, Zone: "Europe/Oslo", Overlap: weft.BufferOne}, "Oslo")
	if err != nil {
		log.Fatal(err)
	}
	info, _ := nightly.Info(ctx)
	next := time.UnixMilli(info.Next[0].Nominal)
	fmt.Println(info.Status, next.After(time.Now()), next.Minute())
	run, _ := nightly.Trigger(ctx) // now, beside the calendar
	for {                          // until the run is there
		if info, err := run.Wait(ctx); err == nil {
			fmt.Println(string(info.Output))
			break
		}
	}
	_ = nightly.Pause(ctx, "holidays")
	info, _ = nightly.Info(ctx)
	fmt.Println(info.Status, info.Note)
	// Output:
	// active true 0
	// "report of Oslo"
	// paused holidays
}
