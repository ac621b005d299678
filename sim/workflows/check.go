package workflows

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/sim"
)

// Check implements sim.Workload.
func (b *Workload) Check(*sim.Fold) error {
	for _, check := range []func() error{b.checkSeen, b.checkLocks, b.checkMoney, b.checkLedger, b.checkResults, b.checkSchedules} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// excuses are the types of failures that runs may end with: that of a function, and that of a child that was stopped.
var excuses = []string{"Doomed", "Weft.Terminated"}

// checkSeen holds that everything a client saw of a run is among what happened, and that what was acknowledged ended.
func (b *Workload) checkSeen() error {
	for _, v := range b.seen {
		s := sight(v)
		if !b.film.views[v.ID][s] {
			return fmt.Errorf("a client saw %s in %s, which never was", v.ID, s)
		}
		if v.Failure != nil && !slices.Contains(excuses, v.Failure.Type) {
			return fmt.Errorf("a client saw %s in %s, which no code of it says", v.ID, s)
		}
	}
	for _, c := range b.clients {
		v := b.film.runs[c.id]
		if v == nil {
			return fmt.Errorf("%s was acknowledged and never began", c.id)
		}
		if c.purged {
			continue
		}
		for n := 1; n <= c.tags && !c.stopped; n++ {
			if v.Tags[strconv.Itoa(n)] == "" {
				return fmt.Errorf("%s lost tag %d of %d that were acknowledged: it has %v", c.id, n, c.tags, v.Tags)
			}
		}
		if sight(v) != sight(c.final) {
			return fmt.Errorf("%s ended as %s, and is now %s", c.id, sight(c.final), sight(v))
		}
	}
	for id, v := range b.film.runs {
		if c := b.owner(id); !v.Status.Ended() && (c == nil || !c.stopped || v.Workflow != collectors.Name()) {
			return fmt.Errorf("%s is left in %s", id, sight(v))
		}
	}
	return nil
}

// checkLocks holds that nobody holds or waits for an entity when all runs have ended.
func (b *Workload) checkLocks() error {
	last := make(map[string]*workflow.EntityView)
	for _, f := range b.film.frames {
		last[f.target] = f.view
	}
	for _, target := range slices.Sorted(maps.Keys(last)) {
		if v := last[target]; v.LockedBy != "" || v.Waiting > 0 {
			return fmt.Errorf("all runs have ended, and %s is locked by %q and has %d operations waiting", target, v.LockedBy, v.Waiting)
		}
	}
	return nil
}

// owner returns the client whose run, or whose run's run, made a movement or a note.
func (b *Workload) owner(name string) *client {
	id, _, _ := strings.Cut(strings.TrimPrefix(name, "sorry "), "/")
	id, _, _ = strings.Cut(id, ":")
	i := slices.IndexFunc(b.clients, func(c *client) bool { return c.id == id })
	if i >= 0 {
		return b.clients[i]
	}
	if k := b.keeper(id); k != nil {
		return k.runs
	}
	return nil
}

// bookkeeper holds the accounts together while the film runs.
type bookkeeper struct {
	*Workload
	accounts map[string]account         // by target
	locked   map[string]string          // by target: the run id
	flying   map[string]int64           // by what they were made for: the sum of movements, where it is not zero
	by       map[string]map[string]bool // the same: targets of the movements
	opened   int64
}

// checkMoney holds that no movement is made twice or half, and that in every state that a crash could have left the money is all
// there: in the accounts, or in the hands of a run that holds them.
func (b *Workload) checkMoney() error {
	k := &bookkeeper{
		Workload: b, accounts: make(map[string]account), locked: make(map[string]string), flying: make(map[string]int64),
		by: make(map[string]map[string]bool),
	}
	frames := b.film.inOrder()
	for i, f := range frames {
		if err := k.take(f); err != nil {
			return fmt.Errorf("at %s: %w", f.at, err)
		}
		if i+1 < len(frames) && frames[i+1].at == f.at {
			continue
		}
		if err := k.balance(); err != nil {
			return fmt.Errorf("at %s: %w", f.at, err)
		}
	}
	return nil
}

// take takes the next frame.
func (k *bookkeeper) take(f frame) error {
	if name, _, _ := durable.SplitEntity(f.target); name != accounts.Name() {
		return nil
	}
	k.locked[f.target] = f.view.LockedBy
	var now account
	if f.view.State != nil {
		if err := json.Unmarshal(f.view.State, &now); err != nil {
			return err
		}
	}
	before := k.accounts[f.target]
	k.accounts[f.target] = now
	sum := int64(0)
	for id, cents := range now.Moved {
		sum += cents
		if _, old := before.Moved[id]; old {
			continue
		}
		if id == opening {
			k.opened += cents
			continue
		}
		work := id[:strings.LastIndex(id, " to ")+1]
		if work == "" {
			work = strings.TrimSuffix(id, "from")
		}
		k.flying[work] += cents
		if k.flying[work] == 0 {
			delete(k.flying, work)
		}
		if k.by[work] == nil {
			k.by[work] = make(map[string]bool)
		}
		k.by[work][f.target] = true
	}
	for id := range before.Moved {
		if _, ok := now.Moved[id]; !ok {
			return fmt.Errorf("%s forgot movement %s", f.target, id)
		}
	}
	if sum != now.Cents || now.Cents < 0 {
		return fmt.Errorf("%s holds %d after movements of %d", f.target, now.Cents, sum)
	}
	for _, id := range now.Again {
		if c := k.owner(id); id != opening && (c == nil || !c.rewound) {
			return fmt.Errorf("movement %s of %s came twice", id, f.target)
		}
	}
	return nil
}

// balance holds the accounts against each other.
func (k *bookkeeper) balance() error {
	sum, flying := int64(0), int64(0)
	for _, a := range k.accounts {
		sum += a.Cents
	}
	for work, cents := range k.flying {
		flying += cents
		run, _, _ := strings.Cut(work, "/")
		if c := k.owner(work); c == nil || c.stopped || doom(c.orders) {
			continue // it may have been ended between its movements
		}
		for target := range k.by[work] {
			if k.locked[target] != run {
				return fmt.Errorf("%d cents of %s are on their way while %q holds %s", -cents, work, k.locked[target], target)
			}
		}
	}
	if sum-flying != k.opened {
		return fmt.Errorf("the accounts hold %d, %d are on their way, and %d were paid in", sum, -flying, k.opened)
	}
	return nil
}

// checkLedger holds that signals came once and in order, and at their time.
func (b *Workload) checkLedger() error {
	var l ledger
	for _, f := range b.film.frames {
		if f.target != durable.EntityTarget(ledgers.Name(), ledgerKey) || f.view.State == nil {
			continue
		}
		l = ledger{}
		if err := json.Unmarshal(f.view.State, &l); err != nil {
			return err
		}
	}
	if len(l.Early) > 0 {
		return fmt.Errorf("notes of %v came before their time", l.Early)
	}
	for from, list := range l.Notes {
		c := b.owner(from)
		if c == nil {
			return fmt.Errorf("the ledger has notes %v of %s", list, from)
		}
		if strings.HasPrefix(from, "sorry ") || c.rewound {
			continue
		}
		for i, n := range list {
			if n != i+1 {
				return fmt.Errorf("the notes of %s came as %v", from, list)
			}
		}
	}
	for from, list := range l.Timed {
		slices.Sort(list)
		if c := b.owner(from); c == nil || !c.purging && len(slices.Compact(slices.Clone(list))) != len(list) {
			return fmt.Errorf("notes of %s came as %v at their times", from, list)
		}
	}
	return b.checkAcknowledged(&l)
}

// checkAcknowledged holds that what runs told the ledger before they completed is there.
func (b *Workload) checkAcknowledged(l *ledger) error {
	for _, c := range slices.Concat(b.clients, b.scheduledRuns()) {
		if c.purged || c.final.Status != durable.Completed || c.stopped {
			continue
		}
		name := fmt.Sprintf("%s/%d", c.id, c.final.Execution)
		if c.rewound {
			name = c.id + "/1" // its code does not know
		}
		notes, timed := 0, 0
		switch c.kind.workflow {
		case "transfer":
			notes = c.orders[0].Notes
		case "reminder":
			timed = c.n
		}
		if len(l.Notes[name]) < notes || len(l.Timed[name]) < timed {
			return fmt.Errorf("%s told the ledger %d things and %d at a time; it has %v and %v", name, notes, timed, l.Notes[name], l.Timed[name])
		}
	}
	return nil
}

// checkResults holds that runs which nobody stopped came to what their code says.
func (b *Workload) checkResults() error {
	for _, c := range slices.Concat(b.clients, b.scheduledRuns()) {
		v := c.final
		if c.purged {
			continue
		}
		if v.Status == durable.Completed {
			if err := b.checkResult(c); err != nil {
				return fmt.Errorf("%s came to %s: %w", c.id, v.Output, err)
			}
			continue
		}
		left := v.Status == durable.Failed && b.keeper(c.id) != nil && slices.ContainsFunc(c.orders, func(o order) bool { return o.Doom != 0 })
		if !c.stopped && !left { // nobody rewinds what a schedule started
			return fmt.Errorf("nobody stopped %s, which ended as %s", c.id, sight(v))
		}
	}
	return nil
}

func (b *Workload) checkResult(c *client) error {
	var text string
	var texts []string
	var numbers []int
	into := map[string]any{"transfer": &text, "errand": &texts, "teller": &numbers, "relay": &numbers, "reminder": &numbers}[c.kind.workflow]
	if into == nil {
		return b.checkAudit(c)
	}
	if err := json.Unmarshal(c.final.Output, into); err != nil {
		return err
	}
	want := c.n
	switch c.kind.workflow {
	case "transfer":
		texts = []string{text}
		want = 1
	case "errand":
		want = len(c.orders)
	case "teller":
		want = len(c.orders)
	}
	if len(texts)+len(numbers) != want {
		return fmt.Errorf("want %d things", want)
	}
	for _, t := range texts {
		if t != moved && t != refused {
			return fmt.Errorf("a transfer is %q", t)
		}
	}
	for i, n := range numbers {
		if c.kind.workflow != "reminder" && n != i+1 {
			return fmt.Errorf("want 1 to %d", want)
		}
	}
	if c.kind.workflow == "transfer" && !c.stopped && !c.rewound {
		return b.checkMoved(c, text)
	}
	return nil
}

// checkMoved holds that a transfer did what it says.
func (b *Workload) checkMoved(c *client, how string) error {
	count := 0
	last := make(map[string]account)
	for _, f := range b.film.frames {
		var a account
		if name, _, _ := durable.SplitEntity(f.target); name == accounts.Name() && f.view.State != nil {
			if err := json.Unmarshal(f.view.State, &a); err != nil {
				return err
			}
			last[f.target] = a
		}
	}
	for _, a := range last {
		for id := range a.Moved {
			if strings.HasPrefix(id, c.id+"/") {
				count++
			}
		}
	}
	if want := map[string]int{moved: 1 + len(c.orders[0].To), refused: 0}[how]; count != want {
		return fmt.Errorf("it made %d movements, want %d", count, want)
	}
	return nil
}

// checkAudit holds that an audit saw no transfer in the middle.
func (b *Workload) checkAudit(c *client) error {
	var all []account
	if err := json.Unmarshal(c.final.Output, &all); err != nil {
		return err
	}
	half := make(map[string]int64)
	for _, a := range all {
		for id, cents := range a.Moved {
			work := id[:strings.LastIndex(id, " to ")+1]
			if work == "" {
				work = strings.TrimSuffix(id, "from")
			}
			half[work] += cents
		}
	}
	delete(half, opening)
	for work, cents := range half {
		if o := b.owner(work); cents != 0 && (o == nil || !o.stopped && !doom(o.orders)) {
			return fmt.Errorf("it saw %s without %d cents", work, cents)
		}
	}
	return nil
}
