package itemreader

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/objectstore"
)

// manifestBytes bounds each single thing that is said in a manifest.
const manifestBytes = 64 << 10

// listed are the objects that a manifest names.
type listed struct {
	*stream
	last  place
	named func() (objectstore.Name, error) // the next that the manifest names, or io.EOF
}

func (l *listed) place() place { return l.last }

func (l *listed) object() (objectstore.Name, error) {
	name, err := l.named()
	if err != nil {
		return name, err
	}
	l.last.File++
	l.last.Bucket, l.last.Key = name.Bucket, name.Key
	return name, nil
}

// skip passes over those before a place.
func (l *listed) skip(at place) error {
	for l.last.File < at.File {
		if _, err := l.object(); err != nil {
			return err
		}
	}
	return nil
}

// manifest opens the source's manifest.
func (o *opener) manifest(at place) (*stream, error) {
	return openStream(o.ctx, o.store, o.named(), place{ETag: at.Manifest})
}

// athena reads the objects that Athena has written: a manifest is a CSV of their URIs.
//
// Source: https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html (data manifest files).
func (o *opener) athena(at place) (items, error) {
	s, err := o.manifest(at)
	if err != nil {
		return nil, err
	}
	l := &listed{stream: s, last: place{Manifest: s.etag}}
	l.named = func() (objectstore.Name, error) {
		for {
			line, err := s.line(manifestBytes)
			if err != nil {
				return objectstore.Name{}, err
			}
			if line = bytes.Trim(line, "\" \t\r"); len(line) > 0 {
				return parseURI(string(line))
			}
		}
	}
	if err := l.skip(at); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return newSequence(l, at, o.file)
}

func parseURI(text string) (objectstore.Name, error) {
	rest, ok := strings.CutPrefix(text, "s3://")
	bucket, key, found := strings.Cut(rest, "/")
	if !ok || !found {
		return objectstore.Name{}, &Error{Cause: fmt.Sprintf("The manifest has %.200q, which is no URI like s3://bucket/key.", text)}
	}
	return objectstore.Name{Bucket: bucket, Key: key}, nil
}

// inventory reads an S3 inventory: manifest.json names CSV files without a line of names, and says what their columns are.
//
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
func (o *opener) inventory(at place) (items, error) {
	var said [3]string
	for i, pointer := range []string{"/fileFormat", "/fileSchema", "/destinationBucket"} {
		var err error
		if said[i], err = o.word(at, pointer); err != nil {
			return nil, err
		}
	}
	if said[0] != "CSV" {
		return nil, &Error{Cause: fmt.Sprintf("The inventory's files are %.40q; only CSV is read.", said[0])}
	}
	s, err := o.manifest(at)
	if err != nil {
		return nil, err
	}
	files, err := openJSON(s, "", "/files", manifestBytes, place{})
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	l := &listed{stream: s, last: place{Manifest: s.etag}}
	bucket := said[2][strings.LastIndexByte(said[2], ':')+1:] // it is an ARN
	l.named = func() (objectstore.Name, error) {
		file, err := files.next()
		if err != nil {
			return objectstore.Name{}, err
		}
		return fileOf(bucket, file.Value)
	}
	if err := l.skip(at); err != nil {
		return nil, errors.Join(err, s.close())
	}
	columns := strings.Split(said[1], ",")
	for i := range columns {
		columns[i] = strings.TrimSpace(columns[i])
	}
	in := &opener{ctx: o.ctx, store: o.store, src: Source{Format: CSV, Headers: Given, GivenHeaders: columns, ItemBytes: o.src.ItemBytes}}
	return newSequence(l, at, in.file)
}

// fileOf names the object of one of the files of an inventory.
func fileOf(bucket string, file []byte) (objectstore.Name, error) {
	v, err := jsonvalue.Parse(file)
	if object, ok := v.(*jsonvalue.Object); err == nil && ok {
		if key, ok := object.Get("key"); ok {
			if key, ok := key.(string); ok {
				return objectstore.Name{Bucket: bucket, Key: key}, nil
			}
		}
	}
	return objectstore.Name{}, &Error{Cause: fmt.Sprintf("The manifest has the file %.200s, which has no key.", file), Err: err}
}

// word returns a text that the manifest has at a pointer.
func (o *opener) word(at place, pointer string) (string, error) {
	s, err := o.manifest(at)
	if err != nil {
		return "", err
	}
	defer func() { _ = s.close() }() // it was only read
	if err := s.seek(pointer, manifestBytes); err != nil {
		if errors.Is(err, errPointer) {
			err = &Error{Cause: "The manifest has no " + pointer[1:] + "."}
		}
		return "", ended(err)
	}
	text, err := s.value(true, manifestBytes)
	if err != nil {
		return "", err
	}
	v, err := jsonvalue.Parse(text)
	if word, ok := v.(string); err == nil && ok {
		return word, nil
	}
	return "", &Error{Cause: fmt.Sprintf("The manifest's %s is no text.", pointer[1:]), Err: err}
}
