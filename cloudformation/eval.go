package cloudformation

import (
	"encoding/base64"
	"maps"
	"regexp"
	"strconv"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// nothing is the value of AWS::NoValue: the member or item that has it is not there.
type nothing struct{}

// value evaluates n: the functions in it are called. Values are those of package jsonvalue, and nothing.
func (t *template) value(n *node) any {
	if t.steps++; t.steps >= maxSteps {
		if t.steps == maxSteps {
			t.fail(n, "the functions of this template take more than %d steps", maxSteps)
		}
		return nil
	}
	switch n.kind {
	case scalar:
		return n.value
	case array:
		list := make([]any, 0, len(n.items))
		for _, item := range n.items {
			if v := t.value(item); v != (nothing{}) {
				list = append(list, v)
			}
		}
		return list
	}
	if name, argument := n.call(); name != "" {
		return t.call(n, name, argument)
	}
	o := jsonvalue.NewObject(len(n.members))
	for _, m := range n.members {
		if v := t.value(m.value); v != (nothing{}) {
			o.Set(m.key, v)
		}
	}
	return o
}

// call returns the function that an object calls and its argument; "" if it calls none.
func (n *node) call() (name string, argument *node) {
	if len(n.members) != 1 {
		return "", nil
	}
	if m := n.members[0]; m.key == "Ref" || strings.HasPrefix(m.key, "Fn::") {
		return m.key, m.value
	}
	return "", nil
}

func (t *template) call(n *node, name string, arg *node) any {
	t.steps = min(t.steps+20, maxSteps-1)
	switch name {
	case "Ref":
		return t.ref(n, arg.text())
	case "Fn::GetAtt":
		return t.callGetAtt(n, arg)
	case "Fn::Sub":
		return t.callSub(n, arg)
	case "Fn::Join":
		return t.callJoin(n, arg)
	case "Fn::Split":
		return t.callSplit(n, arg)
	case "Fn::Select":
		return t.callSelect(n, arg)
	case "Fn::If":
		if !t.arguments(n, name, arg, 3, 3) {
			return nil
		}
		if t.condition(arg.items[0], arg.items[0].text()) {
			return t.value(arg.items[1])
		}
		return t.value(arg.items[2])
	case "Fn::FindInMap":
		return t.callFindInMap(n, arg)
	case "Fn::Base64":
		return t.make(n, base64.StdEncoding.EncodeToString([]byte(t.string(arg))))
	case "Fn::ToJsonString":
		text, ok := jsonvalue.AppendMax(nil, t.value(arg), maxText)
		if !ok {
			t.fail(n, "Fn::ToJsonString makes more than %d bytes", maxText)
		}
		return t.make(n, string(text))
	case "Fn::ImportValue":
		export := t.string(arg)
		if v, ok := t.given(export); ok {
			return v
		}
		t.fail(n, "export %q is of another stack; give its value with --parameter %s=VALUE", export, export)
		return nil
	}
	t.fail(n, "%s cannot be worked out here; write its value, or deploy what it makes and write that", name)
	return nil
}

// arguments checks that arg is a list of at least lo and at most hi.
func (t *template) arguments(n *node, name string, arg *node, lo, hi int) bool {
	if arg.kind == array && len(arg.items) >= lo && len(arg.items) <= hi {
		return true
	}
	count := strconv.Itoa(lo)
	if hi > lo {
		count += " or " + strconv.Itoa(hi)
	}
	t.fail(n, "%s takes a list of %s, not %s", name, count, arg.describe())
	return false
}

// make counts what functions have made.
func (t *template) make(n *node, s string) string {
	if t.made += len(s); t.made > maxText {
		t.fail(n, "the functions of this template make more than %d bytes", maxText)
		return ""
	}
	return s
}

// string evaluates n, which has to be a string, number or boolean.
func (t *template) string(n *node) string {
	before := len(t.problems)
	v := t.value(n)
	s, ok := textOf(v)
	if !ok && len(t.problems) == before {
		t.fail(n, "this has to be a text, not %s", describe(v))
	}
	return s
}

func describe(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case []any:
		return "a list"
	case *jsonvalue.Object:
		return "an object"
	}
	return "AWS::NoValue"
}

