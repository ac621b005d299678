package cloudformation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// leftOut are properties that are not imported, with what to do instead.
var leftOut = map[string]string{
	"EncryptionConfiguration": "Weft encrypts nothing itself: keep its directory on an encrypted disk",
	"AutoPublishAlias":        "publish a version with `weft machines publish` and lead an alias to it with `weft machines alias set`",
	"DeploymentPreference":    "give an alias two versions with weights: `weft machines alias set NAME:ALIAS 1=90 2=10`",
	"Policies":                "what functions and services a machine may call, weft.yaml says",
	"Connectors":              "what functions and services a machine may call, weft.yaml says",
	"PermissionsBoundary":     "Weft has no roles of its own",
	"RolePath":                "Weft has no roles of its own",
	"UseAliasAsEventTarget":   "events are not imported",
	"PropagateTags":           "the machine's own tags are imported",
}

// besides are resources that belong to machines and are not imported, with what to do instead.
var besides = map[string]string{
	"AWS::StepFunctions::StateMachineVersion": "publish the machine with `weft machines publish`",
	"AWS::StepFunctions::StateMachineAlias":   "lead an alias to versions with `weft machines alias set`",
	"AWS::StepFunctions::Activity":            "create it with `weft activities create`",
}

// names are what the two types of resources call the same properties.
type names struct{ name, kind, role, uri, logging, tracing string }

var (
	nativeNames = names{"StateMachineName", "StateMachineType", "RoleArn", "DefinitionS3Location", "LoggingConfiguration", "TracingConfiguration"}
	samNames    = names{"Name", "Type", "Role", "DefinitionUri", "Logging", "Tracing"}
)

// machine evaluates a state machine; nil if it cannot be.
func (t *template) machine(r *resource, result *Result) *Machine {
	before := len(t.problems)
	is := nativeNames
	if r.kind == samMachine {
		is = samNames
	}
	m := &Machine{LogicalID: r.id, Line: r.node.line, Name: t.nameOf(r), Type: "STANDARD"}
	if typ := t.property(r, is.kind); typ != "" {
		m.Type = typ
	}
	if m.Type != "STANDARD" && m.Type != "EXPRESS" {
		t.fail(r.properties.get(is.kind), "%s: %s is STANDARD or EXPRESS, not %q", r.id, is.kind, m.Type)
	}
	m.RoleARN = t.property(r, is.role)
	m.Tags = t.tags(r)
	m.Logging, m.Tracing = t.configuration(r, is.logging), t.configuration(r, is.tracing)
	m.Definition = t.definition(r, is, result)
	t.note(r, result)
	if len(t.problems) > before {
		return nil
	}
	return m
}

// property returns a property that is a text; "" if the template lacks it.
func (t *template) property(r *resource, name string) string {
	n := r.properties.get(name)
	if n == nil {
		return ""
	}
	before := len(t.problems)
	v := t.value(n)
	if v == (nothing{}) {
		return ""
	}
	s, ok := textOf(v)
	if !ok && len(t.problems) == before {
		t.fail(n, "%s: %s has to be a text, not %s", r.id, name, describe(v))
	}
	return s
}

// note says what of a machine is left out.
func (t *template) note(r *resource, result *Result) {
	for _, m := range r.properties.orEmpty().members {
		if why := leftOut[m.key]; why != "" {
			result.Notes = append(result.Notes, Note{m.value.line, m.value.column, r.id, m.key + " is not imported: " + why})
		}
		if m.key != "Events" {
			continue
		}
		for _, e := range m.value.members {
			typ := e.value.get("Type").orEmpty().text()
			result.Notes = append(result.Notes, Note{e.value.line, e.value.column, r.id,
				fmt.Sprintf("event %s (%s) is not imported: nothing starts the machine but StartExecution", e.key, typ)})
		}
	}
}

// definition finds and evaluates a machine's definition.
func (t *template) definition(r *resource, is names, result *Result) []byte {
	var found []string
	for _, name := range []string{"DefinitionString", "Definition", is.uri} {
		if n := r.properties.get(name); n != nil && (r.kind == nativeMachine || name != "DefinitionString") {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		what := "Definition, DefinitionString or DefinitionS3Location"
		if r.kind == samMachine {
			what = "Definition or DefinitionUri"
		}
		t.fail(r.node, "%s has to have one of %s; it has %d", r.id, what, len(found))
		return nil
	}
	n, values := r.properties.get(found[0]), t.substitutions(r)
	before := len(t.problems)
	switch found[0] {
	case "DefinitionString":
		text := t.string(n)
		if len(t.problems) > before {
			return nil
		}
		return t.parsed(n, r, "", t.substituted(n, r, text, values, result))
	case "Definition":
		return t.object(n, r, values, result)
	}
	path, ok := textOf(t.value(n))
	if !ok {
		if len(t.problems) == before {
			t.fail(n, "%s: the definition is an object in S3; fetch it and write DefinitionString, or with SAM the file's name as DefinitionUri", r.id)
		}
		return nil
	}
	return t.file(n, r, path, values, result)
}

// object makes the text of a definition that is written out in the template.
func (t *template) object(n *node, r *resource, values map[string]string, result *Result) []byte {
	before := len(t.problems)
	v := t.value(n)
	if len(t.problems) > before {
		return nil
	}
	if _, ok := v.(*jsonvalue.Object); !ok {
		t.fail(n, "%s: Definition is an object, not %s", r.id, describe(v))
		return nil
	}
	text, ok := jsonvalue.AppendMax(nil, v, maxText)
	if !ok {
		t.fail(n, "%s: the definition has more than %d bytes", r.id, maxText)
		return nil
	}
	return t.parsed(n, r, "", t.substituted(n, r, string(text), values, result))
}

// file reads the definition that DefinitionUri names: JSON or YAML.
func (t *template) file(n *node, r *resource, path string, values map[string]string, result *Result) []byte {
	switch {
	case strings.HasPrefix(path, "s3://"):
		t.fail(n, "%s: the definition is at %s; fetch it and write the file's name", r.id, path)
		return nil
	case t.o.ReadFile == nil:
		t.fail(n, "%s: the definition is in %s, which cannot be read here", r.id, path)
		return nil
	}
	text, err := t.o.ReadFile(path)
	if err != nil {
		t.fail(n, "%s: the definition is in %s: %v", r.id, path, err)
		return nil
	}
	return t.parsed(n, r, path, t.substituted(n, r, string(text), values, result))
}

// parsed turns the text of a definition into JSON.
func (t *template) parsed(at *node, r *resource, path, text string) []byte {
	in := "the definition"
	if path != "" {
		in = path
	}
	if t.made > maxText {
		return nil
	}
	if err := jsonvalue.Check([]byte(text)); err == nil {
		return indented([]byte(text))
	} else if path == "" {
		t.fail(at, "%s: %s: %v", r.id, in, err)
		return nil
	}
	n, problems := parse([]byte(text))
	if problems != nil {
		t.fail(at, "%s: %s, %s", r.id, in, problems[0].Error())
		return nil
	}
	out, ok := jsonvalue.AppendMax(nil, n.plain(), maxText)
	if !ok {
		t.fail(at, "%s: %s has more than %d bytes", r.id, in, maxText)
		return nil
	}
	return indented(out)
}

// plain returns a node's value without calling functions.
func (n *node) plain() any {
	switch n.kind {
	case array:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = item.plain()
		}
		return list
	case object:
		o := jsonvalue.NewObject(len(n.members))
		for _, m := range n.members {
			o.Set(m.key, m.value.plain())
		}
		return o
	}
	return n.value
}

