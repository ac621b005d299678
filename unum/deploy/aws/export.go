package aws

import (
	"encoding/json"
	"strings"

	"github.com/weftworks/weft/unum/deploy"
)

// object is a JSON object of a template.
type object = map[string]any

// words is how a template of some tool names things.
type words struct {
	name func(id deploy.ID) string         // of a resource
	text func(s string) any                // a text that may have placeholders
	path func(file string) (string, error) // of an archive, as the template has it
}

// texts translates a list.
func (w *words) texts(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = w.text(s)
	}
	return out
}

// variables translates the values of an environment.
func (w *words) variables(env map[string]string) object {
	out := object{}
	for name, value := range env {
		out[name] = w.text(value)
	}
	return out
}

// statements translates a policy.
func (w *words) statements(p *Policy) object {
	var list []any
	for _, s := range p.Statements {
		list = append(list, object{"Sid": s.Sid, "Effect": s.Effect, "Action": s.Action, "Resource": w.texts(s.Resource)})
	}
	return object{"Version": policyVersion, "Statement": list}
}

// trustPolicy is that of a role.
func trustPolicy(r *Role) object {
	return object{"Version": policyVersion, "Statement": []any{
		object{"Effect": "Allow", "Principal": object{"Service": r.Service}, "Action": "sts:AssumeRole"},
	}}
}

// camel makes a name of letters and digits: "function/create_post" is "FunctionCreatePost".
func camel(id deploy.ID) string {
	var b strings.Builder
	upper := true
	for _, r := range string(id) {
		if r == '/' || r == '_' || r == '-' {
			upper = true
			continue
		}
		if upper {
			b.WriteString(strings.ToUpper(string(r)))
		} else {
			b.WriteRune(r)
		}
		upper = false
	}
	return b.String()
}

// names gives each resource a name of its own: two that would have the same get numbers.
func names(resources []deploy.Resource, name func(deploy.ID) string) map[deploy.ID]string {
	out, taken := map[deploy.ID]string{}, map[string]bool{}
	for i := range resources {
		id := resources[i].ID
		n := name(id)
		for taken[n] {
			n += "2"
		}
		out[id], taken[n] = n, true
	}
	return out
}

// quoted is v as a JSON text within a text.
func quoted(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}
