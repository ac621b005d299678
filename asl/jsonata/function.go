package jsonata

import "github.com/weftworks/weft/asl/jsonvalue"

// function is a value that can be called: a lambda where node is set, else native.
type function struct {
	name   string
	arity  int // how many arguments it is given at most where the caller chooses
	sig    *signature
	native func(c *call, args []any) (any, error)

	node   *node // the lambda; its body is node.rhs
	params []string
	input  any
	env    *frame
	thunk  bool
	re     *regex // of a regular expression
}

func (*function) function() {}

// call is what a native function may use beside its arguments.
type call struct {
	*evaluator
	input any
	env   *frame
}

// arg returns the i-th argument, undefined where there are fewer.
func arg(args []any, i int) any {
	if i < len(args) {
		return args[i]
	}
	return undefined
}

// procedure evaluates what is to be called. A name without $ that would have been one is pointed out by code.
func (ev *evaluator) procedure(n *node, input any, env *frame, code string) (*function, error) {
	v, err := ev.eval(n.lhs, input, env)
	if err != nil {
		return nil, err
	}
	if v == undefined && n.lhs.kind == kindPath {
		name := n.lhs.list[0].op
		known := ev.find(name, env)
		yes := known != nil && known != undefined && known != false && known != ""
		if f, ok := numberOf(known); ok && f == 0 {
			yes = false
		}
		if yes {
			return nil, failureAt(code, n.at, undefined).about(name)
		}
	}
	f, _ := v.(*function)
	return f, nil
}

// called is the name by which a call calls, for errors; nil where it has none.
func (n *node) called() any {
	switch n.lhs.kind {
	case kindPath:
		return n.lhs.list[0].op
	case kindBlock, kindLambda, kindCondition, kindParent, kindTransform:
		return nil
	}
	return n.lhs.shown()
}

// function evaluates a call; of x ~> f(y), first is x.
func (ev *evaluator) function(n *node, input any, env *frame, first *any) (any, error) {
	f, err := ev.procedure(n, input, env, "T1005")
	if err != nil {
		return nil, err
	}
	args := make([]any, 0, len(n.list)+1)
	if first != nil {
		args = append(args, *first)
	}
	for _, x := range n.list {
		v, err := ev.eval(x, input, env)
		if err != nil {
			return nil, err
		}
		args = append(args, v)
	}
	v, err := ev.callAt(n.at, f, args, input, env)
	if err != nil {
		e := asError(err)
		if e.Position <= 0 {
			e.Position = n.at
		}
		if e.token == nil || e.token == "" {
			e.token = n.called()
		}
		return nil, e
	}
	return v, nil
}

// call calls a function where the text has no call of it.
func (ev *evaluator) call(f *function, args []any, input any, env *frame) (any, error) {
	return ev.callAt(-1, f, args, input, env)
}

// callAt calls f, and whatever f ends in a call of. Errors of f itself get the place of the call, if it has one.
func (ev *evaluator) callAt(at int, f *function, args []any, input any, env *frame) (any, error) {
	v, err := ev.callOnce(f, args, input, env)
	if err != nil && at >= 0 && f != nil && f.re == nil {
		asError(err).Position = at
	}
	for err == nil {
		t, ok := v.(*function)
		if !ok || !t.thunk {
			return v, nil
		}
		n := t.node.rhs
		proc, err2 := ev.eval(n.lhs, t.input, t.env)
		if err2 != nil {
			return nil, err2
		}
		next := make([]any, 0, len(n.list))
		for _, x := range n.list {
			w, err := ev.eval(x, t.input, t.env)
			if err != nil {
				return nil, err
			}
			next = append(next, w)
		}
		g, _ := proc.(*function)
		if v, err = ev.callOnce(g, next, input, env); err != nil {
			e := asError(err)
			if e.token == nil && n.lhs.kind == kindVariable {
				e.token = n.lhs.op
			}
			e.Position = n.lhs.at
		}
	}
	return v, err
}

func (ev *evaluator) callOnce(f *function, args []any, input any, env *frame) (v any, err error) {
	if f == nil {
		return nil, failure("T1006", undefined)
	}
	if f.sig != nil {
		if args, err = f.sig.validate(args, input); err != nil {
			return nil, named(err, f)
		}
	}
	if f.native != nil {
		if err := ev.enter(); err != nil {
			return nil, err
		}
		v, err := f.native(&call{ev, input, env}, args)
		ev.leave()
		return v, named(err, f)
	}
	scope := &frame{up: f.env, names: f.params, values: make([]any, len(f.params))}
	for i := range f.params {
		scope.values[i] = arg(args, i)
	}
	return ev.eval(f.node.rhs, f.input, scope)
}

// named says in an error which built-in function it comes from, if nothing else is said: one that was passed to
// another has no name where it is called.
func named(err error, f *function) error {
	if err != nil && f.name != "" {
		if e := asError(err); e.token == nil {
			e.token = f.name
		}
	}
	return err
}

// invoke calls a function that was passed as an argument.
func (c *call) invoke(f any, args ...any) (any, error) {
	fn, _ := f.(*function)
	return c.call(fn, args, nil, c.env)
}

// invokeEach calls a function for an item, with index and whole where it takes them.
func (c *call) invokeEach(f any, item, index, whole any) (any, error) {
	fn, _ := f.(*function)
	args := make([]any, 1, 3)
	args[0] = item
	if fn != nil && fn.arity >= 2 {
		args = append(args, index)
	}
	if fn != nil && fn.arity >= 3 {
		args = append(args, whole)
	}
	return c.call(fn, args, nil, c.env)
}

