package disk

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/weftworks/weft/engine/commitlog"
)

const (
	frameHeaderBytes = 32
	frameMagic       = 0x6d667257 // "Wrfm"
	// entryBytesMin is the least an entry takes: two one-byte varints.
	entryBytesMin = 2
	// entryOverheadMax is the most an entry takes beside its data: a five-byte and a five-byte varint.
	entryOverheadMax = 10
)

// frameHeader is what the first 32 bytes of a frame say.
type frameHeader struct {
	length     uint32 // of the payload, in bytes
	segment    uint32 // the number of the segment the frame was written to
	count      uint32 // entries; at least 1
	first      commitlog.Position
	payloadCRC uint32
}

// size returns the length of the whole frame in bytes.
func (h *frameHeader) size() int64 { return frameHeaderBytes + int64(h.length) }

// sealFrame fills in the first 32 bytes of b, a whole frame.
func sealFrame(b []byte, segment, count uint32, first commitlog.Position) {
	le := binary.LittleEndian
	payload := b[frameHeaderBytes:]
	le.PutUint32(b[0:], frameMagic)
	le.PutUint32(b[4:], uint32(len(payload)))
	le.PutUint32(b[8:], segment)
	le.PutUint32(b[12:], count)
	le.PutUint64(b[16:], uint64(first))
	le.PutUint32(b[24:], crc32.Checksum(payload, castagnoli))
	le.PutUint32(b[28:], crc32.Checksum(b[:28], castagnoli))
}

var (
	errNoFrame     = errors.New("no frame begins here")
	errFrameHeader = errors.New("the frame's header fails its checksum")
	errPayload     = errors.New("the frame's entries fail their checksum")
	errEntries     = errors.New("the frame's entries are malformed though their checksum holds")
	errCutOff      = errors.New("the frame goes on past the end of the file")
	errSegment     = errors.New("the frame belongs to another segment")
	errPosition    = errors.New("the frame has another position than the one due")
	errEnd         = errors.New("the frame goes on past the recorded end of its segment")
	errRead        = errors.New("read failed")
)

// decodeFrameHeader reads the 32 bytes of a frame's header.
func decodeFrameHeader(b []byte) (frameHeader, error) {
	le := binary.LittleEndian
	if len(b) < frameHeaderBytes || le.Uint32(b) != frameMagic {
		return frameHeader{}, errNoFrame
	}
	if crc32.Checksum(b[:28], castagnoli) != le.Uint32(b[28:]) {
		return frameHeader{}, errFrameHeader
	}
	h := frameHeader{
		length:     le.Uint32(b[4:]),
		segment:    le.Uint32(b[8:]),
		count:      le.Uint32(b[12:]),
		first:      commitlog.Position(le.Uint64(b[16:])),
		payloadCRC: le.Uint32(b[24:]),
	}
	if h.count == 0 || uint64(h.count)*entryBytesMin > uint64(h.length) {
		return frameHeader{}, errFrameHeader
	}
	return h, nil
}

// looksTorn says whether 32 bytes that are no whole frame's header look like one that was begun in
// this segment, rather than like untouched bytes (zeros, or a frame of an earlier use of the file).
func looksTorn(b []byte, segment uint32) bool {
	le := binary.LittleEndian
	if len(b) < frameHeaderBytes {
		return false
	}
	_, err := decodeFrameHeader(b)
	return le.Uint32(b[8:]) == segment || (err != nil && le.Uint32(b) == frameMagic)
}

// appendEntry appends one entry to a payload.
func appendEntry(b []byte, partition uint32, data []byte) []byte {
	b = binary.AppendUvarint(b, uint64(partition))
	b = binary.AppendUvarint(b, uint64(len(data)))
	return append(b, data...)
}

// entryFunc is what Recover's caller gives.
type entryFunc = func(pos commitlog.Position, partition uint32, data []byte) error

// eachEntry calls fn (which may be nil) for each of the count entries of a payload. The payload must
// hold exactly these: otherwise it returns errEntries, after having called fn for those before.
func eachEntry(payload []byte, first commitlog.Position, count uint32, fn entryFunc) error {
	for i := range count {
		partition, n := binary.Uvarint(payload)
		if n <= 0 || partition > 1<<32-1 {
			return errEntries
		}
		payload = payload[n:]
		length, n := binary.Uvarint(payload)
		if n <= 0 || length > uint64(len(payload)-n) {
			return errEntries
		}
		data := payload[n : n+int(length) : n+int(length)]
		payload = payload[n+int(length):]
		if fn == nil {
			continue
		}
		if err := fn(first+commitlog.Position(i), uint32(partition), data); err != nil {
			return err
		}
	}
	if len(payload) != 0 {
		return errEntries
	}
	return nil
}
