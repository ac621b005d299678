package ratchet

import (
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
)

// version is the first byte of an encoded record.
const version = 1

// Append appends the encoding of a record.
func Append(b []byte, r *Record) []byte {
	b = append(b, version)
	b = wire.AppendString(b, r.Nonce)
	b = wire.AppendInt(b, r.Step)
	b = wire.AppendBytes(b, r.Value)
	b = wire.AppendInt(b, r.Width)
	b = wire.AppendUint(b, uint64(len(r.Members)))
	for _, m := range r.Members {
		b = wire.AppendString(b, m)
	}
	b = wire.AppendString(b, r.Failed)
	b = wire.AppendBool(b, r.Ended)
	return wire.AppendInt(b, r.Expires)
}

// Decode reads an encoded record. It shares nothing with b.
func Decode(b []byte) (*Record, error) {
	r := wire.NewReader(b)
	if v := r.Byte(); r.Err() == nil && v != version {
		return nil, fault.New("ratchet.Decode", fault.Corrupt, "", "a record of version %d: written by a newer Weft", v)
	}
	rec := &Record{Nonce: r.String(), Step: r.Int(), Value: append([]byte(nil), r.Bytes()...), Width: r.Int()}
	if n := r.Count(1); n > 0 {
		rec.Members = make([]string, n)
		for i := range rec.Members {
			rec.Members[i] = r.String()
		}
	}
	rec.Failed, rec.Ended, rec.Expires = r.String(), r.Bool(), r.Int()
	if r.Err() == nil && r.Len() > 0 {
		r.Fail(wire.ErrTruncated)
	}
	if err := r.Err(); err != nil {
		return nil, fault.New("ratchet.Decode", fault.Corrupt, "", "a record that cannot be read: %w", err)
	}
	return rec, nil
}
