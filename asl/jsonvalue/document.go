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
	n := new(Node)
	err := sc.node(n, 0)
	if err == nil {
		err = sc.end()
	}
	if err != nil {
		return nil, err
	}
	return n, nil
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

func (sc *scanner) node(n *Node, depth int) (err *SyntaxError) {
	sc.space()
	n.Offset = sc.i
	switch sc.peek() {
	case '{':
		n.Kind = KindObject
		err = sc.nodeObject(n, depth)
	case '[':
		n.Kind = KindArray
		err = sc.nodeArray(n, depth)
	default:
		n.Scalar, err = sc.value(depth)
		n.Kind = KindOf(n.Scalar)
	}
	n.End = sc.i
	return err
}

func (sc *scanner) nodeArray(n *Node, depth int) *SyntaxError {
	more, err := sc.open(depth, ']')
	for more && err == nil {
		n.Items = append(n.Items, Node{})
		if err = sc.node(&n.Items[len(n.Items)-1], depth+1); err == nil {
			more, err = sc.more(']')
		}
	}
	return err
}

func (sc *scanner) nodeObject(n *Node, depth int) *SyntaxError {
	more, err := sc.open(depth, '}')
	if more {
		n.Members = make([]NodeMember, 0, 4) // few objects of a definition have less
	}
	for more && err == nil {
		sc.space()
		m := NodeMember{KeyOffset: sc.i}
		if m.Key, err = sc.key(); err != nil {
			break
		}
		n.Members = append(n.Members, m)
		if err = sc.node(&n.Members[len(n.Members)-1].Value, depth+1); err == nil {
			more, err = sc.more('}')
		}
	}
	return err
}
