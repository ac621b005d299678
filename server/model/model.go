// Package model is the service's model of what operations take: which members there are, which have to be there, and how
// long, large or of which form they may be. A request that breaks it is refused with all its violations before the
// operation looks at it, so that no operation checks these again.
//
//	in.Check(model.New(limits.AWS)["StartExecution"])
//	err := in.Err() // 1 validation error detected: …
//
// Source: the API's model as SDKs ship it (API version 2016-11-23).
package model

import (
	"regexp"

	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/server/awsjson"
)

// rules is a member's constraints.
type rules = []awsjson.Rule

// required adds that a member has to be there.
func required(m awsjson.Member) awsjson.Member {
	m.Rules = append(rules{awsjson.Required}, m.Rules...)
	return m
}

func text(name string, r ...awsjson.Rule) awsjson.Member {
	return awsjson.Member{Name: name, Type: awsjson.Text, Rules: r}
}

func number(name string, min, max int) awsjson.Member {
	return awsjson.Member{Name: name, Type: awsjson.Number, Rules: rules{awsjson.Range(min, max)}}
}

func flag(name string) awsjson.Member { return awsjson.Member{Name: name, Type: awsjson.Flag} }

func structure(name string, in ...awsjson.Member) awsjson.Member {
	return awsjson.Member{Name: name, Type: awsjson.Structure, In: in}
}

func enum(name string, values ...string) awsjson.Member { return text(name, awsjson.OneOf(values...)) }

// secret is a text that no message repeats.
func secret(name string, r ...awsjson.Rule) awsjson.Member {
	return text(name, append(rules{awsjson.Sensitive}, r...)...)
}

const maxInt32 = 1<<31 - 1

// The shapes that operations share.
var (
	machineARN   = required(text("stateMachineArn", awsjson.Length(1, 256)))
	executionARN = required(text("executionArn", awsjson.Length(1, 256)))
	activityARN  = required(text("activityArn", awsjson.Length(1, 256)))
	aliasARN     = required(text("stateMachineAliasArn", awsjson.Length(1, 256)))
	mapRunARN    = required(text("mapRunArn", awsjson.Length(1, 2000)))
	resourceARN  = required(text("resourceArn", awsjson.Length(1, 256)))
	taskToken    = required(text("taskToken", awsjson.Length(1, limits.TokenChars)))
	name         = text("name", awsjson.Length(1, 80))
	roleARN      = text("roleArn", awsjson.Length(1, 256))
	machineType  = enum("type", "STANDARD", "EXPRESS")
	includedData = enum("includedData", "ALL_DATA", "METADATA_ONLY")
	pageSize     = number("maxResults", 0, 1000)
	pageToken    = text("nextToken", awsjson.Length(1, 1024))
	traceHeader  = text("traceHeader", awsjson.Length(0, 256), awsjson.Pattern(regexp.MustCompile(`^[\x00-\x7f]*$`), `\p{ASCII}*`))
	errorName    = secret("error", awsjson.Length(0, limits.ErrorChars))
	cause        = secret("cause", awsjson.Length(0, limits.CauseChars))
	description  = secret("description", awsjson.Length(0, 256))
	// Bounds of payloads are the node's, and operations say them in words of their own.
	input = secret("input")

	tagList = awsjson.Member{Name: "tags", Type: awsjson.Structures, In: []awsjson.Member{
		required(text("key", awsjson.Length(1, 128))), text("value", awsjson.Length(0, 256)),
	}}
	// AWS's pattern looks ahead, which Go's expressions cannot; it wants one character at least that is no digit.
	aliasName = required(text("name", awsjson.Length(1, 80), awsjson.Pattern(
		regexp.MustCompile(`^[0-9]*[a-zA-Z_\-.][a-zA-Z0-9_\-.]*$`), `^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$`)))
	routing = awsjson.Member{
		Name: "routingConfiguration", Type: awsjson.Structures,
		Rules: rules{awsjson.Length(1, 2), awsjson.Element("RoutingConfigurationListItem", "stateMachineVersionArn", "weight")},
		In:    []awsjson.Member{required(text("stateMachineVersionArn", awsjson.Length(1, 256))), required(number("weight", 0, 100))},
	}
	logGroups = awsjson.Member{Name: "destinations", Type: awsjson.Structures, In: []awsjson.Member{
		structure("cloudWatchLogsLogGroup", text("logGroupArn", awsjson.Length(1, 256))),
	}}
	logging    = structure("loggingConfiguration", enum("level", "ALL", "ERROR", "FATAL", "OFF"), flag("includeExecutionData"), logGroups)
	tracing    = structure("tracingConfiguration", flag("enabled"))
	encryption = structure("encryptionConfiguration", text("kmsKeyId", awsjson.Length(1, 2048)), number("kmsDataKeyReusePeriodSeconds", 60, 900),
		required(enum("type", "AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY")))
)

