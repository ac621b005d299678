// Echo is a Lambda function written with aws-lambda-go and nothing of Weft's.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type request struct {
	Do string
	N  int
}

type cardRefused struct{}

func (cardRefused) Error() string { return "no money" }

func handle(ctx context.Context, in request) (any, error) {
	fmt.Println("doing", in.Do, in.N)
	switch in.Do {
	case "fail":
		return nil, cardRefused{}
	case "panic":
		panic(errors.New("out of luck"))
	case "sleep":
		time.Sleep(time.Hour)
	case "context":
		c, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return map[string]any{
			"id": c.AwsRequestID, "arn": c.InvokedFunctionArn, "custom": c.ClientContext.Custom,
			"name": lambdacontext.FunctionName, "memory": lambdacontext.MemoryLimitInMB, "version": lambdacontext.FunctionVersion,
			"left_s": int(time.Until(deadline).Round(time.Second).Seconds()), "extra": os.Getenv("EXTRA"), "tz": time.Local.String(),
		}, nil
	}
	return map[string]any{"n": in.N + 1, "pid": os.Getpid()}, nil
}

func main() {
	if os.Getenv("WANTS_SIGTERM") != "" {
		lambda.StartWithOptions(handle, lambda.WithEnableSIGTERM(func() { _ = os.WriteFile(os.Getenv("WANTS_SIGTERM"), []byte("bye"), 0o600) }))
	}
	lambda.Start(handle)
}
