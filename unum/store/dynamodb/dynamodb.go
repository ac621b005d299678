// Package dynamodb keeps the records and blobs of runs in a table of Amazon DynamoDB, through the AWS SDK.
//
// One table, on demand, with a partition key p and a sort key k. The keys of one run are spread over a few partitions, so
// that a wide fan-out is not bound by what one partition takes (1,000 writes of 1 KB a second), and can still be
// listed with a few queries. Attributes have names of one letter: they count as bytes of the item.
//
//	p  run and shard              n  nonce       m  members (a set of strings)
//	k  the key                    s  step        f  the member that failed
//	v  value, or bytes of a blob  w  width       e  ended
//	x  expires, the table's TTL   c  chunks of a blob that does not fit into one item
//
// Every operation but reads and deletes of many keys is one request: conditional writes that lose get what is there with
// the refusal (ReturnValuesOnConditionCheckFailure), and an Add gets the whole record after it. A server that does not
// return what is there, as dynalite does not, is asked for it with a read, which is then not of the same moment.
//
//	s := dynamodb.New(dynamodb.Config{Client: client, Table: "app"})
//	err := s.EnsureTable(ctx)
package dynamodb

import (
	"context"
	"errors"
	"hash/fnv"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/backoff"
	"github.com/weftworks/weft/unum/store/ratchet"
)

// Config says where the table is.
type Config struct {
	// Client talks to DynamoDB. What it would repeat the store repeats itself.
	Client *dynamodb.Client
	// Table is its name.
	Table string
	// Consumed, if set, is told what requests have consumed, in capacity units, as the server says: op is the request's
	// name in DynamoDB. It does not say for writes whose condition failed, which consume as much as others. It is called
	// from many goroutines.
	Consumed func(op string, units float64)
}

// Store is a table. It is safe for concurrent use.
type Store struct {
	cfg Config
	// tells is set once the server has returned what is there with a refusal: from then on a refusal without it means that
	// nothing is there.
	tells atomic.Bool
}

var (
	_ unum.Store  = (*Store)(nil)
	_ unum.Lister = (*Store)(nil)
)

// New returns the store in a table, which must be there when it is used: see EnsureTable.
func New(cfg Config) *Store { return &Store{cfg: cfg} }

// The conditions of writes.
const (
	isFree    = "attribute_not_exists(p)"
	isAt      = "n = :n AND s = :s AND attribute_not_exists(e)"
	addMember = "ADD m :m"
	addFailed = "ADD m :m SET f = if_not_exists(f, :f)"
)

// shards is over how many partitions the keys of one run are spread.
const shards = 8

// address returns where a record is; blobs are beside.
func address(key string) map[string]types.AttributeValue { return at(partition(key, " "), key) }

func at(partition, key string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"p": text(partition), "k": text(key)}
}

// partition returns the partition of a key. Keys have no spaces, so that kinds, which begin with one, keep apart.
func partition(key, kind string) string {
	h := fnv.New32a()
	h.Write([]byte(key)) //nolint:errcheck // it never fails
	return runOf(key) + kind + strconv.Itoa(int(h.Sum32()%shards))
}

func runOf(key string) string {
	run, _, _ := strings.Cut(key, "/")
	return run
}

// Get implements unum.Store.
func (s *Store) Get(ctx context.Context, keys []string) ([]*unum.Record, error) {
	if err := ratchet.CheckKeys("Get", keys...); err != nil {
		return nil, err
	}
	recs := make([]*unum.Record, len(keys))
	if len(keys) == 1 {
		item, err := s.getItem(ctx, "Get", keys[0], address(keys[0]))
		if err == nil && item != nil {
			recs[0], err = decode(keys[0], item)
		}
		return recs, err
	}
	where := make(map[string][]int, len(keys)) // requests must not name an item twice
	var addresses []map[string]types.AttributeValue
	for i, key := range keys {
		if where[key] = append(where[key], i); len(where[key]) == 1 {
			addresses = append(addresses, address(key))
		}
	}
	items, err := s.batchGet(ctx, "Get", addresses, getKeys)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		key := textOf(item["k"])
		for _, i := range where[key] {
			if recs[i], err = decode(key, item); err != nil {
				return nil, err
			}
		}
	}
	return recs, nil
}

// Create implements unum.Store.
func (s *Store) Create(ctx context.Context, key string, rec *unum.Record) (*unum.Record, bool, error) {
	if err := ratchet.CheckRecord("Create", key, rec); err != nil {
		return nil, false, err
	}
	for range backoff.Attempts { // more than once only where what was in the way has gone when it is read
		unsure, err := s.put(ctx, "Create", key, rec, isFree, nil)
		if err == nil {
			return nil, true, nil
		}
		cur, err := s.loser(ctx, "Create", key, err, true)
		if err != nil {
			return nil, false, err
		}
		if cur != nil {
			mine := unsure && ratchet.Equal(cur, rec) // put by a request that we have not heard of
			return cur, mine, nil
		}
	}
	return nil, false, gaveUp("Create", key, errors.New("the record comes and goes"))
}

