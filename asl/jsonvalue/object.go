package jsonvalue

import (
	"iter"
	"slices"
)

// indexFrom is the number of members from which an Object keeps a map of its keys. Below it a walk over
// the members is faster than hashing and costs no memory.
const indexFrom = 17

// Object is a JSON object whose keys keep their order. The zero Object is empty and ready for use. Set is
// for building: once an Object is part of a tree that others see it is not changed any more.
type Object struct {
	members []member
	index   map[string]int // nil below indexFrom members
}

type member struct {
	key   string
	value any
}

// NewObject returns an empty object with room for n members.
func NewObject(n int) *Object { return &Object{members: make([]member, 0, n)} }

// Len returns the number of members. A nil Object has none.
func (o *Object) Len() int {
	if o == nil {
		return 0
	}
	return len(o.members)
}

func (o *Object) find(key string) int {
	if o == nil {
		return -1
	}
	if o.index != nil {
		if i, ok := o.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range o.members {
		if o.members[i].key == key {
			return i
		}
	}
	return -1
}

// Get returns the value of key and whether there is one.
func (o *Object) Get(key string) (any, bool) {
	if i := o.find(key); i >= 0 {
		return o.members[i].value, true
	}
	return nil, false
}

// At returns the i-th member.
func (o *Object) At(i int) (key string, value any) { return o.members[i].key, o.members[i].value }

// Set gives key its value: in its old place when there is one, else at the end.
func (o *Object) Set(key string, value any) {
	if i := o.find(key); i >= 0 {
		o.members[i].value = value
		return
	}
	o.members = append(o.members, member{key, value})
	switch {
	case o.index != nil:
		o.index[key] = len(o.members) - 1
	case len(o.members) >= indexFrom:
		o.reindex()
	}
}

func (o *Object) reindex() {
	o.index = nil
	if len(o.members) < indexFrom {
		return
	}
	o.index = make(map[string]int, 2*len(o.members))
	for i := range o.members {
		o.index[o.members[i].key] = i
	}
}

// All yields keys and values in order.
func (o *Object) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		if o == nil {
			return
		}
		for i := range o.members {
			if !yield(o.members[i].key, o.members[i].value) {
				return
			}
		}
	}
}

// Keys returns the keys in order.
func (o *Object) Keys() []string {
	keys := make([]string, 0, o.Len())
	for key := range o.All() {
		keys = append(keys, key)
	}
	return keys
}

// Clone returns a copy that may be changed with Set; the values are shared.
func (o *Object) Clone() *Object {
	if o == nil {
		return &Object{}
	}
	c := &Object{members: slices.Clone(o.members)}
	c.reindex()
	return c
}

// With returns a copy of o in which key has this value.
func (o *Object) With(key string, value any) *Object {
	c := o.Clone()
	c.Set(key, value)
	return c
}

// Without returns a copy of o that lacks key, or o when it never had it.
func (o *Object) Without(key string) *Object {
	i := o.find(key)
	if i < 0 {
		return o
	}
	c := &Object{members: slices.Delete(slices.Clone(o.members), i, i+1)}
	c.reindex()
	return c
}
