package aws

import (
	"encoding/json"
	"strings"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
)

// terraformTypes are the resources of the provider hashicorp/aws, by kind.
var terraformTypes = map[string]string{
	"role": "aws_iam_role", "policy": "aws_iam_role_policy", "table": "aws_dynamodb_table", "queue": "aws_sqs_queue",
	"layer": "aws_lambda_layer_version", "function": "aws_lambda_function", "events": "aws_lambda_function_event_invoke_config",
	"mapping": "aws_lambda_event_source_mapping",
}

// terraformAttrs are what the provider calls attributes, by kind and attribute.
var terraformAttrs = map[string]string{
	"role.arn": "arn", "role.name": "name", "table.arn": "arn", "table.name": "name", "queue.arn": "arn", "queue.url": "url",
	"queue.name": "name", "function.arn": "arn", "function.name": "function_name", "layer.arn": "arn",
}

// terraformProvider is the oldest version of the provider that has all that is written here.
const terraformProvider = ">= 5.70.0"

// Terraform writes resources in Terraform's JSON syntax (a file NAME.tf.json). path is as SAM's.
func Terraform(resources []deploy.Resource, path func(file string) (string, error)) ([]byte, error) {
	label := func(id deploy.ID) string {
		_, name, _ := strings.Cut(string(id), "/")
		return name
	}
	address := func(id deploy.ID) string { return terraformTypes[id.Kind()] + "." + label(id) }
	w := &words{name: address, path: path}
	w.text = func(s string) any { return terraformText(s, address) }
	all, outputs := object{}, object{}
	add := func(kind, name string, body object) {
		if all[kind] == nil {
			all[kind] = object{}
		}
		all[kind].(object)[name] = body
	}
	for i := range resources {
		r := &resources[i]
		body, err := terraformResource(r, w)
		if err != nil {
			return nil, err
		}
		var needs []string
		for _, id := range r.Needs {
			needs = append(needs, address(id))
		}
		if len(needs) > 0 {
			body["depends_on"] = needs
		}
		add(terraformTypes[r.ID.Kind()], label(r.ID), body)
		if f, ok := r.Spec.(*Function); ok {
			add("aws_lambda_function_recursion_config", label(r.ID), object{
				"function_name": "${" + address(r.ID) + ".function_name}", "recursive_loop": f.Loops,
			})
			if f.Env[entryVariable] != "" {
				outputs["entry_function"] = object{"description": "Invoke it to start a run", "value": "${" + address(r.ID) + ".function_name}"}
			}
		}
	}
	return json.MarshalIndent(object{
		"terraform": object{"required_providers": object{"aws": object{"source": "hashicorp/aws", "version": terraformProvider}}},
		"resource":  all, "output": outputs,
	}, "", "  ")
}

// terraformText writes a text with references. What Terraform would take for a template of its own it does not.
func terraformText(s string, address func(deploy.ID) string) string {
	return deploy.Translate(s, func(id deploy.ID, attr string) string {
		return "${" + address(id) + "." + terraformAttrs[id.Kind()+"."+attr] + "}"
	}, func(rest string) string {
		return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(rest)
	})
}

// terraformResource returns the body of a resource. Terraform compares archives by their hashes.
func terraformResource(r *deploy.Resource, w *words) (object, error) {
	switch s := r.Spec.(type) {
	case *Role:
		text, err := quoted(trustPolicy(s))
		return object{"name": r.Name, "assume_role_policy": text, "tags": object{Tag: s.Owner}}, err
	case *Policy:
		text, err := quoted(w.statements(s))
		return object{"name": policyName, "role": w.text(s.Role), "policy": text}, err
	case *Table:
		return object{
			"name": r.Name, "billing_mode": "PAY_PER_REQUEST", "hash_key": s.Partition, "range_key": s.Sort,
			"attribute": []any{object{"name": s.Partition, "type": "S"}, object{"name": s.Sort, "type": "S"}},
			"ttl":       object{"attribute_name": s.TTL, "enabled": true}, "tags": object{Tag: s.Owner},
		}, nil
	case *Queue:
		return object{
			"name": r.Name, "visibility_timeout_seconds": s.VisibilitySeconds, "message_retention_seconds": s.RetentionSeconds,
			"tags": object{Tag: s.Owner},
		}, nil
	case *Layer:
		file, err := w.path(s.Archive)
		return object{"layer_name": r.Name, "filename": file, "source_code_hash": s.Hash, "compatible_architectures": []string{s.Arch}}, err
	case *Function:
		return terraformFunction(r, s, w)
	case *Events:
		return object{
			"function_name": w.text(s.Function), "maximum_retry_attempts": s.Retries, "maximum_event_age_in_seconds": s.MaxAgeSeconds,
			"destination_config": object{"on_failure": object{"destination": w.text(s.OnFailure)}},
		}, nil
	case *Mapping:
		return object{
			"event_source_arn": w.text(s.Queue), "function_name": w.text(s.Function), "batch_size": s.Batch,
			"function_response_types": []string{"ReportBatchItemFailures"},
		}, nil
	}
	return nil, fault.New("aws.terraform", fault.Internal, string(r.ID), "it has no words in Terraform")
}

func terraformFunction(r *deploy.Resource, s *Function, w *words) (object, error) {
	file, err := w.path(s.Archive)
	body := object{
		"function_name": r.Name, "runtime": s.Runtime, "handler": s.Handler, "role": w.text(s.Role), "architectures": []string{s.Arch},
		"memory_size": s.MemoryMB, "timeout": s.Seconds, "filename": file, "source_code_hash": s.Hash,
		"environment": object{"variables": w.variables(s.Env)}, "tags": object{Tag: s.Owner},
	}
	if len(s.Layers) > 0 {
		body["layers"] = w.texts(s.Layers)
	}
	return body, err
}
