package jsonata

import (
	"math"
	"strings"
	"unicode/utf8"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/limits"
)

// export turns a result into a tree for the caller. Parts that hang together in the result do so in the tree; their
// size counts each time they stand in it.
func (ev *evaluator) export(v any) (out any, defined bool, err error) {
	if v == undefined {
		return nil, false, nil
	}
	if f, ok := v.(*function); ok {
		return f, true, nil
	}
	out, _, err = ev.exported(v, 0)
	return out, err == nil, err
}

// exported returns the tree and how large it is as text, about. Of what comes from outside the size is not known
// and not counted: it was there already.
func (ev *evaluator) exported(whole any, depth int) (out any, size int64, err error) {
	if depth > limits.JSONDepth {
		return nil, 0, ev.tooDeep()
	}
	switch v := whole.(type) {
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return nil, 0, failure("D1001", v)
		}
		n := number(v)
		return n, int64(len(n)), nil
	case string:
		if !utf8.ValidString(v) {
			return wellFormed(v), int64(len(v)) + 2, nil
		}
		return whole, int64(len(v)) + 2, nil // boxed already
	case *array:
		return ev.exportArray(v, depth)
	case *object:
		return ev.exportObject(v, depth)
	case *function:
		return "", 2, nil
	case *undefinedType:
		return nil, 4, nil
	}
	return whole, 4, nil
}

func (ev *evaluator) exportArray(a *array, depth int) (out any, size int64, err error) {
	if a.is(isWrapper) {
		return ev.exported(a.items[0], depth)
	}
	if a.out != nil {
		return a.out, a.size, ev.fits(a.size)
	}
	items := make([]any, len(a.items))
	size = 2
	for i, item := range a.items {
		var n int64
		if items[i], n, err = ev.exported(item, depth+1); err != nil {
			return nil, 0, err
		}
		if size += n + 1; ev.fits(size) != nil {
			return nil, 0, ev.fits(size)
		}
	}
	a.out, a.size = items, size
	return items, size, nil
}

func (ev *evaluator) exportObject(o *object, depth int) (out any, size int64, err error) {
	if o.exported {
		return &o.Object, o.size, ev.fits(o.size)
	}
	size = 2
	for i := range o.Len() {
		key, v := o.At(i)
		w, n, err := ev.exported(v, depth+1)
		if err != nil {
			return nil, 0, err
		}
		if size += n + int64(len(key)) + 4; ev.fits(size) != nil {
			return nil, 0, ev.fits(size)
		}
		o.Set(key, w)
	}
	o.exported, o.size = true, size
	return &o.Object, size, nil
}

// fits reports whether a text of this many bytes may be made.
func (ev *evaluator) fits(size int64) error {
	if size > int64(ev.limits.ResultBytes) {
		return failure("U1002", float64(ev.limits.ResultBytes))
	}
	return nil
}

// writer writes values as JSON.stringify does.
type writer struct {
	text   []byte
	exact  bool // numbers with all their digits; else 15, as $string has it
	indent int
	most   int
	full   bool // the text has grown past most
	deep   bool
	broken any // an infinite number
}

func (w *writer) value(v any, depth int) {
	if len(w.text) > w.most {
		w.full = true
		return
	}
	if depth > limits.JSONDepth {
		w.deep = true
		return
	}
	switch v := v.(type) {
	case nil, *undefinedType:
		w.text = append(w.text, "null"...)
	case bool:
		w.text = jsonvalue.Append(w.text, v)
	case float64, jsonvalue.Number:
		f, _ := numberOf(v)
		w.number(f)
	case string:
		w.quoted(v)
	case *function:
		w.text = append(w.text, `""`...)
	case []any, *array:
		items, _ := itemsOf(v)
		w.array(items, depth)
	case *jsonvalue.Object, *object:
		o, _ := objectOf(v)
		w.object(o, depth)
	}
}

func (w *writer) number(f float64) {
	switch {
	case math.IsInf(f, 0) || math.IsNaN(f):
		w.text = append(w.text, "null"...)
		if math.IsInf(f, 0) {
			w.broken = f
		}
	case w.exact:
		w.text = append(w.text, numberText(f)...)
	default:
		w.text = append(w.text, numberText(round15(f))...)
	}
}

func (w *writer) array(items []any, depth int) {
	w.text = append(w.text, '[')
	for i, item := range items {
		if i > 0 {
			w.text = append(w.text, ',')
		}
		w.line(depth + 1)
		w.value(item, depth+1)
	}
	if len(items) > 0 {
		w.line(depth)
	}
	w.text = append(w.text, ']')
}

func (w *writer) object(o *jsonvalue.Object, depth int) {
	w.text = append(w.text, '{')
	first := true
	_ = each(o, func(key string, v any) error {
		if v == undefined {
			return nil
		}
		if !first {
			w.text = append(w.text, ',')
		}
		first = false
		w.line(depth + 1)
		w.quoted(key)
		w.text = append(w.text, ':')
		if w.indent > 0 {
			w.text = append(w.text, ' ')
		}
		w.value(v, depth+1)
		return nil
	})
	if !first {
		w.line(depth)
	}
	w.text = append(w.text, '}')
}

func (w *writer) line(depth int) {
	if w.indent > 0 {
		w.text = append(w.text, '\n')
		for range depth * w.indent {
			w.text = append(w.text, ' ')
		}
	}
}

// quoted writes a string, with lone surrogates as escapes.
func (w *writer) quoted(s string) {
	const hex = "0123456789abcdef"
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
		w.text = jsonvalue.AppendString(w.text, s)
		return
	}
	w.text = append(w.text, '"')
	for i := 0; i < len(s); {
		c, n := unitAt(s, i)
		switch {
		case c == '"' || c == '\\':
			w.text = append(w.text, '\\', byte(c))
		case c < ' ' && strings.IndexByte("\b\f\n\r\t", byte(c)) >= 0:
			w.text = append(w.text, '\\', "bfnrt"[strings.IndexByte("\b\f\n\r\t", byte(c))])
		case c < ' ' || isSurrogate(c):
			w.text = append(w.text, '\\', 'u', hex[c>>12&15], hex[c>>8&15], hex[c>>4&15], hex[c&15])
		default:
			w.text = append(w.text, s[i:i+n]...)
		}
		i += n
	}
	w.text = append(w.text, '"')
}
