package firestoreapi

import (
	"slices"
	"time"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Limits of writes, Firestore's own.
const (
	documentBytes      = 1 << 20
	requestBytes       = 10 << 20
	writesPerRequest   = 500
	transformsPerWrite = 500
)

// document is a version of a document. It is never changed.
type document struct {
	name             string
	fields           map[string]*pb.Value
	created, updated time.Time
}

func (d *document) proto(mask *pb.DocumentMask) (*pb.Document, error) {
	out := &pb.Document{Name: d.name, CreateTime: timestamppb.New(d.created), UpdateTime: timestamppb.New(d.updated), Fields: d.fields}
	if mask == nil {
		return out, nil
	}
	fields := make(map[string]*pb.Value)
	for _, p := range mask.GetFieldPaths() {
		if p == nameField {
			continue
		}
		path, err := parsePath(p)
		if err != nil {
			return nil, err
		}
		if v := get(d.fields, path); v != nil {
			set(fields, path, proto.CloneOf(v))
		}
	}
	out.Fields = fields
	return out, nil
}

// target returns the document that a write is about.
func target(w *pb.Write) string {
	switch op := w.GetOperation().(type) {
	case *pb.Write_Update:
		return op.Update.GetName()
	case *pb.Write_Delete:
		return op.Delete
	case *pb.Write_Transform:
		return op.Transform.GetDocument()
	}
	return ""
}

// checkWrite wants a write that could be applied to some document of the database.
func checkWrite(w *pb.Write, database string) error {
	if w.GetOperation() == nil {
		return invalid("A write has no operation that this endpoint knows.")
	}
	if len(w.GetUpdateTransforms()) > transformsPerWrite || len(w.GetTransform().GetFieldTransforms()) > transformsPerWrite {
		return invalid("maximum %d transforms allowed per document", transformsPerWrite)
	}
	return checkDocument(target(w), database)
}

// checkPrecondition compares what a write expects with what is there, nil for nothing.
func checkPrecondition(name string, cur *document, p *pb.Precondition) error {
	switch cond := p.GetConditionType().(type) {
	case *pb.Precondition_Exists:
		if cond.Exists && cur == nil {
			return status.Errorf(codes.NotFound, "No document to update: %s", name)
		}
		if !cond.Exists && cur != nil {
			return status.Errorf(codes.AlreadyExists, "Document already exists: %s", name)
		}
	case *pb.Precondition_UpdateTime:
		if cur == nil {
			return status.Errorf(codes.NotFound, "No document to update: %s", name)
		}
		if want := cond.UpdateTime.AsTime(); !cur.updated.Equal(want) {
			return status.Errorf(codes.FailedPrecondition, "the stored version (%d) does not match the required base version (%d)",
				cur.updated.UnixMicro(), want.UnixMicro())
		}
	}
	return nil
}

// apply returns what a write makes of a document (nil: none, before and after) and the results of its transforms. A
// write that changes nothing leaves the version as it is.
func apply(cur *document, w *pb.Write, now time.Time) (next *document, results []*pb.Value, err error) {
	name := target(w)
	if err := checkPrecondition(name, cur, w.GetCurrentDocument()); err != nil {
		return nil, nil, err
	}
	if _, deletes := w.GetOperation().(*pb.Write_Delete); deletes {
		return nil, nil, nil
	}
	fields, err := updated(cur, w)
	if err != nil {
		return nil, nil, err
	}
	for _, t := range slices.Concat(w.GetTransform().GetFieldTransforms(), w.GetUpdateTransforms()) {
		path, err := parsePath(t.GetFieldPath())
		if err != nil {
			return nil, nil, err
		}
		v, result, err := transform(get(fields, path), t, now)
		if err != nil {
			return nil, nil, err
		}
		set(fields, path, v)
		results = append(results, result)
	}
	if cur != nil && equalFields(cur.fields, fields) {
		return cur, results, nil
	}
	if n := nameSize(name) + fieldsSize(fields) + 32; n > documentBytes {
		return nil, nil, invalid("Document '%s' cannot be written because its size (%d bytes) exceeds the maximum allowed size of %d bytes.", name, n, documentBytes)
	}
	next = &document{name: name, fields: fields, created: now, updated: now}
	if cur != nil {
		next.created = cur.created
	}
	return next, results, nil
}

// updated returns the fields after the update of a write, a copy.
func updated(cur *document, w *pb.Write) (map[string]*pb.Value, error) {
	var old map[string]*pb.Value
	if cur != nil {
		old = cur.fields
	}
	update := w.GetUpdate()
	if update == nil { // transforms alone
		return clone(old), nil
	}
	if w.GetUpdateMask() == nil {
		return clone(update.GetFields()), nil
	}
	fields := clone(old)
	for _, p := range w.GetUpdateMask().GetFieldPaths() {
		path, err := parsePath(p)
		if err != nil {
			return nil, err
		}
		set(fields, path, proto.CloneOf(get(update.GetFields(), path)))
	}
	return fields, nil
}

var null = &pb.Value{ValueType: &pb.Value_NullValue{}}

// transform returns the value that a transform makes of another (nil: there is none), and what the client is told.
func transform(old *pb.Value, t *pb.DocumentTransform_FieldTransform, now time.Time) (v, result *pb.Value, err error) {
	switch op := t.GetTransformType().(type) {
	case *pb.DocumentTransform_FieldTransform_SetToServerValue:
		if op.SetToServerValue != pb.DocumentTransform_FieldTransform_REQUEST_TIME {
			return nil, nil, invalid("Unknown server value %v.", op.SetToServerValue)
		}
		v = &pb.Value{ValueType: &pb.Value_TimestampValue{TimestampValue: timestamppb.New(now)}}
	case *pb.DocumentTransform_FieldTransform_Increment:
		if v, err = counted(old, op.Increment, sum); err != nil {
			return nil, nil, err
		}
	case *pb.DocumentTransform_FieldTransform_Maximum:
		if v, err = counted(old, op.Maximum, func(a, b *pb.Value) *pb.Value { return better(a, b, 1) }); err != nil {
			return nil, nil, err
		}
	case *pb.DocumentTransform_FieldTransform_Minimum:
		if v, err = counted(old, op.Minimum, func(a, b *pb.Value) *pb.Value { return better(a, b, -1) }); err != nil {
			return nil, nil, err
		}
	case *pb.DocumentTransform_FieldTransform_AppendMissingElements:
		return array(union(old.GetArrayValue().GetValues(), op.AppendMissingElements.GetValues())), null, nil
	case *pb.DocumentTransform_FieldTransform_RemoveAllFromArray:
		return array(slices.DeleteFunc(slices.Clone(old.GetArrayValue().GetValues()), func(v *pb.Value) bool {
			return contains(op.RemoveAllFromArray.GetValues(), v)
		})), null, nil
	default:
		return nil, nil, invalid("The transform of field %q is of no type that this endpoint knows.", t.GetFieldPath())
	}
	return v, v, nil
}

// counted combines two numbers; what is no number counts as absent.
func counted(old, operand *pb.Value, combine func(a, b *pb.Value) *pb.Value) (*pb.Value, error) {
	if rank(operand) != 2 {
		return nil, invalid("Only numbers can be incremented by, or compared with.")
	}
	if old == nil || rank(old) != 2 {
		return operand, nil
	}
	return combine(old, operand), nil
}

// better returns b if it compares to a with the sign, else a.
func better(a, b *pb.Value, sign int) *pb.Value {
	if compare(b, a)*sign > 0 {
		return b
	}
	return a
}

func contains(values []*pb.Value, v *pb.Value) bool {
	return slices.ContainsFunc(values, func(o *pb.Value) bool { return compare(o, v) == 0 })
}

// union appends what is missing, each once.
func union(old, more []*pb.Value) []*pb.Value {
	out := slices.Clone(old)
	for _, v := range more {
		if !contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func array(values []*pb.Value) *pb.Value {
	return &pb.Value{ValueType: &pb.Value_ArrayValue{ArrayValue: &pb.ArrayValue{Values: values}}}
}
