package jsonata

import (
	"slices"
)

func defineArrays() {
	define("count", "<a:n>", 1, func(c *call, args []any) (any, error) {
		if arg(args, 0) == undefined {
			return 0.0, nil
		}
		return float64(len(listOf(args[0]))), nil
	})
	define("append", "<xx:a>", 2, func(c *call, args []any) (any, error) {
		return c.appended(arg(args, 0), arg(args, 1))
	})
	define("reverse", "<a:a>", 1, strict(func(c *call, args []any) (any, error) {
		items := listOf(args[0])
		if len(items) <= 1 {
			return args[0], nil
		}
		out := slices.Clone(items)
		slices.Reverse(out)
		return &array{items: out}, c.spend(int64(len(out)))
	}))
	define("shuffle", "<a:a>", 1, strict(shuffle))
	define("distinct", "<x:x>", 1, strict(distinct))
	define("zip", "<a+>", 0, zip)
	define("sort", "<af?:a>", 2, strict(sortItems))
	define("map", "<af>", 2, strict(func(c *call, args []any) (any, error) {
		out := sequence()
		err := c.over(args, func(item, v any) error {
			if v != undefined {
				out.items = append(out.items, v)
			}
			return nil
		})
		return out, err
	}))
	define("filter", "<af>", 2, strict(func(c *call, args []any) (any, error) {
		out := sequence()
		err := c.over(args, func(item, v any) error {
			yes, err := c.truth(v)
			if yes {
				out.items = append(out.items, item)
			}
			return err
		})
		return out, err
	}))
	define("single", "<af?>", 2, strict(single))
	define("reduce", "<afj?:j>", 3, strict(reduce))
}

// over calls the function args[1] for each item of args[0], and fn with what it gives.
func (c *call) over(args []any, fn func(item, v any) error) error {
	items := listOf(args[0])
	for i, item := range items {
		v, err := c.invokeEach(arg(args, 1), item, float64(i), args[0])
		if err == nil {
			err = fn(item, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func single(c *call, args []any) (any, error) {
	only := undefined
	found := false
	for i, item := range listOf(args[0]) {
		yes := true
		if arg(args, 1) != undefined {
			v, err := c.invokeEach(args[1], item, float64(i), args[0])
			if err != nil {
				return nil, err
			}
			if yes, err = c.truth(v); err != nil {
				return nil, err
			}
		}
		if yes && found {
			return nil, failure("D3138", undefined).with("index", float64(i))
		}
		if yes {
			only, found = item, true
		}
	}
	if !found {
		return nil, failure("D3139", undefined)
	}
	return only, nil
}

func reduce(c *call, args []any) (any, error) {
	fn, _ := arg(args, 1).(*function)
	if fn == nil || fn.arity < 2 {
		return nil, failure("D3050", undefined).with("index", 1.0)
	}
	items := listOf(args[0])
	v, from := arg(args, 2), 0
	if v == undefined && len(items) > 0 {
		v, from = items[0], 1
	}
	for i := from; i < len(items); i++ {
		given := []any{v, items[i]}
		if fn.arity >= 3 {
			given = append(given, float64(i))
		}
		if fn.arity >= 4 {
			given = append(given, args[0])
		}
		var err error
		if v, err = c.invoke(fn, given...); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func zip(c *call, args []any) (any, error) {
	out := &array{}
	if len(args) == 0 {
		return out, nil
	}
	lists := make([][]any, len(args))
	shortest := -1
	for i, a := range args {
		lists[i], _ = itemsOf(a)
		if shortest < 0 || len(lists[i]) < shortest {
			shortest = len(lists[i])
		}
	}
	if err := c.spend(int64(shortest * len(args))); err != nil {
		return nil, err
	}
	for i := range shortest {
		tuple := &array{items: make([]any, len(lists))}
		for j := range lists {
			tuple.items[j] = lists[j][i]
		}
		out.items = append(out.items, tuple)
	}
	return out, nil
}

func sortItems(c *call, args []any) (any, error) {
	items := listOf(args[0])
	if len(items) <= 1 {
		return args[0], nil
	}
	swap := func(i, j int) (bool, error) {
		v, err := c.invoke(args[1], items[i], items[j])
		if err != nil {
			return false, err
		}
		return loose(v), nil
	}
	if arg(args, 1) == undefined {
		texts, numbers := true, true
		for _, item := range items {
			_, isText := item.(string)
			_, isNumber, err := numeric(item)
			if err != nil {
				return nil, err
			}
			texts, numbers = texts && isText, numbers && isNumber
		}
		if !texts && !numbers {
			return nil, failure("D3070", undefined).with("index", 1.0)
		}
		swap = func(i, j int) (bool, error) {
			if texts {
				return compareText(items[i].(string), items[j].(string)) > 0, nil
			}
			a, _ := numberOf(items[i])
			b, _ := numberOf(items[j])
			return a > b, nil
		}
	}
	order, err := c.merge(len(items), swap)
	if err != nil {
		return nil, err
	}
	out := &array{items: make([]any, len(order))}
	for i, from := range order {
		out.items[i] = items[from]
	}
	return out, nil
}

// loose is what JavaScript takes for true.
func loose(v any) bool {
	if f, ok := numberOf(v); ok {
		return f != 0 && f == f
	}
	return v != undefined && v != nil && v != false && v != ""
}

func shuffle(c *call, args []any) (any, error) {
	items := listOf(args[0])
	if len(items) <= 1 {
		return args[0], nil
	}
	out := make([]any, len(items))
	for i, item := range items {
		j := int(c.draw() * float64(i+1))
		out[i] = out[j]
		out[j] = item
	}
	return &array{items: out}, c.spend(int64(len(out)))
}

// distinct keeps the first of equal items. Strings, numbers and the like are looked up, others compared.
func distinct(c *call, args []any) (any, error) {
	items, ok := itemsOf(args[0])
	if !ok || len(items) <= 1 {
		return args[0], nil
	}
	out := &array{}
	if flagged(args[0], isSequence) {
		out.flags = isSequence
	}
	seen := make(map[any]bool, len(items))
	var deep []any
	for _, item := range items {
		if err := c.spend(1); err != nil {
			return nil, err
		}
		_, isArray := itemsOf(item)
		_, isObject := objectOf(item)
		if !isArray && !isObject {
			key := item
			if f, ok := numberOf(item); ok {
				key = f
			}
			if !seen[key] {
				seen[key] = true
				out.items = append(out.items, item)
			}
			continue
		}
		known := false
		for i := 0; i < len(deep) && !known; i++ {
			var err error
			if known, err = c.equal(item, deep[i]); err != nil {
				return nil, err
			}
		}
		if !known {
			deep = append(deep, item)
			out.items = append(out.items, item)
		}
	}
	return out, nil
}
