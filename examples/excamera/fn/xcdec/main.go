// Command xcdec is the function xcdec of ExCamera, as a Lambda binary.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/weftworks/weft/examples/excamera/video"
)

func main() { lambda.Start(video.Xcdec) }
