package jsonata

import (
	"math"
)

// evaluator is one evaluation.
type evaluator struct {
	x       *Expr
	env     *Env
	limits  Limits // filled; Steps is what is left
	depth   int
	root    any // what $$ is
	globals []any
	random  func() uint64
	shape   map[string]*picture // pictures of this evaluation
}

// unfetched stands for a global that has not been asked for.
var unfetched any = &undefinedType{1}

func newEvaluator(x *Expr, env *Env) *evaluator {
	ev := &evaluator{x: x, env: env, limits: env.Limits, random: env.Random}
	if ev.limits.Steps == 0 {
		ev.limits.Steps = defaultSteps
	}
	if ev.limits.Depth == 0 {
		ev.limits.Depth = defaultDepth
	}
	if ev.limits.ResultBytes == 0 {
		ev.limits.ResultBytes = defaultResultBytes
	}
	if len(x.globals) > 0 {
		ev.globals = make([]any, len(x.globals))
		for i := range ev.globals {
			ev.globals[i] = unfetched
		}
	}
	return ev
}

// spend takes n steps from the budget.
func (ev *evaluator) spend(n int64) error {
	if ev.limits.Steps -= n; ev.limits.Steps < 0 {
		return failure("U1001", undefined).with("reason", "Expression evaluation timeout: Check for infinite loop")
	}
	return nil
}

// enter spends a step and goes one deeper; leave comes back.
func (ev *evaluator) enter() error {
	ev.limits.Steps--
	ev.depth++
	if ev.limits.Steps < 0 || ev.depth > ev.limits.Depth {
		ev.depth--
		return ev.exhausted()
	}
	return nil
}

func (ev *evaluator) exhausted() error {
	if ev.limits.Steps < 0 {
		return ev.spend(0)
	}
	return ev.tooDeep()
}

func (ev *evaluator) tooDeep() error {
	return failure("U1001", undefined).with("reason",
		"Stack overflow error: Check for non-terminating recursive function.  Consider rewriting as tail-recursive.")
}

func (ev *evaluator) leave() { ev.depth-- }

// text charges a string that has been, or will be, made.
func (ev *evaluator) text(size int) error {
	if size > ev.limits.ResultBytes {
		return ev.fits(int64(size))
	}
	return ev.spend(int64(size) >> 5)
}

// eval evaluates a node: its kind, its predicates and grouping; then a sequence of one is its item.
func (ev *evaluator) eval(n *node, input any, env *frame) (any, error) {
	switch n.kind { // what is frequent and has neither predicates nor sequences
	case kindString, kindNumber, kindValue:
		if n.predicates == nil && n.group == nil {
			ev.limits.Steps--
			return n.val, nil
		}
	}
	if err := ev.enter(); err != nil {
		asError(err).Position = n.at
		return nil, err
	}
	v, err := ev.dispatch(n, input, env)
	for i := 0; err == nil && i < len(n.predicates); i++ {
		v, err = ev.filter(n.predicates[i].expr, v, env)
	}
	if err == nil && n.group != nil && n.kind != kindPath {
		v, err = ev.group(n.group.pairs, n.group.at, v, env)
	}
	ev.leave()
	if err != nil {
		return nil, err
	}
	if a, ok := v.(*array); ok && a.is(isSequence) && !a.is(isTuples) {
		return collapse(a, n.keepArray), nil
	}
	return v, nil
}

func collapse(a *array, keep bool) any {
	if keep {
		a.flags |= keepSingleton
	}
	switch {
	case len(a.items) == 0:
		return undefined
	case len(a.items) == 1 && !a.is(keepSingleton):
		return a.items[0]
	}
	return a
}

