package lambdaapi_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"go.uber.org/goleak"
)

// TestMain makes the test binary a Lambda bootstrap where a function's environment asks for it.
func TestMain(m *testing.M) {
	if os.Getenv("WEFT_TEST_BOOTSTRAP") != "" {
		awslambda.Start(func(_ context.Context, in json.RawMessage) (any, error) {
			return map[string]any{"got": in, "handler": os.Getenv("_HANDLER"), "memory": os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")}, nil
		})
	}
	goleak.VerifyTestMain(m)
}
