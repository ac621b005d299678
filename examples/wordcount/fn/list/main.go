// Command list is the function list of the word count, as a Lambda binary.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/weftworks/weft/examples/wordcount/mapreduce"
)

func main() { lambda.Start(mapreduce.List) }
