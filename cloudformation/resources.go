package cloudformation

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/weftworks/weft/asl"
)

// known says what Ref and Fn::GetAtt of a type of resource are. In the texts {name} is the resource's name; {arn} the text
// under "Arn".
type known struct {
	name       string // the property that names the resource
	ref        string
	attributes map[string]string
}

func named(property, ref, arn string, more ...string) known {
	k := known{name: property, ref: ref, attributes: map[string]string{}}
	if arn != "" {
		k.attributes["Arn"] = arn
	}
	for i := 0; i < len(more); i += 2 {
		k.attributes[more[i]] = more[i+1]
	}
	return k
}

const regional = "{region}:{account}:"

// kinds are the resources that definitions speak of. See "Return values" of each type in the CloudFormation template reference.
var kinds = map[string]known{
	"AWS::Lambda::Function":        named("FunctionName", "{name}", "arn:{partition}:lambda:"+regional+"function:{name}"),
	"AWS::Serverless::Function":    named("FunctionName", "{name}", "arn:{partition}:lambda:"+regional+"function:{name}"),
	nativeMachine:                  named("StateMachineName", "{arn}", "arn:{partition}:states:"+regional+"stateMachine:{name}", "Name", "{name}"),
	samMachine:                     named("Name", "{arn}", "arn:{partition}:states:"+regional+"stateMachine:{name}", "Name", "{name}"),
	"AWS::StepFunctions::Activity": named("Name", "{arn}", "arn:{partition}:states:"+regional+"activity:{name}", "Name", "{name}"),
	"AWS::SQS::Queue": named("QueueName", "https://sqs.{region}.amazonaws.com/{account}/{name}", "arn:{partition}:sqs:"+regional+"{name}",
		"QueueName", "{name}", "QueueUrl", "https://sqs.{region}.amazonaws.com/{account}/{name}"),
	"AWS::SNS::Topic":              named("TopicName", "{arn}", "arn:{partition}:sns:"+regional+"{name}", "TopicArn", "{arn}", "TopicName", "{name}"),
	"AWS::DynamoDB::Table":         named("TableName", "{name}", "arn:{partition}:dynamodb:"+regional+"table/{name}"),
	"AWS::DynamoDB::GlobalTable":   named("TableName", "{name}", "arn:{partition}:dynamodb:"+regional+"table/{name}"),
	"AWS::Serverless::SimpleTable": named("TableName", "{name}", "arn:{partition}:dynamodb:"+regional+"table/{name}"),
	"AWS::S3::Bucket":              named("BucketName", "{name}", "arn:{partition}:s3:::{name}"),
	"AWS::Events::EventBus":        named("Name", "{name}", "arn:{partition}:events:"+regional+"event-bus/{name}", "Name", "{name}"),
	"AWS::IAM::Role":               named("RoleName", "{name}", "arn:{partition}:iam::{account}:role/{name}"),
	"AWS::Logs::LogGroup":          named("LogGroupName", "{name}", "arn:{partition}:logs:"+regional+"log-group:{name}:*"),
	"AWS::ECS::Cluster":            named("ClusterName", "{name}", "arn:{partition}:ecs:"+regional+"cluster/{name}"),
	"AWS::ECS::TaskDefinition":     named("Family", "arn:{partition}:ecs:"+regional+"task-definition/{name}", ""),
	"AWS::Batch::JobQueue":         named("JobQueueName", "arn:{partition}:batch:"+regional+"job-queue/{name}", ""),
	"AWS::CodeBuild::Project":      named("Name", "{name}", "arn:{partition}:codebuild:"+regional+"project/{name}"),
	"AWS::Glue::Job":               named("Name", "{name}", ""),
	"AWS::Glue::Crawler":           named("Name", "{name}", ""),
	"AWS::Athena::WorkGroup":       named("Name", "{name}", ""),
	"AWS::Kinesis::Stream":         named("Name", "{name}", "arn:{partition}:kinesis:"+regional+"stream/{name}"),
}

