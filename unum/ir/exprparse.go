package ir

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// ParseExpr reads an expression. Errors are *ExprError.
//
//	or         = and { "or" and }
//	and        = not { "and" not }
//	not        = "not" not | comparison
//	comparison = sum [ ("==" | "!=" | "<" | "<=" | ">" | ">=") sum ]
//	sum        = product { ("+" | "-") product }
//	product    = sign { ("*" | "/" | "%") sign }
//	sign       = "-" sign | value
//	value      = number | text | "true" | "false" | "null" | "otherwise" | "(" or ")"
//	           | "$out" { "." word | "[" number "]" | "[" text "]" } | "$" number | "$size" | "$iteration" | "$exit"
//
// Texts are in double quotes, as in JSON. Arithmetic is on whole numbers of 64 bits; "/" rounds towards zero.
func ParseExpr(text string) (*Expr, error) {
	e, err := parseExpr(text)
	if err != nil {
		return nil, err
	}
	return e, nil
}

func parseExpr(text string) (*Expr, *ExprError) {
	if len(text) > ExprBytes {
		return nil, &ExprError{0, fmt.Sprintf("the expression has more than %d bytes", ExprBytes)}
	}
	p := &exprParser{text: text}
	p.scan()
	e := p.or()
	if p.err == nil && p.token != "" {
		p.fail("%s is not expected here", show(p.token))
	}
	if p.err != nil {
		return nil, p.err
	}
	return e, nil
}

type exprParser struct {
	text  string
	at    int // of the token
	token string
	next  int // behind the token
	depth int
	err   *ExprError
}

func (p *exprParser) fail(format string, args ...any) *Expr {
	if p.err == nil {
		p.err = &ExprError{p.at, fmt.Sprintf(format, args...)}
	}
	p.token = ""
	return &Expr{op: literal}
}

func show(token string) string {
	if token == "" {
		return "the end"
	}
	return strconv.Quote(token)
}

// scan moves to the next token; "" is the end.
func (p *exprParser) scan() {
	if p.err != nil {
		return
	}
	for p.next < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.next]) >= 0 {
		p.next++
	}
	p.at = p.next
	p.next += p.width(p.text[p.at:])
	p.token = p.text[p.at:p.next]
	if p.err != nil {
		p.token = ""
	}
}

