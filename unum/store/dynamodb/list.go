package dynamodb

import (
	"context"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Keys implements unum.Lister. With a prefix of one run ("run/…") it asks for that run's items only; otherwise it reads the
// whole table, which costs as much as the table is large.
func (s *Store) Keys(ctx context.Context, prefix string, fn func(key string) bool) error {
	if !strings.Contains(prefix, "/") {
		return s.scan(ctx, prefix, fn)
	}
	for _, kind := range []string{" ", " b"} {
		for shard := range shards {
			more, err := s.query(ctx, runOf(prefix)+kind+strconv.Itoa(shard), prefix, fn)
			if err != nil || !more {
				return err
			}
		}
	}
	return nil
}

// query calls fn for the keys in a partition; more is false when it wants no more.
func (s *Store) query(ctx context.Context, partition, prefix string, fn func(key string) bool) (more bool, err error) {
	in := &dynamodb.QueryInput{
		TableName: &s.cfg.Table, ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: s.wanted(), ProjectionExpression: aws.String("k"),
		KeyConditionExpression:    aws.String("p = :p AND begins_with(k, :k)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":p": text(partition), ":k": text(prefix)},
	}
	for {
		out, _, err := call(ctx, s, "Keys", prefix, s.cfg.Client.Query, in)
		if err != nil {
			return false, err
		}
		s.consumed("Query", out.ConsumedCapacity)
		if !tell(out.Items, fn) {
			return false, nil
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return true, nil
		}
	}
}

func (s *Store) scan(ctx context.Context, prefix string, fn func(key string) bool) error {
	in := &dynamodb.ScanInput{TableName: &s.cfg.Table, ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: s.wanted(), ProjectionExpression: aws.String("k")}
	if prefix != "" {
		in.FilterExpression = aws.String("begins_with(k, :k)")
		in.ExpressionAttributeValues = map[string]types.AttributeValue{":k": text(prefix)}
	}
	for {
		out, _, err := call(ctx, s, "Keys", prefix, s.cfg.Client.Scan, in)
		if err != nil {
			return err
		}
		s.consumed("Scan", out.ConsumedCapacity)
		if !tell(out.Items, fn) {
			return nil
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return nil
		}
	}
}

// tell calls fn for the keys of items; false: it wants no more.
func tell(items []map[string]types.AttributeValue, fn func(key string) bool) bool {
	for _, item := range items {
		if !fn(textOf(item["k"])) {
			return false
		}
	}
	return true
}
