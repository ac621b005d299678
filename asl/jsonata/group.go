package jsonata

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
	out := newObject()
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

// groups evaluates the keys.
func (ev *evaluator) groups(pairs [][2]*node, at int, items []any, reduce bool, env *frame) ([]grouping, error) {
	var groups []grouping
	var index map[string]int
	find := func(key string) int {
		if index != nil {
			if i, ok := index[key]; ok {
				return i
			}
			return -1
		}
		for i := range groups {
			if groups[i].key == key {
				return i
			}
		}
		return -1
	}
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
			i := find(key)
			if i < 0 {
				groups = append(groups, grouping{key: key, data: item, pair: p})
				if index == nil && len(groups) > 16 {
					index = make(map[string]int)
					for i := range groups {
						index[groups[i].key] = i
					}
				} else if index != nil {
					index[key] = len(groups) - 1
				}
				continue
			}
			if groups[i].pair != p {
				return nil, failureAt("D1009", at, key)
			}
			g := &groups[i]
			g.data = gathered(g.data, item, &g.own)
			if err := ev.spend(int64(len(listOf(item)))); err != nil {
				return nil, err
			}
		}
	}
	return groups, nil
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
