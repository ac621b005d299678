package jsonata

import "strconv"

// maxNesting bounds how deep parts of an expression nest: it is what keeps parsing from exhausting a stack.
const maxNesting = 3000

// node is a part of an expression. The parser makes it in the form of the text; process (process.go) makes the form
// that is evaluated: paths as lists of steps, each with its stages.
type node struct {
	kind kind
	op   string // operator; name; name of a variable; value of a string
	at   int    // byte offset, as token.at
	val  any    // of literals, and the compiled regular expression

	lhs, rhs *node   // operands; pattern and update of a transform; procedure of a function
	third    *node   // else; delete
	list     []*node // arguments, items, expressions of a block, steps of a path
	pairs    [][2]*node
	terms    []sortTerm

	predicates []stage
	stages     []stage
	group      *group

	sig                      *signature
	keepArray, keepSingleton bool // [] of the step, of the whole path
	consArray                bool // an array constructor that is not flattened
	tuple                    bool // the step's results carry bindings
	thunk                    bool // a tail call
	frame                    bool // the block binds variables of its own
	focus, index             string
	slot                     *slot   // of a parent: which binding holds it
	ancestor                 *slot   // of a step: its input is bound here
	seeking                  []*slot // parents that steps further out must bind
	global                   int     // of a variable: its place among the globals, or -1
	simple                   bool    // of a path: nothing but names
	params                   []string
}

type sortTerm struct {
	descending bool
	expr       *node
}

// stage is a filter, or the binding of an index where expr is nil.
type stage struct {
	expr  *node
	index string
}

type group struct {
	pairs [][2]*node
	at    int
}

// slot is a place for the object a "%" means.
type slot struct {
	label string
	level int
}

// placeholder is the "?" of a partial application.
func (n *node) placeholder() bool { return n.kind == kindOperator && n.op == "?" }

// binding is how strongly an operator binds to what is left of it; 0: not at all.
var binding = map[string]int{
	".": 75, "[": 80, "{": 70, "(": 80, "@": 80, "#": 80, "?": 20, "+": 50, "-": 50, "*": 60, "/": 60, "%": 60,
	"=": 40, "<": 40, ">": 40, "^": 40, ":=": 10, "!=": 40, "<=": 40, ">=": 40, "~>": 40, "and": 30, "or": 25,
	"in": 40, "&": 50,
}

// parser is a top-down operator precedence parser (Pratt 1973). The first error ends it: it is thrown, as what
// parses would otherwise be mostly about errors, and caught in parse.
type parser struct {
	lexer
	tok   token
	depth int
	labels
}

func parse(text string) (root *node, err *Error) {
	p := &parser{lexer: lexer{s: text}}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *Error:
			root, err = nil, e
		default:
			panic(e)
		}
	}()
	p.advance(false)
	n := p.expression(0)
	if p.tok.kind != kindEnd {
		panic(failureAt("S0201", p.tok.at, undefined).about(p.tok.shown()))
	}
	n = p.process(n)
	if n.kind == kindParent || n.seeking != nil {
		panic(failureAt("S0217", n.at, undefined).about(n.kind.name()))
	}
	return n, nil
}

// enter counts one level of nesting; leave takes it back.
func (p *parser) enter(at int) {
	if p.depth++; p.depth > maxNesting {
		panic(failureAt("S0500", at, float64(maxNesting)))
	}
}

func (p *parser) leave() { p.depth-- }

// advance reads the next token.
func (p *parser) advance(infix bool) {
	t, err := p.next(infix)
	if err != nil {
		panic(err)
	}
	if t.kind == kindOperator && (t.text == "!" || t.text == "~") {
		panic(failureAt("S0204", t.at, undefined).about(t.text))
	}
	p.tok = t
}

// expect reads the next token behind this operator.
func (p *parser) expect(op string, infix bool) {
	if !p.tok.is(op) {
		code := "S0202"
		if p.tok.kind == kindEnd {
			code = "S0203"
		}
		panic(failureAt(code, p.tok.at, op).about(p.tok.shown()))
	}
	p.advance(infix)
}

// accept reads this operator if it is there.
func (p *parser) accept(op string) bool {
	if !p.tok.is(op) {
		return false
	}
	p.advance(false)
	return true
}

// expression reads an expression whose operators bind stronger than power.
func (p *parser) expression(power int) *node {
	p.enter(p.tok.at)
	defer p.leave()
	t := p.tok
	p.advance(true)
	left := p.prefix(t)
	for p.tok.kind == kindOperator && power < binding[p.tok.text] {
		t = p.tok
		p.advance(false)
		left = p.infix(t, left)
	}
	return left
}

// prefix reads what begins with token t.
func (p *parser) prefix(t token) *node {
	n := &node{kind: t.kind, op: t.text, at: t.at, val: t.value}
	switch t.kind {
	case kindString:
		n.val = t.text
		return n
	case kindOperator:
	default:
		return n
	}
	switch t.text {
	case "and", "or", "in":
	case "-":
		n.kind, n.lhs = kindNegate, p.expression(70)
	case "*":
		n.kind = kindWildcard
	case "**":
		n.kind = kindDescendant
	case "%":
		n.kind = kindParent
	case "(":
		n.kind, n.list = kindBlock, p.block()
	case "[":
		n.kind, n.list = kindArray, p.items()
	case "{":
		n.kind, n.pairs = kindObject, p.members()
	case "|":
		p.transform(n)
	default:
		panic(failureAt("S0211", t.at, undefined).about(t.text))
	}
	return n
}

func (p *parser) block() (list []*node) {
	for !p.tok.is(")") {
		list = append(list, p.expression(0))
		if !p.accept(";") {
			break
		}
	}
	p.expect(")", true)
	return list
}