func (ev *evaluator) dispatch(n *node, input any, env *frame) (any, error) {
	switch n.kind {
	case kindPath:
		return ev.path(n, input, env)
	case kindBinary:
		return ev.binary(n, input, env)
	case kindName:
		return ev.lookup(input, n.op)
	case kindVariable:
		return ev.variable(n, input, env), nil
	case kindString, kindNumber, kindValue:
		return n.val, nil
	case kindFunction:
		return ev.function(n, input, env, nil)
	case kindNegate:
		return ev.negate(n, input, env)
	case kindArray:
		return ev.array(n, input, env)
	case kindObject:
		return ev.group(n.pairs, n.at, input, env)
	case kindCondition:
		return ev.condition(n, input, env)
	case kindBlock:
		return ev.block(n, input, env)
	case kindWildcard:
		return ev.wildcard(input)
	case kindDescendant:
		return ev.descendants(input)
	case kindParent:
		v, _ := env.find(n.slot.label, &ev.limits.Steps)
		return v, nil
	case kindBind:
		v, err := ev.eval(n.rhs, input, env)
		if err == nil {
			env.bind(n.lhs.op, v)
			ev.limits.Steps -= int64(len(env.names) >> 3)
		}
		return v, err
	case kindRegex:
		return regexFunction(n.val.(*regex), n.at), nil
	case kindLambda:
		ev.limits.Steps -= 4
		return &function{node: n, params: n.params, arity: len(n.params), sig: n.sig, input: input, env: env, thunk: n.thunk}, nil
	case kindPartial:
		return ev.partial(n, input, env)
	case kindApply:
		return ev.apply(n, input, env)
	case kindTransform:
		return ev.transform(n, env), nil
	}
	return undefined, nil // a placeholder
}

// variable returns the value of $name; $ is the context, $$ the input.
func (ev *evaluator) variable(n *node, input any, env *frame) any {
	switch {
	case n.op == "":
		if a, ok := input.(*array); ok && a.is(isWrapper) {
			return a.items[0]
		}
		return input
	case n.global < 0:
		return ev.find(n.op, env)
	}
	v := ev.globals[n.global]
	if v == unfetched {
		v = ev.outside(n.op)
		ev.globals[n.global] = v
	}
	return v
}

// find looks a name up in the scopes, then outside.
func (ev *evaluator) find(name string, env *frame) any {
	if v, ok := env.find(name, &ev.limits.Steps); ok {
		return v
	}
	return ev.outside(name)
}

// outside looks a name up where no scope of the expression has it.
func (ev *evaluator) outside(name string) any {
	if name == "$" {
		return ev.root
	}
	if ev.env.Variable != nil {
		if v, ok := ev.env.Variable(name); ok {
			return v
		}
	}
	if f, ok := builtins[name]; ok && (name != "eval" || ev.x.eval) {
		return f
	}
	return undefined
}

func (ev *evaluator) negate(n *node, input any, env *frame) (any, error) {
	v, err := ev.eval(n.lhs, input, env)
	if err != nil || v == undefined {
		return v, err
	}
	f, ok, err := numeric(v)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, failureAt("D1002", n.at, v).about("-")
	}
	return -f, nil
}

func (ev *evaluator) array(n *node, input any, env *frame) (any, error) {
	out := &array{}
	if len(n.list) > 0 {
		out.items = make([]any, 0, len(n.list))
	}
	for _, item := range n.list {
		v, err := ev.eval(item, input, env)
		if err != nil {
			return nil, err
		}
		if v == undefined {
			continue
		}
		if items, ok := itemsOf(v); ok && item.kind != kindArray {
			if len(n.list) == 1 {
				out.items = items // arrays are not changed once made
				continue
			}
			out.items = append(out.items, items...)
			if err := ev.spend(int64(len(items))); err != nil {
				return nil, err
			}
			continue
		}
		out.items = append(out.items, v)
	}
	if n.consArray {
		out.flags = isCons
	}
	return out, nil
}

func (ev *evaluator) condition(n *node, input any, env *frame) (any, error) {
	v, err := ev.eval(n.lhs, input, env)
	if err != nil {
		return nil, err
	}
	yes, err := ev.truth(v)
	switch {
	case err != nil:
		return nil, err
	case yes:
		return ev.eval(n.rhs, input, env)
	case n.third != nil:
		return ev.eval(n.third, input, env)
	}
	return undefined, nil
}

