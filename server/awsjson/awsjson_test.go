package awsjson

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// read takes members of every type, as an operation would.
func read(body string) error {
	in, err := Parse([]byte(body))
	if err != nil {
		return err
	}
	in.String("name", Required, Length(1, 8))
	in.String("secret", Sensitive, Length(0, 3))
	in.Int("maxResults", Range(0, 1000))
	in.Bool("publish", false)
	in.Optional("status", OneOf("RUNNING", "FAILED"))
	for _, t := range in.Objects("tags", Length(0, 2)) {
		t.String("key", Required, Length(1, 4))
	}
	in.Strings("keys", []Rule{Length(1, 4)})
	if l := in.Object("logging"); l != nil {
		l.String("level", OneOf("OFF"))
	}
	return in.Err()
}

func TestErrors(t *testing.T) {
	t.Parallel()
	const one = "1 validation error detected: "
	for body, want := range map[string]string{
		`{"name":"a","unknown":{"x":[1]},"status":null}`: "",
		``:                                one + "Value null at 'name' failed to satisfy constraint: Member must not be null",
		`{"name":null}`:                   one + "Value null at 'name' failed to satisfy constraint: Member must not be null",
		`{"name":""}`:                     one + "Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1",
		`{"name":"éééééééé"}`:             "",
		`{"name":"123456789"}`:            one + "Value '123456789' at 'name' failed to satisfy constraint: Member must have length less than or equal to 8",
		`{"name":"a","secret":"hush"}`:    one + "Value at 'secret' failed to satisfy constraint: Member must have length less than or equal to 3",
		`{"name":"a","maxResults":1001}`:  one + "Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000",
		`{"name":"a","maxResults":-1}`:    one + "Value '-1' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 0",
		`{"name":"a","status":"running"}`: one + "Value 'running' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [RUNNING, FAILED]",
		`{"name":"a","tags":[{"key":"k"},{"key":""}]}`: one + "Value '' at 'tags.2.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1",
		`{"name":"a","tags":[null]}`:                   one + "Value null at 'tags.1.member' failed to satisfy constraint: Member must not be null",
		`{"name":"a","keys":["toolong"]}`:              one + "Value 'toolong' at 'keys.1.member' failed to satisfy constraint: Member must have length less than or equal to 4",
		`{"name":"a","logging":{"level":"x"}}`:         one + "Value 'x' at 'logging.level' failed to satisfy constraint: Member must satisfy enum value set: [OFF]",
		`{"name":"","maxResults":1001}`: "2 validation errors detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1; " +
			"Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000",
		`{"name":7}`:                         "'name' is the number 7; it has to be a string",
		`{"name":"a","maxResults":"10"}`:     "'maxResults' is a string; it has to be an integer",
		`{"name":"a","maxResults":1e99}`:     "'maxResults' is the number 1e99; it has to be an integer",
		`{"name":"a","publish":"true"}`:      "'publish' is a string; it has to be a boolean",
		`{"name":"a","tags":{}}`:             "'tags' is an object; it has to be an array",
		`{"name":"a","tags":["k"]}`:          "'tags.1.member' is a string; it has to be an object",
		`{"name":"a","tags":[{"key":true}]}`: "'tags.1.member.key' is a boolean; it has to be a string",
		`[]`:                                 "the request body is an array; it has to be an object",
		`null`:                               "the request body is null; it has to be an object",
	} {
		got := ""
		if err := read(body); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"{", "{'a':1}", `{"a":1}x`, "\xff", `{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}"} {
		var want *SerializationError
		if _, err := Parse([]byte(body)); !errors.As(err, &want) {
			t.Errorf("Parse(%.20q) = %v, want a SerializationError", body, err)
		}
	}
}

func TestLongValueIsClipped(t *testing.T) {
	t.Parallel()
	if err := read(`{"name":"` + strings.Repeat("é", 1<<20) + `"}`); len(err.Error()) > 2*shown {
		t.Errorf("the message has %d bytes", len(err.Error()))
	}
}

func TestManyViolations(t *testing.T) {
	t.Parallel()
	err := read(`{"name":"a","keys":[` + strings.Repeat(`"",`, 100_000) + `""]}`)
	if err == nil || !strings.HasPrefix(err.Error(), "100001 validation errors detected: Value '' at 'keys.1.member'") || len(err.Error()) > 16<<10 {
		t.Errorf("%.300s", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"name":"a","tags":[{"key":"k"}],"keys":["x"],"logging":{"level":"OFF"},"maxResults":1.5,"publish":true}`)
	f.Add(`{"name":"\ud800","maxResults":1e400}`)
	f.Fuzz(func(t *testing.T, body string) {
		err := read(body)
		var s *SerializationError
		var v *ValidationError
		if err != nil && !errors.As(err, &s) && !errors.As(err, &v) {
			t.Fatalf("%q: %T %v", body, err, err)
		}
		if err != nil && len(err.Error()) > 64<<10+16*shown {
			t.Fatalf("%q: a message of %d bytes", body, len(err.Error()))
		}
	})
}

