package bank

import (
	"context"
	"fmt"
	"testing"

	"github.com/weftworks/weft/bench/mode/modetest"
	"github.com/weftworks/weft/bench/workload"
)

func TestAccountsAreInDifferentPartitions(t *testing.T) {
	t.Parallel()
	for n := range pairs {
		if o := pair(n); place(o.From) == place(o.To) {
			t.Errorf("%v are both in partition %d", o, place(o.From))
		}
	}
}

func TestMoneyIsConserved(t *testing.T) {
	t.Parallel()
	w := New()
	do := w.Do
	w.Do = func(ctx context.Context, s workload.System, n int) error { return do(ctx, s, n%2) } // transfers that wait for each other
	modetest.Check(t, 6, func(ctx context.Context, s workload.System) (seen string, err error) {
		for n := range 2 {
			o := pair(n)
			for _, key := range []string{o.From, o.To} {
				a, err := workload.State(ctx, s, account, key)
				if err != nil {
					return "", err
				}
				seen += fmt.Sprintln(key, a.Balance)
			}
			if a, _ := workload.State(ctx, s, account, o.From); a.Balance != -3*amount {
				return "", fmt.Errorf("%s has %d after three transfers", o.From, a.Balance)
			}
		}
		return seen, nil
	}, w)
}