// apply is the operator ~>.
func (ev *evaluator) apply(n *node, input any, env *frame) (any, error) {
	a, err := ev.eval(n.lhs, input, env)
	if err != nil {
		return nil, err
	}
	if n.rhs.kind == kindFunction {
		return ev.applyCall(n.rhs, a, input, env)
	}
	b, err := ev.eval(n.rhs, input, env)
	if err != nil {
		return nil, err
	}
	g, ok := b.(*function)
	if !ok {
		return nil, failureAt("T2006", n.at, b)
	}
	f, ok := a.(*function)
	if !ok {
		return ev.call(g, []any{a}, nil, env)
	}
	return &function{arity: 1, native: func(c *call, args []any) (any, error) {
		v, err := c.call(f, []any{arg(args, 0)}, nil, env)
		if err != nil {
			return nil, err
		}
		return c.call(g, []any{v}, nil, env)
	}}, nil
}

// applyCall is x ~> f(y). The call's predicates, which eval would apply, are none of its business in the reference.
func (ev *evaluator) applyCall(n *node, first, input any, env *frame) (any, error) {
	return ev.function(n, input, env, &first)
}

// partial applies some arguments and leaves the others open.
func (ev *evaluator) partial(n *node, input any, env *frame) (any, error) {
	given := make([]any, len(n.list))
	for i, x := range n.list {
		if x.placeholder() {
			continue
		}
		v, err := ev.eval(x, input, env)
		if err != nil {
			return nil, err
		}
		given[i] = v
	}
	f, err := ev.procedure(n, input, env, "T1007")
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, failureAt("T1008", n.at, undefined).about(n.called())
	}
	return partially(f, given, func(i int) bool { return i < len(n.list) && n.list[i].placeholder() }), nil
}

// partially returns f with some arguments given and the open ones left.
func partially(f *function, given []any, open func(i int) bool) *function {
	if f.node != nil {
		scope := &frame{up: f.env}
		out := &function{node: f.node, input: f.input, env: scope}
		for i, name := range f.params {
			if open(i) {
				out.params = append(out.params, name)
				continue
			}
			scope.bind(name, arg(given, i))
		}
		out.arity = len(out.params)
		return out
	}
	out := &function{name: f.name}
	for i := range max(f.arity, len(given)) {
		if open(i) {
			out.arity++
		}
	}
	out.native = func(c *call, args []any) (any, error) {
		full := make([]any, max(f.arity, len(given)))
		at := 0
		for i := range full {
			if open(i) {
				full[i] = arg(args, at)
				at++
			} else {
				full[i] = arg(given, i)
			}
		}
		if f.sig != nil { // the reference does not look, and does what JavaScript makes of any types
			var err error
			if full, err = f.sig.validate(full, undefined); err != nil {
				return nil, named(err, f)
			}
		}
		return f.native(c, full)
	}
	return out
}

var transformSignature = mustSignature("<(oa):o>")

// transform makes the function |pattern|update, delete|.
func (ev *evaluator) transform(n *node, env *frame) any {
	return &function{arity: 1, sig: transformSignature, native: func(c *call, args []any) (any, error) {
		v := arg(args, 0)
		if v == undefined {
			return undefined, nil
		}
		clone, ok := ev.find("clone", env).(*function)
		if !ok {
			return nil, failureAt("T2013", n.at, undefined)
		}
		copied, err := c.call(clone, []any{v}, nil, env)
		if err != nil {
			return nil, err
		}
		matches, err := c.eval(n.lhs, copied, env)
		if err != nil || matches == undefined {
			return copied, err
		}
		for _, m := range listOf(matches) {
			if err := c.change(n, m, env); err != nil {
				return nil, err
			}
		}
		return copied, nil
	}}
}

// change applies a transform to one match, which is a part of the copy.
func (c *call) change(n *node, match any, env *frame) error {
	update, err := c.eval(n.rhs, match, env)
	if err != nil {
		return err
	}
	target, isObject := match.(*object)
	if update != undefined {
		o, ok := objectOf(update)
		if !ok {
			return failureAt("T2011", n.rhs.at, update)
		}
		if isObject {
			for key, v := range o.All() {
				target.Set(key, v)
			}
			if err := c.spend(int64(o.Len())); err != nil {
				return err
			}
			target.Object = target.arrange().Object
		}
	}
	if n.third == nil {
		return nil
	}
	gone, err := c.eval(n.third, match, env)
	if err != nil || gone == undefined {
		return err
	}
	for _, key := range listOf(gone) {
		if _, ok := key.(string); !ok {
			return failureAt("T2012", n.third.at, gone)
		}
	}
	for _, key := range listOf(gone) {
		if isObject {
			target.Object = *target.Without(key.(string))
			if err := c.spend(int64(target.Len() >> 2)); err != nil {
				return err
			}
		}
	}
	return nil
}

// cloned is a deep copy that may be changed: what JSON.parse of $string would give.
func (ev *evaluator) cloned(v any) (any, error) {
	if err := ev.enter(); err != nil {
		return nil, err
	}
	defer ev.leave()
	switch v := v.(type) {
	case []any, *array:
		items, _ := itemsOf(v)
		out := &array{items: make([]any, len(items))}
		if flagged(v, isWrapper) {
			return ev.cloned(items[0])
		}
		for i, item := range items {
			w, err := ev.cloned(item)
			if err != nil {
				return nil, err
			}
			if w == undefined {
				w = nil
			}
			out.items[i] = w
		}
		return out, nil
	case *jsonvalue.Object, *object:
		o, _ := objectOf(v)
		out := newObject()
		err := each(o, func(key string, v any) error {
			w, err := ev.cloned(v)
			if err == nil && w != undefined {
				out.Set(key, w)
			}
			return err
		})
		return out, err
	case *function:
		return "", nil
	case float64:
		if v-v != 0 {
			return nil, nil
		}
		return round15(v), nil
	}
	return v, nil
}
