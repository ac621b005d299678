// Command shuffle is the function shuffle of the word count, as a Lambda binary.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/weftworks/weft/examples/wordcount/mapreduce"
)

func main() { lambda.Start(mapreduce.Shuffle) }
