package jsonata

import (
	"github.com/weftworks/weft/asl/jsonvalue"
)

// path evaluates the steps of a path, each over what the one before gave.
func (ev *evaluator) path(n *node, input any, env *frame) (any, error) {
	first := 0
	var items []any
	if n.simple {
		var v any
		if first, v = ev.descend(n.list, input, env); first == len(n.list) {
			return v, nil
		}
		items, _ = v.([]any)
	}
	if first == 0 {
		in, ok := itemsOf(input)
		if !ok || n.list[0].kind == kindVariable {
			in = []any{input}
		}
		items = in
	}
	result, tuples, err := ev.steps(n, first, items, env)
	if err != nil {
		return nil, err
	}
	if tuples != nil {
		result = tuples
		if !n.tuple {
			result = ev.items(tuples)
		}
	}
	if n.keepSingleton {
		result = kept(result)
	}
	if n.group == nil {
		return result, nil
	}
	if tuples != nil {
		result = tuples
	}
	return ev.group(n.group.pairs, n.group.at, result, env)
}

// steps evaluates the steps of a path from the first one on. From a step that binds something on there are tuples.
func (ev *evaluator) steps(n *node, first int, items []any, env *frame) (result any, tuples *array, err error) {
	inTuples := false
	for i := first; i < len(n.list); i++ {
		step := n.list[i]
		inTuples = inTuples || step.tuple
		switch {
		case i == 0 && step.consArray:
			result, err = ev.eval(step, sequence(items...), env)
		case inTuples:
			tuples, err = ev.tupleStep(step, items, tuples, env)
		default:
			result, err = ev.step(step, items, result, env, i == len(n.list)-1)
		}
		if err != nil {
			return nil, nil, err
		}
		if inTuples {
			continue
		}
		if items = listOf(result); result == undefined || len(items) == 0 {
			break
		}
	}
	return result, tuples, nil
}

// descend follows names from object to object. It ends behind the last step with its value, or before the step that
// has a list of items to go over; before the first where that is no quick matter.
func (ev *evaluator) descend(steps []*node, v any, env *frame) (int, any) {
	i := 0
	if steps[0].kind == kindVariable {
		v = ev.variable(steps[0], v, env)
		i = 1
	}
	ev.limits.Steps -= int64(len(steps))
	for ; i < len(steps); i++ {
		var ok bool
		switch in := v.(type) {
		case *jsonvalue.Object:
			v, ok = in.Get(steps[i].op)
		case *object:
			v, ok = in.Get(steps[i].op)
		case []any:
			return i, in
		case *array:
			if i == 0 || in.is(isCons) {
				return 0, nil
			}
			return i, in.items
		}
		if !ok {
			return len(steps), undefined
		}
	}
	if a, ok := v.(*array); ok && a.is(isSequence) {
		return i, sequence(a.items...)
	}
	return i, v
}

// items is the sequence of what tuples are about.
func (ev *evaluator) items(tuples *array) *array {
	out := sequence()
	for _, t := range tuples.items {
		out.items = append(out.items, tupleItem(t))
	}
	return out
}

// tupleItem is what a tuple is about; undefined where t is none.
func tupleItem(t any) any {
	if o, ok := t.(*object); ok {
		if v, ok := o.Get("@"); ok {
			return v
		}
	}
	return undefined
}

// kept marks the result of a path with [] as one that does not collapse.
func kept(v any) any {
	a, ok := v.(*array)
	if !ok {
		return v
	}
	if a.is(isCons) && !a.is(isSequence) {
		return &array{items: []any{a}, flags: isSequence | keepSingleton}
	}
	a.flags |= keepSingleton
	return a
}

// step evaluates one step over all items, which are those of from, and flattens what it gives.
func (ev *evaluator) step(n *node, items []any, from any, env *frame, last bool) (any, error) {
	if n.kind == kindSort {
		in, ok := from.(*array)
		if !ok {
			in = &array{items: items}
		}
		v, err := ev.orderBy(n, in, env)
		if err == nil {
			v, err = ev.applyStages(n.stages, v, env)
		}
		return v, err
	}
	var all []any
	var only any // the one result so far
	count := 0
	for _, item := range items {
		v, err := ev.evalStep(n, item, env)
		if err != nil {
			return nil, err
		}
		if v == undefined {
			continue
		}
		if count++; count == 1 {
			only = v
			continue
		}
		if count == 2 {
			all = flattened(make([]any, 0, len(items)), only)
		}
		before := len(all)
		all = flattened(all, v)
		if err := ev.spend(int64(len(all) - before)); err != nil {
			return nil, err
		}
	}
	if count == 1 {
		in, ok := itemsOf(only)
		switch {
		case ok && last && !flagged(only, isSequence):
			return only, nil
		case ok && !flagged(only, isCons):
			all = in // arrays are not changed once made
		default:
			all = []any{only}
		}
	}
	return &array{items: all, flags: isSequence}, nil
}

