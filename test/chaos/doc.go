// Package chaos runs text processing (examples/text) without an orchestrator where everything goes wrong: executions crash
// before and after every operation on the datastore and the platform, requests are delivered twice, functions are
// throttled. The clients are Amazon's own; DynamoDB is dynalite, Lambda and SQS are Weft's local endpoints.
//
//	make chaos RUNS=10000
package chaos
