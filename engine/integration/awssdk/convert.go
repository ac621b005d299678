package awssdk

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go/middleware"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// Step Functions writes the parameters and answers of AWS SDK integrations as JSON with the names of the service's model,
// each beginning with a capital, which are the names of the SDK's fields. So one pair of functions over the
// SDK's types serves all actions.

// unionMembers are the types that a field of a union's interface may hold: a union is written {"MEMBER": value}, and
// the SDK has a type for each member whose name ends in it.
type unionMembers map[reflect.Type]map[string]reflect.Type

// union returns the interface type U and its members by name.
func union[U any](members ...U) (reflect.Type, map[string]reflect.Type) {
	iface := reflect.TypeFor[U]()
	byName := make(map[string]reflect.Type, len(members))
	for _, m := range members {
		t := reflect.TypeOf(m).Elem()
		byName[strings.TrimPrefix(t.Name(), iface.Name()+"Member")] = t
	}
	return iface, byName
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	readerType   = reflect.TypeFor[io.Reader]()
	metadataType = reflect.TypeFor[middleware.Metadata]()
)

// wrong is an argument that does not fit.
type wrong struct{ at, message string }

func (w *wrong) Error() string { return fmt.Sprintf("The field \"%s\" %s", w.at, w.message) }

func misfit(at string, v any, want string) error {
	return &wrong{at, fmt.Sprintf("must be %s but was: %s", want, jsonvalue.Text(v))}
}

// decode puts v, a value of package jsonvalue, into to. null leaves it as it is: the service then says what it misses.
func (u unionMembers) decode(at string, v any, to reflect.Value) error {
	if v == nil {
		return nil
	}
	t := to.Type()
	switch {
	case t == timeType:
		return decodeTime(at, v, to)
	case t == readerType:
		to.Set(reflect.ValueOf(bytes.NewReader(jsonvalue.Append(nil, v)))) // a string too is JSON there, in quotes
		return nil
	case u[t] != nil:
		return u.decodeUnion(at, v, to)
	}
	switch t.Kind() {
	case reflect.Pointer:
		p := reflect.New(t.Elem())
		to.Set(p)
		return u.decode(at, v, p.Elem())
	case reflect.Struct:
		return u.decodeStruct(at, v, to)
	case reflect.Slice:
		return u.decodeSlice(at, v, to)
	case reflect.Map:
		return u.decodeMap(at, v, to)
	}
	return decodeScalar(at, v, to)
}

func (u unionMembers) decodeStruct(at string, v any, to reflect.Value) error {
	o, ok := v.(*jsonvalue.Object)
	if !ok {
		return misfit(at, v, "an object")
	}
	for name, x := range o.All() {
		f := to.FieldByName(name)
		if !f.IsValid() || !f.CanSet() || f.Type() == metadataType {
			return &wrong{at: join(at, name), message: "is not supported by Step Functions"}
		}
		if err := u.decode(join(at, name), x, f); err != nil {
			return err
		}
	}
	return nil
}

// streamType is the media type of what Step Functions sends as a stream.
const streamType = "text/plain; charset=UTF-8"

// sayStreamType names the type of a stream where the arguments do not.
func sayStreamType(in reflect.Value) {
	body, kind := in.FieldByName("Body"), in.FieldByName("ContentType")
	if body.IsValid() && body.Type() == readerType && !body.IsNil() && kind.IsValid() && kind.IsNil() {
		text := streamType
		kind.Set(reflect.ValueOf(&text))
	}
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

func (u unionMembers) decodeUnion(at string, v any, to reflect.Value) error {
	o, ok := v.(*jsonvalue.Object)
	if !ok || o.Len() != 1 {
		return misfit(at, v, "an object with one member")
	}
	name, x := o.At(0)
	member, ok := u[to.Type()][name]
	if !ok {
		return &wrong{at: join(at, name), message: "is not supported by Step Functions"}
	}
	p := reflect.New(member)
	if err := u.decode(join(at, name), x, p.Elem().FieldByName("Value")); err != nil {
		return err
	}
	to.Set(p)
	return nil
}

func (u unionMembers) decodeSlice(at string, v any, to reflect.Value) error {
	if to.Type().Elem().Kind() == reflect.Uint8 {
		s, ok := v.(string)
		data, err := base64.StdEncoding.DecodeString(s)
		if !ok || err != nil {
			return misfit(at, v, "a string in base64")
		}
		to.SetBytes(data)
		return nil
	}
	items, ok := v.([]any)
	if !ok {
		return misfit(at, v, "an array")
	}
	list := reflect.MakeSlice(to.Type(), len(items), len(items))
	for i, x := range items {
		if err := u.decode(fmt.Sprintf("%s[%d]", at, i), x, list.Index(i)); err != nil {
			return err
		}
	}
	to.Set(list)
	return nil
}

func (u unionMembers) decodeMap(at string, v any, to reflect.Value) error {
	o, ok := v.(*jsonvalue.Object)
	if !ok {
		return misfit(at, v, "an object")
	}
	m := reflect.MakeMapWithSize(to.Type(), o.Len())
	for name, x := range o.All() {
		item := reflect.New(to.Type().Elem()).Elem()
		if err := u.decode(join(at, name), x, item); err != nil {
			return err
		}
		m.SetMapIndex(reflect.ValueOf(name).Convert(to.Type().Key()), item)
	}
	to.Set(m)
	return nil
}

// decodeScalar is as lenient as Step Functions' JSON reader: numbers and booleans may be strings, and what becomes a
// string may be any value.
func decodeScalar(at string, v any, to reflect.Value) error {
	s := text(v)
	switch k := to.Kind(); k {
	case reflect.String:
		to.SetString(s)
	case reflect.Bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return misfit(at, v, "a boolean")
		}
		to.SetBool(b)
	case reflect.Int32, reflect.Int64, reflect.Int:
		n, ok := jsonvalue.Number(s).Int64()
		if _, err := strconv.ParseFloat(s, 64); err != nil || !ok || to.OverflowInt(n) {
			return misfit(at, v, "an integer")
		}
		to.SetInt(n)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return misfit(at, v, "a number")
		}
		to.SetFloat(f)
	default:
		return &wrong{at: at, message: "is not supported by Step Functions"}
	}
	return nil
}

