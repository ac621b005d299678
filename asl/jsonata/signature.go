package jsonata

import (
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// signature is what a function takes: <s-nn?:s>. Arguments are matched against it as the reference does with a
// regular expression over one letter an argument.
type signature struct{ params []param }

type param struct {
	kind    byte   // the letter; '(' for a choice
	takes   string // letters of arguments that match
	context bool   // the context stands in for a missing argument
	least   int
	most    int
	subtype string // what the items of an array must be; "" without
	sub     bool
}

const anyType = "asnblfom"

const many = 1 << 30

func mustSignature(text string) *signature {
	s, err := parseSignature(text)
	if err != nil {
		panic(err)
	}
	return s
}

// parseSignature reads a signature. The position of an error is the offset in text.
func parseSignature(text string) (*signature, *Error) {
	s := &signature{}
	last := func() *param {
		if len(s.params) == 0 {
			return &param{}
		}
		return &s.params[len(s.params)-1]
	}
	add := func(kind byte, takes string) {
		s.params = append(s.params, param{kind: kind, takes: takes, least: 1, most: 1})
	}
	for i := 1; i < len(text) && text[i] != ':'; i++ {
		switch c := text[i]; c {
		case 's', 'n', 'b', 'l', 'o':
			add(c, string(c)+"m")
		case 'a', 'x':
			add(c, anyType)
		case 'f':
			add(c, "f")
		case 'j':
			add(c, "asnblom")
		case '-':
			last().context, last().least = true, 0
		case '?':
			last().least = 0
		case '+':
			last().most = many
		case '(':
			end := closing(text, i, '(', ')')
			choice := text[i+1 : end]
			if strings.Contains(choice, "<") {
				return nil, failureAt("S0402", i, choice)
			}
			add('(', choice+"m")
			i = end
		case '<':
			p := last()
			if p.kind != 'a' && p.kind != 'f' {
				return nil, failureAt("S0401", i, string(p.kind))
			}
			end := closing(text, i, '<', '>')
			p.subtype, p.sub = text[i+1:end], true
			i = end
		}
	}
	return s, nil
}

// closing finds the bracket that closes the one at i, or the end.
func closing(text string, i int, open, end byte) int {
	depth := 1
	for i++; i < len(text); i++ {
		switch text[i] {
		case end:
			if depth--; depth == 0 {
				return i
			}
		case open:
			depth++
		}
	}
	return len(text)
}

// letterOf is the letter of a value's type.
func letterOf(v any) byte {
	switch v.(type) {
	case string:
		return 's'
	case float64, jsonvalue.Number:
		return 'n'
	case bool:
		return 'b'
	case nil:
		return 'l'
	case []any, *array:
		return 'a'
	case *jsonvalue.Object, *object:
		return 'o'
	case *function:
		return 'f'
	}
	return 'm'
}

// matching of arguments may go back and forth; it is given up, as a mismatch, after this many steps.
const maxMatch = 100_000

// match gives each of params a run of letters, greedily with steps back; whole says that none may be left. spans
// gets how many each took. It returns how many letters were taken, -1 for no match.
func match(params []param, letters []byte, spans []int, whole bool, steps *int) int {
	if *steps++; len(params) == 0 || *steps > maxMatch {
		if whole && len(letters) > 0 || *steps > maxMatch {
			return -1
		}
		return 0
	}
	p := &params[0]
	n := 0
	for n < len(letters) && n < p.most && strings.IndexByte(p.takes, letters[n]) >= 0 {
		n++
	}
	for ; n >= p.least; n-- {
		if rest := match(params[1:], letters[n:], spans[1:], whole, steps); rest >= 0 {
			spans[0] = n
			return n + rest
		}
	}
	return -1
}

// validate checks arguments and returns them as the function takes them: context filled in, arrays made.
func (s *signature) validate(args []any, context any) ([]any, error) {
	if s.plain(args) {
		return args, nil
	}
	var buf [8]byte
	letters := buf[:0]
	for _, a := range args {
		letters = append(letters, letterOf(a))
	}
	var space [8]int
	spans := space[:]
	if len(s.params) > len(spans) {
		spans = make([]int, len(s.params))
	}
	steps := 0
	if match(s.params, letters, spans, true, &steps) < 0 {
		return nil, s.mismatch(args, letters, spans)
	}
	out := make([]any, 0, max(len(args), len(s.params)))
	at := 0
	for i := range s.params {
		p := &s.params[i]
		switch {
		case spans[i] > 0:
			run := letters[at : at+spans[i]]
			first := arg(args, at) // each of a run of plain arguments is the first one: so does 2.0.6
			for j := range run {
				v, err := p.taken(args, at+j, run, j, first)
				if err != nil {
					return nil, err
				}
				out = append(out, v)
			}
			at += spans[i]
		case p.context:
			if strings.IndexByte(p.takes, letterOf(context)) < 0 {
				return nil, failure("T0411", context).with("index", float64(at+1))
			}
			out = append(out, context)
		default:
			out = append(out, arg(args, at))
			at++
		}
	}
	return out, nil
}

// plain is the quick way for the usual call: an argument for each parameter, each of the one type it takes.
func (s *signature) plain(args []any) bool {
	if len(args) != len(s.params) {
		return false
	}
	for i := range args {
		p := &s.params[i]
		c := letterOf(args[i])
		if p.most > 1 || strings.IndexByte(p.takes, c) < 0 || p.kind == 'a' && (p.sub || c != 'a') {
			return false
		}
	}
	return true
}

// taken is one argument of a run as the function gets it.
func (p *param) taken(args []any, at int, run []byte, j int, first any) (any, error) {
	if p.kind != 'a' {
		return first, nil
	}
	if run[j] == 'm' {
		return undefined, nil
	}
	v := args[at]
	if p.sub && !p.holds(v, run, j) {
		return nil, failure("T0412", v).with("index", float64(at+1)).with("type", p.plural())
	}
	if run[j] != 'a' {
		return &array{items: []any{v}}, nil
	}
	return v, nil
}

// holds reports whether an array has the items the parameter asks for.
func (p *param) holds(v any, run []byte, j int) bool {
	if run[j] != 'a' {
		return string(run) == p.subtype
	}
	items, _ := itemsOf(v)
	if len(items) == 0 {
		return true
	}
	if p.subtype == "" || letterOf(items[0]) != p.subtype[0] {
		return false
	}
	for _, item := range items[1:] {
		if letterOf(item) != p.subtype[0] {
			return false
		}
	}
	return true
}

func (p *param) plural() any {
	words := map[string]string{"a": "arrays", "b": "booleans", "f": "functions", "n": "numbers", "o": "objects", "s": "strings"}
	if w, ok := words[p.subtype]; ok {
		return w
	}
	return undefined
}

// mismatch finds the argument that does not fit.
func (s *signature) mismatch(args []any, letters []byte, spans []int) error {
	good := 0
	steps := 0
	for n := 1; n <= len(s.params); n++ {
		taken := match(s.params[:n], letters, spans, false, &steps)
		if taken < 0 {
			break
		}
		good = taken
	}
	return failure("T0410", arg(args, good)).with("index", float64(good+1))
}
