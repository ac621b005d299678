package aws

import (
	"encoding/base64"
	"encoding/hex"
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
)

// What the resources of an application are called within it.
const (
	roleID    deploy.ID = "role/functions"
	policyID  deploy.ID = "policy/functions"
	tableID   deploy.ID = "table/records"
	queueID   deploy.ID = "queue/delays"
	layerID   deploy.ID = "layer/runtime"
	mappingID deploy.ID = "mapping/delays"
)

// Bounds of Lambda, and what functions get that say nothing.
const (
	// Carrier is the function without code: it takes what the queue has delayed, and requests that Lambda has given up.
	Carrier = "weft-carrier"
	// WrapperPath is where the layer has the program that starts before the language's runtime.
	WrapperPath = "/opt/weft-wrapper"

	carrierSeconds = 60
	entryVariable  = "WEFT_ENTRY" // is set at the function that runs begin with
	nameChars      = 64
	secondsMost    = 900
	memoryLeast    = 128
	retries        = 2        // of Lambda itself, before the runtime is told
	maxAgeSeconds  = 6 * 3600 // that an invocation waits in Lambda's queue
	batch          = 10       // messages of the delay queue at a time
)

// Resources returns what an application needs on AWS under the name of a deployment.
func Resources(b *deploy.Bundle, deployment string) ([]deploy.Resource, error) {
	start, err := b.Start()
	if err != nil {
		return nil, err
	}
	a := &app{Bundle: b, deployment: deployment, start: start.Name}
	list := []deploy.Resource{
		{ID: roleID, Name: deployment, Spec: &Role{"lambda.amazonaws.com", deployment}},
		{ID: tableID, Name: deployment, Spec: &Table{Partition: "p", Sort: "k", TTL: "x", Owner: deployment}},
		{ID: queueID, Name: deployment + "-delays", Spec: &Queue{VisibilitySeconds: 6 * carrierSeconds, RetentionSeconds: 14 * 24 * 3600, Owner: deployment}},
	}
	if b.Layer != nil {
		layer, err := a.layer()
		if err != nil {
			return nil, err
		}
		list = append(list, layer)
	}
	functions, err := a.functions()
	if err != nil {
		return nil, err
	}
	list = append(list, functions...)
	list = append(list, deploy.Resource{ID: policyID, Name: deployment, Spec: a.policy()})
	for i := range b.Functions {
		list = append(list, a.events(b.Functions[i].Name))
	}
	return append(list, deploy.Resource{ID: mappingID, Name: a.name(Carrier), Needs: []deploy.ID{policyID}, Spec: &Mapping{
		Function: deploy.Ref(functionID(Carrier), "name"), Queue: deploy.Ref(queueID, "arn"), Batch: batch,
	}}), nil
}

// app makes resources of a bundle.
type app struct {
	*deploy.Bundle
	deployment, start string
}

func functionID(name string) deploy.ID { return deploy.ID("function/" + name) }

// name is what Lambda calls a function of the application.
func (a *app) name(function string) string { return FunctionName(a.deployment, function) }

// FunctionName is what Lambda calls a function of a deployment.
func FunctionName(deployment, function string) string { return deployment + "-" + function }

func arch(goarch string) string {
	if goarch == "amd64" {
		return "x86_64"
	}
	return goarch
}

// layer is named by what is in it: another content is another layer, and the old one goes once no function has it.
func (a *app) layer() (deploy.Resource, error) {
	sum, err := base64.StdEncoding.DecodeString(a.Layer.Hash)
	if err != nil || len(sum) < 6 {
		return deploy.Resource{}, fault.New("aws.resources", fault.Corrupt, a.Layer.Path, "the hash of the layer is none")
	}
	return deploy.Resource{
		ID: layerID, Name: a.deployment + "-runtime-" + hex.EncodeToString(sum[:6]),
		Spec: &Layer{a.Layer.Path, a.Layer.Hash, arch(a.Arch)},
	}, nil
}

// functions are those of the application, and the carrier.
func (a *app) functions() ([]deploy.Resource, error) {
	var list []deploy.Resource
	for i := range a.Functions {
		f := &a.Functions[i]
		if n := len(a.name(f.Name)); n > nameChars {
			return nil, fault.New("aws.resources", fault.InvalidName, a.name(f.Name), "the name has %d characters and Lambda allows %d: give the deployment a shorter --name", n, nameChars)
		}
		if f.Timeout > secondsMost*time.Second {
			return nil, fault.New("aws.resources", fault.InvalidArgument, f.Name, "the function may take %s and Lambda allows %d s", f.Timeout, secondsMost)
		}
		list = append(list, a.function(f))
	}
	return list, nil
}

func (a *app) function(f *deploy.Function) deploy.Resource {
	env := map[string]string{
		"WEFT_FUNCTION": f.Name,
		"WEFT_TABLE":    deploy.Ref(tableID, "name"),
		"WEFT_QUEUE":    deploy.Ref(queueID, "url"),
		"WEFT_PREFIX":   a.deployment + "-",
	}
	if f.Start {
		env[entryVariable] = "true"
	}
	spec := &Function{
		Runtime: f.Runtime, Handler: f.Handler, Role: deploy.Ref(roleID, "arn"), Arch: arch(a.Arch),
		MemoryMB: max(f.Memory, memoryLeast), Seconds: max(1, int((f.Timeout+time.Second-1)/time.Second)),
		Env: env, Loops: string(types.RecursiveLoopAllow), Archive: f.Code.Path, Hash: f.Code.Hash, Owner: a.deployment,
	}
	if a.Layer != nil {
		spec.Layers = []string{deploy.Ref(layerID, "arn")}
	}
	if f.Wrapped {
		env["AWS_LAMBDA_EXEC_WRAPPER"] = WrapperPath
	}
	maps.Copy(env, f.Env)
	return deploy.Resource{ID: functionID(f.Name), Name: a.name(f.Name), Spec: spec}
}

// policy allows what the runtime does on the resources of the application, and nothing else.
func (a *app) policy() *Policy {
	allow := func(sid string, resources []string, actions ...string) Statement {
		return Statement{sid, "Allow", actions, resources}
	}
	functions := make([]string, len(a.Functions))
	for i := range a.Functions {
		functions[i] = deploy.Ref(functionID(a.Functions[i].Name), "arn")
	}
	return &Policy{Role: deploy.Ref(roleID, "name"), Statements: []Statement{
		allow("Records", []string{deploy.Ref(tableID, "arn")},
			"dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"),
		allow("Invoke", functions, "lambda:InvokeFunction"),
		allow("Wait", []string{deploy.Ref(queueID, "arn")},
			"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"),
		allow("Log", []string{"arn:*:logs:*:*:log-group:/aws/lambda/" + a.deployment + "-*"},
			"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
	}}
}

// events has the carrier told of what Lambda gives up; what the carrier cannot do waits in the queue and comes to it again.
func (a *app) events(name string) deploy.Resource {
	failed := deploy.Ref(functionID(Carrier), "arn")
	if name == Carrier {
		failed = deploy.Ref(queueID, "arn")
	}
	return deploy.Resource{ID: deploy.ID("events/" + name), Name: a.name(name), Needs: []deploy.ID{policyID}, Spec: &Events{
		Function: deploy.Ref(functionID(name), "name"), Retries: retries, MaxAgeSeconds: maxAgeSeconds,
		OnFailure: failed,
	}}
}