// New returns the input of each of the 37 operations. The bound of definitions is the node's.
func New(l limits.Set) map[string][]awsjson.Member {
	definition := secret("definition", awsjson.Length(1, l.DefinitionBytes))
	versionDescription := secret("versionDescription", awsjson.Length(0, 256))
	return map[string][]awsjson.Member{
		"CreateActivity": {required(name), tagList, encryption},
		"CreateStateMachine": {required(name), required(definition), required(roleARN), machineType, logging, tagList,
			tracing, flag("publish"), versionDescription, encryption},
		"CreateStateMachineAlias":          {description, aliasName, required(routing)},
		"DeleteActivity":                   {activityARN},
		"DeleteStateMachine":               {machineARN},
		"DeleteStateMachineAlias":          {aliasARN},
		"DeleteStateMachineVersion":        {required(text("stateMachineVersionArn", awsjson.Length(1, 2000)))},
		"DescribeActivity":                 {activityARN},
		"DescribeExecution":                {executionARN, includedData},
		"DescribeMapRun":                   {mapRunARN},
		"DescribeStateMachine":             {machineARN, includedData},
		"DescribeStateMachineAlias":        {aliasARN},
		"DescribeStateMachineForExecution": {executionARN, includedData},
		"GetActivityTask":                  {activityARN, text("workerName", awsjson.Length(1, 80))},
		"GetExecutionHistory":              {executionARN, pageSize, flag("reverseOrder"), pageToken, flag("includeExecutionData")},
		"ListActivities":                   {pageSize, pageToken},
		"ListExecutions": {
			text("stateMachineArn", awsjson.Length(1, 256)),
			// The statuses in the order of AWS's message.
			enum("statusFilter", "SUCCEEDED", "TIMED_OUT", "PENDING_REDRIVE", "ABORTED", "FAILED", "RUNNING"),
			pageSize, text("nextToken", awsjson.Length(1, 3096)), text("mapRunArn", awsjson.Length(1, 2000)),
			enum("redriveFilter", "REDRIVEN", "NOT_REDRIVEN"),
		},
		"ListMapRuns":                {executionARN, pageSize, pageToken},
		"ListStateMachineAliases":    {machineARN, pageToken, pageSize},
		"ListStateMachineVersions":   {machineARN, pageToken, pageSize},
		"ListStateMachines":          {pageSize, pageToken},
		"ListTagsForResource":        {resourceARN},
		"PublishStateMachineVersion": {machineARN, text("revisionId"), description},
		"RedriveExecution": {executionARN, text("clientToken", awsjson.Length(1, 64),
			awsjson.Pattern(regexp.MustCompile(`^[!-~]+$`), `[!-~]+`))},
		"SendTaskFailure":    {taskToken, errorName, cause},
		"SendTaskHeartbeat":  {taskToken},
		"SendTaskSuccess":    {taskToken, required(secret("output"))},
		"StartExecution":     {machineARN, name, input, traceHeader},
		"StartSyncExecution": {machineARN, name, input, traceHeader, includedData},
		"StopExecution":      {executionARN, errorName, cause},
		"TagResource":        {resourceARN, required(tagList)},
		"TestState": {required(definition), roleARN, input, enum("inspectionLevel", "INFO", "DEBUG", "TRACE"), flag("revealSecrets"),
			secret("variables"), text("stateName", awsjson.Length(1, 80)), mock, secret("context"), stateConfiguration},
		"UntagResource": {resourceARN, required(awsjson.Member{
			Name: "tagKeys", Type: awsjson.Texts, Each: rules{awsjson.Length(1, 128)}})},
		"UpdateMapRun": {mapRunARN, number("maxConcurrency", 0, maxInt32),
			awsjson.Member{Name: "toleratedFailurePercentage", Type: awsjson.Real, Rules: rules{awsjson.Range(0, 100)}},
			awsjson.Member{Name: "toleratedFailureCount", Type: awsjson.Real, Rules: rules{awsjson.Range(0, maxInt64)}}},
		"UpdateStateMachine": {machineARN, definition, roleARN, logging, tracing, flag("publish"), versionDescription,
			encryption},
		"UpdateStateMachineAlias": {aliasARN, description, routing},
		"ValidateStateMachineDefinition": {required(definition), machineType, enum("severity", "ERROR", "WARNING"),
			number("maxResults", 0, 100)},
	}
}

const maxInt64 = 1<<63 - 1

// The structures of TestState.
var (
	mock = structure("mock", secret("result"), structure("errorOutput", errorName, cause),
		enum("fieldValidationMode", "STRICT", "PRESENT", "NONE"))
	stateConfiguration = structure("stateConfiguration", number("retrierRetryCount", 0, maxInt32),
		text("errorCausedByState", awsjson.Length(1, 80)), number("mapIterationFailureCount", 0, maxInt32), secret("mapItemReaderData"))
)
