package jsonata

import (
	"github.com/weftworks/weft/asl/jsonvalue"
)

func defineObjects() {
	define("keys", "<x-:a<s>>", 1, func(c *call, args []any) (any, error) {
		out := sequence()
		seen := newObject()
		if err := c.keys(seen, arg(args, 0)); err != nil {
			return nil, err
		}
		for key := range seen.arrange().All() {
			out.items = append(out.items, key)
		}
		return out, nil
	})
	define("lookup", "<x-s:x>", 2, func(c *call, args []any) (any, error) {
		return c.lookup(arg(args, 0), sought(args, 1))
	})
	define("spread", "<x-:a<o>>", 1, spread)
	define("merge", "<a<o>:o>", 1, strict(merge))
	define("each", "<o-f:a>", 2, func(c *call, args []any) (any, error) {
		out := sequence()
		err := c.members(args, func(_ string, _, v any) error {
			if v != undefined {
				out.items = append(out.items, v)
			}
			return nil
		})
		return out, err
	})
	define("sift", "<o-f?:o>", 2, func(c *call, args []any) (any, error) {
		out := newObject()
		err := c.members(args, func(key string, item, v any) error {
			yes, err := c.truth(v)
			if yes {
				out.Set(key, item)
			}
			return err
		})
		if out.Len() == 0 {
			return undefined, err
		}
		return out, err
	})
	define("clone", "<(oa)-:o>", 1, strict(func(c *call, args []any) (any, error) { return c.cloned(args[0]) }))
	define("boolean", "<x-:b>", 1, strict(func(c *call, args []any) (any, error) { return boxed(c.truth(args[0])) }))
	define("not", "<x-:b>", 1, strict(func(c *call, args []any) (any, error) {
		yes, err := c.truth(args[0])
		return !yes, err
	}))
	define("exists", "<x:b>", 1, func(c *call, args []any) (any, error) { return arg(args, 0) != undefined, nil })
	define("type", "<x:s>", 1, strict(typeName))
	define("error", "<s?:x>", 1, func(c *call, args []any) (any, error) {
		return nil, spoken("D3137", textArg(args, 0), "$error() function evaluated")
	})
	define("assert", "<bs?:x>", 2, func(c *call, args []any) (any, error) {
		if !loose(arg(args, 0)) {
			return nil, spoken("D3141", textArg(args, 1), "$assert() statement failed")
		}
		return undefined, nil
	})
	define("eval", "<sx?:x>", 2, strict(evalText))
}

// spoken is an error with words of the user's.
func spoken(code, message, otherwise string) error {
	if message == "" {
		message = otherwise
	}
	return failure(code, undefined).with("message", message)
}

// keys sets the keys of an object, or of all objects in an array, in seen.
func (ev *evaluator) keys(seen *object, v any) error {
	if err := ev.enter(); err != nil {
		return err
	}
	defer ev.leave()
	if items, ok := itemsOf(v); ok {
		for _, item := range items {
			if err := ev.keys(seen, item); err != nil {
				return err
			}
		}
	}
	if o, ok := objectOf(v); ok {
		for i := range o.Len() {
			key, _ := o.At(i)
			seen.Set(key, true)
		}
		return ev.spend(int64(o.Len()))
	}
	return nil
}

// members calls the function args[1] for each member of args[0], and fn with what it gives.
func (c *call) members(args []any, fn func(key string, item, v any) error) error {
	o, ok := objectOf(arg(args, 0))
	if !ok {
		return nil
	}
	return each(o, func(key string, item any) error {
		v, err := c.invokeEach(arg(args, 1), item, key, args[0])
		if err != nil {
			return err
		}
		return fn(key, item, v)
	})
}

func spread(c *call, args []any) (any, error) {
	v := arg(args, 0)
	out := sequence()
	if items, ok := itemsOf(v); ok {
		var all any = out
		for _, item := range items {
			part, err := spread(c, []any{item})
			if err != nil {
				return nil, err
			}
			a := all.(*array)
			if part != undefined {
				all = &array{items: append(a.items, listOf(part)...)}
			}
			if err := c.spend(1); err != nil {
				return nil, err
			}
		}
		return all, nil
	}
	o, ok := objectOf(v)
	if !ok {
		return v, nil
	}
	return out, each(o, func(key string, v any) error {
		one := newObject()
		one.Set(key, v)
		out.items = append(out.items, one)
		return c.spend(1)
	})
}

func merge(c *call, args []any) (any, error) {
	out := newObject()
	for _, item := range listOf(args[0]) {
		o, ok := objectOf(item)
		if !ok {
			continue
		}
		for i := range o.Len() {
			out.Set(o.At(i))
		}
		if err := c.spend(int64(o.Len())); err != nil {
			return nil, err
		}
	}
	return out.arrange(), nil
}

func typeName(c *call, args []any) (any, error) {
	switch v := args[0].(type) {
	case nil:
		return "null", nil
	case float64, jsonvalue.Number:
		_, _, err := numeric(v)
		return "number", err
	case string:
		return "string", nil
	case bool:
		return "boolean", nil
	case []any, *array:
		return "array", nil
	case *function:
		return "function", nil
	}
	return "object", nil
}

// evalText is $eval: it compiles and evaluates a text where it is called.
func evalText(c *call, args []any) (any, error) {
	text := textArg(args, 0)
	if err := c.text(32 * len(text)); err != nil {
		return nil, err
	}
	x, err := compile(text, true, true)
	if err != nil {
		return nil, failure("D3120", asError(err).Message)
	}
	input := c.input
	if focus := arg(args, 1); focus != undefined {
		input = focus
		if items, ok := itemsOf(focus); ok && !flagged(focus, isSequence) {
			input = &array{items: []any{items}, flags: isSequence | isWrapper}
		}
	}
	v, err := c.eval(x.root, input, c.env)
	if err != nil {
		e := asError(err)
		if e.Code[0] == 'U' {
			return nil, e
		}
		return nil, failure("D3121", e.finish(text).Message)
	}
	return v, nil
}
