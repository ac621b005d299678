package dynamodb

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/store/backoff"
)

// TTLAttribute is the attribute with an item's time to live, in Unix seconds.
const TTLAttribute = "x"

// Permissions are the actions that functions need on the table.
var Permissions = []string{
	"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem",
}

// TableInput describes a table as CreateTable wants it, for those who make it by other means too. Its time to live is set
// apart: see TTLAttribute.
func TableInput(name string) *dynamodb.CreateTableInput {
	return &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("p"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("k"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("p"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("k"), KeyType: types.KeyTypeRange},
		},
	}
}

// EnsureTable makes the table, with its time to live, if it is not there, and returns when it can be used. A server without
// time to live, as dynalite is, keeps what expires.
func (s *Store) EnsureTable(ctx context.Context) error {
	const op = "EnsureTable"
	want := TableInput(s.cfg.Table)
	_, _, err := call(ctx, s, op, s.cfg.Table, s.cfg.Client.CreateTable, want)
	var exists *types.ResourceInUseException
	if err != nil && !errors.As(err, &exists) {
		return err
	}
	table, err := s.settle(ctx, op, func(d *types.TableDescription) bool { return d != nil && d.TableStatus == types.TableStatusActive })
	if err != nil {
		return err
	}
	same := func(a, b types.KeySchemaElement) bool {
		return aws.ToString(a.AttributeName) == aws.ToString(b.AttributeName) && a.KeyType == b.KeyType
	}
	if !slices.EqualFunc(table.KeySchema, want.KeySchema, same) {
		return fault.New(op, fault.Conflict, s.cfg.Table, "there is a table of this name with other keys: choose another name, or remove it")
	}
	return s.ensureTTL(ctx, op)
}

func (s *Store) ensureTTL(ctx context.Context, op string) error {
	out, _, err := call(ctx, s, op, s.cfg.Table, s.cfg.Client.DescribeTimeToLive, &dynamodb.DescribeTimeToLiveInput{TableName: &s.cfg.Table})
	if err != nil {
		return ifKnown(err)
	}
	if d := out.TimeToLiveDescription; d != nil && (d.TimeToLiveStatus == types.TimeToLiveStatusEnabled || d.TimeToLiveStatus == types.TimeToLiveStatusEnabling) {
		return nil
	}
	_, _, err = call(ctx, s, op, s.cfg.Table, s.cfg.Client.UpdateTimeToLive, &dynamodb.UpdateTimeToLiveInput{
		TableName:               &s.cfg.Table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String(TTLAttribute), Enabled: aws.Bool(true)},
	})
	return ifKnown(err)
}

// ifKnown drops the error of a server that does not know an operation.
func ifKnown(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "UnknownOperationException" {
		return nil
	}
	return err
}

// DropTable removes the table with all that is in it, and returns when it has gone. A table that is not there is gone.
func (s *Store) DropTable(ctx context.Context) error {
	const op = "DropTable"
	_, _, err := call(ctx, s, op, s.cfg.Table, s.cfg.Client.DeleteTable, &dynamodb.DeleteTableInput{TableName: &s.cfg.Table})
	var missing *types.ResourceNotFoundException
	var busy *types.ResourceInUseException // it is being made or removed
	if errors.As(err, &missing) {
		return nil
	}
	if err != nil && !errors.As(err, &busy) {
		return err
	}
	_, err = s.settle(ctx, op, func(d *types.TableDescription) bool { return d == nil })
	return err
}

// settleAttempts bounds how often a table's state is asked for, with pauses of up to 2 s between: on average 4 minutes.
// Tables are made within seconds.
const settleAttempts = 250

// settle waits for a state of the table; nil: it is not there.
func (s *Store) settle(ctx context.Context, op string, done func(*types.TableDescription) bool) (*types.TableDescription, error) {
	for n := 1; n <= settleAttempts; n++ {
		var table *types.TableDescription
		out, _, err := call(ctx, s, op, s.cfg.Table, s.cfg.Client.DescribeTable, &dynamodb.DescribeTableInput{TableName: &s.cfg.Table})
		var missing *types.ResourceNotFoundException
		switch {
		case err == nil:
			table = out.Table
		case !errors.As(err, &missing):
			return nil, err
		}
		if done(table) {
			return table, nil
		}
		if err := backoff.Pause(ctx, n); err != nil {
			return nil, err
		}
	}
	return nil, fault.New(op, fault.Unavailable, s.cfg.Table, "the table did not get ready: look at it in the console, then try again")
}
