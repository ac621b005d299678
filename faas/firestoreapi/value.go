package firestoreapi

import (
	"bytes"
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/proto"
)

// rank is the place of a value's type in Firestore's order of types.
func rank(v *pb.Value) int {
	switch v.GetValueType().(type) {
	case nil, *pb.Value_NullValue:
		return 0
	case *pb.Value_BooleanValue:
		return 1
	case *pb.Value_IntegerValue, *pb.Value_DoubleValue:
		return 2
	case *pb.Value_TimestampValue:
		return 3
	case *pb.Value_StringValue:
		return 4
	case *pb.Value_BytesValue:
		return 5
	case *pb.Value_ReferenceValue:
		return 6
	case *pb.Value_GeoPointValue:
		return 7
	case *pb.Value_ArrayValue:
		return 8
	default:
		return 9
	}
}

// compare orders values as queries do: by type, then by value. 1 and 1.0 are equal, NaN is less than all numbers.
func compare(a, b *pb.Value) int {
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	switch rank(a) {
	case 1:
		return cmp.Compare(number(a), number(b))
	case 2:
		return compareNumbers(a, b)
	case 3:
		x, y := a.GetTimestampValue(), b.GetTimestampValue()
		return cmp.Or(cmp.Compare(x.GetSeconds(), y.GetSeconds()), cmp.Compare(x.GetNanos(), y.GetNanos()))
	case 4:
		return cmp.Compare(a.GetStringValue(), b.GetStringValue())
	case 5:
		return bytes.Compare(a.GetBytesValue(), b.GetBytesValue())
	case 6:
		return compareNames(a.GetReferenceValue(), b.GetReferenceValue())
	case 7:
		x, y := a.GetGeoPointValue(), b.GetGeoPointValue()
		return cmp.Or(cmp.Compare(x.GetLatitude(), y.GetLatitude()), cmp.Compare(x.GetLongitude(), y.GetLongitude()))
	case 8:
		return slices.CompareFunc(a.GetArrayValue().GetValues(), b.GetArrayValue().GetValues(), compare)
	case 9:
		return compareMaps(a.GetMapValue().GetFields(), b.GetMapValue().GetFields())
	}
	return 0
}

func compareNumbers(a, b *pb.Value) int {
	x, xInt := a.GetValueType().(*pb.Value_IntegerValue)
	y, yInt := b.GetValueType().(*pb.Value_IntegerValue)
	if xInt && yInt {
		return cmp.Compare(x.IntegerValue, y.IntegerValue)
	}
	return cmp.Compare(number(a), number(b))
}

func number(v *pb.Value) float64 {
	switch v := v.GetValueType().(type) {
	case *pb.Value_IntegerValue:
		return float64(v.IntegerValue)
	case *pb.Value_DoubleValue:
		return v.DoubleValue
	case *pb.Value_BooleanValue:
		if v.BooleanValue {
			return 1
		}
	}
	return 0
}

func compareNames(a, b string) int {
	return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
}

func compareMaps(a, b map[string]*pb.Value) int {
	x, y := slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b))
	for i := range min(len(x), len(y)) {
		if c := cmp.Or(cmp.Compare(x[i], y[i]), compare(a[x[i]], b[y[i]])); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(x), len(y))
}

// size is what a value counts towards the size of its document.
func size(v *pb.Value) int {
	switch v := v.GetValueType().(type) {
	case *pb.Value_IntegerValue, *pb.Value_DoubleValue, *pb.Value_TimestampValue:
		return 8
	case *pb.Value_StringValue:
		return len(v.StringValue) + 1
	case *pb.Value_BytesValue:
		return len(v.BytesValue)
	case *pb.Value_ReferenceValue:
		return nameSize(v.ReferenceValue)
	case *pb.Value_GeoPointValue:
		return 16
	case *pb.Value_ArrayValue:
		n := 0
		for _, e := range v.ArrayValue.GetValues() {
			n += size(e)
		}
		return n
	case *pb.Value_MapValue:
		return fieldsSize(v.MapValue.GetFields())
	default:
		return 1
	}
}

func fieldsSize(fields map[string]*pb.Value) int {
	n := 0
	for name, v := range fields {
		n += len(name) + 1 + size(v)
	}
	return n
}

// nameSize is what the name of a document counts: its ids below "documents", and 16.
func nameSize(name string) int {
	_, path, _ := strings.Cut(name, "/documents/")
	return len(path) + 1 + 16
}

// get returns the value of a field, nil if there is none.
func get(fields map[string]*pb.Value, path []string) *pb.Value {
	for _, segment := range path[:len(path)-1] {
		fields = fields[segment].GetMapValue().GetFields()
	}
	return fields[path[len(path)-1]]
}

// set changes a field in place; nil removes it. Maps on the way are made, other values there are replaced.
func set(fields map[string]*pb.Value, path []string, v *pb.Value) {
	for _, segment := range path[:len(path)-1] {
		inner := fields[segment].GetMapValue()
		if inner == nil {
			if v == nil {
				return
			}
			inner = &pb.MapValue{}
			fields[segment] = &pb.Value{ValueType: &pb.Value_MapValue{MapValue: inner}}
		}
		if inner.Fields == nil {
			inner.Fields = make(map[string]*pb.Value)
		}
		fields = inner.Fields
	}
	if last := path[len(path)-1]; v == nil {
		delete(fields, last)
	} else {
		fields[last] = v
	}
}

func clone(fields map[string]*pb.Value) map[string]*pb.Value {
	out := make(map[string]*pb.Value, len(fields))
	for name, v := range fields {
		out[name] = proto.CloneOf(v)
	}
	return out
}

func equalFields(a, b map[string]*pb.Value) bool {
	return maps.EqualFunc(a, b, func(x, y *pb.Value) bool { return proto.Equal(x, y) })
}

// sum adds numbers: integers stay within their range, everything else is floating.
func sum(a, b *pb.Value) *pb.Value {
	x, xInt := a.GetValueType().(*pb.Value_IntegerValue)
	y, yInt := b.GetValueType().(*pb.Value_IntegerValue)
	if !xInt || !yInt {
		return &pb.Value{ValueType: &pb.Value_DoubleValue{DoubleValue: number(a) + number(b)}}
	}
	n := x.IntegerValue + y.IntegerValue
	switch {
	case x.IntegerValue > 0 && y.IntegerValue > 0 && n <= 0:
		n = math.MaxInt64
	case x.IntegerValue < 0 && y.IntegerValue < 0 && n >= 0:
		n = math.MinInt64
	}
	return &pb.Value{ValueType: &pb.Value_IntegerValue{IntegerValue: n}}
}