// Advance implements unum.Store.
func (s *Store) Advance(ctx context.Context, key, nonce string, from int64, rec *unum.Record) (*unum.Record, bool, error) {
	if err := ratchet.CheckRecord("Advance", key, rec); err != nil {
		return nil, false, err
	}
	_, err := s.put(ctx, "Advance", key, rec, isAt, map[string]types.AttributeValue{":n": text(nonce), ":s": number(from)})
	if err == nil {
		return nil, true, nil
	}
	cur, err := s.loser(ctx, "Advance", key, err, false)
	return cur, false, err
}

// put puts a record on a condition. unsure says that it may have been put by a request before the last.
func (s *Store) put(ctx context.Context, op, key string, rec *unum.Record, condition string, values map[string]types.AttributeValue) (unsure bool, err error) {
	out, unsure, err := call(ctx, s, op, key, s.cfg.Client.PutItem, &dynamodb.PutItemInput{
		TableName: &s.cfg.Table, Item: encode(key, rec), ConditionExpression: aws.String(condition), ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld, ReturnConsumedCapacity: s.wanted(),
	})
	if err == nil {
		s.consumed("PutItem", out.ConsumedCapacity)
	}
	return unsure, err
}

// Add implements unum.Store.
func (s *Store) Add(ctx context.Context, key, nonce string, step int64, member string, failed bool) (*unum.Record, bool, error) {
	err := ratchet.CheckKeys("Add", key)
	if err == nil {
		err = ratchet.CheckMember("Add", key, member)
	}
	if err != nil {
		return nil, false, err
	}
	in := &dynamodb.UpdateItemInput{
		TableName: &s.cfg.Table, Key: address(key), UpdateExpression: aws.String(addMember), ConditionExpression: aws.String(isAt),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":n": text(nonce), ":s": number(step), ":m": &types.AttributeValueMemberSS{Value: []string{member}},
		},
		ReturnValues: types.ReturnValueAllNew, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ReturnConsumedCapacity: s.wanted(),
	}
	if failed {
		in.UpdateExpression = aws.String(addFailed)
		in.ExpressionAttributeValues[":f"] = text(member)
	}
	out, _, err := call(ctx, s, "Add", key, s.cfg.Client.UpdateItem, in)
	if err != nil {
		cur, err := s.loser(ctx, "Add", key, err, false)
		return cur, false, err
	}
	s.consumed("UpdateItem", out.ConsumedCapacity)
	cur, err := decode(key, out.Attributes)
	return cur, err == nil, err
}

// loser returns what is there when err is that a condition failed; otherwise err. exists: something was there.
func (s *Store) loser(ctx context.Context, op, key string, err error, exists bool) (*unum.Record, error) {
	var refused *types.ConditionalCheckFailedException
	if !errors.As(err, &refused) {
		return nil, err
	}
	if len(refused.Item) > 0 {
		s.tells.Store(true)
		return decode(key, refused.Item)
	}
	if !exists && s.tells.Load() {
		return nil, nil
	}
	item, err := s.getItem(ctx, op, key, address(key))
	if err != nil || item == nil {
		return nil, err
	}
	return decode(key, item)
}

// getItem reads one item; nil: there is none.
func (s *Store) getItem(ctx context.Context, op, key string, where map[string]types.AttributeValue) (map[string]types.AttributeValue, error) {
	out, _, err := call(ctx, s, op, key, s.cfg.Client.GetItem, &dynamodb.GetItemInput{
		TableName: &s.cfg.Table, Key: where, ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: s.wanted(),
	})
	if err != nil {
		return nil, err
	}
	s.consumed("GetItem", out.ConsumedCapacity)
	if len(out.Item) == 0 {
		return nil, nil
	}
	return out.Item, nil
}

// Delete implements unum.Store.
func (s *Store) Delete(ctx context.Context, keys []string) error {
	if err := ratchet.CheckKeys("Delete", keys...); err != nil {
		return err
	}
	seen := make(map[string]bool, len(keys))
	var addresses []map[string]types.AttributeValue
	for _, key := range keys {
		if !seen[key] {
			seen[key] = true
			addresses = append(addresses, address(key))
		}
	}
	return s.batchDelete(ctx, "Delete", addresses)
}

// wanted is what requests ask to be told of what they consume.
func (s *Store) wanted() types.ReturnConsumedCapacity {
	if s.cfg.Consumed == nil {
		return ""
	}
	return types.ReturnConsumedCapacityTotal
}

func (s *Store) consumed(op string, capacities ...*types.ConsumedCapacity) {
	if s.cfg.Consumed == nil {
		return
	}
	for _, c := range capacities {
		if c != nil {
			s.cfg.Consumed(op, aws.ToFloat64(c.CapacityUnits))
		}
	}
}
