package dynamodb

import (
	"context"
	"errors"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/weftworks/weft/unum/store/ratchet"
)

// chunkBytes is how much of a blob one item holds. An item has 400 KB, and keys of up to 2 KB.
const chunkBytes = 384 << 10

// A blob of one chunk is one item, its head. The head of a larger one has only the number of its chunks, is put after
// them and deleted after them: who finds a head finds all, and who deletes again after a crash knows what there is.

func headAddress(key string) map[string]types.AttributeValue { return at(partition(key, " b"), key) }

func chunkAddress(key string, i int) map[string]types.AttributeValue {
	return at(key+" "+strconv.Itoa(i), key)
}

func chunkAddresses(key string, n int) (addresses []map[string]types.AttributeValue) {
	for i := range n {
		addresses = append(addresses, chunkAddress(key, i))
	}
	return addresses
}

// PutBlob implements unum.Store.
func (s *Store) PutBlob(ctx context.Context, key string, data []byte, expires int64) error {
	if err := ratchet.CheckBlob("PutBlob", key, data); err != nil {
		return err
	}
	head := headAddress(key)
	if count, bounds := pages(len(data), chunkBytes); count > 1 {
		err := each(ctx, count, func(ctx context.Context, i int) error {
			from, to := bounds(i)
			item := chunkAddress(key, i)
			item["v"] = &types.AttributeValueMemberB{Value: data[from:to]}
			expiring(item, expires)
			return s.putItem(ctx, key, item)
		})
		if err != nil {
			return err
		}
		head["c"] = number(int64(count))
	} else if count == 1 {
		head["v"] = &types.AttributeValueMemberB{Value: data}
	}
	expiring(head, expires)
	return s.putItem(ctx, key, head)
}

// putItem puts a part of a blob.
func (s *Store) putItem(ctx context.Context, key string, item map[string]types.AttributeValue) error {
	out, _, err := call(ctx, s, "PutBlob", key, s.cfg.Client.PutItem, &dynamodb.PutItemInput{TableName: &s.cfg.Table, Item: item, ReturnConsumedCapacity: s.wanted()})
	if err == nil {
		s.consumed("PutItem", out.ConsumedCapacity)
	}
	return err
}

// GetBlob implements unum.Store. A blob that is being deleted is not there.
func (s *Store) GetBlob(ctx context.Context, key string) ([]byte, error) {
	if err := ratchet.CheckKeys("GetBlob", key); err != nil {
		return nil, err
	}
	head, err := s.getItem(ctx, "GetBlob", key, headAddress(key))
	if err != nil {
		return nil, err
	}
	if head == nil {
		return nil, ratchet.NoBlob(key)
	}
	count := int(numberOf(head["c"]))
	if count == 0 {
		return bytesOf(head["v"]), nil
	}
	items, err := s.batchGet(ctx, "GetBlob", chunkAddresses(key, count), getBlobs)
	if err != nil {
		return nil, err
	}
	chunks, size := make(map[string][]byte, count), 0
	for _, item := range items {
		b := bytesOf(item["v"])
		chunks[textOf(item["p"])] = b
		size += len(b)
	}
	if len(chunks) < count {
		return nil, ratchet.NoBlob(key)
	}
	data := make([]byte, 0, size)
	for _, a := range chunkAddresses(key, count) {
		data = append(data, chunks[textOf(a["p"])]...)
	}
	return data, nil
}

// DeleteBlobs implements unum.Store.
func (s *Store) DeleteBlobs(ctx context.Context, keys []string) error {
	if err := ratchet.CheckKeys("DeleteBlobs", keys...); err != nil {
		return err
	}
	if len(keys) == 0 {
		return ctx.Err()
	}
	return each(ctx, len(keys), func(ctx context.Context, i int) error { return s.deleteBlob(ctx, keys[i]) })
}

// deleteBlob deletes the head, if that is all of the blob, or learns of the chunks by being refused.
func (s *Store) deleteBlob(ctx context.Context, key string) error {
	out, _, err := call(ctx, s, "DeleteBlobs", key, s.cfg.Client.DeleteItem, &dynamodb.DeleteItemInput{
		TableName: &s.cfg.Table, Key: headAddress(key), ConditionExpression: aws.String("attribute_not_exists(c)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld, ReturnConsumedCapacity: s.wanted(),
	})
	if err == nil {
		s.consumed("DeleteItem", out.ConsumedCapacity)
		return nil
	}
	var refused *types.ConditionalCheckFailedException
	if !errors.As(err, &refused) {
		return err
	}
	head := refused.Item
	if len(head) == 0 {
		if head, err = s.getItem(ctx, "DeleteBlobs", key, headAddress(key)); err != nil {
			return err
		}
	}
	if err := s.batchDelete(ctx, "DeleteBlobs", chunkAddresses(key, int(numberOf(head["c"])))); err != nil {
		return err
	}
	return s.batchDelete(ctx, "DeleteBlobs", []map[string]types.AttributeValue{headAddress(key)})
}
