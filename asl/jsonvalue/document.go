package jsonvalue

// Node is a value of a document with the places of its parts: what a validator needs to point at what it
// means. Keys given twice are all there.
type Node struct {
	Kind    Kind
	Offset  int    // of its first byte
	End     int    // past its last byte
	Scalar  any    // nil, bool, Number or string; nil for containers
	Items   []Node // of an array
	Members []NodeMember
}

// NodeMember is a member of an object, its key's place beside it.
type NodeMember struct {
	Key       string
	KeyOffset int
	Value     Node
}

// ParseDocument parses text with the places of everything in it.
func ParseDocument(text []byte) (*Node, error) {
	sc := scanner{s: string(text)}
	n, err := sc.node(0)
	if err == nil {
		err = sc.end()
	}
	if err != nil {
		return nil, err
	}
	return &n, nil
}

// Get returns the last member of that key, or nil.
func (n *Node) Get(key string) *Node {
	for i := len(n.Members) - 1; i >= 0; i-- {
		if n.Members[i].Key == key {
			return &n.Members[i].Value
		}
	}
	return nil
}

// Value returns the node as a tree without places; of a key given twice the last value counts.
func (n *Node) Value() any {
	switch n.Kind {
	case KindArray:
		items := make([]any, len(n.Items))
		for i := range n.Items {
			items[i] = n.Items[i].Value()
		}
		return items
	case KindObject:
		o := NewObject(len(n.Members))
		for i := range n.Members {
			o.Set(n.Members[i].Key, n.Members[i].Value.Value())
		}
		return o
	}
	return n.Scalar
}

func (sc *scanner) node(depth int) (n Node, err *SyntaxError) {
	sc.space()
	n.Offset = sc.i
	switch sc.peek() {
	case '{':
		n.Kind = KindObject
		n.Members, err = sc.nodeMembers(depth)
	case '[':
		n.Kind = KindArray
		n.Items, err = sc.nodeItems(depth)
	default:
		n.Scalar, err = sc.value(depth)
		n.Kind = KindOf(n.Scalar)
	}
	n.End = sc.i
	return n, err
}

func (sc *scanner) nodeItems(depth int) (items []Node, err *SyntaxError) {
	more, err := sc.open(depth, ']')
	for more && err == nil {
		var n Node
		if n, err = sc.node(depth + 1); err == nil {
			items = append(items, n)
			more, err = sc.more(']')
		}
	}
	return items, err
}

// nodeMembers collects the members on the scanner's stack, so that what stays has their number.
func (sc *scanner) nodeMembers(depth int) (members []NodeMember, err *SyntaxError) {
	more, err := sc.open(depth, '}')
	first := len(sc.members)
	for more && err == nil {
		sc.space()
		m := NodeMember{KeyOffset: sc.i}
		if m.Key, err = sc.key(); err != nil {
			break
		}
		if m.Value, err = sc.node(depth + 1); err == nil {
			more, err = sc.more('}')
		}
		sc.members = append(sc.members, m)
	}
	if len(sc.members) > first {
		members = make([]NodeMember, len(sc.members)-first)
		copy(members, sc.members[first:])
		sc.members = sc.members[:first]
	}
	return members, err
}
