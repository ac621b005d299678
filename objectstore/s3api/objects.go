package s3api

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/weftworks/weft/objectstore"
)

const (
	contentType = "binary/octet-stream" // S3's of an object that was put without one
	modified    = "2006-01-02T15:04:05.000Z"
)

// describe sets the headers that say what an object is.
func (a *answer) describe(info objectstore.Info) {
	a.header.Set("Accept-Ranges", "bytes")
	a.header.Set("Content-Type", contentType)
	a.header.Set("ETag", info.ETag)
	a.header.Set("Last-Modified", info.Modified.Format(http.TimeFormat))
	a.length = info.Size
}

func (q *request) head(ctx context.Context) (*answer, error) {
	info, err := q.store.Head(ctx, q.name)
	if err != nil {
		return nil, err
	}
	if match := q.match(); match != "" && match != info.ETag {
		return nil, objectstore.NewError("Head", q.name, objectstore.PreconditionFailed, nil)
	}
	a := empty(http.StatusOK)
	a.describe(info)
	return a, nil
}

// match is the ETag that an object must have; "": any.
func (q *request) match() string {
	if tag := q.header.Get("If-Match"); tag != "*" {
		return tag
	}
	return ""
}

func (q *request) get(ctx context.Context) (*answer, error) {
	o := objectstore.GetOptions{Match: q.match()}
	span, partial := parseSpan(q.header.Get("Range"))
	if partial {
		info, err := q.store.Head(ctx, q.name)
		if err != nil {
			return nil, err
		}
		if !span.within(info.Size) {
			return nil, objectstore.NewError("Get", q.name, objectstore.InvalidRange, nil)
		}
		o.Offset, o.Length = span.first, span.last-span.first+1
		if o.Match == "" {
			o.Match = info.ETag // what is sent is of the object whose size was looked at
		}
	}
	object, err := q.store.Get(ctx, q.name, o)
	if err != nil {
		return nil, err
	}
	a := empty(http.StatusOK)
	a.describe(object.Info)
	a.body = object.Body
	if partial {
		a.status, a.length = http.StatusPartialContent, o.Length
		a.header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", span.first, span.last, object.Size))
	}
	return a, nil
}

// span is a range of bytes, both ends included. first < 0 means as many from the end.
type span struct{ first, last int64 }

// parseSpan reads a Range of one span; what is none is passed over, as HTTP has it.
func parseSpan(text string) (span, bool) {
	first, last, ok := strings.Cut(strings.TrimPrefix(text, "bytes="), "-")
	if !ok || !strings.HasPrefix(text, "bytes=") {
		return span{}, false
	}
	if first == "" {
		n, err := strconv.ParseUint(last, 10, 63)
		return span{first: -int64(n), last: -1}, err == nil
	}
	from, err := strconv.ParseUint(first, 10, 63)
	if err != nil || last == "" {
		return span{int64(from), 1<<63 - 1}, err == nil
	}
	to, err := strconv.ParseUint(last, 10, 63)
	return span{int64(from), int64(to)}, err == nil && from <= to
}

// within fits the span into an object and reports whether there is something in it.
func (s *span) within(size int64) bool {
	if s.last < 0 {
		n := -s.first
		s.first, s.last = max(0, size-n), size-1
		return n > 0 && size > 0
	}
	s.last = min(s.last, size-1)
	return s.first < size
}

func (q *request) delete(ctx context.Context) (*answer, error) {
	if err := q.store.Delete(ctx, q.name); err != nil {
		return nil, err
	}
	return empty(http.StatusNoContent), nil
}

// write puts an object.
func (q *request) write(ctx context.Context, from io.Reader) (objectstore.Info, error) {
	w, err := q.store.Put(ctx, q.name)
	if err != nil {
		return objectstore.Info{}, err
	}
	if _, err := io.Copy(w, from); err != nil {
		_ = w.Abort() // what it says is less than what failed
		return objectstore.Info{}, err
	}
	return w.Commit()
}

func (q *request) put(ctx context.Context) (*answer, error) {
	info, err := q.write(ctx, q.body)
	if err != nil {
		return nil, err
	}
	a := empty(http.StatusOK)
	a.header.Set("ETag", info.ETag)
	for name, values := range q.header { // the sums of what was sent, and is there now
		if strings.HasPrefix(name, checksum) {
			a.header[name] = values
			a.header.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
		}
	}
	return a, nil
}

func (q *request) copy(ctx context.Context) (*answer, error) {
	source, err := q.source()
	if err != nil {
		return nil, err
	}
	object, err := q.store.Get(ctx, source, objectstore.GetOptions{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = object.Body.Close() }() // it was only read
	info, err := q.write(ctx, object.Body)
	if err != nil {
		return nil, err
	}
	return document(http.StatusOK, struct {
		XMLName            xml.Name `xml:"CopyObjectResult"`
		LastModified, ETag string
	}{LastModified: info.Modified.Format(modified), ETag: info.ETag}), nil
}

// source reads what is to be copied: BUCKET/KEY, escaped as in a URL.
func (q *request) source() (objectstore.Name, error) {
	path, query, _ := strings.Cut(strings.TrimPrefix(q.header.Get(copySource), "/"), "?")
	path, err := url.PathUnescape(path)
	bucket, key, ok := strings.Cut(path, "/")
	version, versioned := strings.CutPrefix(query, "versionId=")
	if err != nil || !ok || bucket == "" || key == "" || query != "" && !versioned {
		e := objectstore.NewError("Copy", q.name, invalid, nil)
		e.Message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
		return objectstore.Name{}, e
	}
	source := objectstore.Name{Bucket: bucket, Key: key, Version: version}
	if bucket == q.name.Bucket && key == q.name.Key {
		return source, objectstore.NewError("Copy", q.name, objectstore.InvalidRequest, nil)
	}
	return source, nil
}
