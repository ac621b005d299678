package itemreader

import (
	"io"
	"iter"
	"strconv"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/objectstore"
)

// listItems are the objects of a bucket as s3:listObjectsV2 gives them to Step Functions.
type listItems struct {
	objects func() (objectstore.Info, error, bool)
	stop    func()
	source  string
	last    string // the key that was given last
	value   []byte
}

func newList(o *opener, after string) *listItems {
	l := &listItems{source: uri(o.src.Bucket, ""), last: after}
	l.objects, l.stop = iter.Pull2(o.store.List(o.ctx, o.src.Bucket, o.src.Prefix, after))
	return l
}

func (l *listItems) next() (Item, error) {
	info, err := l.object()
	if err != nil {
		return Item{}, err
	}
	l.value = appendObject(l.value[:0], info)
	return Item{Value: l.value, Source: l.source}, nil
}

// object returns the next object, or io.EOF.
func (l *listItems) object() (objectstore.Info, error) {
	info, err, ok := l.objects()
	if !ok {
		err = io.EOF
	}
	if err == nil {
		l.last = info.Key
	}
	return info, err
}

func (l *listItems) place() place { return place{Key: l.last} }

func (l *listItems) close() error {
	l.stop()
	return nil
}

// appendObject appends an object of a list in the words and the order of Step Functions, the time as a number of
// seconds in Java's notation of a double.
func appendObject(b []byte, info objectstore.Info) []byte {
	b = append(b, `{"Etag":`...)
	b = jsonvalue.AppendString(b, info.ETag)
	b = append(b, `,"Key":`...)
	b = jsonvalue.AppendString(b, info.Key)
	b = append(b, `,"LastModified":`...)
	b = append(b, jsonvalue.Number(strconv.FormatInt(info.Modified.Unix(), 10)+".0").Java()...)
	b = append(b, `,"Size":`...)
	b = strconv.AppendInt(b, info.Size, 10)
	b = append(b, `,"StorageClass":`...)
	b = jsonvalue.AppendString(b, info.StorageClass)
	return append(b, '}')
}
