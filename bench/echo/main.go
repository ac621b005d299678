// Command echo is the benchmark's trivial Lambda function: it answers its input.
package main

import (
	"encoding/json"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(in json.RawMessage) (json.RawMessage, error) { return in, nil })
}
