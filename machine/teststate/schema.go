package teststate

import (
	"strings"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/machine/teststate/serviceapi"
)

// serviceIDs are the ids of services that optimised integrations call by another name.
var serviceIDs = map[string]string{
	"states": "sfn", "events": "eventbridge", "elasticmapreduce": "emr", "emr-containers": "emrcontainers",
	"emr-serverless": "emrserverless", "bedrock": "bedrockruntime",
}

// polled are the actions whose answers complete a task that waits for a job (.sync).
var polled = map[string]string{
	"states:startExecution": "describeExecution", "glue:startJobRun": "getJobRun", "batch:submitJob": "describeJobs",
	"codebuild:startBuild": "batchGetBuilds", "ecs:runTask": "describeTasks", "athena:startQueryExecution": "getQueryExecution",
}

// checkAnswer compares a mocked result with what the API of the Task's service says of it. Functions and activities have
// no such API, and what completes a task token is anything.
func (m *Mock) checkAnswer(st *asl.State, result any) error {
	service, action, ok := apiOf(&st.Task.Target)
	if !ok || m.Mode == None {
		return nil
	}
	if o, isObject := result.(*jsonvalue.Object); isObject && service == "lambda" && action == "invoke" && st.Task.Target.ResourceType == "lambda" {
		result = o.Without("Payload") // which this integration parses, so it can be anything
	}
	if _, isObject := result.(*jsonvalue.Object); !isObject {
		return invalid("Mocked result must be a JSON object.")
	}
	if err := serviceapi.Check(service, action, result, m.Mode == Strict); err != nil {
		return invalid("Mock result schema validation error: %v", err)
	}
	return nil
}

// apiOf returns the service and the action whose answer is the Task's result; false when there is none.
func apiOf(t *asl.Target) (service, action string, ok bool) {
	if t.ResourceType == "" || t.WaitForToken {
		return "", "", false
	}
	action, pattern, _ := strings.Cut(t.Resource, ".")
	action, _, _ = strings.Cut(action, ":")
	if pattern != "" {
		if action, ok = polled[t.ResourceType+":"+action]; !ok {
			return "", "", false
		}
	}
	service = t.ResourceType
	if id, sdk := strings.CutPrefix(service, "aws-sdk:"); sdk {
		return id, action, true
	}
	if id := serviceIDs[service]; id != "" {
		service = id
	}
	return service, action, service != "apigateway" && service != "http" && service != "eks"
}
