package itemreader

import (
	"fmt"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
)

// place is where an item is, or, in formats that need it, where what comes before it ends.
type place struct {
	// Where there are several objects, Bucket and Key name that which was given or opened last, File counts those of a
	// manifest up to it, and Manifest is the ETag of the manifest.
	File        int64
	Manifest    string
	Bucket, Key string

	Open   bool   // there is an object that is being read, which is what the rest is about
	ETag   string // of it
	Gzip   bool   // Offset counts bytes that are decompressed
	Offset int64  // bytes; of Parquet: rows
	State  int64  // of the format
}

// name returns the object that a place is in.
func (p place) name(src Source) string {
	switch {
	case p.Open && p.Key != "":
		return uri(p.Bucket, p.Key)
	case src.List:
		return uri(src.Bucket, src.Prefix)
	}
	return uri(src.Bucket, src.Key)
}

// cursorVersion begins every Cursor.
const cursorVersion = 1

func appendCursor(b []byte, given int64, p place) []byte {
	b = append(b, cursorVersion)
	b = wire.AppendInt(b, given)
	b = wire.AppendInt(b, p.File)
	b = wire.AppendString(b, p.Manifest)
	b = wire.AppendString(b, p.Bucket)
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
	p = place{File: r.Int(), Manifest: r.String(), Bucket: r.String(), Key: r.String()}
	p.Open, p.ETag, p.Gzip, p.Offset, p.State = r.Bool(), r.String(), r.Bool(), r.Int(), r.Int()
	if err = r.Err(); err == nil && (given < 0 || p.File < 0 || p.Offset < 0) {
		err = fmt.Errorf("it has a negative number")
	}
	if err != nil {
		return 0, place{}, fault.New(op, fault.Corrupt, "cursor", "%w", err)
	}
	return given, p, nil
}