// indented lays a definition of one line out for people; one that has lines stays as it is.
func indented(text []byte) []byte {
	text = bytes.TrimSpace(text)
	if bytes.ContainsRune(text, '\n') {
		return text
	}
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return text
	}
	return b.Bytes()
}

// substitutions evaluates DefinitionSubstitutions.
func (t *template) substitutions(r *resource) map[string]string {
	n := r.properties.get("DefinitionSubstitutions")
	if n == nil {
		return nil
	}
	before := len(t.problems)
	v := t.value(n)
	o, ok := v.(*jsonvalue.Object)
	if !ok && v != (nothing{}) && len(t.problems) == before {
		t.fail(n, "%s: DefinitionSubstitutions is an object, not %s", r.id, describe(v))
	}
	values := make(map[string]string, o.Len())
	for key, value := range o.All() {
		s, ok := textOf(value)
		if !ok && len(t.problems) == before {
			t.fail(n, "%s: what is put in place of ${%s} has to be a text, not %s", r.id, key, describe(value))
		}
		values[key] = s
	}
	return values
}

// substituted replaces ${Name} in a definition's text, as the service does: in the text, before it is read.
func (t *template) substituted(n *node, r *resource, text string, values map[string]string, result *Result) string {
	missing := map[string]bool{}
	out := t.replace(n, text, func(name string) (string, bool) {
		v, ok := values[name]
		if !ok && values != nil && !missing[name] {
			missing[name] = true
			result.Notes = append(result.Notes, Note{n.line, n.column, r.id, "${" + name + "} stays as it is: DefinitionSubstitutions has no " + name})
		}
		return v, ok
	})
	return t.make(n, out)
}

// tags evaluates Tags: a list of keys and values, or SAM's object.
func (t *template) tags(r *resource) (tags []Tag) {
	n := r.properties.get("Tags")
	if n == nil {
		return nil
	}
	before := len(t.problems)
	switch v := t.value(n).(type) {
	case nothing:
	case *jsonvalue.Object:
		for key, value := range v.All() {
			s, ok := textOf(value)
			if !ok {
				t.fail(n, "%s: the value of tag %s has to be a text, not %s", r.id, key, describe(value))
			}
			tags = append(tags, Tag{key, s})
		}
	case []any:
		for _, item := range v {
			o, _ := item.(*jsonvalue.Object)
			key, _ := o.Get("Key")
			value, _ := o.Get("Value")
			k, ok := textOf(key)
			s, ok2 := textOf(value)
			if !ok || !ok2 {
				t.fail(n, "%s: a tag is an object with Key and Value", r.id)
				return nil
			}
			tags = append(tags, Tag{k, s})
		}
	default:
		if len(t.problems) == before {
			t.fail(n, "%s: Tags is a list of objects with Key and Value, not %s", r.id, describe(v))
		}
	}
	return tags
}

// configuration evaluates a property that CreateStateMachine takes as it is but for its keys, which it begins in lower case.
func (t *template) configuration(r *resource, name string) []byte {
	n := r.properties.get(name)
	if n == nil {
		return nil
	}
	v := t.value(n)
	if v == (nothing{}) || v == nil {
		return nil
	}
	text, ok := jsonvalue.AppendMax(nil, lowered(v), maxText)
	if !ok {
		t.fail(n, "%s: %s has more than %d bytes", r.id, name, maxText)
	}
	return text
}

func lowered(v any) any {
	switch v := v.(type) {
	case *jsonvalue.Object:
		o := jsonvalue.NewObject(v.Len())
		for key, value := range v.All() {
			if s, ok := value.(string); ok && (key == "Enabled" || key == "IncludeExecutionData") {
				value = strings.EqualFold(s, "true") // parameters are texts
			}
			if key != "" {
				key = strings.ToLower(key[:1]) + key[1:]
			}
			o.Set(key, lowered(value))
		}
		return o
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = lowered(item)
		}
		return list
	}
	return v
}
