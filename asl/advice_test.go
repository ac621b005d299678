package asl

import (
	"fmt"
	"strings"
	"testing"
)

func TestAdvise(t *testing.T) {
	t.Parallel()
	state := func(body string) string { return `{"StartAt":"S","States":{"S":{` + body + `}}}` }
	for definition, want := range map[string]string{
		state(`"Type":"Pass","Parameters":{"a":"$.x","b.$":"$.x","c":{"d":["$$.Execution.Id",{"e":"States.UUID()"}]},"f":"$5","g":"States rule"}`):    "NO_DOLLAR /States/S/Parameters/a, NO_DOLLAR /States/S/Parameters/c/d[1]/e",
		state(`"Type":"Task","ResultSelector":{"a":"$"},"Assign":{"v":"$[0]"}`):                                                                       "NO_DOLLAR /States/S/ResultSelector/a, NO_DOLLAR /States/S/Assign/v",
		state(`"Type":"Pass","Result":{"a.$":"$.x","b":["$.y"],"c":1}`):                                                                               "PASS_RESULT_IS_STATIC /States/S/Result/a.$, PASS_RESULT_IS_STATIC /States/S/Result/b[0]",
		state(`"Type":"Fail","Error":"$.e","Cause":"costs $ 5"`):                                                                                      "NO_PATH /States/S/Error",
		state(`"Type":"Choice","Choices":[{"And":[{"Variable":"$.a","StringEquals":"$.b","Next":"S"},{"Variable":"$.a","StringEqualsPath":"$.b"}]}]`): "NO_PATH /States/S/Choices[0]/And[0]/StringEquals",
		state(`"Type":"Map","ItemProcessor":{"StartAt":"T","States":{"T":{"Type":"Pass","Parameters":{"a":"$.x"}}}}`):                                 "NO_DOLLAR /States/S/ItemProcessor/States/T/Parameters/a",
		state(`"Type":"Parallel","Branches":[{"StartAt":"T","States":{"T":{"Type":"Pass","Result":"$.x"}}}]`):                                         "PASS_RESULT_IS_STATIC /States/S/Branches[0]/States/T/Result",
		state(`"Type":"Pass","QueryLanguage":"JSONata","Assign":{"a":"$.x"}`):                                                                         "",
		strings.Replace(state(`"Type":"Pass","Assign":{"a":"$.x"}`), "{", `{"QueryLanguage":"JSONata",`, 1):                                           "",
		`[]`: "", `{`: "", `{"States":[]}`: "",
	} {
		var got []string
		for _, a := range Advise([]byte(definition)) {
			got = append(got, fmt.Sprintf("%s %s", a.Code, a.Location))
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("%s\n got %s\nwant %s", definition, text, want)
		}
	}
	many := Advise([]byte(state(`"Type":"Pass","Result":[` + strings.Repeat(`"$.x",`, 500) + `1]`)))
	if len(many) != maxProblems {
		t.Errorf("%d pieces of advice", len(many))
	}
}