// flattened appends the items of an array, or the value itself.
func flattened(items []any, v any) []any {
	if in, ok := itemsOf(v); ok && !flagged(v, isCons) {
		return append(items, in...)
	}
	return append(items, v)
}

// evalStep evaluates a step and its filters for one item.
func (ev *evaluator) evalStep(n *node, item any, env *frame) (v any, err error) {
	if o, ok := item.(*jsonvalue.Object); ok && n.kind == kindName && n.predicates == nil && n.group == nil && !n.keepArray {
		ev.limits.Steps--
		if v, ok = o.Get(n.op); !ok {
			v = undefined
		}
	} else if v, err = ev.eval(n, item, env); err != nil {
		return nil, err
	}
	for _, s := range n.stages {
		if v, err = ev.filter(s.expr, v, env); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// applyStages filters, and binds indexes in, the result of a step as a whole.
func (ev *evaluator) applyStages(stages []stage, v any, env *frame) (any, error) {
	for _, s := range stages {
		if s.expr == nil {
			items, _ := itemsOf(v)
			for i, t := range items {
				if o, ok := t.(*object); ok {
					o.Set(s.index, float64(i))
				}
			}
			continue
		}
		var err error
		if v, err = ev.filter(s.expr, v, env); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// tupleStep evaluates a step of which results carry bindings.
func (ev *evaluator) tupleStep(n *node, items []any, tuples *array, env *frame) (*array, error) {
	if n.kind == kindSort {
		return ev.tupleSort(n, items, tuples, env)
	}
	if tuples == nil {
		tuples = &array{}
		for _, item := range items {
			tuples.items = append(tuples.items, tupleOf(item))
		}
	}
	out := &array{flags: isSequence | isTuples}
	for _, t := range tuples.items {
		v, err := ev.eval(n, tupleItem(t), env.with(t))
		if err != nil {
			return nil, err
		}
		if v == undefined {
			continue
		}
		made := listOf(v)
		if err := ev.spend(int64(len(made)) * 2); err != nil {
			return nil, err
		}
		for i, item := range made {
			out.items = append(out.items, extend(n, t, item, i, flagged(v, isTuples)))
		}
	}
	v, err := ev.applyStages(n.stages, out, env)
	if err != nil {
		return nil, err
	}
	return asArray(v), nil
}

func tupleOf(item any) *object {
	t := newObject()
	t.Set("@", item)
	return t
}

// extend makes the tuple of the i-th result of a step from the tuple it came from.
func extend(n *node, from, item any, i int, isTuple bool) *object {
	t := newObject()
	if o, ok := objectOf(from); ok {
		t.Object = *o.Clone()
	}
	switch o, ok := objectOf(item); {
	case isTuple:
		if ok {
			for key, v := range o.All() {
				t.Set(key, v)
			}
		}
		return t
	case n.focus != "":
		t.Set(n.focus, item)
	default:
		t.Set("@", item)
	}
	if n.index != "" {
		t.Set(n.index, float64(i))
	}
	if n.ancestor != nil {
		t.Set(n.ancestor.label, tupleItem(from))
	}
	return t
}

func (ev *evaluator) tupleSort(n *node, items []any, tuples *array, env *frame) (*array, error) {
	var out any
	if tuples != nil {
		v, err := ev.orderBy(n, tuples, env)
		if err != nil {
			return nil, err
		}
		out = v
	} else {
		v, err := ev.orderBy(n, &array{items: items}, env)
		if err != nil {
			return nil, err
		}
		a := &array{flags: isSequence | isTuples}
		for i, item := range listOf(v) {
			t := tupleOf(item)
			t.Set(n.index, float64(i))
			a.items = append(a.items, t)
		}
		out = a
	}
	v, err := ev.applyStages(n.stages, out, env)
	return asArray(v), err
}

func asArray(v any) *array {
	if a, ok := v.(*array); ok {
		return a
	}
	return &array{items: listOf(v)}
}

// filter keeps the items of v that a predicate is true for, or whose indexes it gives.
func (ev *evaluator) filter(cond *node, v any, env *frame) (any, error) {
	out := sequence()
	tuples := flagged(v, isTuples)
	if tuples {
		out.flags |= isTuples
	}
	items, ok := itemsOf(v)
	if !ok {
		items = []any{v}
	}
	if cond.kind == kindNumber {
		f, _ := numberOf(cond.val)
		i := index(f, len(items))
		if i < 0 || items[i] == undefined {
			return out, nil
		}
		if _, ok := itemsOf(items[i]); ok {
			return items[i], nil
		}
		out.items = []any{items[i]}
		return out, nil
	}
	for i, item := range items {
		context, scope := item, env
		if tuples {
			context, scope = tupleItem(item), env.with(item)
		}
		res, err := ev.eval(cond, context, scope)
		if err != nil {
			return nil, err
		}
		n, err := ev.hits(res, i, len(items))
		if err != nil {
			return nil, err
		}
		for range n {
			out.items = append(out.items, item)
		}
	}
	return out, nil
}

// index turns a number into an index: rounded down, from the end where negative; -1 is outside.
func index(f float64, n int) int {
	i := floor(f)
	if i < 0 {
		i += float64(n)
	}
	if i < 0 || i >= float64(n) {
		return -1
	}
	return int(i)
}

// hits is how often a predicate's result takes the i-th of n items.
func (ev *evaluator) hits(res any, i, n int) (int, error) {
	if f, ok, err := numeric(res); ok || err != nil {
		if index(f, n) == i {
			return 1, err
		}
		return 0, err
	}
	if items, ok := itemsOf(res); ok {
		count, numbers := 0, true
		for _, item := range items {
			f, ok, err := numeric(item)
			if err != nil {
				return 0, err
			}
			if numbers = numbers && ok; !numbers {
				break
			}
			if index(f, n) == i {
				count++
			}
		}
		if numbers {
			return count, nil
		}
	}
	if yes, err := ev.truth(res); !yes || err != nil {
		return 0, err
	}
	return 1, nil
}

// lookup is the value of a key, or the values of it in all items of an array.
func (ev *evaluator) lookup(input any, key string) (any, error) {
	switch in := input.(type) {
	case *jsonvalue.Object:
		if v, ok := in.Get(key); ok {
			return v, nil
		}
	case *object:
		if v, ok := in.Get(key); ok {
			return v, nil
		}
	case []any, *array:
		items, _ := itemsOf(in)
		if err := ev.enter(); err != nil {
			return nil, err
		}
		defer ev.leave()
		out := sequence()
		for _, item := range items {
			v, err := ev.lookup(item, key)
			if err != nil {
				return nil, err
			}
			if v == undefined {
				continue
			}
			before := len(out.items)
			if in, ok := itemsOf(v); ok {
				out.items = append(out.items, in...)
			} else {
				out.items = append(out.items, v)
			}
			if err := ev.spend(int64(len(out.items) - before)); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return undefined, nil
}

// wildcard gives the values of an object, arrays in it flattened.
func (ev *evaluator) wildcard(input any) (any, error) {
	if flagged(input, isWrapper) {
		input = input.(*array).items[0]
	}
	out := sequence()
	add := func(_ string, v any) error {
		items, ok := itemsOf(v)
		if !ok {
			out.items = append(out.items, v)
			return ev.spend(1)
		}
		flat, err := ev.flatten(nil, items)
		out = &array{items: append(out.items, flat...)}
		return err
	}
	if items, ok := itemsOf(input); ok {
		for _, item := range items {
			if err := add("", item); err != nil {
				return nil, err
			}
		}
	}
	if o, ok := objectOf(input); ok {
		if err := each(o, add); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// flatten appends all that is in items and is no array.
func (ev *evaluator) flatten(out, items []any) ([]any, error) {
	if err := ev.enter(); err != nil {
		return nil, err
	}
	defer ev.leave()
	for _, item := range items {
		if in, ok := itemsOf(item); ok {
			var err error
			if out, err = ev.flatten(out, in); err != nil {
				return nil, err
			}
			continue
		}
		out = append(out, item)
	}
	return out, ev.spend(int64(len(items)))
}

func (ev *evaluator) descendants(input any) (any, error) {
	if input == undefined {
		return undefined, nil
	}
	out := sequence()
	if err := ev.collect(out, input); err != nil {
		return nil, err
	}
	if len(out.items) == 1 {
		return out.items[0], nil
	}
	return out, nil
}

func (ev *evaluator) collect(out *array, v any) error {
	if err := ev.enter(); err != nil {
		return err
	}
	defer ev.leave()
	if items, ok := itemsOf(v); ok {
		for _, item := range items {
			if err := ev.collect(out, item); err != nil {
				return err
			}
		}
		return nil
	}
	out.items = append(out.items, v)
	if o, ok := objectOf(v); ok {
		return each(o, func(_ string, v any) error { return ev.collect(out, v) })
	}
	return nil
}