func (ev *evaluator) block(n *node, input any, env *frame) (v any, err error) {
	if n.frame {
		env = &frame{up: env}
	}
	v = undefined
	for _, x := range n.list {
		if v, err = ev.eval(x, input, env); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// binary evaluates an operator. Errors of the operator itself, not of its operands, carry it as token.
func (ev *evaluator) binary(n *node, input any, env *frame) (any, error) {
	a, err := ev.eval(n.lhs, input, env)
	if err != nil {
		return nil, err
	}
	var v any
	if n.op == "and" || n.op == "or" {
		v, err = ev.logic(n, a, input, env)
	} else {
		b, err2 := ev.eval(n.rhs, input, env)
		if err2 != nil {
			return nil, err2
		}
		v, err = ev.operate(n.op, a, b)
	}
	if err != nil {
		return nil, asError(err).place(n.at, n.op)
	}
	return v, nil
}

func (ev *evaluator) logic(n *node, a, input any, env *frame) (any, error) {
	yes, err := ev.truth(a)
	if err != nil {
		return nil, err
	}
	if yes == (n.op == "or") {
		return yes, nil
	}
	b, err := ev.eval(n.rhs, input, env)
	if err != nil {
		return nil, err
	}
	yes, err = ev.truth(b)
	return yes, err
}

func (ev *evaluator) operate(op string, a, b any) (any, error) {
	switch op {
	case "+", "-", "*", "/", "%":
		return arithmetic(op[0], a, b)
	case "=":
		if a == undefined || b == undefined {
			return false, nil
		}
		return boxed(ev.equal(a, b))
	case "!=":
		if a == undefined || b == undefined {
			return false, nil
		}
		same, err := ev.equal(a, b)
		return !same, err
	case "<", "<=", ">", ">=":
		return compare(op, a, b)
	case "&":
		return ev.concat(a, b)
	case "..":
		return ev.span(a, b)
	}
	return ev.within(a, b)
}

func boxed(b bool, err error) (any, error) { return b, err }

func arithmetic(op byte, a, b any) (any, error) {
	x, ok, err := numeric(a)
	if err == nil && !ok && a != undefined {
		err = failure("T2001", a)
	}
	if err != nil {
		return nil, err
	}
	y, ok, err := numeric(b)
	if err == nil && !ok && b != undefined {
		err = failure("T2002", b)
	}
	if err != nil {
		return nil, err
	}
	if a == undefined || b == undefined {
		return undefined, nil
	}
	switch op {
	case '+':
		return x + y, nil
	case '-':
		return x - y, nil
	case '*':
		return x * y, nil
	case '/':
		return x / y, nil
	}
	return math.Mod(x, y), nil
}

// orderable reports whether < and sorting take v.
func orderable(v any) (text, ok bool) {
	if _, ok := v.(string); ok {
		return true, true
	}
	_, ok = numberOf(v)
	return false, ok
}

func compare(op string, a, b any) (any, error) {
	aText, aOK := orderable(a)
	bText, bOK := orderable(b)
	switch {
	case !aOK && a != undefined:
		return nil, failure("T2010", a)
	case !bOK && b != undefined:
		if !aOK {
			b = a
		}
		return nil, failure("T2010", b)
	case a == undefined || b == undefined:
		return undefined, nil
	case aText != bText:
		return nil, failure("T2009", a).with("value2", b)
	}
	if aText {
		return ordered(op, compareText(a.(string), b.(string)), 0), nil
	}
	x, _ := numberOf(a)
	y, _ := numberOf(b)
	return ordered(op, x, y), nil
}

func ordered[T int | float64](op string, x, y T) bool {
	switch op {
	case "<":
		return x < y
	case "<=":
		return x <= y
	case ">":
		return x > y
	}
	return x >= y
}

func (ev *evaluator) concat(a, b any) (any, error) {
	x, err := ev.stringOf(a)
	if err != nil {
		return nil, err
	}
	y, err := ev.stringOf(b)
	if err != nil {
		return nil, err
	}
	if err := ev.text(len(x) + len(y)); err != nil {
		return nil, err
	}
	return join(x, y), nil
}

// span is the range operator.
func (ev *evaluator) span(a, b any) (any, error) {
	x, ok := numberOf(a)
	if a != undefined && (!ok || x != math.Trunc(x) || math.IsInf(x, 0)) {
		return nil, failure("T2003", a)
	}
	y, ok := numberOf(b)
	if b != undefined && (!ok || y != math.Trunc(y) || math.IsInf(y, 0)) {
		return nil, failure("T2004", b)
	}
	if a == undefined || b == undefined || x > y {
		return undefined, nil
	}
	const most = 1e7
	size := y - x + 1
	if size > most {
		return nil, failure("D2014", size)
	}
	if err := ev.spend(int64(size)); err != nil {
		return nil, err
	}
	items := make([]any, int(size))
	for i := range items {
		items[i] = x + float64(i)
	}
	return sequence(items...), nil
}

// within is the operator in.
func (ev *evaluator) within(a, b any) (any, error) {
	if a == undefined || b == undefined {
		return false, nil
	}
	items := listOf(b)
	if err := ev.spend(int64(len(items)) >> 2); err != nil {
		return nil, err
	}
	for _, item := range items {
		if same(item, a) {
			return true, nil
		}
	}
	return false, nil
}
