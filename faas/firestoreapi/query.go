package firestoreapi

import (
	"cmp"
	"math"
	"slices"
	"strings"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// nameField is the name of a document as a field of queries.
const nameField = "__name__"

type direction = pb.StructuredQuery_Direction

// query is a structured query, ready to be asked.
type query struct {
	parent      string
	from        *pb.StructuredQuery_CollectionSelector
	where       func(*document) bool
	order       []order
	start, end  *pb.Cursor
	offset, max int
}

type order struct {
	path       []string // nil: the name
	descending bool
}

// parseQuery prepares a query below a document or the root.
func parseQuery(parent string, q *pb.StructuredQuery) (*query, error) {
	if err := checkParent(parent); err != nil {
		return nil, err
	}
	if len(q.GetFrom()) != 1 {
		return nil, invalid("A query is of exactly one collection here; this one has %d.", len(q.GetFrom()))
	}
	if q.GetFindNearest() != nil {
		return nil, status.Error(codes.Unimplemented, "This endpoint finds no nearest vectors.")
	}
	out := &query{parent: parent, from: q.GetFrom()[0], start: q.GetStartAt(), end: q.GetEndAt(), offset: int(q.GetOffset()), max: math.MaxInt}
	if q.GetLimit() != nil {
		out.max = int(q.GetLimit().GetValue())
	}
	if out.offset < 0 || out.max < 0 {
		return nil, invalid("offset and limit must not be negative.")
	}
	var compared []string // fields of inequalities: they order the result
	var err error
	if out.where, err = parseFilter(q.GetWhere(), &compared); err != nil {
		return nil, err
	}
	out.order, err = parseOrder(q.GetOrderBy(), compared)
	return out, err
}

// parseOrder completes an order: by the fields of inequalities, and last by name in the direction of the one before.
func parseOrder(given []*pb.StructuredQuery_Order, compared []string) (orders []order, err error) {
	last := pb.StructuredQuery_ASCENDING
	seen := make(map[string]bool)
	add := func(field string, d direction) error {
		if seen[field] {
			return nil
		}
		seen[field] = true
		o := order{descending: d == pb.StructuredQuery_DESCENDING}
		if field != nameField {
			if o.path, err = parsePath(field); err != nil {
				return err
			}
		}
		orders = append(orders, o)
		return nil
	}
	for _, o := range given {
		last = o.GetDirection()
		if err := add(o.GetField().GetFieldPath(), last); err != nil {
			return nil, err
		}
	}
	slices.Sort(compared)
	for _, field := range append(compared, nameField) {
		if err := add(field, last); err != nil {
			return nil, err
		}
	}
	return orders, nil
}

// parseFilter makes a predicate, and collects the fields of inequalities.
func parseFilter(f *pb.StructuredQuery_Filter, compared *[]string) (func(*document) bool, error) {
	switch f := f.GetFilterType().(type) {
	case nil:
		return func(*document) bool { return true }, nil
	case *pb.StructuredQuery_Filter_CompositeFilter:
		return parseComposite(f.CompositeFilter, compared)
	case *pb.StructuredQuery_Filter_FieldFilter:
		return parseFieldFilter(f.FieldFilter, compared)
	case *pb.StructuredQuery_Filter_UnaryFilter:
		return parseUnary(f.UnaryFilter)
	default:
		return nil, invalid("Unknown filter %T.", f)
	}
}

func parseComposite(f *pb.StructuredQuery_CompositeFilter, compared *[]string) (func(*document) bool, error) {
	var parts []func(*document) bool
	for _, inner := range f.GetFilters() {
		part, err := parseFilter(inner, compared)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	switch {
	case len(parts) == 0:
		return nil, invalid("A composite filter has no filters.")
	case f.GetOp() == pb.StructuredQuery_CompositeFilter_AND:
		return func(d *document) bool {
			return !slices.ContainsFunc(parts, func(p func(*document) bool) bool { return !p(d) })
		}, nil
	case f.GetOp() == pb.StructuredQuery_CompositeFilter_OR:
		return func(d *document) bool {
			return slices.ContainsFunc(parts, func(p func(*document) bool) bool { return p(d) })
		}, nil
	}
	return nil, invalid("Unknown composite operator %v.", f.GetOp())
}

// accessor returns what reads a field, or the name, of a document.
func accessor(field string) (func(*document) *pb.Value, error) {
	if field == nameField {
		return nameOf, nil
	}
	path, err := parsePath(field)
	if err != nil {
		return nil, err
	}
	return func(d *document) *pb.Value { return get(d.fields, path) }, nil
}

func nameOf(d *document) *pb.Value {
	return &pb.Value{ValueType: &pb.Value_ReferenceValue{ReferenceValue: d.name}}
}

func parseFieldFilter(f *pb.StructuredQuery_FieldFilter, compared *[]string) (func(*document) bool, error) {
	field := f.GetField().GetFieldPath()
	value, err := accessor(field)
	if err != nil {
		return nil, err
	}
	operands := slices.Concat(f.GetValue().GetArrayValue().GetValues(), []*pb.Value{f.GetValue()})
	isName := func(v *pb.Value) bool { return rank(v) == rank(nameOf(&document{})) }
	if field == nameField && !slices.ContainsFunc(operands, isName) {
		return nil, invalid("%s filter value must be a reference to a document.", nameField)
	}
	test, ordered := fieldTest(f.GetOp(), f.GetValue())
	if test == nil {
		return nil, invalid("Unknown operator %v.", f.GetOp())
	}
	if ordered && !slices.Contains(*compared, field) {
		*compared = append(*compared, field)
	}
	return func(d *document) bool {
		v := value(d)
		return v != nil && test(v)
	}, nil
}

// fieldTest returns what an operator asks of a value, and whether it is an inequality.
func fieldTest(op pb.StructuredQuery_FieldFilter_Operator, operand *pb.Value) (test func(v *pb.Value) bool, ordered bool) {
	inequality := func(ok func(c int) bool) (func(v *pb.Value) bool, bool) {
		return func(v *pb.Value) bool { return rank(v) == rank(operand) && ok(compare(v, operand)) }, true
	}
	list := operand.GetArrayValue().GetValues()
	switch op {
	case pb.StructuredQuery_FieldFilter_EQUAL:
		return func(v *pb.Value) bool { return compare(v, operand) == 0 }, false
	case pb.StructuredQuery_FieldFilter_NOT_EQUAL:
		return func(v *pb.Value) bool { return rank(v) != 0 && compare(v, operand) != 0 }, true
	case pb.StructuredQuery_FieldFilter_LESS_THAN:
		return inequality(func(c int) bool { return c < 0 })
	case pb.StructuredQuery_FieldFilter_LESS_THAN_OR_EQUAL:
		return inequality(func(c int) bool { return c <= 0 })
	case pb.StructuredQuery_FieldFilter_GREATER_THAN:
		return inequality(func(c int) bool { return c > 0 })
	case pb.StructuredQuery_FieldFilter_GREATER_THAN_OR_EQUAL:
		return inequality(func(c int) bool { return c >= 0 })
	case pb.StructuredQuery_FieldFilter_IN:
		return func(v *pb.Value) bool { return contains(list, v) }, false
	case pb.StructuredQuery_FieldFilter_NOT_IN:
		return func(v *pb.Value) bool { return rank(v) != 0 && !contains(list, v) }, true
	case pb.StructuredQuery_FieldFilter_ARRAY_CONTAINS:
		return func(v *pb.Value) bool { return contains(v.GetArrayValue().GetValues(), operand) }, false
	case pb.StructuredQuery_FieldFilter_ARRAY_CONTAINS_ANY:
		return func(v *pb.Value) bool {
			return slices.ContainsFunc(list, func(o *pb.Value) bool { return contains(v.GetArrayValue().GetValues(), o) })
		}, false
	}
	return nil, false
}

func parseUnary(f *pb.StructuredQuery_UnaryFilter) (func(*document) bool, error) {
	value, err := accessor(f.GetField().GetFieldPath())
	if err != nil {
		return nil, err
	}
	isNull := func(v *pb.Value) bool { return rank(v) == 0 }
	isNaN := func(v *pb.Value) bool { return rank(v) == 2 && math.IsNaN(number(v)) }
	tests := map[pb.StructuredQuery_UnaryFilter_Operator]func(v *pb.Value) bool{
		pb.StructuredQuery_UnaryFilter_IS_NULL:     isNull,
		pb.StructuredQuery_UnaryFilter_IS_NAN:      isNaN,
		pb.StructuredQuery_UnaryFilter_IS_NOT_NULL: func(v *pb.Value) bool { return !isNull(v) },
		pb.StructuredQuery_UnaryFilter_IS_NOT_NAN:  func(v *pb.Value) bool { return !isNull(v) && !isNaN(v) },
	}
	test := tests[f.GetOp()]
	if test == nil {
		return nil, invalid("Unknown unary operator %v.", f.GetOp())
	}
	return func(d *document) bool {
		v := value(d)
		return v != nil && test(v)
	}, nil
}

// run returns the documents of a query in order.
func (q *query) run(collections map[string]map[string]*document) []*document {
	var found []*document
	for name, docs := range collections {
		if !q.covers(name) {
			continue
		}
		for _, d := range docs {
			if q.where(d) && q.hasOrder(d) {
				found = append(found, d)
			}
		}
	}
	slices.SortFunc(found, q.compare)
	found = slices.DeleteFunc(found, func(d *document) bool { return !q.within(d) })
	found = found[min(q.offset, len(found)):]
	return found[:min(q.max, len(found))]
}

// covers reports whether a query is of a collection.
func (q *query) covers(collection string) bool {
	if !q.from.GetAllDescendants() {
		return collection == q.parent+"/"+q.from.GetCollectionId()
	}
	_, id := cut(collection)
	return strings.HasPrefix(collection, q.parent+"/") && (q.from.GetCollectionId() == "" || id == q.from.GetCollectionId())
}

func (o order) value(d *document) *pb.Value {
	if o.path == nil {
		return nameOf(d)
	}
	return get(d.fields, o.path)
}

// hasOrder reports whether a document has the fields that it would be ordered by.
func (q *query) hasOrder(d *document) bool {
	return !slices.ContainsFunc(q.order, func(o order) bool { return o.value(d) == nil })
}

func (q *query) compare(a, b *document) int {
	for _, o := range q.order {
		if c := o.compare(o.value(a), o.value(b)); c != 0 {
			return c
		}
	}
	return 0
}

func (o order) compare(a, b *pb.Value) int {
	c := compare(a, b)
	if o.descending {
		c = cmp.Compare(0, c)
	}
	return c
}

// within reports whether a document is between the cursors.
func (q *query) within(d *document) bool {
	at := func(c *pb.Cursor) int {
		for i, v := range c.GetValues()[:min(len(c.GetValues()), len(q.order))] {
			if n := q.order[i].compare(q.order[i].value(d), v); n != 0 {
				return n
			}
		}
		return 0
	}
	if q.start != nil {
		if c := at(q.start); c < 0 || c == 0 && !q.start.GetBefore() {
			return false
		}
	}
	if q.end != nil {
		if c := at(q.end); c > 0 || c == 0 && q.end.GetBefore() {
			return false
		}
	}
	return true
}
