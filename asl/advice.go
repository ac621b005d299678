package asl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/limits"
)

// The codes of advice: what is allowed and most likely not meant.
const (
	NoDollar     Code = "NO_DOLLAR"
	NoPath       Code = "NO_PATH"
	StaticResult Code = "PASS_RESULT_IS_STATIC"
)

// Advice is something in a good definition that most likely does not do what its author meant.
type Advice struct {
	Code     Code
	Message  string
	Location string // as Step Functions writes it: /States/A/Parameters/x
}

// Advise returns advice on a definition without problems, at most as much as one answer of
// ValidateStateMachineDefinition holds. Source: AWS, API reference, ValidateStateMachineDefinitionDiagnostic.
func Advise(definition []byte) []Advice {
	v, err := jsonvalue.Parse(definition)
	top, ok := v.(*jsonvalue.Object)
	if err != nil || !ok {
		return nil
	}
	a := &adviser{}
	a.graph("", top, languageIn(top, "JSONPath"))
	return a.all
}

// quoted is how many bytes of a text a piece of advice repeats.
const quoted = 80

type adviser struct{ all []Advice }

func (a *adviser) add(code Code, location, format string, args ...any) {
	if len(a.all) < maxProblems {
		a.all = append(a.all, Advice{Code: code, Message: fmt.Sprintf(format, args...), Location: location})
	}
}

// languageIn returns the query language that an object sets, or the one around it.
func languageIn(o *jsonvalue.Object, around string) string {
	if v, ok := o.Get("QueryLanguage"); ok {
		if s, ok := v.(string); ok {
			return s
		}
	}
	return around
}

func (a *adviser) graph(at string, o *jsonvalue.Object, language string) {
	states, _ := o.Get("States")
	if states, ok := states.(*jsonvalue.Object); ok {
		for name, v := range states.All() {
			if st, ok := v.(*jsonvalue.Object); ok {
				a.state(at+"/States/"+name, st, languageIn(st, language))
			}
		}
	}
}

// state looks at one state. In JSONata there is nothing that only looks like an expression: it is marked as one or none.
func (a *adviser) state(at string, st *jsonvalue.Object, language string) {
	kind, _ := st.Get("Type")
	for key, v := range st.All() {
		here := at + "/" + key
		switch {
		case slices.Contains([]string{"ItemProcessor", "Iterator"}, key):
			if o, ok := v.(*jsonvalue.Object); ok {
				a.graph(here, o, languageIn(o, language))
			}
		case key == "Branches":
			branches, _ := v.([]any)
			for i, b := range branches {
				if o, ok := b.(*jsonvalue.Object); ok {
					a.graph(fmt.Sprintf("%s[%d]", here, i), o, language)
				}
			}
		case language != "JSONPath":
		case key == "Result" && kind == "Pass":
			a.result(here, v)
		case slices.Contains([]string{"Parameters", "ResultSelector", "ItemSelector", "Assign"}, key):
			a.template(here, v)
		case key == "Choices":
			a.rules(here, v)
		case slices.Contains([]string{"Error", "Cause", "Timestamp"}, key):
			a.field(here, key, v)
		}
	}
}

// template advises on fields whose values look like expressions and whose names do not say that they are.
func (a *adviser) template(at string, v any) {
	switch v := v.(type) {
	case *jsonvalue.Object:
		for key, member := range v.All() {
			if text, ok := member.(string); ok && !strings.HasSuffix(key, ".$") && looksLikeExpression(text) {
				a.add(NoDollar, at+"/"+key, "The field '%s' has the value '%s', which looks like a JSONPath or an intrinsic function; it is a text unless the field is named '%s.$'", key, limits.Cut(text, quoted), key)
			} else {
				a.template(at+"/"+key, member)
			}
		}
	case []any:
		for i, item := range v {
			a.template(fmt.Sprintf("%s[%d]", at, i), item)
		}
	}
}

// result advises on expressions in a Pass state's Result, where nothing is evaluated.
func (a *adviser) result(at string, v any) {
	switch v := v.(type) {
	case *jsonvalue.Object:
		for key, member := range v.All() {
			if strings.HasSuffix(key, ".$") {
				a.add(StaticResult, at+"/"+key, "The Result of a Pass state is static: '%s' is a field like any other; use Parameters to evaluate its value", key)
			} else {
				a.result(at+"/"+key, member)
			}
		}
	case []any:
		for i, item := range v {
			a.result(fmt.Sprintf("%s[%d]", at, i), item)
		}
	case string:
		if looksLikeExpression(v) {
			a.add(StaticResult, at, "The Result of a Pass state is static: '%s' is a text; use Parameters to evaluate it", limits.Cut(v, quoted))
		}
	}
}

// rules advises on comparisons of choice rules with what looks like a path.
func (a *adviser) rules(at string, v any) {
	switch v := v.(type) {
	case *jsonvalue.Object:
		for key, member := range v.All() {
			if key != "Variable" && key != "Next" && key != "Comment" && !strings.HasSuffix(key, "Path") {
				a.field(at+"/"+key, key, member)
			}
			a.rules(at+"/"+key, member)
		}
	case []any:
		for i, item := range v {
			a.rules(fmt.Sprintf("%s[%d]", at, i), item)
		}
	}
}

// field advises on a path as the value of a field that has a Path variant.
func (a *adviser) field(at, key string, v any) {
	if text, ok := v.(string); ok && strings.HasPrefix(text, "$") && looksLikeExpression(text) {
		a.add(NoPath, at, "The field '%s' has the value '%s', which looks like a path; it is a text unless the field is named '%sPath'", key, limits.Cut(text, quoted), key)
	}
}

// looksLikeExpression reports whether a text is written like a path, a variable or a call of an intrinsic function.
func looksLikeExpression(text string) bool {
	if strings.HasPrefix(text, "States.") {
		return strings.HasSuffix(text, ")") && strings.Contains(text, "(")
	}
	rest, dollar := strings.CutPrefix(text, "$")
	rest = strings.TrimPrefix(rest, "$")
	return dollar && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
