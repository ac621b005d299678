package values

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"
)

// ID names one value. It is 6 bytes of time (milliseconds since 1970, big-endian) and 10 random bytes, so ids
// sort by age and nobody guesses one.
type ID [16]byte

const timeBytes = 6

// setTime sets the part of an id that is not random.
func (id *ID) setTime(t time.Time) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(t.UnixMilli()))
	copy(id[:timeBytes], b[8-timeBytes:])
}

// Time returns when the value was put, in whole milliseconds, by the clock of the Store that put it.
func (id ID) Time() time.Time {
	var b [8]byte
	copy(b[8-timeBytes:], id[:timeBytes])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b[:])))
}

// String returns the id in hexadecimal, which is also the name of its file.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// parseID reads what String returns.
func parseID(name string) (id ID, ok bool) {
	b, err := hex.DecodeString(name)
	if err != nil || len(b) != len(id) {
		return ID{}, false
	}
	copy(id[:], b)
	return id, id.String() == name // and not in capitals
}

// Ref refers to a value in a Store.
type Ref struct {
	ID   ID
	Size int64  // of the content, in bytes
	Sum  uint32 // CRC-32C of the content
}

// refByte begins every encoded Ref and no JSON text. Another layout takes another byte.
const refByte = 0x01

// Encode returns the reference as a payload: refByte, the id, the size as an unsigned varint, the sum in
// four bytes, little-endian.
func (r Ref) Encode() []byte {
	b := make([]byte, 0, 1+len(r.ID)+binary.MaxVarintLen64+4)
	b = append(b, refByte)
	b = append(b, r.ID[:]...)
	b = binary.AppendUvarint(b, uint64(r.Size))
	return binary.LittleEndian.AppendUint32(b, r.Sum)
}

// Parse returns the reference that a payload is, and whether it is one. It takes only what Encode returns; a
// payload that begins with byte 0x01 and is not taken is damaged.
func Parse(payload []byte) (Ref, bool) {
	if len(payload) == 0 || payload[0] != refByte {
		return Ref{}, false
	}
	var r Ref
	rest := payload[1:]
	if len(rest) < len(r.ID) {
		return Ref{}, false
	}
	rest = rest[copy(r.ID[:], rest):]
	size, n := binary.Uvarint(rest)
	// A varint that ends in a zero byte is longer than it needs to be.
	if n <= 0 || size > math.MaxInt64 || (n > 1 && rest[n-1] == 0) || len(rest) != n+4 {
		return Ref{}, false
	}
	r.Size, r.Sum = int64(size), binary.LittleEndian.Uint32(rest[n:])
	return r, true
}
