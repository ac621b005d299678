package gcp

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
)

// object is a JSON object of a template.
type object = map[string]any

// terraformProvider is the oldest version of the provider that has all that is written here.
const terraformProvider = ">= 6.0.0"

// template collects what Terraform is told.
type template struct {
	Place
	all object                            // by type of the provider
	at  map[deploy.ID]string              // where what a resource of ours became is, "google_service_account.tasks"
	on  map[string]string                 // the same by full name
	rel func(file string) (string, error) // path of an archive as the template has it
}

// Terraform writes resources of the place in Terraform's JSON syntax (a file NAME.tf.json). path returns the path of an
// archive as the template has it. Archives go by a bucket, which Terraform cannot do without.
func (p Place) Terraform(resources []deploy.Resource, deployment string, path func(file string) (string, error)) ([]byte, error) {
	t := &template{Place: p, all: object{}, at: map[deploy.ID]string{}, on: map[string]string{}, rel: path}
	t.add("google_storage_bucket", "sources", object{
		"name": p.Project + "-" + deployment + "-sources", "project": p.Project, "location": p.Region,
		"uniform_bucket_level_access": true, "force_destroy": true,
	})
	outputs := object{}
	for i := range resources {
		r := &resources[i]
		address, err := t.resource(r)
		if err != nil {
			return nil, err
		}
		if f, ok := r.Spec.(*Function); ok && f.Env["WEFT_ENTRY"] != "" {
			outputs["entry_function"] = object{"description": "Call it to start a run", "value": "${" + address + ".url}"}
		}
	}
	return json.MarshalIndent(object{
		"terraform": object{"required_providers": object{"google": object{"source": "hashicorp/google", "version": terraformProvider}}},
		"resource":  t.all, "output": outputs,
	}, "", "  ")
}

// add adds a resource and returns its address.
func (t *template) add(kind, label string, body object) string {
	if t.all[kind] == nil {
		t.all[kind] = object{}
	}
	t.all[kind].(object)[label] = body
	return kind + "." + label
}

// text writes a text with references. What Terraform would take for a template of its own it does not.
func (t *template) text(s string) string {
	return deploy.Translate(s, func(id deploy.ID, attr string) string {
		if attr == "name" {
			attr = "id" // which is the full name
		}
		return "${" + t.at[id] + "." + attr + "}"
	}, func(rest string) string {
		return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(rest)
	})
}

// resource adds what a resource of ours is in Terraform.
func (t *template) resource(r *deploy.Resource) (string, error) {
	_, label, _ := strings.Cut(string(r.ID), "/")
	_, id := split(r.Name)
	var needs []string
	for _, need := range r.Needs {
		needs = append(needs, t.at[need])
	}
	body := object{"project": t.Project}
	if len(needs) > 0 {
		body["depends_on"] = needs
	}
	var address string
	switch s := r.Spec.(type) {
	case *Account:
		body["account_id"], _, _ = strings.Cut(id, "@")
		body["display_name"], body["description"] = body["account_id"], described(s.Owner)
		address = t.add("google_service_account", label, body)
	case *Database:
		body["name"], body["location_id"], body["type"], body["deletion_policy"] = id, s.Location, "FIRESTORE_NATIVE", "DELETE"
		address = t.add("google_firestore_database", label, body)
		t.field(address, "expiry", object{"collection": s.Collection, "field": s.TTL, "ttl_config": object{}})
		t.field(address, "exemption", object{"collection": s.Collection, "field": "*", "index_config": object{}})
	case *Queue:
		seconds := func(millis int64) string { return strconv.FormatFloat(float64(millis)/1000, 'f', -1, 64) + "s" }
		body["name"], body["location"] = id, t.Region
		body["retry_config"] = object{
			"max_attempts": s.MaxAttempts, "min_backoff": seconds(s.MinBackoffMillis), "max_backoff": seconds(s.MaxBackoffMillis), "max_doublings": s.MaxDoublings,
		}
		body["rate_limits"] = object{"max_dispatches_per_second": s.PerSecond, "max_concurrent_dispatches": s.Concurrent}
		address = t.add("google_cloud_tasks_queue", label, body)
	case *Grant:
		address = t.grant(label, s, body)
	case *Function:
		var err error
		if address, err = t.function(label, id, s, body); err != nil {
			return "", err
		}
	default:
		return "", fault.New("gcp.terraform", fault.Internal, string(r.ID), "it has no words in Terraform")
	}
	t.at[r.ID], t.on[r.Name] = address, address
	return address, nil
}

func (t *template) field(database, label string, body object) {
	body["project"], body["database"] = t.Project, "${"+database+".name}"
	t.add("google_firestore_field", label, body)
}

// grant adds a member of the policy that a grant is in.
func (t *template) grant(label string, g *Grant, body object) string {
	_, id := split(g.Resource)
	body["role"], body["member"] = g.Role, g.member()
	switch {
	case g.condition() != nil:
		body["condition"] = object{"title": g.condition().GetTitle(), "expression": g.condition().GetExpression()}
		return t.add("google_project_iam_member", label, body)
	case strings.Contains(g.Resource, "/queues/"):
		body["location"], body["name"] = t.Region, id
		return t.add("google_cloud_tasks_queue_iam_member", label, body)
	case strings.Contains(g.Resource, "/serviceAccounts/"):
		delete(body, "project")
		body["service_account_id"] = "${" + t.on[g.Resource] + ".name}"
		return t.add("google_service_account_iam_member", label, body)
	}
	body["location"], body["name"] = t.Region, id
	return t.add("google_cloud_run_v2_service_iam_member", label, body)
}

// function adds a function and its archive, whose name in the bucket says what is in it.
func (t *template) function(label, id string, s *Function, body object) (string, error) {
	file, err := t.rel(s.Archive)
	if err != nil {
		return "", err
	}
	archive := t.add("google_storage_bucket_object", label, object{
		"name": fmt.Sprintf("%s-%s.zip", id, s.Hash), "bucket": "${google_storage_bucket.sources.name}", "source": file,
	})
	env := object{}
	for name, value := range s.Env {
		env[name] = t.text(value)
	}
	body["name"], body["location"], body["labels"] = id, t.Region, object{OwnerLabel: s.Owner}
	body["build_config"] = object{
		"runtime": s.Runtime, "entry_point": s.EntryPoint,
		"source": object{"storage_source": object{"bucket": "${google_storage_bucket.sources.name}", "object": "${" + archive + ".name}"}},
	}
	body["service_config"] = object{
		"available_memory": strconv.FormatInt(s.MemoryMiB, 10) + "Mi", "timeout_seconds": s.Seconds, "environment_variables": env,
		"service_account_email": t.text(s.Account), "all_traffic_on_latest_revision": true, "ingress_settings": "ALLOW_ALL",
	}
	return t.add("google_cloudfunctions2_function", label, body), nil
}