// width returns how many bytes the first token of s has.
func (p *exprParser) width(s string) int {
	switch {
	case s == "":
		return 0
	case isLetter(s[0]), s[0] == '$':
		return 1 + span(s[1:], func(c byte) bool { return isLetter(c) || isDigit(c) })
	case isDigit(s[0]):
		n := span(s, isDigit)
		if rest := s[n:]; len(rest) > 1 && rest[0] == '.' && isDigit(rest[1]) {
			n += 1 + span(rest[1:], isDigit)
		}
		return n
	case s[0] == '"':
		for i := 1; i < len(s); i++ {
			switch s[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
		p.fail("a text begins here and has no end")
		return 0
	case len(s) > 1 && s[1] == '=' && strings.IndexByte("=!<>", s[0]) >= 0:
		return 2
	case strings.IndexByte("+-*/%()[].<>", s[0]) >= 0:
		return 1
	}
	p.fail("%q means nothing in an expression%s", firstRune(s), advice(s))
	return 0
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

// advice says what to write for what other languages have.
func advice(s string) string {
	switch s[0] {
	case '&':
		return `; write "and"`
	case '|':
		return `; write "or"`
	case '!':
		return `; write "not"`
	case '=':
		return `; write "=="`
	case '\'':
		return `; texts are in double quotes`
	}
	return ""
}

func span(s string, in func(byte) bool) int {
	for i := range len(s) {
		if !in(s[i]) {
			return i
		}
	}
	return len(s)
}

func (p *exprParser) accept(token string) bool {
	if p.token != token || p.err != nil {
		return false
	}
	p.scan()
	return true
}

// typed returns an operation whose operands are to be of a type.
func (p *exprParser) typed(at int, o op, want Type, args ...*Expr) *Expr {
	for _, a := range args {
		if t := a.Type(); t != want && t != Any && p.err == nil {
			p.at = at
			return p.fail("%q takes %s, and %s is %s", words[o], want, a, t)
		}
	}
	return &Expr{op: o, args: args}
}

func (p *exprParser) or() *Expr {
	e := p.and()
	for at := p.at; p.accept("or"); at = p.at {
		e = p.typed(at, or, Boolean, e, p.and())
	}
	return e
}

func (p *exprParser) and() *Expr {
	e := p.not()
	for at := p.at; p.accept("and"); at = p.at {
		e = p.typed(at, and, Boolean, e, p.not())
	}
	return e
}

func (p *exprParser) not() *Expr {
	at := p.at
	if !p.accept("not") {
		return p.comparison()
	}
	if !p.deeper() {
		return p.fail("this is nested more than %d deep", exprDepth)
	}
	defer p.shallower()
	return p.typed(at, not, Boolean, p.not())
}

func (p *exprParser) deeper() bool {
	p.depth++
	return p.depth <= exprDepth
}

func (p *exprParser) shallower() { p.depth-- }

var comparisons = map[string]op{"==": equal, "!=": unequal, "<": less, "<=": lessEqual, ">": greater, ">=": greaterEqual}

func (p *exprParser) comparison() *Expr {
	left := p.sum()
	at := p.at
	o, ok := comparisons[p.token]
	if !ok {
		return left
	}
	p.scan()
	right := p.sum()
	if _, chained := comparisons[p.token]; chained {
		return p.fail(`comparisons do not chain; join two with "and"`)
	}
	l, r := left.Type(), right.Type()
	switch {
	case p.err != nil:
	case o != equal && o != unequal && (l == Boolean || l == Null || r == Boolean || r == Null):
		p.at = at
		return p.fail("%q orders numbers and texts, not %s and %s", words[o], l, r)
	case l != r && l != Any && r != Any && !((o == equal || o == unequal) && (l == Null || r == Null)):
		p.at = at
		return p.fail("%s is %s and %s is %s: they never compare", left, l, right, r)
	}
	return &Expr{op: o, args: []*Expr{left, right}}
}

func (p *exprParser) sum() *Expr {
	e := p.product()
	for {
		at, o := p.at, add
		switch {
		case p.accept("+"):
		case p.accept("-"):
			o = subtract
		default:
			return e
		}
		e = p.typed(at, o, Number, e, p.product())
	}
}

func (p *exprParser) product() *Expr {
	e := p.sign()
	for {
		at, o := p.at, multiply
		switch {
		case p.accept("*"):
		case p.accept("/"):
			o = divide
		case p.accept("%"):
			o = modulo
		default:
			return e
		}
		e = p.typed(at, o, Number, e, p.sign())
	}
}

func (p *exprParser) sign() *Expr {
	at := p.at
	if !p.accept("-") {
		return p.value()
	}
	if !p.deeper() {
		return p.fail("this is nested more than %d deep", exprDepth)
	}
	defer p.shallower()
	return p.typed(at, negate, Number, p.sign())
}

var names = map[string]*Expr{
	"true": {op: literal, lit: true}, "false": {op: literal, lit: false}, "null": {op: literal},
	"otherwise": {op: otherwise}, "$size": {op: size}, "$iteration": {op: iteration}, "$exit": {op: exit},
}

func (p *exprParser) value() *Expr {
	token := p.token
	if e := names[token]; e != nil {
		p.scan()
		return e
	}
	switch {
	case token == "(":
		return p.parentheses()
	case token == "$out":
		p.scan()
		return p.path()
	case token == "":
		return p.fail("a value is missing at the end")
	case isDigit(token[0]):
		return p.number()
	case token[0] == '"':
		e := &Expr{op: literal, lit: p.quoted()}
		p.scan()
		return e
	case token[0] == '$' && len(token) > 1 && isDigit(token[1]):
		n, err := strconv.Atoi(token[1:])
		if err != nil || n > frameMost || strconv.Itoa(n) != token[1:] {
			return p.fail("%s: a frame is $0 to $%d", token, frameMost)
		}
		p.scan()
		return &Expr{op: index, n: n}
	case token[0] == '$':
		return p.fail("there is no %s; there are $out, $0, $1, …, $size, $iteration and $exit", token)
	case isLetter(token[0]):
		return p.fail("%q means nothing here; a text is in double quotes", token)
	}
	return p.fail("a value is expected before %q", token)
}

func (p *exprParser) parentheses() *Expr {
	if !p.deeper() {
		return p.fail("this is nested more than %d deep", exprDepth)
	}
	defer p.shallower()
	p.scan()
	e := p.or()
	if !p.accept(")") && p.err == nil {
		return p.fail(`")" is expected before %s`, show(p.token))
	}
	return e
}

func (p *exprParser) number() *Expr {
	token := p.token
	if jsonvalue.Check([]byte(token)) != nil {
		return p.fail("%s is not a number: it begins with 0", token)
	}
	if strings.Contains(token, ".") {
		p.scan()
		return &Expr{op: literal, lit: jsonvalue.Number(token)}
	}
	n, err := strconv.ParseInt(token, 10, 64)
	if err != nil {
		return p.fail("%s does not fit 64 bits", token)
	}
	p.scan()
	return &Expr{op: literal, lit: n}
}

// quoted returns what the token, a text in quotes, says.
func (p *exprParser) quoted() string {
	v, err := jsonvalue.ParseString(p.token)
	if err != nil {
		p.fail("%s is not a text as JSON has it", p.token)
	}
	s, _ := v.(string)
	return s
}

// path reads what follows $out.
func (p *exprParser) path() *Expr {
	e := &Expr{op: out}
	for {
		switch {
		case p.accept("."):
			if !isWord(p.token) {
				return p.fail(`behind "." is a word; write ["…"] for other keys`)
			}
			e.path = append(e.path, step{key: &[]string{p.token}[0]})
		case p.accept("["):
			s, ok := p.subscript()
			if !ok {
				return p.fail("in brackets is the number of an item, from 0, or a key in double quotes")
			}
			e.path = append(e.path, s)
			if p.scan(); p.token != "]" {
				return p.fail(`"]" is expected before %s`, show(p.token))
			}
		default:
			return e
		}
		p.scan()
	}
}

func (p *exprParser) subscript() (step, bool) {
	if p.token != "" && p.token[0] == '"' {
		key := p.quoted()
		return step{key: &key}, true
	}
	n, err := strconv.ParseInt(p.token, 10, 32)
	return step{item: n}, err == nil && n >= 0 && strconv.FormatInt(n, 10) == p.token
}

// ParseValue reads the name of a value: a function, "-", and indices between points: numbers, $n, expressions in
// parentheses, and for the last "*". Errors are *ExprError.
func ParseValue(text string) (Value, error) {
	if len(text) > ExprBytes {
		return Value{}, &ExprError{0, fmt.Sprintf("the name has more than %d bytes", ExprBytes)}
	}
	deepest := &ExprError{len(text), `the name of a value is that of a function, "-" and indices, like F-0, F-($0 + 1) or F-*`}
	found := false
	for at, depth := 0, 0; at < len(text); at++ {
		switch text[at] {
		case '(':
			depth++
		case ')':
			depth--
		case '-': // the names of functions have them, too
			if depth > 0 {
				continue
			}
			indices, err := parseIndices(text, at+1)
			if err == nil {
				return Value{Function: text[:at], Indices: indices}, nil
			}
			if !found || err.Offset > deepest.Offset {
				found, deepest = true, err
			}
		}
	}
	return Value{}, deepest
}

// parseIndices reads indices from at to the end.
func parseIndices(text string, at int) (indices []*Expr, err *ExprError) {
	for {
		end := at + indexWidth(text[at:])
		part := text[at:end]
		switch {
		case part == "*":
			if indices = append(indices, nil); end != len(text) {
				return nil, &ExprError{at, `"*" is the last index`}
			}
		case part == "" || part[0] != '(' && part[0] != '$' && !isDigit(part[0]):
			return nil, &ExprError{at, `an index is a number, $n, an expression in parentheses, or "*"`}
		case part[0] != '(' && 1+span(part[1:], func(c byte) bool { return isLetter(c) || isDigit(c) }) != len(part):
			return nil, &ExprError{at, "an index that is more than a number or $n is in parentheses"}
		default:
			e, err := parseExpr(part)
			if err != nil {
				err.Offset += at
				return nil, err
			}
			if e.UsesOut() || e.Type() != Number {
				return nil, &ExprError{at, "an index is a number made of $0, $1, …, $size and $iteration"}
			}
			indices = append(indices, e)
		}
		if end == len(text) {
			return indices, nil
		}
		if text[end] != '.' {
			return nil, &ExprError{end, `"." is expected between indices`}
		}
		at = end + 1
	}
}

// indexWidth returns how many bytes the first index of s has.
func indexWidth(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		case '.':
			if depth == 0 {
				return i
			}
		}
	}
	return len(s)
}
