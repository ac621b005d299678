package jsonata

// builtins are the functions every expression has. The number is how many parameters the reference's function has:
// how many arguments $map and its like give it.
var builtins = make(map[string]*function)

// builtin is a native function with its signature checked.
type builtin = func(c *call, args []any) (any, error)

func define(name, sig string, arity int, fn builtin) {
	builtins[name] = &function{name: name, arity: arity, sig: mustSignature(sig), native: fn}
}

// strict is a function whose first argument being undefined gives undefined.
func strict(fn builtin) builtin {
	return func(c *call, args []any) (any, error) {
		if arg(args, 0) == undefined {
			return undefined, nil
		}
		return fn(c, args)
	}
}

func init() {
	defineNumbers()
	defineStrings()
	defineMatching()
	defineArrays()
	defineObjects()
	definePictures()
	defineStates()
}

// numberArg returns the i-th argument as a number; missing arguments and those of another type, which come past a
// signature only by partial application, give otherwise.
func numberArg(args []any, i int, otherwise float64) float64 {
	if f, ok := numberOf(arg(args, i)); ok {
		return f
	}
	return otherwise
}

// textArg returns the i-th argument as a string; "" as numberArg.
func textArg(args []any, i int) string {
	s, _ := arg(args, i).(string)
	return s
}
