package jsonata

// orderBy is the operator ^: it sorts items, or tuples, by its terms.
func (ev *evaluator) orderBy(n *node, in *array, env *frame) (any, error) {
	tuples := in.is(isTuples)
	if len(in.items) <= 1 {
		return in, nil
	}
	keys := make([][]any, len(in.items)) // of each item its terms, evaluated when first asked for
	term := func(i, t int) (any, error) {
		if keys[i] == nil {
			keys[i] = make([]any, len(n.terms))
		}
		if v := keys[i][t]; v != nil {
			return v, nil
		}
		context, scope := in.items[i], env
		if tuples {
			context, scope = tupleItem(in.items[i]), env.with(in.items[i])
		}
		v, err := ev.eval(n.terms[t].expr, context, scope)
		if err == nil && v == nil {
			v = nullTerm
		}
		keys[i][t] = v
		return v, err
	}
	order, err := ev.merge(len(in.items), func(i, j int) (bool, error) {
		for t := range n.terms {
			a, err := term(i, t)
			if err != nil {
				return false, err
			}
			b, err := term(j, t)
			if err != nil {
				return false, err
			}
			c, err := compareTerms(a, b, n)
			if err != nil {
				return false, err
			}
			if c != 0 {
				if n.terms[t].descending && a != undefined && b != undefined {
					c = -c
				}
				return c > 0, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	out := &array{items: make([]any, len(order))}
	for i, from := range order {
		out.items[i] = in.items[from]
	}
	return out, nil
}

// nullTerm is a term that is null: nil says that it has not been evaluated.
var nullTerm any = &array{}

// compareTerms orders two terms; undefined is last.
func compareTerms(a, b any, n *node) (int, error) {
	switch {
	case a == undefined && b == undefined:
		return 0, nil
	case a == undefined:
		return 1, nil
	case b == undefined:
		return -1, nil
	}
	aText, aOK := orderable(a)
	bText, bOK := orderable(b)
	if !aOK || !bOK {
		if aOK {
			a = b
		}
		if a == nullTerm {
			a = nil
		}
		return 0, failureAt("T2008", n.at, a)
	}
	if aText != bText {
		return 0, failureAt("T2007", n.at, a).with("value2", b)
	}
	if aText {
		return compareText(a.(string), b.(string)), nil
	}
	x, _ := numberOf(a)
	y, _ := numberOf(b)
	switch {
	case x < y:
		return -1, nil
	case x == y:
		return 0, nil
	}
	return 1, nil
}

// merge sorts the numbers below n: swap reports whether the second belongs before the first. Halves are merged as
// the reference does it, so that an order that is none gives the same result.
func (ev *evaluator) merge(n int, swap func(i, j int) (bool, error)) ([]int, error) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	space := make([]int, n)
	var sort func(part, space []int) error
	sort = func(part, space []int) error {
		if len(part) <= 1 {
			return nil
		}
		mid := len(part) / 2
		if err := sort(part[:mid], space[:mid]); err != nil {
			return err
		}
		if err := sort(part[mid:], space[mid:]); err != nil {
			return err
		}
		if err := ev.spend(int64(len(part))); err != nil {
			return err
		}
		left, right, out := part[:mid], part[mid:], space[:0]
		for len(left) > 0 && len(right) > 0 {
			yes, err := swap(left[0], right[0])
			if err != nil {
				return err
			}
			if yes {
				out, right = append(out, right[0]), right[1:]
			} else {
				out, left = append(out, left[0]), left[1:]
			}
		}
		out = append(append(out, left...), right...)
		copy(part, out)
		return nil
	}
	return order, sort(order, space)
}
