package dynamodb

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/weftworks/weft/unum/store/backoff"
)

// How much one request takes. What the server does not get to, by its own bounds (16 MB an answer) or because it is
// throttled, it gives back and is asked for again.
const (
	getKeys    = 100
	getBlobs   = 40 // chunks, which are at most 16 MB together
	deleteKeys = 25
	// parallel bounds the requests that one operation has under way.
	parallel = 16
)

// each calls fn for 0 to n-1, some at a time, until one fails.
func each(ctx context.Context, n int, fn func(ctx context.Context, i int) error) error {
	if n == 1 {
		return fn(ctx, 0)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return
			}
			if err := fn(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// pages returns how many pages n things make, and the bounds of the i-th.
func pages(n, size int) (count int, bounds func(i int) (from, to int)) {
	return (n + size - 1) / size, func(i int) (int, int) { return i * size, min((i+1)*size, n) }
}

// batchGet reads the items at distinct addresses, in no order.
func (s *Store) batchGet(ctx context.Context, op string, addresses []map[string]types.AttributeValue, size int) (items []map[string]types.AttributeValue, err error) {
	if len(addresses) == 0 {
		return nil, ctx.Err()
	}
	var mu sync.Mutex
	count, bounds := pages(len(addresses), size)
	err = each(ctx, count, func(ctx context.Context, i int) error {
		from, to := bounds(i)
		return s.getPage(ctx, op, addresses[from:to], func(page []map[string]types.AttributeValue) {
			mu.Lock()
			defer mu.Unlock()
			items = append(items, page...)
		})
	})
	return items, err
}

// getPage reads what fits into one request, with as many as it takes.
func (s *Store) getPage(ctx context.Context, op string, addresses []map[string]types.AttributeValue, found func(page []map[string]types.AttributeValue)) error {
	in := &dynamodb.BatchGetItemInput{ReturnConsumedCapacity: s.wanted()}
	return s.untilAll(ctx, op, textOf(addresses[0]["k"]), len(addresses), func() (left int, err error) {
		in.RequestItems = map[string]types.KeysAndAttributes{s.cfg.Table: {Keys: addresses, ConsistentRead: aws.Bool(true)}}
		out, _, err := call(ctx, s, op, textOf(addresses[0]["k"]), s.cfg.Client.BatchGetItem, in)
		if err != nil {
			return 0, err
		}
		s.consumed("BatchGetItem", pointers(out.ConsumedCapacity)...)
		found(out.Responses[s.cfg.Table])
		addresses = out.UnprocessedKeys[s.cfg.Table].Keys
		return len(addresses), nil
	})
}

// batchDelete deletes the items at distinct addresses.
func (s *Store) batchDelete(ctx context.Context, op string, addresses []map[string]types.AttributeValue) error {
	switch len(addresses) {
	case 0:
		return ctx.Err()
	case 1:
		out, _, err := call(ctx, s, op, textOf(addresses[0]["k"]), s.cfg.Client.DeleteItem, &dynamodb.DeleteItemInput{
			TableName: &s.cfg.Table, Key: addresses[0], ReturnConsumedCapacity: s.wanted(),
		})
		if err == nil {
			s.consumed("DeleteItem", out.ConsumedCapacity)
		}
		return err
	}
	count, bounds := pages(len(addresses), deleteKeys)
	return each(ctx, count, func(ctx context.Context, i int) error {
		from, to := bounds(i)
		return s.deletePage(ctx, op, addresses[from:to])
	})
}

func (s *Store) deletePage(ctx context.Context, op string, addresses []map[string]types.AttributeValue) error {
	var writes []types.WriteRequest
	for _, a := range addresses {
		writes = append(writes, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: a}})
	}
	key := textOf(addresses[0]["k"])
	return s.untilAll(ctx, op, key, len(writes), func() (left int, err error) {
		out, _, err := call(ctx, s, op, key, s.cfg.Client.BatchWriteItem, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{s.cfg.Table: writes}, ReturnConsumedCapacity: s.wanted(),
		})
		if err != nil {
			return 0, err
		}
		s.consumed("BatchWriteItem", pointers(out.ConsumedCapacity)...)
		writes = out.UnprocessedItems[s.cfg.Table]
		return len(writes), nil
	})
}

// untilAll calls do, which returns how many of total are left, until none are, with pauses. It gives up when do has got
// nowhere for as many times as a request is attempted.
func (s *Store) untilAll(ctx context.Context, op, key string, total int, do func() (left int, err error)) error {
	for n := 1; ; n++ {
		left, err := do()
		if err != nil || left == 0 {
			return err
		}
		if left < total {
			n = 1
		}
		if total = left; n == backoff.Attempts {
			return gaveUp(op, key, &types.ProvisionedThroughputExceededException{Message: aws.String("the server gets to none of the keys")})
		}
		if err := backoff.Pause(ctx, n); err != nil {
			return err
		}
	}
}

func pointers(all []types.ConsumedCapacity) (p []*types.ConsumedCapacity) {
	for i := range all {
		p = append(p, &all[i])
	}
	return p
}
