package durable_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/weftworks/weft/durable"
)

// text is an answer as text.
func text(data []byte, err error) string {
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func result(data []byte, err error) ([]byte, error) { return data, err }

// codes returns the code that scripts run, by name. What it says comes out in the script.
func codes(s *script) map[string]durable.Code {
	call := func(w *durable.Flow, name, in string) *durable.Task {
		return durable.Call(w, name, []byte(in), nil, nil)
	}
	all := map[string]durable.Code{
		// One call after the other.
		"sequence": func(w *durable.Flow, in []byte) ([]byte, error) {
			a, err := call(w, "first", string(in)).Await(w)
			if err != nil {
				return nil, err
			}
			s.say("first gave %s at %d", a, w.Now().UnixMilli())
			return result(call(w, "second", string(a)).Await(w))
		},
		// sequence with its calls changed.
		"sequence renamed": func(w *durable.Flow, in []byte) ([]byte, error) {
			if _, err := call(w, "other", string(in)).Await(w); err != nil {
				return nil, err
			}
			return result(call(w, "second", "").Await(w))
		},
		"sequence shortened": func(w *durable.Flow, in []byte) ([]byte, error) {
			return result(call(w, "first", string(in)).Await(w))
		},
		"sequence prolonged": func(w *durable.Flow, in []byte) ([]byte, error) {
			a := call(w, "first", string(in))
			_ = call(w, "more", "")
			return result(a.Await(w))
		},
		"sequence swallows": func(w *durable.Flow, in []byte) (out []byte, err error) {
			defer func() {
				if v := recover(); v != nil {
					s.say("recovered")
					out, err = []byte("well"), nil
				}
			}()
			return result(call(w, "other", string(in)).Await(w))
		},
		"sequence swallows and goes on": func(w *durable.Flow, in []byte) (out []byte, err error) {
			func() {
				defer func() { _ = recover() }()
				_, _ = call(w, "other", string(in)).Await(w)
			}()
			s.say("goes on")
			return result(call(w, "second", string(in)).Await(w))
		},
		// Two calls at a time.
		"parallel": func(w *durable.Flow, _ []byte) ([]byte, error) {
			a, b := call(w, "a", ""), call(w, "b", "")
			durable.Wait(w, 2, a, b)
			_, errA := a.Await(w)
			_, errB := b.Await(w)
			return []byte("both"), errors.Join(errA, errB)
		},
		// The first of two, and the other is cancelled.
		"race": func(w *durable.Flow, _ []byte) ([]byte, error) {
			a, b := call(w, "a", ""), call(w, "b", "")
			durable.Wait(w, 1, a, b)
			s.say("done: a %t b %t", a.Done(), b.Done())
			durable.Cancel(w, a)
			durable.Cancel(w, b)
			_, err := b.Await(w)
			s.say("b: %v", err)
			w.Sleep(time.Second)
			return result(a.Await(w))
		},
		// The same task more than once.
		"doubles": func(w *durable.Flow, _ []byte) ([]byte, error) {
			a, b := call(w, "a", ""), call(w, "b", "")
			durable.Wait(w, 2, a, a)
			s.say("a is done, b is done: %t", b.Done())
			durable.Wait(w, 3, b, a, b)
			s.say("b is done")
			durable.Wait(w, 0, b)
			durable.Wait(w, 5, b)
			durable.Wait(w, 1)
			return nil, nil
		},
		"timers": func(w *durable.Flow, _ []byte) ([]byte, error) {
			w.Sleep(1500 * time.Millisecond)
			s.say("it is %v", w.Now())
			w.Sleep(-time.Hour)
			w.SleepUntil(time.UnixMilli(9000))
			t := durable.Timer(w, 99_000)
			durable.Cancel(w, t)
			durable.Cancel(w, t)
			_, err := t.Await(w)
			return nil, err
		},
		"events": func(w *durable.Flow, _ []byte) ([]byte, error) {
			a := durable.Receive(w, "a")
			gone := durable.Receive(w, "a")
			durable.Cancel(w, gone)
			s.say("a: %s", text(a.Await(w)))
			s.say("a again: %s", text(durable.Receive(w, "a").Await(w)))
			s.say("b: %s", text(durable.Receive(w, "b").Await(w)))
			s.say("gone: %s", text(gone.Await(w)))
			return nil, nil
		},
		"eternal": func(w *durable.Flow, in []byte) ([]byte, error) {
			data, _ := durable.Receive(w, "next").Await(w)
			return nil, durable.ContinueAsNew(append(in, data...), "v2", false)
		},
		"forgetful": func(w *durable.Flow, in []byte) ([]byte, error) {
			data, _ := durable.Receive(w, "next").Await(w)
			return nil, fmt.Errorf("so it goes: %w", durable.ContinueAsNew(append(in, data...), "", true))
		},
		"retry": func(w *durable.Flow, _ []byte) ([]byte, error) {
			r := &durable.Retry{Attempts: 3, First: time.Second, Coefficient: 10, Most: 5 * time.Second}
			return result(durable.Call(w, "f", []byte("in"), &durable.Options{Timeout: 5}, r).Await(w))
		},
		"retry differently": func(w *durable.Flow, _ []byte) ([]byte, error) {
			r := &durable.Retry{Attempts: 1}
			return result(durable.Call(w, "f", []byte("in"), nil, r).Await(w))
		},
		"retry a child": func(w *durable.Flow, _ []byte) ([]byte, error) {
			r := &durable.Retry{Within: 3 * time.Second, Handle: func(f *durable.Failure, attempt int) bool {
				s.say("attempt %d: %v", attempt, f)
				return f.Type != "Hopeless"
			}}
			return result(durable.Child(w, "child", "v9", "", []byte("in"), nil, r).Await(w))
		},
		"retry until cancelled": func(w *durable.Flow, _ []byte) ([]byte, error) {
			t := durable.Call(w, "f", nil, nil, &durable.Retry{})
			_, _ = durable.Receive(w, "stop").Await(w)
			durable.Cancel(w, t)
			s.say("%s", text(t.Await(w)))
			_, _ = durable.Receive(w, "stop").Await(w)
			return nil, nil
		},
		"children": func(w *durable.Flow, _ []byte) ([]byte, error) {
			a := durable.Child(w, "child", "v2", "", []byte("1"), nil, nil)
			b := durable.Child(w, "child", "", "mine", []byte("2"), &durable.Options{Tags: map[string]string{"k": "v"}}, nil)
			id, _ := durable.Spawn(w, "loose", "", "", []byte("3"), nil)
			s.say("spawned %s", id)
			durable.Cancel(w, a) // does nothing
			_, errA := a.Await(w)
			_, errB := b.Await(w)
			return nil, errors.Join(errA, errB)
		},
		"calls and children": func(w *durable.Flow, _ []byte) ([]byte, error) {
			f := call(w, "f", "")
			_, _ = durable.Child(w, "child", "", "", nil, nil, nil).Await(w)
			s.say("%s", text(durable.Child(w, "child", "", "", nil, nil, nil).Await(w)))
			return result(f.Await(w))
		},
		"section": func(w *durable.Flow, _ []byte) ([]byte, error) {
			section, err := durable.Enter(w, "account/b", "account/a", "account/b")
			if err != nil {
				return nil, err
			}
			defer section.Leave()
			s.say("held")
			_, err = durable.Enter(w, "account/c")
			s.say("enter: %v", err)
			s.say("child: %s", text(durable.Child(w, "child", "", "", nil, nil, nil).Await(w)))
			s.say("not held: %s", text(durable.CallEntity(w, "account/c", "get", nil).Await(w)))
			s.say("signal: %v", durable.SignalEntity(w, "account/a", "add", nil, 0))
			s.say("signal elsewhere: %v", durable.SignalEntity(w, "account/c", "add", []byte("1"), 77))
			first := durable.CallEntity(w, "account/a", "add", []byte("1"))
			s.say("twice: %s", text(durable.CallEntity(w, "account/a", "add", []byte("2")).Await(w)))
			s.say("first: %s", text(first.Await(w)))
			_, err = durable.CallEntity(w, "account/a", "add", []byte("3")).Await(w)
			return nil, err
		},
		// A section that ends while an entity still works on a call from it.
		"section left early": func(w *durable.Flow, _ []byte) ([]byte, error) {
			section, _ := durable.Enter(w, "account/a")
			early := durable.CallEntity(w, "account/a", "add", []byte("1"))
			section.Leave()
			section.Leave()
			if _, err := durable.Receive(w, "go").Await(w); err != nil {
				return nil, err
			}
			again, _ := durable.Enter(w, "account/a")
			one := durable.CallEntity(w, "account/a", "add", []byte("2"))
			s.say("early: %s", text(early.Await(w)))
			s.say("two at a time: %s", text(durable.CallEntity(w, "account/a", "add", []byte("3")).Await(w)))
			section.Leave() // long over: it must not end the other
			_, err := one.Await(w)
			again.Leave()
			return nil, err
		},
		"locks nothing": func(w *durable.Flow, _ []byte) ([]byte, error) {
			_, err := durable.Enter(w)
			return nil, err
		},
		"locks too much": func(w *durable.Flow, _ []byte) ([]byte, error) {
			targets := make([]string, 1001)
			for i := range targets {
				targets[i] = fmt.Sprintf("account/%d", i)
			}
			_, err := durable.Enter(w, targets...)
			return nil, err
		},
		"unversioned": func(w *durable.Flow, _ []byte) ([]byte, error) {
			_, _ = call(w, "a", "").Await(w)
			return result(call(w, "b", "").Await(w))
		},
		"versioned": func(w *durable.Flow, _ []byte) ([]byte, error) {
			_, _ = call(w, "a", "").Await(w)
			s.say("version %d, then %d", w.Version("more", 0, 1), w.Version("more", 0, 1))
			if w.Version("more", 0, 1) == 1 {
				_, _ = call(w, "more", "").Await(w)
			}
			return result(call(w, "b", "").Await(w))
		},
		"versioned too early": func(w *durable.Flow, _ []byte) ([]byte, error) {
			s.say("version %d", w.Version("more", 0, 1))
			_, _ = call(w, "a", "").Await(w)
			return result(call(w, "b", "").Await(w))
		},
		"version gone": func(w *durable.Flow, _ []byte) ([]byte, error) {
			_, _ = call(w, "a", "").Await(w)
			s.say("version %d", w.Version("more", 2, 3))
			return result(call(w, "b", "").Await(w))
		},
		"versions in conflict": func(w *durable.Flow, _ []byte) ([]byte, error) {
			_ = call(w, "a", "")
			w.Version("x", 0, 1)
			w.Version("x", 2, 2)
			return nil, nil
		},
		"chance": func(w *durable.Flow, _ []byte) ([]byte, error) {
			for range 2 {
				_, _ = call(w, "f", fmt.Sprint(w.Rand().IntN(1000), " ", w.UUID())).Await(w)
			}
			return []byte(fmt.Sprint(w.Rand().IntN(1000))), nil
		},
		"status": func(w *durable.Flow, _ []byte) ([]byte, error) {
			_ = durable.SetStatus(w, []byte(`"one"`))
			w.Sleep(time.Second)
			_ = durable.SetStatus(w, []byte(`"two"`))
			_ = durable.SetStatus(w, []byte(`"three"`))
			return nil, nil
		},
		"large": func(w *durable.Flow, _ []byte) ([]byte, error) {
			long := make([]byte, 101)
			s.say("call: %s", text(durable.Call(w, "f", long, nil, nil).Await(w)))
			s.say("entity: %s", text(durable.CallEntity(w, "a/b", "f", long).Await(w)))
			s.say("signal: %v", durable.SignalEntity(w, "a/b", "f", long, 0))
			s.say("child: %s", text(durable.Child(w, "f", "", "", long, nil, nil).Await(w)))
			s.say("raise: %v", durable.Raise(w, "r", "e", long))
			_, err := durable.Spawn(w, "f", "", "", long, nil)
			s.say("spawn: %v", err)
			return long, nil
		},
		"hostile ids": func(w *durable.Flow, _ []byte) ([]byte, error) {
			long := strings.Repeat("x", 2000)
			s.say("child: %s", text(durable.Child(w, "c", "", long, nil, nil, nil).Await(w)))
			s.say("child: %s", text(durable.Child(w, "c", "", "a\x00b", nil, nil, nil).Await(w)))
			_, err := durable.Spawn(w, "c", "", "\xff", nil, nil)
			s.say("spawn: %v", err)
			s.say("run: %v", durable.Raise(w, "", "e", nil))
			s.say("event: %v", durable.Raise(w, "r", long, nil))
			s.say("call: %s", text(durable.CallEntity(w, long, "op", nil).Await(w)))
			s.say("signal: %v", durable.SignalEntity(w, "e/\n", "op", nil, 0))
			_, err = durable.Enter(w, "e/1", "e/"+long)
			return nil, err
		},
		"panics": func(w *durable.Flow, _ []byte) ([]byte, error) {
			_, _ = call(w, "f", "").Await(w)
			panic("of its own accord")
		},
		"exits": func(w *durable.Flow, _ []byte) ([]byte, error) {
			_, _ = call(w, "f", "").Await(w)
			_ = call(w, "g", "")
			runtime.Goexit()
			return nil, nil
		},
		"hands on a failure": func(w *durable.Flow, _ []byte) ([]byte, error) {
			if _, err := call(w, "f", "").Await(w); err != nil {
				return nil, fmt.Errorf("it did not work: %w", err)
			}
			return nil, nil
		},
		"hides a failure": func(w *durable.Flow, _ []byte) ([]byte, error) {
			a, b := call(w, "a", ""), call(w, "b", "")
			durable.Wait(w, 2, a, b)
			if a.Failed() || b.Failed() {
				return nil, errors.New("one of them did not work")
			}
			return nil, nil
		},
		// A failure that a retry has mended, and then a defect.
		"mends, then panics": func(w *durable.Flow, _ []byte) ([]byte, error) {
			_, err := durable.Call(w, "f", nil, nil, &durable.Retry{}).Await(w)
			_, _ = call(w, "g", text(nil, err)).Await(w)
			panic("a defect")
		},
		"fails in a section": func(w *durable.Flow, _ []byte) ([]byte, error) {
			_, _ = call(w, "before", "").Await(w)
			section, _ := durable.Enter(w, "e/1")
			defer section.Leave()
			if _, err := durable.CallEntity(w, "e/1", "op", nil).Await(w); err != nil {
				return nil, err
			}
			return result(call(w, "inside", "").Await(w))
		},
		"defers": func(w *durable.Flow, _ []byte) ([]byte, error) {
			section, _ := durable.Enter(w, "e/1")
			defer func() { s.say("outer defer ran") }()
			defer section.Leave()
			defer func() {
				defer func() { s.say("inner defer ran"); panic("in a defer") }()
				_ = call(w, "in a defer", "")
				s.say("never said when abandoned")
			}()
			return result(call(w, "f", "").Await(w))
		},
		"will not end": func(w *durable.Flow, _ []byte) (out []byte, err error) {
			for range 3 {
				func() {
					defer func() { s.say("recovered: %t", recover() != nil) }()
					_, _ = durable.Receive(w, "never").Await(w)
				}()
			}
			return []byte("swallowed"), nil
		},
		"sends": func(w *durable.Flow, _ []byte) ([]byte, error) {
			s.say("%v", durable.Raise(w, "other", "hello", []byte("1")))
			s.say("%v", durable.SignalEntity(w, "e/1", "add", []byte("2"), 0))
			return nil, nil
		},
	}
	return all
}
