// Package hosted is the runtime as a deployed function has it: the datastore, the platform, the application and the
// function's code are what the environment says. cmd/weft-function is its Main; a Go function that has the runtime
// linked in calls Start where it called lambda.Start:
//
//	func main() { hosted.Start(handle) }
//
// The environment, which package deploy writes and anybody else may:
//
//	WEFT_FUNCTION     name of the function in the application; $AWS_LAMBDA_FUNCTION_NAME or $K_SERVICE without WEFT_PREFIX
//	WEFT_APP          directory of the application's instructions; weft in $LAMBDA_TASK_ROOT, or in the working directory
//	WEFT_ENTRY        true: events that are no requests begin runs here; true at the application's start
//	WEFT_RUN_TIMEOUT  how long such a run may take, like 1h30m; what the application says
//	WEFT_KEEP         how long records and results are kept after their last write; 168h
//	WEFT_REDELIVERIES how often a request that the platform gave up is given to it again before that fails the function; 0
//	WEFT_CODE         what runs the code, JSON of wrapper.Code; the command that the program is called with, else nothing
//	WEFT_PREFIX       what the platform's names of functions have before those of the application
//
// The datastore is the first of these that is set:
//
//	WEFT_TABLE        a table of DynamoDB, where the AWS SDK's own variables say
//	WEFT_COLLECTION   a collection of Firestore, in the database WEFT_DATABASE (or the default one) of WEFT_PROJECT (or
//	                  $GOOGLE_CLOUD_PROJECT)
//	WEFT_STORE        "http://host:port" of a store of Weft's that another process has open, whose token is in WEFT_TOKEN
//
// The platform likewise:
//
//	WEFT_QUEUE        the URL of an SQS queue for what has to wait; functions are invoked on AWS Lambda
//	WEFT_TASKS        a Cloud Tasks queue, projects/P/locations/L/queues/Q; functions are invoked by HTTP, at the URLs of
//	                  WEFT_TARGETS ({"function": "https://…"}), in the name of WEFT_SERVICE_ACCOUNT
//	                  (CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDTASKS says where Cloud Tasks is, if not at Google's)
//	WEFT_PLATFORM     "http://host:port" of a Lambda endpoint of Weft's (faas/lambdaapi)
//
// Of HTTP functions: PORT is where deliveries come in, WEFT_TIMEOUT how long the platform waits for one.
package hosted
