package workflows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/durable"
)

// account is an entity that holds money, and what every movement changed, so that one done twice or not at all shows.
type account struct {
	Cents int64
	Moved map[string]int64 // by movement
	Again []string         // movements that came once more
}

type movement struct {
	ID    string
	Cents int64
}

// ledger is an entity that remembers who told it what, in order.
type ledger struct {
	Notes map[string][]int // by sender
	Timed map[string][]int // by sender, of notes that came at a time
	Early []string
}

type note struct {
	From string
	N    int
	At   int64 // Unix milliseconds; 0: at once
}

var (
	accounts = weft.Entity[account]("account")
	ledgers  = weft.Entity[ledger]("ledger")

	errShort = errors.New("not enough money")

	move = weft.Operation(accounts, "move", func(c *weft.EntityContext, a *account, m movement) (int64, error) {
		if _, again := a.Moved[m.ID]; again {
			a.Again = append(a.Again, m.ID)
			return a.Cents, nil
		}
		if a.Moved == nil {
			a.Moved = make(map[string]int64)
		}
		a.Moved[m.ID] = m.Cents
		if a.Cents += m.Cents; a.Cents < 0 { // all of this is undone
			if err := tell.Signal(c, ledgerKey, note{From: ghost, N: 1}); err != nil {
				return 0, err
			}
			return 0, errShort
		}
		return a.Cents, nil
	})
	read = weft.Operation(accounts, "read", func(_ *weft.EntityContext, a *account, _ int) (account, error) { return *a, nil })

	tell = weft.Operation(ledgers, "tell", func(c *weft.EntityContext, l *ledger, n note) (int, error) {
		list := &l.Notes
		if n.At != 0 {
			list = &l.Timed
			if c.Now().UnixMilli() < n.At {
				l.Early = append(l.Early, n.From)
			}
		}
		if *list == nil {
			*list = make(map[string][]int)
		}
		(*list)[n.From] = append((*list)[n.From], n.N)
		return n.N, nil
	})
	wake = weft.Operation(ledgers, "wake", func(c *weft.EntityContext, _ *ledger, run string) (bool, error) {
		return true, goOn.Send(c, run, "from the ledger")
	})

	nowhere = func(context.Context, string) (string, error) {
		return "", errors.New("functions run in the simulation")
	}
	approve = weft.Function("approve", nowhere)
	quote   = weft.Function("quote", nowhere)
	settle  = weft.Function("settle", nowhere)
	doomed  = weft.Function("doomed", nowhere)

	ordered = weft.Event[numbered]("ordered")
	item    = weft.Event[int]("item")
	goOn    = weft.Event[string]("go on")
)

const (
	ledgerKey = "main"
	ghost     = "ghost" // tells the ledger only what a failed operation said
)

// order is what a client wants moved.
type order struct {
	From     string
	To       []string // one or two more accounts; From may be among them
	Cents    int64
	Quote    bool  // ask the idempotent function
	Doom     int   // a function fails for good before (1) or within (2) the critical section
	Patience int64 // milliseconds to wait for the function within; 0: for ever
	Notes    int   // told to the ledger
	Leave    bool  // at the end of the section, or else at the end of the run
}

type numbered struct {
	N     int
	Order order
}

// till is the input of a teller.
type till struct {
	N    int   // orders to come
	Seen []int // their numbers
}

// batch is the input of a relay and of a collector.
type batch struct {
	N    int
	Seen []int
}

var (
	transfers  = weft.Workflow("transfer", transfer)
	collectors = weft.Workflow("collector", collector)
)

// code is the program's code as a node finds it.
type code struct{}

func (code) Workflow(name, _ string) (durable.Code, bool) {
	c, ok := map[string]durable.Code{
		"transfer": typed(transfer), "teller": typed(teller), "errand": typed(errand), "relay": typed(relay),
		"collector": typed(collector), "reminder": typed(reminder), "audit": typed(audit),
	}[name]
	return c, ok
}

func (code) Entity(name string) (durable.EntityCode, bool) {
	c, ok := map[string]durable.EntityCode{"account": accounts, "ledger": ledgers}[name]
	return c, ok
}