// resourceRef returns what Ref of a resource is.
func (t *template) resourceRef(n *node, name string) any {
	if v, ok := t.given(name); ok {
		return v
	}
	if id, what, ok := strings.Cut(name, "."); ok && t.resources[id] != nil { // SAM's Function.Alias and Function.Version
		return t.attribute(n, id, what)
	}
	r := t.resources[name]
	if r == nil {
		t.fail(n, "there is no parameter or resource %q%s", name, closest(name, maps.Keys(t.parameters), maps.Keys(t.resources)))
		return nil
	}
	if v, ok := t.published(n, r); ok {
		return v
	}
	k, ok := kinds[r.kind]
	if !ok || k.ref == "" {
		t.fail(n, "Ref of %s, an %s, cannot be worked out; give its value with --parameter %s=VALUE", name, r.kind, name)
		return nil
	}
	return t.fill(r, k, k.ref)
}

// attribute returns what Fn::GetAtt of a resource is.
func (t *template) attribute(n *node, id, attribute string) any {
	full := id + "." + attribute
	if v, ok := t.given(full); ok {
		return v
	}
	r := t.resources[id]
	if r == nil {
		t.fail(n, "there is no resource %q%s", id, closest(id, maps.Keys(t.resources)))
		return nil
	}
	k := kinds[r.kind]
	if r.kind == "AWS::Serverless::Function" {
		switch alias := r.properties.get("AutoPublishAlias"); {
		case attribute == "Alias" && alias != nil:
			return t.fill(r, k, k.attributes["Arn"]) + ":" + t.string(alias)
		case attribute == "Version": // its number is not known before it is published
			return t.fill(r, k, k.attributes["Arn"])
		}
	}
	text, ok := k.attributes[attribute]
	if !ok {
		t.fail(n, "%s of %s, an %s, cannot be worked out; give its value with --parameter %s=VALUE", attribute, id, r.kind, full)
		return nil
	}
	return t.fill(r, k, text)
}

// published returns the Ref of a version or an alias of a function or a machine.
func (t *template) published(n *node, r *resource) (any, bool) {
	of, name := "", ""
	switch r.kind {
	case "AWS::Lambda::Alias", "AWS::Lambda::Version":
		of, name = "FunctionName", "Name"
	case "AWS::StepFunctions::StateMachineVersion":
		of = "StateMachineArn"
	default:
		return nil, false
	}
	what := r.properties.get(of)
	if what == nil || t.busy[r.id] {
		t.fail(r.node, "%s has no %s", r.id, of)
		return nil, true
	}
	t.busy[r.id] = true
	defer delete(t.busy, r.id)
	arn := t.string(what)
	if !strings.HasPrefix(arn, "arn:") && of == "FunctionName" {
		arn = t.expand("arn:{partition}:lambda:"+regional+"function:{name}", arn)
	}
	if alias := r.properties.get(name); r.kind == "AWS::Lambda::Alias" && alias != nil {
		return arn + ":" + t.string(alias), true
	}
	return arn, true
}

func (t *template) fill(r *resource, k known, text string) string {
	return t.expand(strings.ReplaceAll(text, "{arn}", k.attributes["Arn"]), t.nameOf(r))
}

func (t *template) expand(text, name string) string {
	text = strings.NewReplacer("{partition}", t.o.Partition, "{region}", t.o.Region, "{account}", t.o.Account).Replace(text)
	return strings.ReplaceAll(text, "{name}", name)
}

// nameOf returns a resource's name: what the template says, else its logical id.
func (t *template) nameOf(r *resource) string {
	property := r.properties.get(kinds[r.kind].name)
	switch {
	case property != nil && t.busy[r.id]:
		t.fail(property, "the name of %s depends on itself", r.id)
	case property != nil:
		t.busy[r.id] = true
		defer delete(t.busy, r.id)
		if v := t.value(property); v != (nothing{}) {
			s, ok := textOf(v)
			if !ok && v != nil {
				t.fail(property, "the name of %s has to be a text, not %s", r.id, describe(v))
			}
			return s
		}
	}
	if r.kind == "AWS::S3::Bucket" { // whose names have no capitals
		return strings.ToLower(r.id)
	}
	return r.id
}

// closest returns `; did you mean "X"?` for the name among those of maps, or "".
func closest(name string, among ...iter.Seq[string]) string {
	var names []string
	for _, keys := range among {
		names = slices.AppendSeq(names, keys)
	}
	slices.Sort(names)
	if near := asl.Closest(name, names); near != "" {
		return "; did you mean \"" + near + "\"?"
	}
	return ""
}