// list evaluates n, which has to be a list.
func (t *template) list(n *node) []any {
	before := len(t.problems)
	v := t.value(n)
	l, ok := v.([]any)
	if !ok && len(t.problems) == before {
		t.fail(n, "this has to be a list, not %s", describe(v))
	}
	return l
}

// given returns the value that the caller gave for a name.
func (t *template) given(name string) (string, bool) {
	v, ok := t.o.Parameters[name]
	if ok {
		t.used[name] = true
	}
	return v, ok
}

func (t *template) ref(n *node, name string) any {
	switch name {
	case "AWS::Region":
		return t.o.Region
	case "AWS::AccountId":
		return t.o.Account
	case "AWS::Partition":
		return t.o.Partition
	case "AWS::StackName":
		return t.o.Stack
	case "AWS::StackId":
		return "arn:" + t.o.Partition + ":cloudformation:" + t.o.Region + ":" + t.o.Account + ":stack/" + t.o.Stack
	case "AWS::URLSuffix":
		return "amazonaws.com"
	case "AWS::NotificationARNs":
		return []any{}
	case "AWS::NoValue":
		return nothing{}
	}
	if p := t.parameters[name]; p != nil {
		return t.parameter(n, name, p)
	}
	return t.resourceRef(n, name)
}

// parameter returns a parameter's value: a string, or a list of them if its type says so.
func (t *template) parameter(n *node, name string, p *node) any {
	typ := p.get("Type").orEmpty().text()
	value, ok := t.given(name)
	if def := p.get("Default"); !ok && def != nil {
		if strings.HasPrefix(typ, "AWS::SSM::") {
			t.fail(n, "parameter %s is kept in Parameter Store under %s; give its value with --parameter %s=VALUE", name, def.describe(), name)
			return nil
		}
		value, ok = def.text(), true
	}
	if !ok {
		t.fail(n, "parameter %s has no default; give its value with --parameter %s=VALUE", name, name)
		return nil
	}
	if typ == "CommaDelimitedList" || strings.Contains(typ, "List<") {
		list := []any{}
		for part := range strings.SplitSeq(value, ",") {
			list = append(list, strings.TrimSpace(part))
		}
		return list
	}
	return value
}

func (n *node) orEmpty() *node {
	if n == nil {
		return &node{}
	}
	return n
}

func (t *template) callGetAtt(n, arg *node) any {
	if arg.kind == scalar {
		id, attribute, _ := strings.Cut(arg.text(), ".")
		return t.attribute(n, id, attribute)
	}
	if !t.arguments(n, "Fn::GetAtt", arg, 2, 2) {
		return nil
	}
	return t.attribute(n, arg.items[0].text(), t.string(arg.items[1]))
}

// place is ${Name}, ${Name.Attribute} or ${!Literal}.
var place = regexp.MustCompile(`\$\{([^{}]*)\}`)

func (t *template) callSub(n, arg *node) any {
	text, own := arg, (*node)(nil)
	if arg.kind == array {
		if !t.arguments(n, "Fn::Sub", arg, 2, 2) {
			return nil
		}
		text, own = arg.items[0], arg.items[1]
	}
	if _, isText := textOf(text.value); text.kind != scalar || !isText {
		t.fail(text, "Fn::Sub takes a text, not %s", text.describe())
		return nil
	}
	values := map[string]string{} // each worked out once
	return t.make(n, t.replace(n, text.text(), func(name string) (string, bool) {
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			return "${" + literal + "}", true
		}
		value, seen := values[name]
		if !seen {
			value = t.substitute(n, name, own)
			values[name] = value
		}
		return value, true
	}))
}

// replace writes values in place of ${Name}; where there is none, the place stays. It stops at maxText bytes.
func (t *template) replace(n *node, text string, value func(name string) (string, bool)) string {
	var b strings.Builder
	at := 0
	for _, m := range place.FindAllStringSubmatchIndex(text, -1) {
		v, ok := value(text[m[2]:m[3]])
		if !ok {
			continue
		}
		b.WriteString(text[at:m[0]])
		b.WriteString(v)
		at = m[1]
		if t.made+b.Len() > maxText {
			return t.make(n, b.String()) // fails
		}
	}
	b.WriteString(text[at:])
	return b.String()
}

