package jsonata

import (
	"unicode/utf8"
)

// Expr is a compiled expression. It is immutable and safe for concurrent use.
type Expr struct {
	text    string
	root    *node
	globals []string // free variables by slot
	eval    bool     // $eval is there
	dynamic bool     // names are looked up by frame: $eval may have bound them
}

// Options change what an expression may do. The zero value is what Step Functions allows.
type Options struct {
	// Eval allows $eval, which Step Functions forbids: without it $eval is a variable like any other.
	Eval bool
}

// Compile reads an expression. The error is an *Error.
func Compile(text string) (*Expr, error) { return CompileWith(text, Options{}) }

// CompileWith is Compile with options.
func CompileWith(text string, o Options) (*Expr, error) {
	return compile(text, o.Eval, false)
}

func compile(text string, eval, dynamic bool) (*Expr, error) {
	x := &Expr{text: text, eval: eval, dynamic: dynamic}
	root, err := parse(text)
	if err == nil {
		x.root = root
		x.resolve()
		return x, nil
	}
	return nil, err.finish(text)
}

// Text returns the expression as it was given to Compile.
func (x *Expr) Text() string { return x.text }

// Env is what an expression is evaluated in. The zero value has no input, no variables, the time 0 and randomness
// from a source seeded with zero.
type Env struct {
	// Input is what $ and $$ are, and what names are looked up in: a jsonvalue tree. Without HasInput it is
	// undefined, whatever Input holds.
	Input    any
	HasInput bool
	// Variable returns the value of $name, a jsonvalue tree or a Function, and whether there is one. It is called
	// at most once a name where the expression itself binds no variable of that name. Variables hide functions of
	// the same name. nil: there are none.
	Variable func(name string) (v any, ok bool)
	// Now is what $now and $millis answer: Unix time in milliseconds.
	Now int64
	// Random gives the bits for $random, $uuid and $shuffle. nil: a source seeded with zero.
	Random func() uint64
	// Limits bound the evaluation.
	Limits Limits
}

// Limits bound one evaluation. A zero field means its default.
type Limits struct {
	// Steps bounds the work and with it the memory: one for each part of the expression that is evaluated and for each
	// item that is made, more for objects and functions, one for each 32 bytes of text. Past it: U1001. Default
	// 12,000,000, which takes the largest range there is, about a second, and some hundred MiB at the very worst.
	Steps int64
	// Depth bounds how deep evaluations nest, which is how deep functions call each other other than by tail calls.
	// Past it: U1001. Default 5,000, which a stack of some ten MiB takes.
	Depth int
	// ResultBytes bounds the result as JSON text, and each string on the way. Past it: U1002. Default 64 MiB.
	ResultBytes int
}

const (
	defaultSteps       = 12_000_000
	defaultDepth       = 5_000
	defaultResultBytes = 64 << 20
)

// Function is a value that is a function: what evaluating a lambda or the name of a built-in gives. It can be told
// apart by its type, and passed back in by Env.Variable for the expression that made it, nothing else.
type Function interface{ function() }

// Eval evaluates the expression. v is a jsonvalue tree, or a Function where the whole result is one; inside a
// result functions are empty strings. Undefined is defined == false. The error is an *Error.
func (x *Expr) Eval(env *Env) (v any, defined bool, err error) {
	ev := newEvaluator(x, env)
	input := undefined
	if env.HasInput {
		input = env.Input
	}
	ev.root = input
	if items, ok := input.([]any); ok {
		input = &array{items: []any{items}, flags: isSequence | isWrapper}
	}
	v, err = ev.eval(x.root, input, &frame{})
	if err == nil {
		v, defined, err = ev.export(v)
	}
	if err != nil {
		return nil, false, asError(err).finish(x.text)
	}
	return v, defined, nil
}

// utf16Offset converts an offset in bytes to one in UTF-16 units, which is how the reference counts.
func utf16Offset(text string, at int) int {
	at = min(at, len(text))
	n := 0
	for i := 0; i < at; {
		r, size := utf8.DecodeRuneInString(text[i:])
		i += size
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}