// typed is what weft.Open makes of a workflow.
func typed[In, Out any](fn func(*weft.Flow, In) (Out, error)) durable.Code {
	return func(w *durable.Flow, input []byte) ([]byte, error) {
		var in In
		if err := json.Unmarshal(input, &in); err != nil {
			return nil, err
		}
		out, err := fn(w, in)
		if err != nil {
			return nil, err
		}
		return json.Marshal(out)
	}
}

// doggedly tries for ever, but what is final.
var doggedly = weft.WithRetry(weft.Retry{First: 10 * time.Millisecond, Most: 100 * time.Millisecond})

// limited says what limits of functions look at.
func (o order) limited(options ...weft.CallOption) []weft.CallOption {
	return append(options, weft.WithKey(o.From), weft.WithTenant(o.From), weft.WithPriority(int8(o.Cents%3)))
}

// base names the movements and notes of an execution.
func base(w *weft.Flow) string { return fmt.Sprintf("%s/%d", w.ID(), w.Execution()) }

// What comes of a transfer.
const (
	moved   = "moved"
	refused = "refused"
)

func transfer(w *weft.Flow, o order) (string, error) {
	asked := approve
	if o.Quote {
		asked = quote
	}
	if _, err := asked.Call(w, w.ID(), o.limited(doggedly)...); err != nil {
		return "", err
	}
	for i := range o.Notes {
		if err := tell.Signal(w, ledgerKey, note{From: base(w), N: i + 1}); err != nil {
			return "", err
		}
	}
	if err := weft.SetStatus(w, "approved"); err != nil {
		return "", err
	}
	if o.Doom == 1 {
		if _, err := doomed.Call(w, w.ID()); err != nil {
			tell.Start(w, ledgerKey, note{From: "sorry " + w.ID()}) // nobody waits for the answer, which may come after a rewind
			return "", err
		}
	}
	how, err := o.carryOut(w, base(w))
	return how, firstOf(err, weft.SetStatus(w, how))
}

// carryOut moves the money in a critical section.
func (o order) carryOut(w *weft.Flow, base string) (string, error) {
	ids := []weft.EntityID{accounts.ID(o.From)}
	for _, to := range o.To {
		ids = append(ids, accounts.ID(to))
	}
	section, err := weft.Lock(w, ids...)
	if err != nil {
		return "", err
	}
	if o.Leave {
		defer section.Leave()
	}
	if _, err := move.Call(w, o.From, movement{base + " from", -o.Cents}); err != nil {
		if f, ok := errors.AsType[*weft.Failure](err); !ok || f.Message != errShort.Error() {
			return "", err
		}
		return refused, nil
	}
	if o.Doom == 2 {
		if _, err := doomed.Call(w, w.ID()); err != nil {
			return "", err
		}
	}
	if err := o.settle(w); err != nil {
		return "", err
	}
	rest := o.Cents
	for i, to := range o.To {
		part := rest
		if i < len(o.To)-1 {
			part = o.Cents / 2
		}
		rest -= part
		if err := weft.SetStatus(w, to); err != nil {
			return "", err
		}
		if _, err := move.Call(w, to, movement{fmt.Sprintf("%s to %d", base, i), part}); err != nil {
			return "", err
		}
	}
	return moved, nil
}

// settle calls a function, and calls it again when it takes too long.
func (o order) settle(w *weft.Flow) error {
	for {
		call := settle.Start(w, w.ID(), o.limited(doggedly)...)
		if o.Patience == 0 {
			_, err := call.Await(w)
			return err
		}
		timer := weft.After(w, time.Duration(o.Patience)*time.Millisecond)
		if weft.Any(w, call, timer) == 0 {
			timer.Cancel(w)
			_, err := call.Await(w)
			return err
		}
		call.Cancel(w)
		o.Patience *= 2
	}
}