func (t *template) substitute(n *node, name string, own *node) string {
	if v := own.get(name); v != nil {
		return t.string(v)
	}
	var v any
	if id, attribute, ok := strings.Cut(name, "."); ok {
		v = t.attribute(n, id, attribute)
	} else {
		v = t.ref(n, name)
	}
	s, ok := textOf(v)
	if !ok && v != nil {
		t.fail(n, "${%s} has to be a text, not %s", name, describe(v))
	}
	return s
}

func (t *template) callJoin(n, arg *node) any {
	if !t.arguments(n, "Fn::Join", arg, 2, 2) {
		return nil
	}
	var b strings.Builder
	between := t.string(arg.items[0])
	for i, v := range t.list(arg.items[1]) {
		s, ok := textOf(v)
		if !ok && len(t.problems) == 0 {
			t.fail(n, "Fn::Join takes texts, not %s", describe(v))
		}
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(s)
		if t.made+b.Len() > maxText {
			break
		}
	}
	return t.make(n, b.String())
}

func (t *template) callSplit(n, arg *node) any {
	if !t.arguments(n, "Fn::Split", arg, 2, 2) {
		return nil
	}
	by, text := t.string(arg.items[0]), t.string(arg.items[1])
	if by == "" {
		t.fail(arg.items[0], "Fn::Split needs a delimiter")
		return nil
	}
	t.make(n, text)
	list := []any{}
	for part := range strings.SplitSeq(text, by) {
		list = append(list, part)
	}
	return list
}

func (t *template) callSelect(n, arg *node) any {
	if !t.arguments(n, "Fn::Select", arg, 2, 2) {
		return nil
	}
	before := len(t.problems)
	index, list := t.string(arg.items[0]), t.list(arg.items[1])
	if len(t.problems) > before {
		return nil
	}
	i, err := strconv.Atoi(index)
	if err != nil || i < 0 || i >= len(list) {
		t.fail(n, "Fn::Select: there is no item %q in a list of %d", index, len(list))
		return nil
	}
	return list[i]
}

func (t *template) callFindInMap(n, arg *node) any {
	if !t.arguments(n, "Fn::FindInMap", arg, 3, 4) {
		return nil
	}
	found, way := t.mappings, ""
	for _, key := range arg.items[:3] {
		name := t.string(key)
		way += "." + name
		if found = found.get(name); found == nil {
			if len(arg.items) == 4 && arg.items[3].get("DefaultValue") != nil {
				return t.value(arg.items[3].get("DefaultValue"))
			}
			t.fail(n, "Mappings have no %s", way[1:])
			return nil
		}
	}
	return t.value(found)
}

// condition reports whether a condition of the template holds.
func (t *template) condition(at *node, name string) bool {
	if holds, ok := t.decided[name]; ok {
		return holds
	}
	c := t.conditions[name]
	switch {
	case c == nil:
		t.fail(at, "there is no condition %q%s", name, closest(name, maps.Keys(t.conditions)))
		return false
	case t.busy["condition "+name]:
		t.fail(at, "condition %s depends on itself", name)
		return false
	}
	t.busy["condition "+name] = true
	holds := t.test(c)
	delete(t.busy, "condition "+name)
	t.decided[name] = holds
	return holds
}

// test evaluates a function of conditions.
func (t *template) test(n *node) bool {
	if len(n.members) != 1 {
		t.fail(n, "a condition is one of Fn::Equals, Fn::And, Fn::Or, Fn::Not and Condition, not %s", n.describe())
		return false
	}
	name, arg := n.members[0].key, n.members[0].value
	switch name {
	case "Condition":
		return t.condition(n, arg.text())
	case "Fn::Equals":
		return t.arguments(n, name, arg, 2, 2) && t.string(arg.items[0]) == t.string(arg.items[1])
	case "Fn::Not":
		return t.arguments(n, name, arg, 1, 1) && !t.test(arg.items[0])
	case "Fn::And", "Fn::Or":
		if !t.arguments(n, name, arg, 2, 10) {
			return false
		}
		all, some := true, false
		for _, item := range arg.items {
			holds := t.test(item)
			all, some = all && holds, some || holds
		}
		return name == "Fn::And" && all || name == "Fn::Or" && some
	}
	t.fail(n, "%s is no function of conditions; they are Fn::Equals, Fn::And, Fn::Or and Fn::Not", name)
	return false
}
