package itemreader

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
	"github.com/weftworks/weft/asl/jsonvalue"
)

// column is a node of a Parquet schema, with what is needed to make JSON of it.
//
// Source: https://github.com/apache/parquet-format/blob/master/LogicalTypes.md, and Dremel (Melnik and others, VLDB 2010,
// section 4.2) for the levels: a value whose definition level is below the column's is missing, and one whose repetition
// level is a repeated column's goes on with that column's list.
type column struct {
	name       []byte // as the name of a member, with the colon
	optional   bool
	repeated   bool
	definition int // levels of what is present here
	repetition int
	leaf       int // number of the leaf; of a group: of its first
	fields     []*column
	list       bool // a group that stands for the list of what is in its one repeated field
	mapped     bool // for an object, if its keys are texts
	json       func(b []byte, v parquet.Value) []byte
}

func columnOf(n parquet.Node, name string, leaves *int, definition, repetition int) *column {
	c := &column{name: append(jsonvalue.AppendString(nil, name), ':'), optional: n.Optional(), repeated: n.Repeated(), leaf: *leaves}
	if c.optional || c.repeated {
		definition++
	}
	if c.repeated {
		repetition++
	}
	c.definition, c.repetition = definition, repetition
	if n.Leaf() {
		*leaves++
		c.json = jsonOf(n.Type())
		return c
	}
	for _, f := range n.Fields() {
		c.fields = append(c.fields, columnOf(f, f.Name(), leaves, definition, repetition))
	}
	if len(c.fields) == 1 && c.fields[0].repeated {
		if in := c.fields[0]; logical[*format.ListType](n.Type()) {
			c.list = true
		} else if logical[*format.MapType](n.Type()) && len(in.fields) == 2 && in.fields[0].json != nil {
			c.mapped = true
		}
	}
	return c
}

func logical[T format.LogicalTypeValue](t parquet.Type) bool {
	l := t.LogicalType()
	if l == nil {
		return false
	}
	_, ok := l.Value.(T)
	return ok
}

// row is what is left of the values of a row, by leaf.
type row [][]parquet.Value

func rowOf(r parquet.Row, leaves int) row {
	columns := make(row, leaves)
	r.Range(func(i int, values []parquet.Value) bool {
		columns[i] = values
		return true
	})
	return columns
}

// take returns the next value of a leaf and passes it over.
func (r row) take(leaf int) parquet.Value {
	v := r[leaf][0]
	r[leaf] = r[leaf][1:]
	return v
}

// drop passes the value over that every leaf of a missing column has.
func (r row) drop(c *column) {
	if c.json != nil {
		r.take(c.leaf)
	}
	for _, f := range c.fields {
		r.drop(f)
	}
}

// append appends the value of a column in a row. It stops with errLarge soon after there are more than most bytes.
func (c *column) append(b []byte, r row, most int) ([]byte, error) {
	switch present := r[c.leaf][0].DefinitionLevel() >= c.definition; {
	case !c.repeated && c.optional && !present:
		r.drop(c)
		return append(b, "null"...), nil
	case !c.repeated:
		return c.one(b, r, most)
	case !present:
		r.drop(c)
		return append(b, "[]"...), nil
	}
	b = append(b, '[')
	b, err := c.each(b, r, most, c.one)
	return append(b, ']'), err
}

// each appends all values of a repeated column, with commas.
func (c *column) each(b []byte, r row, most int, one func([]byte, row, int) ([]byte, error)) (_ []byte, err error) {
	for i := 0; i == 0 || len(r[c.leaf]) > 0 && r[c.leaf][0].RepetitionLevel() >= c.repetition; i++ {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = one(b, r, most); err != nil {
			return b, err
		}
	}
	return b, nil
}

