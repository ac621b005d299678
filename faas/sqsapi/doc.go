// Package sqsapi is queues in memory behind the JSON protocol of Amazon SQS, for clients that know no other: the AWS
// SDKs and the AWS CLI with their endpoint set to it. Messages have delays, visibility time-outs and dead-letter
// queues; there are no FIFO queues. faas/lambdaapi takes messages from it for functions.
//
//	queues := sqsapi.New(sqsapi.Config{})
//	err := http.Serve(listener, queues)
//
// Signatures are not looked at: serve it on a loopback address.
//
// Source: AWS, Amazon SQS API Reference.
package sqsapi
