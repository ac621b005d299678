// Package bank has the Bank workload: transfers between two accounts in a critical section. As in the papers the
// accounts are always in different partitions, so that no transfer is a matter of one partition, and each transfer under way has
// accounts of its own.
package bank

import (
	"context"
	"fmt"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/bench/workload"
	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow"
)

const (
	partitions = 8 // of both systems
	pairs      = 1024
	amount     = 1000
)

// Account is the state of an account.
type Account struct{ Balance int }

var (
	account = weft.Entity[Account]("account")
	read    = weft.Operation(account, "read", func(_ *weft.EntityContext, a *Account, _ int) (int, error) { return a.Balance, nil })
	change  = weft.Operation(account, "change", func(_ *weft.EntityContext, a *Account, by int) (int, error) {
		a.Balance += by
		return a.Balance, nil
	})
)

type order struct{ From, To string }

// balances are those of both accounts after a transfer.
type balances struct{ From, To int }

var transfer = weft.Workflow("transfer", func(w *weft.Flow, o order) (balances, error) {
	section, err := weft.Lock(w, account.ID(o.From), account.ID(o.To))
	if err != nil {
		return balances{}, err
	}
	defer section.Leave()
	was, err := weft.All(w, read.Start(w, o.From, 0), read.Start(w, o.To, 0))
	if err != nil {
		return balances{}, err
	}
	is, err := weft.All(w, change.Start(w, o.From, -amount), change.Start(w, o.To, amount))
	if err != nil {
		return balances{}, err
	}
	if was[0]-amount != is[0] || was[1]+amount != is[1] {
		return balances{}, fmt.Errorf("the accounts %v became %v within a critical section", was, is)
	}
	return balances{is[0], is[1]}, nil
})

// place returns the partition of an account.
func place(key string) partition.ID {
	return partition.Place(workflow.EntityInstance(durable.EntityTarget(account.Name(), key)), partitions)
}

// pair returns two accounts in different partitions.
func pair(n int) order {
	o := order{From: fmt.Sprintf("src-%d", n%pairs)}
	for i := 0; ; i++ {
		if o.To = fmt.Sprintf("dst-%d.%d", n%pairs, i); place(o.To) != place(o.From) {
			return o
		}
	}
}

// New returns the workload.
func New() *workload.Workload {
	return &workload.Workload{
		Name: "bank", About: "Bank: transfers between two accounts in different partitions, in a critical section",
		Declared: []weft.Declaration{account, transfer}, Unit: "transactions", Units: 1, Outstanding: 256, Rate: 25, Delayed: true,
		Do: func(ctx context.Context, s workload.System, n int) error {
			got, err := workload.Run(ctx, s, transfer, pair(n))
			if err != nil {
				return err
			}
			return workload.Want("the sum of both accounts", got.From+got.To, 0)
		},
	}
}
