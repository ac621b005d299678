package itemreader

import (
	"fmt"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
)

// place is where an item is, or, in formats that need it, where what comes before it ends.
type place struct {
	// File counts the objects of a manifest that are done; Key is the last object of a list that was given or read. Both
	// of the outer level: what follows is about the object that is being read, if there is one.
	File int64
	Key  string

	Open   bool   // there is an object that is being read
	ETag   string // of it
	Gzip   bool   // Offset counts bytes that are decompressed
	Offset int64  // bytes; of Parquet: rows
	State  int64  // of the format
}

// name returns the object that a place is in.
func (p place) name(src Source) string {
	switch {
	case src.List && !p.Open:
		return uri(src.Bucket, src.Prefix)
	case p.Key != "":
		return uri(src.Bucket, p.Key)
	}
	return uri(src.Bucket, src.Key)
}

// cursorVersion begins every Cursor.
const cursorVersion = 1

func appendCursor(b []byte, given int64, p place) []byte {
	b = append(b, cursorVersion)
	b = wire.AppendInt(b, given)
	b = wire.AppendInt(b, p.File)
	b = wire.AppendString(b, p.Key)
	b = wire.AppendBool(b, p.Open)
	b = wire.AppendString(b, p.ETag)
	b = wire.AppendBool(b, p.Gzip)
	b = wire.AppendInt(b, p.Offset)
	return wire.AppendInt(b, p.State)
}

// parseCursor reads a Cursor; none is the beginning.
func parseCursor(b []byte) (given int64, p place, err error) {
	const op = "itemreader.Open"
	if len(b) == 0 {
		return 0, place{}, nil
	}
	if b[0] != cursorVersion {
		return 0, place{}, fault.New(op, fault.Corrupt, "cursor", "version %d, and this program knows %d: it is from a newer one", b[0], cursorVersion)
	}
	r := wire.NewReader(b[1:])
	given = r.Int()
	p = place{File: r.Int(), Key: r.String(), Open: r.Bool(), ETag: r.String(), Gzip: r.Bool(), Offset: r.Int(), State: r.Int()}
	if err = r.Err(); err == nil && (given < 0 || p.File < 0 || p.Offset < 0) {
		err = fmt.Errorf("it has a negative number")
	}
	if err != nil {
		return 0, place{}, fault.New(op, fault.Corrupt, "cursor", "%w", err)
	}
	return given, p, nil
}
