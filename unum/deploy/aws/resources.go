package aws

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
	"github.com/weftworks/weft/unum/deploy/build"
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

	carrierSeconds = 60
	entryVariable  = "WEFT_ENTRY" // is set at the function that runs begin with
	nameChars      = 64
	secondsMost    = 900
	memoryLeast    = 128
	retries        = 2        // of Lambda itself, before the runtime is told
	maxAgeSeconds  = 6 * 3600 // that an invocation waits in Lambda's queue
	batch          = 10       // messages of the delay queue at a time
)

// Package is a build and what is chosen of it.
type Package struct {
	*build.Manifest
	Dir  string     // of the build
	Arch build.Arch // to run on
	// Region says in which partition of AWS the resources are (aws, aws-cn, aws-us-gov). "": aws.
	Region string
}

// partition is the part of AWS that a region belongs to, as ARNs name it.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// Resources returns what an application needs on AWS under the name of a deployment.
func Resources(p *Package, deployment string) ([]deploy.Resource, error) {
	a := &app{Package: p, deployment: deployment}
	layer, err := a.layer()
	if err != nil {
		return nil, err
	}
	functions, err := a.functions()
	if err != nil {
		return nil, err
	}
	list := append([]deploy.Resource{
		{ID: roleID, Name: deployment, Spec: &Role{"lambda.amazonaws.com", deployment}},
		{ID: tableID, Name: deployment, Spec: &Table{Partition: "p", Sort: "k", TTL: "x", Owner: deployment}},
		{ID: queueID, Name: deployment + "-delays", Spec: &Queue{VisibilitySeconds: 6 * carrierSeconds, RetentionSeconds: 14 * 24 * 3600, Owner: deployment}},
		layer,
	}, functions...)
	list = append(list, deploy.Resource{ID: policyID, Name: deployment, Spec: a.policy(functions)})
	for i := range functions {
		list = append(list, a.events(&functions[i]))
	}
	return append(list, deploy.Resource{ID: mappingID, Name: FunctionName(deployment, Carrier), Needs: []deploy.ID{policyID}, Spec: &Mapping{
		Function: deploy.Ref(functionID(Carrier), "name"), Queue: deploy.Ref(queueID, "arn"), Batch: batch,
	}}), nil
}

// app makes resources of a package.
type app struct {
	*Package
	deployment string
}

func functionID(name string) deploy.ID { return deploy.ID("function/" + name) }

// FunctionName is what Lambda calls a function of a deployment.
func FunctionName(deployment, function string) string { return deployment + "-" + function }

// arch is what Lambda calls the architecture.
func (a *app) arch() string {
	if a.Arch == build.AMD64 {
		return "x86_64"
	}
	return string(a.Arch)
}

// file returns the path of a file of the build and its hash.
func (a *app) file(name string) (path string, sum []byte, err error) {
	f, there := a.Files[name]
	if sum, err = hex.DecodeString(f.SHA256); !there || err != nil || len(sum) != sha256.Size {
		return "", nil, fault.New("aws.resources", fault.Corrupt, name, "the manifest of the build does not have it, or not its hash: build again")
	}
	return filepath.Join(a.Dir, filepath.FromSlash(name)), sum, nil
}

// layer is named by what is in it: another content is another layer, and the old one goes once no function has it.
func (a *app) layer() (deploy.Resource, error) {
	file, sum, err := a.file(a.Layers[a.Arch])
	if err != nil {
		return deploy.Resource{}, fault.New("aws.resources", fault.InvalidArgument, string(a.Arch), "the application was not built for this architecture: weft build --arch %s", a.Arch)
	}
	return deploy.Resource{
		ID: layerID, Name: a.deployment + "-runtime-" + hex.EncodeToString(sum[:6]),
		Spec: &Layer{file, base64.StdEncoding.EncodeToString(sum), a.arch()},
	}, nil
}

