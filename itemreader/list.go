package itemreader

import (
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/objectstore"
)

// listing are the objects of a bucket, as items like those that s3:listObjectsV2 gives to Step Functions, or to be read.
type listing struct {
	list  func() (objectstore.Info, error, bool)
	stop  func()
	last  place // of the one that was given last
	value []byte
}

func newList(o *opener, at place) *listing {
	l := &listing{last: place{Bucket: o.src.Bucket, Key: at.Key}}
	l.list, l.stop = iter.Pull2(o.store.List(o.ctx, o.src.Bucket, o.src.Prefix, at.Key))
	return l
}

func (l *listing) next() (Item, error) {
	info, err := l.info()
	if err != nil {
		return Item{}, err
	}
	l.value = appendObject(l.value[:0], info)
	return Item{Value: l.value, Source: uri(l.last.Bucket, "")}, nil
}

func (l *listing) info() (objectstore.Info, error) {
	info, err, ok := l.list()
	if !ok {
		err = io.EOF
	}
	if err == nil {
		l.last.Key = info.Key
	}
	return info, err
}

// object returns the next object that is not a mere mark of a folder: an empty one whose key ends in a slash.
func (l *listing) object() (objectstore.Name, error) {
	for {
		info, err := l.info()
		if err != nil || info.Size > 0 || !strings.HasSuffix(info.Key, "/") {
			return objectstore.Name{Bucket: l.last.Bucket, Key: info.Key}, err
		}
	}
}

func (l *listing) place() place { return l.last }

func (l *listing) close() error {
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
