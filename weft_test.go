package weft_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/weftworks/weft"
)

func quietOptions(dir string) weft.Options {
	return weft.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)}
}

func TestSmoke(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	hello := weft.Function("hello", func(_ context.Context, city string) (string, error) {
		if city == "" {
			return "", errors.New("no city")
		}
		return "hello " + city, nil
	})
	greet := weft.Workflow("greet", func(w *weft.Flow, cities []string) ([]string, error) {
		var fs []weft.Future[string]
		for _, c := range cities {
			fs = append(fs, hello.Start(w, c))
		}
		return weft.All(w, fs...)
	})
	type account struct{ Cents int }
	acc := weft.Entity[account]("account")
	add := weft.Operation(acc, "add", func(_ *weft.EntityContext, a *account, n int) (int, error) {
		if a.Cents+n < 0 {
			return 0, errors.New("too little")
		}
		a.Cents += n
		return a.Cents, nil
	})
	transfer := weft.Workflow("transfer", func(w *weft.Flow, n int) (string, error) {
		s, err := weft.Lock(w, acc.ID("a"), acc.ID("b"))
		if err != nil {
			return "", err
		}
		defer s.Leave()
		x, err := add.Call(w, "a", -n)
		if err != nil {
			return "", err
		}
		y, err := add.Call(w, "b", n)
		return fmt.Sprint(x, y), err
	})
	ok := weft.Event[bool]("ok")
	wait := weft.Workflow("wait", func(w *weft.Flow, _ int) (bool, error) {
		v, err := ok.WaitFor(w, time.Hour)
		if err != nil {
			return false, err
		}
		w.Sleep(10 * time.Millisecond)
		out, err := greet.Call(w, []string{"child"})
		return v && len(out) == 1, err
	})
	app, err := weft.Open(quietOptions(t.TempDir()), hello, greet, acc, transfer, wait)
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	run, err := greet.Run(ctx, app, []string{"Oslo", "Rome"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := run.Wait(ctx)
	t.Log(out, err)
	if err := add.Send(ctx, app, "a", 100); err != nil {
		t.Fatal(err)
	}
	tr, err := transfer.Run(ctx, app, 30)
	if err != nil {
		t.Fatal(err)
	}
	res, err := tr.Wait(ctx)
	t.Log(res, err)
	tr, _ = transfer.Run(ctx, app, 300)
	res, err = tr.Wait(ctx)
	t.Log(res, err)
	st, err := acc.State(ctx, app, "b")
	t.Log(st, err)
	wr, err := wait.Run(ctx, app, 1, weft.WithID("w"))
	if err != nil {
		t.Fatal(err)
	}
	if err := ok.Raise(ctx, app, "w", true); err != nil {
		t.Fatal(err)
	}
	b, err := wr.Wait(ctx)
	t.Log(b, err)
	h, err := wr.History(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range h {
		t.Log(e.Kind, e.ID, e.Name, string(e.Data))
	}
	page, _, err := app.Runs(ctx, weft.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page {
		t.Log(r.ID, r.Status, r.Failure)
	}
}