// sample has a member of every type.
var sample = []Member{
	{Name: "name", Type: Text, Rules: []Rule{Required, Length(1, 8)}},
	{Name: "input", Type: Text, Rules: []Rule{Required, Sensitive}},
	{Name: "maxResults", Type: Number, Rules: []Rule{Range(0, 1000)}},
	{Name: "percentage", Type: Real, Rules: []Rule{Range(0, 100)}},
	{Name: "publish", Type: Flag},
	{Name: "alias", Type: Text, Rules: []Rule{Pattern(regexp.MustCompile("^[a-z]+$"), "[a-z]+")}},
	{Name: "keys", Type: Texts, Each: []Rule{Length(1, 4)}, Rules: []Rule{Length(1, 2)}},
	{Name: "logging", Type: Structure, In: []Member{{Name: "level", Type: Text, Rules: []Rule{OneOf("OFF")}}}},
	{Name: "routes", Type: Structures, Rules: []Rule{Length(1, 2), Element("Route", "arn", "weight")},
		In: []Member{{Name: "arn", Type: Text, Rules: []Rule{Length(1, 9)}}, {Name: "weight", Type: Number, Rules: []Rule{Required, Range(0, 100)}}}},
}

func check(body string) error {
	in, err := Parse([]byte(body))
	if err != nil {
		return err
	}
	in.Check(sample)
	return in.Err()
}

func TestCheck(t *testing.T) {
	t.Parallel()
	const more = `{"name":"a","input":"",`
	for body, want := range map[string]string{
		`{"name":"a","input":"{}","maxResults":5,"percentage":99.5,"publish":true,"alias":"x","keys":["k"],"logging":{"level":"OFF"},"routes":[{"arn":"r","weight":100}],"other":[]}`: "",
		`{"name":"a"}`:                                    "Value null at 'input' failed to satisfy constraint: Member must not be null",
		`{"name":"a","input":{}}`:                         "'input' is an object; it has to be a string",
		more + `"percentage":100.5}`:                      "Value '100.5' at 'percentage' failed to satisfy constraint: Member must have value less than or equal to 100",
		more + `"percentage":"1"}`:                        "'percentage' is a string; it has to be a number",
		more + `"publish":"yes"}`:                         "'publish' is a string; it has to be a boolean",
		more + `"alias":"a1"}`:                            "Value 'a1' at 'alias' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]+",
		more + `"keys":[]}`:                               "Value '[]' at 'keys' failed to satisfy constraint: Member must have length greater than or equal to 1",
		more + `"keys":["a","b","c"]}`:                    "Value '[a, b, c]' at 'keys' failed to satisfy constraint: Member must have length less than or equal to 2",
		more + `"keys":["","a"]}`:                         "Value '' at 'keys.1.member' failed to satisfy constraint: Member must have length greater than or equal to 1",
		more + `"logging":{"level":"ON"}}`:                "Value 'ON' at 'logging.level' failed to satisfy constraint: Member must satisfy enum value set: [OFF]",
		more + `"routes":[{"arn":"r"}]}`:                  "Value null at 'routes.1.member.weight' failed to satisfy constraint: Member must not be null",
		more + `"routes":[{"weight":1},{"weight":101}]}`:  "Value '101' at 'routes.2.member.weight' failed to satisfy constraint: Member must have value less than or equal to 100",
		more + `"routes":[{"arn":"r","weight":1},{},{}]}`: "Value '[Route(arn=r, weight=1), Route(arn=null, weight=null), Route(arn=null, weight=null)]' at 'routes' failed to satisfy constraint: Member must have length less than or equal to 2",
		more + `"routes":[1]}`:                            "'routes.1.member' is the number 1; it has to be an object",
	} {
		got := ""
		if err := check(body); err != nil {
			got = strings.TrimPrefix(err.Error(), "1 validation error detected: ")
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
}

// FuzzCheck holds that a request that passes the model keeps its bounds, and that one that does not says why in a message
// of bounded length.
func FuzzCheck(f *testing.F) {
	f.Add(`{"name":"a","input":"{}","maxResults":5,"percentage":1e2,"alias":"x","keys":["k"],"logging":{"level":"OFF"},"routes":[{"arn":"r","weight":100}]}`)
	f.Add(`{"name":"a","input":"","routes":[{"arn":{}},{"weight":[]},null]}`)
	f.Fuzz(func(t *testing.T, body string) {
		in, err := Parse([]byte(body))
		if err != nil {
			return
		}
		in.Check(sample)
		if err := in.Err(); err != nil {
			var refused *ValidationError
			if most := 400 + 64*len(body); len(err.Error()) > most || errors.As(err, &refused) && len(refused.Violations) == 0 {
				t.Errorf("%d bytes of message for %d of request: %.300s", len(err.Error()), len(body), err)
			}
			return
		}
		name, weights := in.String("name"), 0
		for _, r := range in.Objects("routes") {
			weights += r.Int("weight")
		}
		if n := utf8.RuneCountInString(name); n < 1 || n > 8 || in.Int("maxResults") > 1000 || in.Real("percentage") > 100 || weights > 200 || in.Err() != nil {
			t.Errorf("%s passed", body)
		}
	})
}