func (p *parser) items() (list []*node) {
	if !p.tok.is("]") {
		for {
			item := p.expression(0)
			if p.tok.is("..") {
				item = &node{kind: kindBinary, op: "..", at: p.tok.at, lhs: item}
				p.advance(false)
				item.rhs = p.expression(0)
			}
			list = append(list, item)
			if !p.accept(",") {
				break
			}
		}
	}
	p.expect("]", true)
	return list
}

func (p *parser) members() (pairs [][2]*node) {
	if !p.tok.is("}") {
		for {
			key := p.expression(0)
			p.expect(":", false)
			pairs = append(pairs, [2]*node{key, p.expression(0)})
			if !p.accept(",") {
				break
			}
		}
	}
	p.expect("}", true)
	return pairs
}

func (p *parser) transform(n *node) {
	n.kind = kindTransform
	n.lhs = p.expression(0)
	p.expect("|", false)
	n.rhs = p.expression(0)
	if p.accept(",") {
		n.third = p.expression(0)
	}
	p.expect("|", false)
}

// infix reads what operator t makes of what is left of it.
func (p *parser) infix(t token, left *node) *node {
	n := &node{kind: kindBinary, op: t.text, at: t.at, lhs: left}
	switch t.text {
	case "(":
		return p.call(n)
	case "[":
		if p.tok.is("]") { // keeps arrays of one item
			step := left
			for step.kind == kindBinary && step.op == "[" {
				step = step.lhs
			}
			step.keepArray = true
			p.expect("]", false)
			return left
		}
		n.rhs = p.expression(0)
		p.expect("]", true)
	case "^":
		p.expect("(", false)
		n.kind, n.terms = kindSort, p.orderBy()
	case "{":
		n.kind, n.pairs = kindGroupBy, p.members()
	case ":=":
		if left.kind != kindVariable {
			panic(failureAt("S0212", left.at, undefined).about(left.shown()))
		}
		n.kind, n.rhs = kindBind, p.expression(binding[":="]-1)
	case "@", "#":
		n.rhs = p.expression(binding[t.text])
		if n.rhs.kind != kindVariable {
			panic(failureAt("S0214", n.rhs.at, undefined).about(t.text))
		}
	case "?":
		n.kind, n.rhs = kindCondition, p.expression(0)
		if p.accept(":") {
			n.third = p.expression(0)
		}
	case "~>":
		n.kind, n.rhs = kindApply, p.expression(binding["~>"])
	default:
		n.rhs = p.expression(binding[t.text])
	}
	return n
}

func (p *parser) orderBy() (terms []sortTerm) {
	for {
		t := sortTerm{}
		if !p.accept("<") {
			t.descending = p.accept(">")
		}
		t.expr = p.expression(0)
		terms = append(terms, t)
		if !p.accept(",") {
			break
		}
	}
	p.expect(")", false)
	return terms
}

// call reads the arguments of a function, or a whole lambda.
func (p *parser) call(n *node) *node {
	n.kind = kindFunction
	if !p.tok.is(")") {
		for {
			if p.tok.is("?") {
				n.kind = kindPartial
				n.list = append(n.list, &node{kind: kindOperator, op: "?", at: p.tok.at})
				p.advance(false)
			} else {
				n.list = append(n.list, p.expression(0))
			}
			if !p.accept(",") {
				break
			}
		}
	}
	p.expect(")", true)
	if n.lhs.kind == kindName && (n.lhs.op == "function" || n.lhs.op == "λ") {
		p.lambda(n)
	}
	return n
}

func (p *parser) lambda(n *node) {
	n.kind = kindLambda
	for i, param := range n.list {
		if param.kind != kindVariable {
			panic(failureAt("S0208", param.at, float64(i+1)).about(param.shown()))
		}
		n.params = append(n.params, param.op)
	}
	n.list = nil
	if p.tok.is("<") {
		n.sig = p.signature()
	}
	p.expect("{", false)
	n.rhs = p.expression(0)
	p.expect("}", false)
}

// signature reads the signature of a lambda: tokens up to the ">" that closes it.
func (p *parser) signature() *signature {
	at, depth, text := p.tok.at, 1, "<"
	for depth > 0 && !p.tok.is("{") && p.tok.kind != kindEnd {
		p.advance(false)
		switch {
		case p.tok.is(">"):
			depth--
		case p.tok.is("<"):
			depth++
		}
		if f, ok := p.tok.value.(float64); ok {
			text += numberText(f)
		} else {
			text += p.tok.text
		}
	}
	p.expect(">", false)
	sig, err := parseSignature(text)
	if err != nil {
		err.Position += at
		panic(err)
	}
	return sig
}

// shown is the node's token as messages have it.
func (n *node) shown() any {
	if n.kind == kindNumber || n.kind == kindValue {
		return n.val
	}
	return n.op
}

// name is what the reference calls the kind, for messages.
func (k kind) name() string {
	names := map[kind]string{
		kindName: "name", kindVariable: "variable", kindOperator: "operator", kindString: "string", kindNumber: "number",
		kindValue: "value", kindRegex: "regex", kindBinary: "binary", kindNegate: "unary", kindArray: "unary",
		kindObject: "unary", kindWildcard: "wildcard", kindDescendant: "descendant", kindParent: "parent",
		kindFunction: "function", kindPartial: "partial", kindLambda: "lambda", kindBlock: "block",
		kindCondition: "condition", kindTransform: "transform", kindPath: "path", kindSort: "sort", kindBind: "bind",
		kindApply: "apply",
	}
	if name, ok := names[k]; ok {
		return name
	}
	return "kind " + strconv.Itoa(int(k))
}