// teller carries out the orders that come as events, and begins anew in the middle of them.
func teller(w *weft.Flow, t till) ([]int, error) {
	for done := 0; len(t.Seen) < t.N; {
		if done == 2 {
			tell.Start(w, ledgerKey, note{From: base(w), N: 1}) // the answer finds the next execution
			return nil, weft.ContinueAsNew(w, t)
		}
		e, err := ordered.Wait(w)
		if err != nil {
			return nil, err
		}
		switch n := len(t.Seen) + 1; {
		case e.N < n:
			continue // a client that was not answered asked again
		case e.N > n:
			return nil, fmt.Errorf("order %d came after %v", e.N, t.Seen)
		}
		if _, err := e.Order.carryOut(w, fmt.Sprintf("%s/order %d", base(w), e.N)); err != nil {
			return nil, err
		}
		t.Seen = append(t.Seen, e.N)
		done++
	}
	return t.Seen, nil
}

// errand lets others do the work, and tries again what they fail at if the last of them says so.
func errand(w *weft.Flow, orders []order) ([]string, error) {
	var all []weft.Future[string]
	for _, o := range orders {
		var options []weft.CallOption
		if o.Notes > 1 {
			options = append(options, weft.WithRetry(weft.Retry{Attempts: 2, First: 20 * time.Millisecond}))
		}
		all = append(all, transfers.Start(w, o, options...))
	}
	w.Sleep(30 * time.Millisecond)
	return weft.All(w, all...)
}

// relay sends items to a collector, one after the other.
func relay(w *weft.Flow, b batch) ([]int, error) {
	got := collectors.Start(w, batch{N: b.N}, weft.WithChildID(w.ID()+":"+fmt.Sprint(w.Execution())+"c"))
	for i := range b.N {
		if err := item.Send(w, w.ID()+":"+fmt.Sprint(w.Execution())+"c", i+1); err != nil {
			return nil, err
		}
		if i%3 == 1 {
			if _, err := quote.Call(w, w.ID(), doggedly); err != nil {
				return nil, err
			}
		}
	}
	return got.Await(w)
}

// collector gathers items and begins anew every now and then.
func collector(w *weft.Flow, b batch) ([]int, error) {
	for range 2 {
		if len(b.Seen) == b.N {
			return b.Seen, nil
		}
		n, err := item.Wait(w)
		if err != nil {
			return nil, err
		}
		b.Seen = append(b.Seen, n)
	}
	if w.Execution()%2 == 0 {
		w.Sleep(20 * time.Millisecond)
	}
	return nil, weft.ContinueAsNew(w, b)
}

// reminder plans notes for later, and waits to be told to go on, but not for ever.
func reminder(w *weft.Flow, b batch) ([]int, error) {
	for i := range b.N {
		at := w.Now().Add(time.Duration(50*(b.N-i)) * time.Millisecond)
		if err := tell.SignalAt(w, at, ledgerKey, note{From: base(w), N: i + 1, At: at.UnixMilli()}); err != nil {
			return nil, err
		}
	}
	if err := wake.Signal(w, ledgerKey, w.ID()); err != nil {
		return nil, err
	}
	var waits []int
	for range b.N {
		switch _, err := goOn.WaitFor(w, 40*time.Millisecond); {
		case err == nil:
			waits = append(waits, 1)
		case errors.Is(err, weft.ErrTimeout):
			waits = append(waits, 0)
		default:
			return nil, err
		}
	}
	return waits, nil
}

// audit sees all accounts at one time.
func audit(w *weft.Flow, keys []string) ([]account, error) {
	var ids []weft.EntityID
	for _, k := range keys {
		ids = append(ids, accounts.ID(k))
	}
	section, err := weft.Lock(w, ids...)
	if err != nil {
		return nil, err
	}
	defer section.Leave()
	var all []weft.Future[account]
	for _, k := range keys {
		all = append(all, read.Start(w, k, 0))
	}
	return weft.All(w, all...)
}

// doom reports whether an order fails within its critical section at first.
func doom(orders []order) bool {
	return slices.ContainsFunc(orders, func(o order) bool { return o.Doom == 2 })
}

// firstOf returns the first error as it is, so that the run fails with the failure it had.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
