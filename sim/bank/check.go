package bank

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weftworks/weft/sim"
)

// Check implements sim.Workload.
func (b *Bank) Check(truth *sim.Fold) error {
	if err := b.checkSeen(truth); err != nil {
		return err
	}
	if err := b.checkClients(truth); err != nil {
		return err
	}
	return b.checkMoney(truth)
}

// checkSeen holds that every state a client saw is a beginning of what happened.
func (b *Bank) checkSeen(truth *sim.Fold) error {
	for _, v := range b.seen {
		history := truth.History(v.key)
		if int64(len(history)) < v.events {
			return fmt.Errorf("a client saw %d events of %s; only %d happened", v.events, v.key, len(history))
		}
		var d uint64
		for _, e := range history[:v.events] {
			d = digest(d, e)
		}
		if d != v.digest {
			return fmt.Errorf("a client saw %s after other events than %q", v.key, history[:v.events])
		}
		if v.ended && !slices.Contains(history, "end "+v.result) {
			return fmt.Errorf("a client saw %s end with %q; its history is %q", v.key, v.result, history)
		}
	}
	return nil
}

// checkClients holds that what was acknowledged is there.
func (b *Bank) checkClients(truth *sim.Fold) error {
	for _, c := range b.transfers {
		if !c.acked {
			continue
		}
		history := truth.History(c.key)
		if len(history) == 0 {
			return fmt.Errorf("%s was acknowledged and never happened", c.key)
		}
		for _, n := range c.signalled {
			if !slices.Contains(history, fmt.Sprintf("signal %d", n)) {
				return fmt.Errorf("signal %d to %s was acknowledged and never happened", n, c.key)
			}
		}
	}
	return nil
}

// checkMoney holds that every transfer ended, once, that accounts saw of it what it says, and that no money was made or
// lost.
func (b *Bank) checkMoney(truth *sim.Fold) error {
	took, gave := make(map[string]int64), make(map[string]int64)
	var sum, opened int64
	for _, key := range truth.Keys() {
		if !strings.HasPrefix(key, "account/") {
			continue
		}
		var balance int64
		for _, e := range truth.History(key) {
			var who string
			var amount int64
			var enough bool
			switch {
			case strings.HasPrefix(e, "FLAW"):
				return fmt.Errorf("%s: %s", key, e)
			case scan(e, "open %d", &balance):
				opened += balance
			case scan(e, "take %s %d %t %d", &who, &amount, &enough, &balance) && enough:
				took[who] += amount
			case scan(e, "give %s %d %d", &who, &amount, &balance):
				gave[who] += amount
			}
		}
		sum += balance
	}
	if sum != opened {
		return fmt.Errorf("accounts hold %d; %d was paid in", sum, opened)
	}
	for _, key := range truth.Keys() {
		if err := checkTransfer(key, truth.History(key), took[key], gave[key]); err != nil {
			return err
		}
	}
	return nil
}

func checkTransfer(key string, history []string, took, gave int64) error {
	if !strings.HasPrefix(key, "transfer/") {
		return nil
	}
	var from, to, how, policy string
	var amount int64
	if !scan(history[0], "start %s %s %d", &from, &to, &amount) {
		return fmt.Errorf("%s begins with %q", key, history[0])
	}
	ends := 0
	for _, e := range history {
		if strings.HasPrefix(e, "FLAW") {
			return fmt.Errorf("%s: %s", key, e)
		}
		if scan(e, "end %s %s", &how, &policy) {
			ends++
		}
	}
	if how != "moved" {
		amount = 0
	}
	if ends != 1 || took != amount || gave != amount {
		return fmt.Errorf("%s ended %d times (%s): %d was taken and %d given instead of %d; %q", key, ends, how, took, gave, amount, history)
	}
	return nil
}

func scan(event, format string, into ...any) bool {
	n, err := fmt.Sscanf(event, format, into...)
	return n == len(into) && (err == nil || n == len(into))
}
