package aws

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
)

// samAttrs are what CloudFormation calls attributes, by kind and attribute; "" is what Ref returns.
var samAttrs = map[string]string{
	"role.arn": "Arn", "role.name": "", "table.arn": "Arn", "table.name": "", "queue.arn": "Arn", "queue.url": "", "queue.name": "QueueName",
	"function.arn": "Arn", "function.name": "", "layer.arn": "",
}

// SAM writes resources as a template for AWS SAM (sam deploy). path makes the path of an archive one that the template can
// have, relative to where it is.
func SAM(resources []deploy.Resource, description string, path func(file string) (string, error)) ([]byte, error) {
	logical := names(resources, camel)
	w := &words{name: func(id deploy.ID) string { return logical[id] }, path: path}
	w.text = func(s string) any { return samText(s, logical) }
	list := object{}
	outputs := object{}
	for i := range resources {
		r := &resources[i]
		kind, properties, err := samResource(r, w)
		if err != nil {
			return nil, err
		}
		out := object{"Type": kind, "Properties": properties}
		var needs []string
		for _, id := range r.Needs {
			needs = append(needs, logical[id])
		}
		if len(needs) > 0 {
			out["DependsOn"] = needs
		}
		list[logical[r.ID]] = out
		if f, ok := r.Spec.(*Function); ok && f.Env[entryVariable] != "" {
			outputs["EntryFunction"] = object{"Description": "Invoke it to start a run", "Value": object{"Ref": logical[r.ID]}}
		}
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	err := enc.Encode(object{
		"AWSTemplateFormatVersion": "2010-09-09", "Transform": "AWS::Serverless-2016-10-31", "Description": description,
		"Resources": list, "Outputs": outputs,
	})
	return b.Bytes(), err
}

// samText writes a text with references: the reference itself where it is all there is.
func samText(s string, logical map[deploy.ID]string) any {
	var refs int
	var only any
	text := deploy.Translate(s, func(id deploy.ID, attr string) string {
		refs++
		name, field := logical[id], samAttrs[id.Kind()+"."+attr]
		if field == "" {
			only = object{"Ref": name}
			return "${" + name + "}"
		}
		only = object{"Fn::GetAtt": []string{name, field}}
		return "${" + name + "." + field + "}"
	}, func(rest string) string { return strings.ReplaceAll(rest, "${", "${!") })
	switch {
	case refs == 0:
		return s
	case refs == 1 && strings.HasPrefix(text, "${") && strings.Index(text, "}") == len(text)-1:
		return only
	}
	return object{"Fn::Sub": text}
}

// tags are those of CloudFormation's own resources.
func tags(owner string) []any { return []any{object{"Key": Tag, "Value": owner}} }

// samResource returns the type and the properties of a resource.
func samResource(r *deploy.Resource, w *words) (kind string, properties object, err error) {
	switch s := r.Spec.(type) {
	case *Role:
		return "AWS::IAM::Role", object{"RoleName": r.Name, "AssumeRolePolicyDocument": trustPolicy(s), "Tags": tags(s.Owner)}, nil
	case *Policy:
		return "AWS::IAM::RolePolicy", object{"RoleName": w.text(s.Role), "PolicyName": policyName, "PolicyDocument": w.statements(s)}, nil
	case *Table:
		return "AWS::DynamoDB::Table", object{
			"TableName": r.Name, "BillingMode": "PAY_PER_REQUEST",
			"AttributeDefinitions": []any{
				object{"AttributeName": s.Partition, "AttributeType": "S"}, object{"AttributeName": s.Sort, "AttributeType": "S"},
			},
			"KeySchema": []any{
				object{"AttributeName": s.Partition, "KeyType": "HASH"}, object{"AttributeName": s.Sort, "KeyType": "RANGE"},
			},
			"TimeToLiveSpecification": object{"AttributeName": s.TTL, "Enabled": true}, "Tags": tags(s.Owner),
		}, nil
	case *Queue:
		return "AWS::SQS::Queue", object{
			"QueueName": r.Name, "VisibilityTimeout": s.VisibilitySeconds, "MessageRetentionPeriod": s.RetentionSeconds, "Tags": tags(s.Owner),
		}, nil
	case *Layer:
		uri, err := w.path(s.Archive)
		return "AWS::Serverless::LayerVersion", object{
			"LayerName": r.Name, "ContentUri": uri, "CompatibleArchitectures": []string{s.Arch}, "RetentionPolicy": "Delete",
		}, err
	case *Function:
		return samFunction(r, s, w)
	case *Events:
		destination := object{"OnFailure": object{"Destination": w.text(s.OnFailure)}}
		return "AWS::Lambda::EventInvokeConfig", object{
			"FunctionName": w.text(s.Function), "Qualifier": "$LATEST", "MaximumRetryAttempts": s.Retries,
			"MaximumEventAgeInSeconds": s.MaxAgeSeconds, "DestinationConfig": destination,
		}, nil
	case *Mapping:
		return "AWS::Lambda::EventSourceMapping", object{
			"FunctionName": w.text(s.Function), "EventSourceArn": w.text(s.Queue), "BatchSize": s.Batch,
			"FunctionResponseTypes": []string{"ReportBatchItemFailures"},
		}, nil
	}
	return "", nil, fault.New("aws.sam", fault.Internal, string(r.ID), "it has no words in SAM")
}

func samFunction(r *deploy.Resource, s *Function, w *words) (kind string, properties object, err error) {
	uri, err := w.path(s.Archive)
	properties = object{
		"FunctionName": r.Name, "Runtime": s.Runtime, "Handler": s.Handler, "Role": w.text(s.Role), "Architectures": []string{s.Arch},
		"MemorySize": s.MemoryMB, "Timeout": s.Seconds, "CodeUri": uri, "RecursiveLoop": s.Loops,
		"Environment": object{"Variables": w.variables(s.Env)}, "Tags": object{Tag: s.Owner},
	}
	if len(s.Layers) > 0 {
		properties["Layers"] = w.texts(s.Layers)
	}
	return "AWS::Serverless::Function", properties, err
}
