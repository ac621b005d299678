package asl

import "slices"

// ownActions are the actions of Step Functions itself that a Task may name, with their patterns beside the plain call.
// They are part of the language here and in no set of Integrations: whoever runs machines can do them.
var ownActions = map[string][]string{
	"states:startExecution":          {"waitForTaskToken", "sync", "sync:2"},
	"aws-sdk:sfn:startExecution":     {"waitForTaskToken"},
	"aws-sdk:sfn:startSyncExecution": nil,
	"aws-sdk:sfn:stopExecution":      nil,
	"aws-sdk:sfn:describeExecution":  nil,
	"aws-sdk:sfn:sendTaskSuccess":    nil,
	"aws-sdk:sfn:sendTaskFailure":    nil,
	"aws-sdk:sfn:sendTaskHeartbeat":  nil,
}

// OwnAction reports whether name ("states:startExecution") is an action of Step Functions itself.
func OwnAction(name string) bool {
	_, ok := ownActions[name]
	return ok
}

// own reads a Task's resource when it names one of ownActions.
func (t *TaskPart) own(service, verb, pattern string) bool {
	name := service + ":" + verb
	patterns, ok := ownActions[name]
	if !ok || pattern != "" && !slices.Contains(patterns, pattern) {
		return false
	}
	t.Target.Kind, t.Target.Integration = TargetIntegration, name
	t.Target.Job = pattern == "sync" || pattern == "sync:2"
	return true
}
