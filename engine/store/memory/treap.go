package memory

import (
	"bytes"
)

// node is a node of an immutable treap: a search tree by key and a heap by a hash of the key, so that
// its shape depends on its keys alone. Changes copy the path to them; old roots stay whole.
type node struct {
	key, value  []byte
	weight      uint64
	left, right *node
}

// weigh hashes a key (FNV-1a, finished with a multiplication): the same in every process.
func weigh(key []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range key {
		h = (h ^ uint64(c)) * 1099511628211
	}
	h ^= h >> 32
	return h * 0x9e3779b97f4a7c15
}

// split parts n into the keys less than key and the rest.
func split(n *node, key []byte) (less, rest *node) {
	if n == nil {
		return nil, nil
	}
	c := *n
	if bytes.Compare(n.key, key) < 0 {
		c.right, rest = split(n.right, key)
		return &c, rest
	}
	less, c.left = split(n.left, key)
	return less, &c
}

// join makes one treap of two; all keys of a are less than those of b.
func join(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.weight >= b.weight:
		c := *a
		c.right = join(a.right, b)
		return &c
	}
	c := *b
	c.left = join(a, b.left)
	return &c
}

// successor returns the least key greater than key.
func successor(key []byte) []byte { return append(append(make([]byte, 0, len(key)+1), key...), 0) }

// set returns n with key set to value; it keeps both.
func set(n *node, key, value []byte) *node {
	less, rest := split(n, key)
	_, more := split(rest, successor(key))
	return join(join(less, &node{key: key, value: value, weight: weigh(key)}), more)
}

// deleteRange returns n without the keys from lower to upper.
func deleteRange(n *node, lower, upper []byte) *node {
	less, rest := split(n, lower)
	_, more := split(rest, upper)
	return join(less, more)
}

// find returns the node of key, or nil.
func find(n *node, key []byte) *node {
	for n != nil {
		switch c := bytes.Compare(key, n.key); {
		case c == 0:
			return n
		case c < 0:
			n = n.left
		default:
			n = n.right
		}
	}
	return nil
}
