package jsonata

import "github.com/weftworks/weft/asl/jsonvalue"

// grouping is one key of a grouping: the data that gave it and the pair that did.
type grouping struct {
	key  string
	data any
	pair int
	own  *array // data, once it is a list of the grouping's own
}

// group evaluates {key: value, ...} over input: each item gives keys; items that give the same one are evaluated
// together.
func (ev *evaluator) group(pairs [][2]*node, at int, input any, env *frame) (any, error) {
	reduce := flagged(input, isTuples)
	items, ok := itemsOf(input)
	if !ok {
		items = []any{input}
	}
	if len(items) == 0 {
		items = []any{undefined}
	}
	groups, err := ev.groups(pairs, at, items, reduce, env)
	if err != nil {
		return nil, err
	}
	if err := ev.spend(int64(2 * len(groups))); err != nil {
		return nil, err
	}
	out := &object{Object: *jsonvalue.NewObject(len(groups))}
	for i := range groups {
		g := &groups[i]
		context, scope := g.data, env
		if reduce {
			if context, scope, err = ev.reduced(g.data, env); err != nil {
				return nil, err
			}
		}
		v, err := ev.eval(pairs[g.pair][1], context, scope)
		if err != nil {
			return nil, err
		}
		if v != undefined {
			out.Set(g.key, v)
		}
	}
	return out.arrange(), nil
}

// grouper collects groups in the order of their first items.
type grouper struct {
	list  []grouping
	index map[string]int // nil while there are few
}

// find returns the group of a key, nil for none.
func (g *grouper) find(key string) *grouping {
	if g.index != nil {
		if i, ok := g.index[key]; ok {
			return &g.list[i]
		}
		return nil
	}
	for i := range g.list {
		if g.list[i].key == key {
			return &g.list[i]
		}
	}
	return nil
}

func (g *grouper) add(one grouping) {
	const few = 16
	g.list = append(g.list, one)
	switch {
	case g.index != nil:
		g.index[one.key] = len(g.list) - 1
	case len(g.list) > few:
		g.index = make(map[string]int)
		for i := range g.list {
			g.index[g.list[i].key] = i
		}
	}
}

// groups evaluates the keys.
func (ev *evaluator) groups(pairs [][2]*node, at int, items []any, reduce bool, env *frame) ([]grouping, error) {
	all := grouper{list: make([]grouping, 0, min(len(items)*len(pairs), 16))}
	for _, item := range items {
		context, scope := item, env
		if reduce {
			context, scope = tupleItem(item), env.with(item)
		}
		for p := range pairs {
			v, err := ev.eval(pairs[p][0], context, scope)
			if err != nil {
				return nil, err
			}
			if v == undefined {
				continue
			}
			key, ok := v.(string)
			if !ok {
				return nil, failureAt("T1003", at, v)
			}
			g := all.find(key)
			if g == nil {
				all.add(grouping{key: key, data: item, pair: p})
				continue
			}
			if g.pair != p {
				return nil, failureAt("D1009", at, key)
			}
			g.data = gathered(g.data, item, &g.own)
			if err := ev.spend(int64(len(listOf(item)))); err != nil {
				return nil, err
			}
		}
	}
	return all.list, nil
}

// gathered is $append for a list that grows item by item: own is the list, once there is one, and grows in place.
func gathered(data, item any, own **array) any {
	if data == undefined {
		return item
	}
	if item == undefined {
		return data
	}
	if *own == nil {
		*own = &array{items: append([]any(nil), listOf(data)...)}
	}
	(*own).items = append((*own).items, listOf(item)...)
	return *own
}

// reduced makes one context and scope of the tuples of a group: what they bind, appended.
func (ev *evaluator) reduced(data any, env *frame) (context any, scope *frame, err error) {
	one := newObject()
	items, several := itemsOf(data)
	if !several {
		t, _ := data.(*object)
		if t == nil {
			return undefined, env, nil
		}
		context := tupleItem(t)
		t.Object = *t.Without("@") // as the reference does: a second key that has this tuple alone finds no context
		return context, env.with(t), nil
	}
	owned := make(map[string]*array)
	for i, t := range items {
		o, ok := objectOf(t)
		if !ok {
			continue
		}
		for key, v := range o.All() {
			if i > 0 {
				before, ok := one.Get(key)
				if !ok {
					before = undefined
				}
				own := owned[key]
				size := len(listOf(v))
				v = gathered(before, v, &own)
				owned[key] = own
				if err := ev.spend(int64(size)); err != nil {
					return nil, nil, err
				}
			}
			one.Set(key, v)
		}
	}
	context = tupleItem(one)
	one.Object = *one.Without("@")
	return context, env.with(one), nil
}
