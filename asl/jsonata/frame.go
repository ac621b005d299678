package jsonata

// frame holds the variables of one scope: of a block, of a call, or of a tuple.
type frame struct {
	up     *frame
	names  []string // may be shared with the lambda that names them: appending copies
	values []any
	tuple  *object
}

// bind gives a variable its value in this scope.
func (f *frame) bind(name string, v any) {
	for i := range f.names {
		if f.names[i] == name {
			f.values[i] = v
			return
		}
	}
	f.names = append(f.names[:len(f.names):len(f.names)], name)
	f.values = append(f.values, v)
}

// find looks a variable up, scope by scope outwards. What it costs beyond a few comparisons is taken from steps.
func (f *frame) find(name string, steps *int64) (any, bool) {
	for hops := 0; f != nil; f = f.up {
		if hops++; hops&7 == 0 || len(f.names) > 8 {
			*steps -= int64(len(f.names)>>3 + 1)
		}
		for i := range f.names {
			if f.names[i] == name {
				return f.values[i], true
			}
		}
		if f.tuple != nil {
			if v, ok := f.tuple.Get(name); ok {
				return v, true
			}
		}
	}
	return undefined, false
}

// with returns the scope of a tuple inside f.
func (f *frame) with(tuple any) *frame {
	t, _ := tuple.(*object)
	return &frame{up: f, tuple: t}
}
