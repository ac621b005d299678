// Package serviceapi knows what the actions of AWS services answer, so that a mocked result can be compared with it. It is
// made of the service models of botocore (Apache-2.0) by internal/servicemodels, and holds what is in a model alone: names
// of members, their types, enumerations and bounds.
//
//	err := serviceapi.Check("dynamodb", "putItem", result, true)
package serviceapi

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// models has a text for each service, named by its service id in small letters: the operations with the number of their
// output's shape, an empty line, and the shapes, numbered from 0:
//
//	{Name:1 Name!2    an object and its members, "!" for required ones
//	[1  <1            an array or a map of shape 1
//	"1,64|A|B         a string (or blob or timestamp), its bounds, its values
//	#1,64  ?  *       a number, a boolean, anything
//
//go:embed models.zip
var models []byte

// model is one service, read.
type model struct {
	operations map[string]int
	shapes     []string
}

var (
	archive = sync.OnceValues(func() (*zip.Reader, error) {
		return zip.NewReader(bytes.NewReader(models), int64(len(models)))
	})
	mu     sync.Mutex
	loaded = map[string]*model{}
)

// find returns the model of a service, nil when there is none.
func find(service string) *model {
	mu.Lock()
	defer mu.Unlock()
	m, ok := loaded[service]
	if !ok {
		m = read(service)
		if m != nil { // names that are no service's come from clients: there is no end to them
			loaded[service] = m
		}
	}
	return m
}

func read(service string) *model {
	z, err := archive()
	if err != nil {
		return nil
	}
	f, err := z.Open(service)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(f)
	if err != nil {
		return nil
	}
	head, body, _ := strings.Cut(string(text), "\n\n")
	m := &model{operations: map[string]int{}, shapes: strings.Split(body, "\n")}
	for line := range strings.SplitSeq(head, "\n") {
		name, number, _ := strings.Cut(line, " ")
		if m.operations[name], err = strconv.Atoi(number); err != nil {
			return nil
		}
	}
	return m
}

// Check compares a result (a jsonvalue tree) with what an action answers, and returns what is wrong in AWS's words. service
// is its id in small letters without blanks, action begins with a small letter. With required, members that the model
// requires must be there. Members that the model does not have are let pass, as is all of an action that is not known.
func Check(service, action string, result any, required bool) error {
	m := find(service)
	if m == nil || action == "" {
		return nil
	}
	n, ok := m.operations[strings.ToUpper(action[:1])+action[1:]]
	if !ok {
		return nil
	}
	c := checker{m, required}
	return c.value("", n, result)
}

type checker struct {
	*model
	required bool
}

func mustBe(field, what string) error { return fmt.Errorf("Field '%s' must be %s", field, what) } //nolint:staticcheck // AWS's words

// value compares v with shape n; field is the innermost member it belongs to.
func (c *checker) value(field string, n int, v any) error {
	shape := c.shapes[n]
	kind, rest := shape[0], shape[1:]
	switch kind {
	case '{':
		o, ok := v.(*jsonvalue.Object)
		if !ok {
			return mustBe(field, "an object")
		}
		return c.object(rest, o)
	case '[':
		items, ok := v.([]any)
		if !ok {
			return mustBe(field, "an array")
		}
		return c.all(field, rest, slices.Values(items))
	case '<':
		o, ok := v.(*jsonvalue.Object)
		if !ok {
			return mustBe(field, "an object")
		}
		return c.all(field, rest, func(yield func(any) bool) {
			for _, x := range o.All() {
				if !yield(x) {
					return
				}
			}
		})
	case '"':
		s, ok := v.(string)
		if !ok {
			return mustBe(field, "a string")
		}
		return checkString(field, rest, s)
	case '#':
		x, ok := v.(jsonvalue.Number)
		if !ok {
			return mustBe(field, "a number")
		}
		return checkBounds(field, rest, x.Float64(), "is less than the minimum value", "exceeds the maximum value")
	case '?':
		if _, ok := v.(bool); !ok {
			return mustBe(field, "a boolean")
		}
	}
	return nil
}

func (c *checker) object(members string, o *jsonvalue.Object) error {
	known := map[string]int{}
	for member := range strings.FieldsSeq(members) {
		i := strings.LastIndexAny(member, ":!")
		name := cased(member[:i])
		if _, ok := o.Get(name); !ok && c.required && member[i] == '!' {
			return fmt.Errorf("Required field '%s' is missing", name) //nolint:staticcheck // AWS's words
		}
		known[name], _ = strconv.Atoi(member[i+1:]) // written by internal/servicemodels, tested as a whole
	}
	for name, v := range o.All() {
		n, ok := known[name]
		if !ok {
			continue
		}
		if err := c.value(name, n, v); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) all(field, number string, values func(func(any) bool)) error {
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	for v := range values {
		if err := c.value(field, n, v); err != nil {
			return err
		}
	}
	return nil
}

func checkString(field, rule, s string) error {
	bounds, enum, hasEnum := strings.Cut(rule, "|")
	if hasEnum && !slices.Contains(strings.Split(enum, "|"), s) {
		return fmt.Errorf("Field '%s' is not an expected value", field) //nolint:staticcheck // AWS's words
	}
	return checkBounds(field, bounds, float64(utf8.RuneCountInString(s)), "is smaller than the minimum length", "exceeds the maximum length")
}

func checkBounds(field, bounds string, n float64, below, above string) error {
	from, to, _ := strings.Cut(bounds, ",")
	if least, err := strconv.ParseFloat(from, 64); err == nil && n < least {
		return fmt.Errorf("Field '%s' %s", field, below)
	}
	if most, err := strconv.ParseFloat(to, 64); err == nil && n > most {
		return fmt.Errorf("Field '%s' %s", field, above)
	}
	return nil
}

// cased is a member's name as Step Functions spells it: it begins with a capital, and in a row of capitals only the first
// of a word stays one ("DBInstanceId" is "DbInstanceId", "executionArn" is "ExecutionArn", "ETag" stays).
func cased(name string) string {
	in := []rune(name)
	out := slices.Clone(in)
	out[0] = unicode.ToUpper(out[0])
	for i := 1; i < len(in); i++ {
		inRow := unicode.IsUpper(in[i]) && unicode.IsUpper(in[i-1])
		endsRow := i+1 < len(in) && unicode.IsLower(in[i+1]) // it begins the next word
		if inRow && !endsRow {
			out[i] = unicode.ToLower(in[i])
		}
	}
	return string(out)
}
