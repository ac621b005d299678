package asl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// Integrations is a set of service integrations: what a Task may name with "arn:aws:states:::SERVICE:ACTION". Lambda's
// invoke is part of the language here and in no set.
type Integrations interface {
	// Supports reports whether a Task can run name ("sqs:sendMessage", "aws-sdk:s3:getObject") with a pattern: "" (the
	// answer completes the task), "waitForTaskToken", "sync" or "sync:2".
	Supports(name, pattern string) bool
	// Help says what there is instead of name and how to add what there is not, in one line for a person. "": nothing.
	Help(name string) string
}

// DescribedIntegrations are Integrations that know the parameters of some.
type DescribedIntegrations interface {
	Integrations
	// Parameters returns the names of an integration's parameters; nil: they are not known.
	Parameters(name string) []string
}

// IntegrationARN returns the resource that names an integration, without a pattern.
func IntegrationARN(name string) string { return integrationPrefix + name }

// IntegrationName undoes IntegrationARN; ok is false for text that is no such resource.
func IntegrationName(resource string) (name string, ok bool) {
	return strings.CutPrefix(resource, integrationPrefix)
}

const integrationPrefix = "arn:aws:states:::"

// IsIntegrationName reports whether name has the form "service:action" or "aws-sdk:service:action".
func IsIntegrationName(name string) bool {
	parts := strings.Split(strings.TrimPrefix(name, sdkPrefix), ":")
	return len(parts) == 2 && isIntegrationPart(parts[0]) && isIntegrationPart(parts[1])
}

const sdkPrefix = "aws-sdk:"

// isIntegrationPart allows letters, digits and '-', first a letter.
func isIntegrationPart(s string) bool {
	for i, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// AnyIntegration is the set of all names that could be integrations: for definitions that were accepted before, whatever
// has been removed since.
var AnyIntegration Integrations = anyIntegration{}

type anyIntegration struct{}

func (anyIntegration) Supports(name, _ string) bool { return IsIntegrationName(name) }
func (anyIntegration) Help(string) string           { return "" }

// AWSIntegrations is the set that Step Functions has: to read definitions which are run elsewhere. Of the AWS SDK
// integrations, which are as many as AWS has actions, only the form is checked.
var AWSIntegrations Integrations = awsIntegrations{}

type awsIntegrations struct{}

func (awsIntegrations) Supports(name, pattern string) bool {
	if strings.HasPrefix(name, sdkPrefix) {
		return IsIntegrationName(name) && (pattern == "" || pattern == "waitForTaskToken")
	}
	patterns, ok := optimised[name]
	return ok && (pattern == "" || slices.Contains(strings.Fields(patterns), pattern))
}

func (awsIntegrations) Help(string) string { return "" }

// optimised are the optimised integrations of Step Functions with their patterns beside request-response (developer
// guide, "Integrating optimized services").
var optimised = map[string]string{
	"apigateway:invoke":           "waitForTaskToken",
	"athena:getQueryExecution":    "",
	"athena:getQueryResults":      "",
	"athena:startQueryExecution":  "sync",
	"athena:stopQueryExecution":   "",
	"batch:submitJob":             "sync",
	"bedrock:invokeModel":         "",
	"codebuild:batchDeleteBuilds": "", "codebuild:batchGetReports": "",
	"codebuild:startBuild": "sync", "codebuild:startBuildBatch": "sync",
	"codebuild:stopBuild": "", "codebuild:stopBuildBatch": "",
	"databrew:startJobRun": "sync",
	"dynamodb:deleteItem":  "", "dynamodb:getItem": "", "dynamodb:putItem": "", "dynamodb:updateItem": "",
	"bedrock:createModelCustomizationJob": "sync",
	"ecs:runTask":                         "sync waitForTaskToken",
	"eks:call":                            "",
	"eks:createCluster":                   "sync", "eks:createFargateProfile": "sync", "eks:createNodegroup": "sync",
	"eks:deleteCluster": "sync", "eks:deleteFargateProfile": "sync", "eks:deleteNodegroup": "sync",
	"eks:runJob":                      "sync",
	"elasticmapreduce:addStep":        "sync",
	"elasticmapreduce:cancelStep":     "",
	"elasticmapreduce:createCluster":  "sync",
	"elasticmapreduce:modifyInstance": "", "elasticmapreduce:modifyInstanceFleetByName": "", "elasticmapreduce:modifyInstanceGroupByName": "",
	"elasticmapreduce:setClusterTerminationProtection": "",
	"elasticmapreduce:terminateCluster":                "sync",
	"emr-containers:createVirtualCluster":              "", "emr-containers:deleteVirtualCluster": "sync", "emr-containers:startJobRun": "sync",
	"emr-serverless:cancelJobRun": "sync", "emr-serverless:createApplication": "sync", "emr-serverless:deleteApplication": "sync",
	"emr-serverless:startApplication": "sync", "emr-serverless:startJobRun": "sync", "emr-serverless:stopApplication": "sync",
	"events:putEvents":            "waitForTaskToken",
	"glue:startJobRun":            "sync",
	"http:invoke":                 "",
	"mediaconvert:createJob":      "sync",
	"sagemaker:createEndpoint":    "",
	"sagemaker:createLabelingJob": "sync", "sagemaker:createProcessingJob": "sync", "sagemaker:createTrainingJob": "sync",
	"sagemaker:createTransformJob": "sync", "sagemaker:createHyperParameterTuningJob": "sync",
	"sagemaker:createEndpointConfig": "", "sagemaker:createModel": "", "sagemaker:updateEndpoint": "",
	"sns:publish":           "waitForTaskToken",
	"sqs:sendMessage":       "waitForTaskToken",
	"states:startExecution": "sync sync:2 waitForTaskToken",
}

// integration reads what a Task's resource names when it is neither a function nor an activity nor Lambda's invoke.
func (r *graphReader) integration(s, f *spot, t *TaskPart, service, verb, pattern string) {
	name := service + ":" + verb
	if set := r.options.Integrations; set != nil && set.Supports(name, pattern) {
		t.Target.Kind, t.Target.Integration = TargetIntegration, name
		r.parameters(s, name)
		return
	}
	key := name + "." + pattern
	if r.announced[key] {
		return
	}
	r.announced[key] = true
	what, help := "there is no integration "+name, ""
	if set := r.options.Integrations; set != nil {
		help = set.Help(name)
		if pattern != "" && set.Supports(name, "") {
			what = fmt.Sprintf("the integration %s cannot be used with .%s", name, pattern)
		}
	}
	at := r.report(f, NotSupported, help, "%s", what)
	if help != "" {
		at.ServiceMessage += "; " + help
	}
}

// parameters reports what state s gives an integration that has no such parameter.
func (r *graphReader) parameters(s *spot, name string) {
	set, ok := r.options.Integrations.(DescribedIntegrations)
	if !ok {
		return
	}
	known := set.Parameters(name)
	for _, field := range []string{"Parameters", "Arguments"} {
		given := s.member(field)
		if known == nil || given == nil || given.node.Kind != jsonvalue.KindObject {
			continue
		}
		for i := range given.node.Members {
			m := given.at(i)
			key := strings.TrimSuffix(m.key, ".$")
			if slices.Contains(known, key) {
				continue
			}
			fix := r.closest(key, func() []string { return known })
			if fix == "" {
				fix = "remove it"
			}
			r.reportKey(m, SchemaInvalid, fix, "%s has no parameter %q", name, key).
				service(given, "The field \"%s\" is not supported by Step Functions", key)
		}
	}
}
