package dynamodb

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/store/backoff"
)

// attemptMost bounds one attempt, since a connection can be dead without anybody being told.
const attemptMost = 10 * time.Second

// call makes a request, again and again when it is throttled or fails in passing. unsure says that one before the last
// may have been carried out. Failed conditions stay what they are, contexts' errors too; all else becomes a fault.
func call[I, O any](ctx context.Context, s *Store, op, key string, do func(context.Context, *I, ...func(*dynamodb.Options)) (*O, error), in *I) (out *O, unsure bool, err error) {
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return nil, unsure, err
		}
		attempt, cancel := context.WithTimeout(ctx, attemptMost)
		out, err = do(attempt, in, once)
		cancel()
		if err == nil {
			return out, unsure, nil
		}
		if ctx.Err() != nil {
			return nil, unsure, ctx.Err()
		}
		var refused *types.ConditionalCheckFailedException
		if errors.As(err, &refused) {
			return nil, unsure, err
		}
		throttled, passing := classify(err)
		if !passing {
			return nil, unsure, failed(op, key, err)
		}
		unsure = unsure || !throttled
		if n == backoff.Attempts {
			return nil, unsure, gaveUp(op, key, err)
		}
		if err := backoff.Pause(ctx, n); err != nil {
			return nil, unsure, err
		}
	}
}

// once has the SDK try once.
func once(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} }

var (
	throttles  = retry.IsErrorThrottles(retry.DefaultThrottles)
	retryables = retry.IsErrorRetryables(retry.DefaultRetryables)
)

// classify says whether a request was throttled, and whether it may go well the next time.
func classify(err error) (throttled, passing bool) {
	throttled = throttles.IsErrorThrottle(err) == aws.TrueTernary
	passing = throttled || retryables.IsErrorRetryable(err) == aws.TrueTernary || errors.Is(err, context.DeadlineExceeded)
	return throttled, passing
}

// gaveUp is the fault of a request that was tried as often as it is.
func gaveUp(op, key string, err error) error {
	kind := fault.Unavailable
	if throttled, _ := classify(err); throttled {
		kind = fault.Busy
	}
	return fault.New(op, kind, key, "DynamoDB: gave up after %d attempts: %w", backoff.Attempts, err)
}

// failed is the fault of a request that will not go well.
func failed(op, key string, err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fault.New(op, fault.Unavailable, key, "DynamoDB: %w", err)
	}
	switch api.ErrorCode() {
	case "ResourceNotFoundException":
		return fault.New(op, fault.ResourceNotFound, key, "DynamoDB has no such table; `weft deploy` makes it: %w", err)
	case "ValidationException":
		return fault.New(op, fault.InvalidArgument, key, "DynamoDB: %w", err)
	case "AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "MissingAuthenticationTokenException":
		return fault.New(op, fault.Unauthorized, key, "DynamoDB refuses the credentials, or the role lacks a permission: %w", err)
	}
	return fault.New(op, fault.Unavailable, key, "DynamoDB: %w", err)
}
