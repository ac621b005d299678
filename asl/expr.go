package asl

// Scope is what an expression can see. Values are jsonvalue trees.
type Scope interface {
	Data() any                        // what "$" is
	Context() any                     // what "$$" is
	Variable(name string) (any, bool) // what "$name" is
}

// Expr is an expression of a template: a path, a path into the context object, an intrinsic call.
type Expr interface {
	Eval(s Scope) (any, error)
	String() string // as written
}
