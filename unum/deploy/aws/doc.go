// Package aws deploys applications to Lambda, DynamoDB and SQS, by the AWS SDK. Where those are, and who asks, the SDK's
// configuration says as everywhere: AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL and their like.
//
//	role       the functions' role       policy    what it may do: exactly what the runtime does, on exactly these resources
//	table      records and blobs         queue     requests that have to wait
//	layer      the runtime               function  one for each of the application, one without code for what waits and fails
//	events     how often a function is tried again, and who is told when it is given up
//	mapping    what hands the queue's messages to the function without code
package aws
