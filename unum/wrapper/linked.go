package wrapper

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/weftworks/weft/engine/function"
)

// Linked is the front of a Go function that has the runtime in it, instead of a process before it. handler is what
// lambda.Start takes; what comes back is to be given to lambda.Start, or to a test:
//
//	lambda.Start(wrapper.Linked(config, handle))
//
// config.Code is handler, whatever it was. Code that runs past its time is left behind, not killed: it should heed the end of
// its context.
func Linked(config Config, handler any) lambda.Handler {
	l := &linked{Config: config, handler: lambda.NewHandler(handler)}
	l.Code = function.Go(func(ctx context.Context, input []byte) ([]byte, error) {
		out, err := l.handler.Invoke(ctx, input)
		return out, typed(err)
	})
	return l
}

type linked struct {
	Config
	handler lambda.Handler
}

// Invoke implements lambda.Handler.
func (l *linked) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	d := &delivery{payload: payload}
	if platform, ok := lambdacontext.FromContext(ctx); ok {
		d.id = platform.AwsRequestID
	}
	d.deadline, _ = ctx.Deadline()
	answer, taken, err := l.handle(ctx, d)
	if !taken {
		return l.handler.Invoke(ctx, payload)
	}
	return answer, err
}

// typed keeps the name and the document of an error that says itself how Lambda is to tell it.
func typed(err error) error {
	var own messages.InvokeResponse_Error
	if !errors.As(err, &own) {
		return err
	}
	cause, bad := json.Marshal(own)
	if bad != nil {
		return err
	}
	return function.Posted(cause, own.Type)
}