// functions are those of the application, and the carrier.
func (a *app) functions() ([]deploy.Resource, error) {
	var list []deploy.Resource
	carrier := build.Deployed{
		Name: Carrier, Archives: map[build.Arch]string{a.Arch: "functions/weft.zip"}, Runtime: "provided.al2023", Handler: "bootstrap",
		TimeoutSeconds: carrierSeconds, MemoryMiB: memoryLeast, Environment: map[string]string{"WEFT_FUNCTION": Carrier},
	}
	for _, f := range append(slices.Clone(a.Functions), carrier) {
		name := FunctionName(a.deployment, f.Name)
		if n := len(name); n > nameChars {
			return nil, fault.New("aws.resources", fault.InvalidName, name, "the name has %d characters and Lambda allows %d: give the deployment a shorter --name", n, nameChars)
		}
		file, sum, err := a.file(f.Archives[a.Arch])
		if err != nil {
			return nil, err
		}
		list = append(list, deploy.Resource{ID: functionID(f.Name), Name: name, Spec: &Function{
			Runtime: f.Runtime, Handler: f.Handler, Role: deploy.Ref(roleID, "arn"), Arch: a.arch(),
			MemoryMB: max(f.MemoryMiB, memoryLeast), Seconds: f.TimeoutSeconds, Env: a.environment(&f),
			Layers: []string{deploy.Ref(layerID, "arn")}, Loops: string(types.RecursiveLoopAllow),
			Archive: file, Hash: base64.StdEncoding.EncodeToString(sum), Owner: a.deployment,
		}})
	}
	return list, nil
}

// environment is what a function is told of where it is.
func (a *app) environment(f *build.Deployed) map[string]string {
	env := map[string]string{
		"WEFT_TABLE":  deploy.Ref(tableID, "name"),
		"WEFT_QUEUE":  deploy.Ref(queueID, "url"),
		"WEFT_PREFIX": FunctionName(a.deployment, ""),
	}
	if f.Name == a.Entry {
		env[entryVariable] = "true"
		if a.RunTimeoutSeconds > 0 {
			env["WEFT_RUN_TIMEOUT"] = strconv.FormatInt(a.RunTimeoutSeconds, 10) + "s"
		}
	}
	maps.Copy(env, f.Environment)
	return env
}

// policy allows what the runtime does on the resources of the application, and nothing else.
func (a *app) policy(functions []deploy.Resource) *Policy {
	allow := func(sid string, resources []string, actions ...string) Statement {
		return Statement{sid, "Allow", actions, resources}
	}
	arns := make([]string, len(functions))
	for i := range functions {
		arns[i] = deploy.Ref(functions[i].ID, "arn")
	}
	return &Policy{Role: deploy.Ref(roleID, "name"), Statements: []Statement{
		allow("Records", []string{deploy.Ref(tableID, "arn")},
			"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"),
		allow("Invoke", arns, "lambda:InvokeFunction"),
		allow("Wait", []string{deploy.Ref(queueID, "arn")},
			"sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"),
		allow("Log", []string{"arn:" + partition(a.Region) + ":logs:*:*:log-group:/aws/lambda/" + FunctionName(a.deployment, "*")},
			"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
	}}
}

// events has the carrier told of what Lambda gives up; what the carrier cannot do waits in the queue and comes to it again.
func (a *app) events(f *deploy.Resource) deploy.Resource {
	failed := deploy.Ref(functionID(Carrier), "arn")
	if f.ID == functionID(Carrier) {
		failed = deploy.Ref(queueID, "arn")
	}
	_, name, _ := strings.Cut(string(f.ID), "/")
	return deploy.Resource{ID: deploy.ID("events/" + name), Name: f.Name, Needs: []deploy.ID{policyID}, Spec: &Events{
		Function: deploy.Ref(f.ID, "name"), Retries: retries, MaxAgeSeconds: maxAgeSeconds, OnFailure: failed,
	}}
}