// one appends a value that is present, once.
func (c *column) one(b []byte, r row, most int) (_ []byte, err error) {
	switch {
	case len(b) > most:
		return b, errLarge
	case c.json != nil:
		return c.json(b, r.take(c.leaf)), nil
	case c.list:
		return c.fields[0].elements(b, r, most)
	case c.mapped:
		return c.fields[0].members(b, r, most)
	}
	b = append(b, '{')
	for i, f := range c.fields {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = f.append(append(b, f.name...), r, most); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

// elements appends the list that a repeated column is the body of: what is in it, if that is one field, else itself.
func (c *column) elements(b []byte, r row, most int) ([]byte, error) {
	if len(c.fields) != 1 || r[c.leaf][0].DefinitionLevel() < c.definition {
		return c.append(b, r, most)
	}
	b = append(b, '[')
	b, err := c.each(b, r, most, c.fields[0].append)
	return append(b, ']'), err
}

// members appends the object that a repeated column of keys and values is the body of.
func (c *column) members(b []byte, r row, most int) ([]byte, error) {
	if r[c.leaf][0].DefinitionLevel() < c.definition {
		r.drop(c)
		return append(b, "{}"...), nil
	}
	b = append(b, '{')
	b, err := c.each(b, r, most, func(b []byte, r row, most int) ([]byte, error) {
		key, err := c.fields[0].append(nil, r, most)
		if err != nil {
			return b, err
		}
		if key[0] != '"' {
			key = jsonvalue.AppendString(nil, string(key))
		}
		return c.fields[1].append(append(append(b, key...), ':'), r, most)
	})
	return append(b, '}'), err
}

// jsonOf returns how values of a type look in JSON: numbers as numbers, times as texts (ISO 8601), bytes that are no text in
// base64, and numbers that JSON does not have (NaN and the infinities) as null.
func jsonOf(t parquet.Type) func(b []byte, v parquet.Value) []byte {
	if l := t.LogicalType(); l != nil {
		if f := jsonOfLogical(l.Value, t.Kind()); f != nil {
			return f
		}
	}
	switch t.Kind() {
	case parquet.Boolean:
		return func(b []byte, v parquet.Value) []byte { return strconv.AppendBool(b, v.Boolean()) }
	case parquet.Int32:
		return func(b []byte, v parquet.Value) []byte { return strconv.AppendInt(b, int64(v.Int32()), 10) }
	case parquet.Int64:
		return func(b []byte, v parquet.Value) []byte { return strconv.AppendInt(b, v.Int64(), 10) }
	case parquet.Int96:
		return func(b []byte, v parquet.Value) []byte { return appendTime(b, int96Time(v.Int96()), timestamp) }
	case parquet.Float:
		return func(b []byte, v parquet.Value) []byte { return appendFloat(b, float64(v.Float()), 32) }
	case parquet.Double:
		return func(b []byte, v parquet.Value) []byte { return appendFloat(b, v.Double(), 64) }
	}
	return func(b []byte, v parquet.Value) []byte {
		if text := v.ByteArray(); utf8.Valid(text) {
			return jsonvalue.AppendString(b, string(text))
		}
		return jsonvalue.AppendString(b, base64.StdEncoding.EncodeToString(v.ByteArray()))
	}
}

const (
	timestamp = "2006-01-02T15:04:05.999999999Z"
	date      = "2006-01-02"
	clock     = "15:04:05.999999999"
)

// jsonOfLogical returns how values of a logical type look; nil: as their kind does.
func jsonOfLogical(l format.LogicalTypeValue, kind parquet.Kind) func(b []byte, v parquet.Value) []byte {
	switch l := l.(type) {
	case *format.StringType, *format.EnumType, *format.JsonType:
		return func(b []byte, v parquet.Value) []byte { return jsonvalue.AppendString(b, string(v.ByteArray())) }
	case *format.UUIDType:
		return func(b []byte, v parquet.Value) []byte {
			return jsonvalue.AppendString(b, uuid.UUID(v.ByteArray()).String())
		}
	case *format.DateType:
		return func(b []byte, v parquet.Value) []byte {
			return appendTime(b, time.Unix(int64(v.Int32())*86400, 0), date)
		}
	case *format.TimestampType:
		unit := int64(time.Second / l.Unit.Value.Duration())
		return func(b []byte, v parquet.Value) []byte {
			n := v.Int64()
			return appendTime(b, time.Unix(n/unit, n%unit*int64(l.Unit.Value.Duration())), timestamp)
		}
	case *format.TimeType:
		return func(b []byte, v parquet.Value) []byte {
			n := v.Int64()
			if kind == parquet.Int32 {
				n = int64(v.Int32())
			}
			return appendTime(b, time.Unix(0, n*int64(l.Unit.Value.Duration())), clock)
		}
	case *format.DecimalType:
		return func(b []byte, v parquet.Value) []byte { return appendDecimal(b, unscaled(v, kind), int(l.Scale)) }
	case *format.IntType:
		if !l.IsSigned && kind == parquet.Int32 {
			return func(b []byte, v parquet.Value) []byte { return strconv.AppendUint(b, uint64(v.Uint32()), 10) }
		} else if !l.IsSigned {
			return func(b []byte, v parquet.Value) []byte { return strconv.AppendUint(b, v.Uint64(), 10) }
		}
	}
	return nil
}

func appendTime(b []byte, t time.Time, layout string) []byte {
	return append(t.UTC().AppendFormat(append(b, '"'), layout), '"')
}

// int96Time returns the time of a value as Impala and Spark once wrote them: nanoseconds of a day, and the Julian day.
func int96Time(v deprecated.Int96) time.Time {
	const epoch = 2440588 // the Julian day of 1970-01-01
	return time.Unix((int64(v[2])-epoch)*86400, int64(v[1])<<32|int64(v[0]))
}

func appendFloat(b []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, bits)
}

// unscaled returns the digits of a decimal: in bytes it is a number in two's complement, the highest byte first.
func unscaled(v parquet.Value, kind parquet.Kind) *big.Int {
	switch kind {
	case parquet.Int32:
		return big.NewInt(int64(v.Int32()))
	case parquet.Int64:
		return big.NewInt(v.Int64())
	}
	text := v.ByteArray()
	if len(text) <= 8 {
		var wide [8]byte
		if len(text) > 0 && text[0]&0x80 != 0 {
			wide = [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
		}
		copy(wide[8-len(text):], text)
		return big.NewInt(int64(binary.BigEndian.Uint64(wide[:])))
	}
	n := new(big.Int).SetBytes(text)
	if text[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(text))))
	}
	return n
}

func appendDecimal(b []byte, n *big.Int, scale int) []byte {
	text := n.String()
	if n.Sign() < 0 {
		b, text = append(b, '-'), text[1:]
	}
	if scale <= 0 {
		return append(b, text...)
	}
	if len(text) <= scale {
		text = strings.Repeat("0", scale-len(text)+1) + text
	}
	return append(append(append(b, text[:len(text)-scale]...), '.'), text[len(text)-scale:]...)
}