// text is a string itself, and any other value its JSON.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return string(jsonvalue.Append(nil, v))
}

// decodeTime takes ISO 8601 and seconds since 1970.
func decodeTime(at string, v any, to reflect.Value) error {
	s := text(v)
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		to.Set(reflect.ValueOf(t))
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < -1e11 || f > 1e12 {
		return misfit(at, v, "a timestamp like 2006-01-02T15:04:05Z")
	}
	to.Set(reflect.ValueOf(time.UnixMilli(int64(f * 1000)).UTC()))
	return nil
}

// bodyBytes bounds what a streamed answer (an object of S3) may hold: it becomes a string in the state's result.
const bodyBytes = 16 << 20

// encode undoes decode. What the service left out (nil, and enums that are "") is left out.
func (u unionMembers) encode(from reflect.Value) (v any, present bool, err error) {
	t := from.Type()
	switch {
	case t == timeType:
		return from.Interface().(time.Time).UTC().Format("2006-01-02T15:04:05.999Z"), true, nil
	case t.Kind() == reflect.Interface && !from.IsNil() && t.Implements(readerType):
		v, err := readBody(from.Interface().(io.Reader))
		return v, true, err
	case u[t] != nil && !from.IsNil():
		return u.encodeUnion(from)
	}
	switch t.Kind() {
	case reflect.Pointer:
		if from.IsNil() {
			return nil, false, nil
		}
		return u.encode(from.Elem())
	case reflect.Struct:
		v, err := u.encodeStruct(from)
		return v, true, err
	case reflect.Slice:
		return u.encodeSlice(from)
	case reflect.Map:
		return u.encodeMap(from)
	case reflect.String:
		return from.String(), from.String() != "" || t.Name() == "string", nil
	case reflect.Bool:
		return from.Bool(), true, nil
	case reflect.Int32, reflect.Int64, reflect.Int:
		return jsonvalue.Int(from.Int()), true, nil
	case reflect.Float32, reflect.Float64:
		n, ok := jsonvalue.Float(from.Float())
		return n, ok, nil
	}
	return nil, false, nil // a document or an event stream, of which the services here answer none
}

func readBody(r io.Reader) (string, error) {
	if c, ok := r.(io.Closer); ok {
		defer func() { _ = c.Close() }()
	}
	data, err := io.ReadAll(io.LimitReader(r, bodyBytes+1))
	if err == nil && len(data) > bodyBytes {
		err = fmt.Errorf("the answer's body has more than %d bytes", bodyBytes)
	}
	return strings.ToValidUTF8(string(data), "\uFFFD"), err
}

func (u unionMembers) encodeUnion(from reflect.Value) (any, bool, error) {
	member := from.Elem().Elem()
	value := member.FieldByName("Value")
	if !value.IsValid() {
		return nil, false, nil // a member that is newer than the SDK
	}
	v, _, err := u.encode(value)
	o := jsonvalue.NewObject(1)
	o.Set(strings.TrimPrefix(member.Type().Name(), from.Type().Name()+"Member"), v)
	return o, true, err
}

func (u unionMembers) encodeStruct(from reflect.Value) (*jsonvalue.Object, error) {
	t := from.Type()
	o := jsonvalue.NewObject(t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Type == metadataType {
			continue
		}
		v, present, err := u.encode(from.Field(i))
		if err != nil {
			return nil, err
		}
		if present {
			o.Set(f.Name, v)
		}
	}
	return o, nil
}

func (u unionMembers) encodeSlice(from reflect.Value) (any, bool, error) {
	if from.IsNil() {
		return nil, false, nil
	}
	if from.Type().Elem().Kind() == reflect.Uint8 {
		return base64.StdEncoding.EncodeToString(from.Bytes()), true, nil
	}
	items := make([]any, from.Len())
	for i := range items {
		v, _, err := u.encode(from.Index(i))
		if err != nil {
			return nil, false, err
		}
		items[i] = v
	}
	return items, true, nil
}

func (u unionMembers) encodeMap(from reflect.Value) (any, bool, error) {
	if from.IsNil() {
		return nil, false, nil
	}
	o := jsonvalue.NewObject(from.Len())
	keys := from.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, k := range keys {
		v, _, err := u.encode(from.MapIndex(k))
		if err != nil {
			return nil, false, err
		}
		o.Set(k.String(), v)
	}
	return o, true, nil
}
