package disk

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/engine/commitlog"
)

const (
	// headerBytes is the size of a segment's header: a whole page, so that no frame shares it.
	headerBytes = 4096
	// formatVersion is the version of everything in a segment. Magic, version and checksum keep their
	// places in every version.
	formatVersion = 1

	segmentSuffix = ".log"
	sparePrefix   = "spare-"
	lockName      = "LOCK"
	damagedName   = "damaged"

	category = vfs.DiskWriteCategory("weft-log")
)

var (
	segmentMagic = [8]byte{'W', 'e', 'f', 't', 'L', 'o', 'g', '\n'}
	castagnoli   = crc32.MakeTable(crc32.Castagnoli)
)

// header is what the first page of a segment says.
type header struct {
	number     uint32             // of this segment; never reused
	prevNumber uint32             // of the segment before; 0: this is the first of the log
	prevEnd    int64              // where the frames of the segment before end, in bytes from its start
	prevNext   commitlog.Position // the position due there: everything the log holds before this segment is less
	first      commitlog.Position // of the segment's first entry
	capacity   int64              // the size the file was made with, in bytes
}

// encode returns the page.
func (h *header) encode() []byte { return h.encodeAs(formatVersion) }

// encodeAs returns the page as a program of another version would write it.
func (h *header) encodeAs(version uint32) []byte {
	b := make([]byte, headerBytes)
	copy(b, segmentMagic[:])
	le := binary.LittleEndian
	le.PutUint32(b[8:], version)
	le.PutUint32(b[12:], h.number)
	le.PutUint32(b[16:], h.prevNumber)
	le.PutUint64(b[24:], uint64(h.prevEnd))
	le.PutUint64(b[32:], uint64(h.first))
	le.PutUint64(b[40:], uint64(h.capacity))
	le.PutUint64(b[48:], uint64(h.prevNext))
	le.PutUint32(b[headerBytes-4:], crc32.Checksum(b[:headerBytes-4], castagnoli))
	return b
}

// errVersion is a header in a format this program does not know.
type errVersion uint32

func (v errVersion) Error() string {
	return fmt.Sprintf("the segment has format version %d and this Weft reads version %d: use a newer Weft", uint32(v), formatVersion)
}

// decodeHeader reads the page b of the segment that the file's name calls number.
func decodeHeader(b []byte, number uint32) (header, error) {
	le := binary.LittleEndian
	switch {
	case len(b) < headerBytes:
		return header{}, fmt.Errorf("the segment header is cut off after %d of %d bytes", len(b), headerBytes)
	case [8]byte(b[:8]) != segmentMagic:
		return header{}, fmt.Errorf("the segment header does not begin with the magic of a Weft log")
	case crc32.Checksum(b[:headerBytes-4], castagnoli) != le.Uint32(b[headerBytes-4:]):
		return header{}, fmt.Errorf("the segment header fails its checksum")
	case le.Uint32(b[8:]) != formatVersion:
		return header{}, errVersion(le.Uint32(b[8:]))
	}
	h := header{
		number:     le.Uint32(b[12:]),
		prevNumber: le.Uint32(b[16:]),
		prevEnd:    int64(le.Uint64(b[24:])),
		first:      commitlog.Position(le.Uint64(b[32:])),
		capacity:   int64(le.Uint64(b[40:])),
		prevNext:   commitlog.Position(le.Uint64(b[48:])),
	}
	switch {
	case h.number != number:
		return header{}, fmt.Errorf("the segment header says segment %d: the file was renamed or copied", h.number)
	case h.prevNumber >= h.number || h.first.Incarnation() == 0 || h.prevNext > h.first || (h.prevNumber == 0) != (h.prevEnd == 0) || (h.prevEnd != 0 && h.prevEnd < headerBytes):
		return header{}, fmt.Errorf("the segment header makes no sense (segment %d after %d, first position %s)", h.number, h.prevNumber, h.first)
	}
	return h, nil
}

func segmentName(number uint32) string { return fmt.Sprintf("%010d%s", number, segmentSuffix) }

func spareName(n uint32) string { return fmt.Sprintf("%s%010d%s", sparePrefix, n, segmentSuffix) }

// parseName tells segments and spares by their names; ok is false for every other file.
func parseName(name string) (number uint32, spare, ok bool) {
	digits, isLog := strings.CutSuffix(name, segmentSuffix)
	digits, spare = strings.CutPrefix(digits, sparePrefix)
	n, err := strconv.ParseUint(digits, 10, 32)
	if !isLog || err != nil || len(digits) != 10 || (n == 0 && !spare) {
		return 0, false, false
	}
	return uint32(n), spare, true
}
