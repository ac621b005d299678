package itemreader

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/weftworks/weft/objectstore"
)

const (
	// parquetWholeBytes bounds files that are read at once; of larger ones what is needed is asked for.
	parquetWholeBytes = 8 << 20
	// parquetReadBytes is how much of a column is asked for at once.
	parquetReadBytes = 256 << 10
	// parquetFooterBytes bounds what a file says about itself.
	parquetFooterBytes = 64 << 20
	parquetRows        = 64 // decoded at once
)

// parquetItems are the rows of a Parquet file, each an object whose members are the columns, in their order.
type parquetItems struct {
	source string
	etag   string
	most   int
	file   *parquet.File
	root   *column
	leaves int

	groups []parquet.RowGroup // that are not done, the one that is being read included
	rows   parquet.Rows       // of the first of groups; nil: it is to be opened
	skip   int64              // rows of the first of groups that are passed over
	buffer []parquet.Row
	have   []parquet.Row // of buffer
	next0  int64         // number of the next row
	value  []byte
}

// parquet opens a Parquet file. What its code panics of is the file's mistake.
func (o *opener) parquet(name objectstore.Name, at place) (in items, err error) {
	defer recovered(&err)
	info, err := o.store.Head(o.ctx, name)
	if err != nil {
		return nil, err
	}
	if at.ETag != "" && at.ETag != info.ETag {
		return nil, objectstore.NewError("Get", name, objectstore.PreconditionFailed, nil)
	}
	source, err := parquetSource(o.ctx, o.store, name, info)
	if err != nil {
		return nil, err
	}
	if err := checkFooter(source, info.Size); err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(source, info.Size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(parquetReadBytes))
	if err != nil {
		return nil, fmt.Errorf("this is no Parquet file that can be read: %w", err)
	}
	p := &parquetItems{source: uri(name.Bucket, name.Key), etag: info.ETag, most: o.src.ItemBytes, file: file, groups: file.RowGroups(), next0: at.Offset, skip: at.Offset}
	p.root = columnOf(file.Schema(), "", &p.leaves, 0, 0)
	p.buffer = make([]parquet.Row, parquetRows)
	for len(p.groups) > 0 && p.skip >= p.groups[0].NumRows() {
		p.skip -= p.groups[0].NumRows()
		p.groups = p.groups[1:]
	}
	return p, nil
}

// recovered makes an error of a panic.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = &Error{Cause: fmt.Sprintf("The Parquet file is damaged: %v", p)}
	}
}

// parquetSource reads small objects at once, and of others what is asked for.
func parquetSource(ctx context.Context, store objectstore.Store, name objectstore.Name, info objectstore.Info) (io.ReaderAt, error) {
	if info.Size > parquetWholeBytes {
		return &ranges{ctx: ctx, store: store, name: name, info: info}, nil
	}
	object, err := store.Get(ctx, name, objectstore.GetOptions{Match: info.ETag})
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(object.Body, parquetWholeBytes))
	return bytes.NewReader(text), errors.Join(err, object.Body.Close())
}

// ranges reads pieces of one version of an object.
type ranges struct {
	ctx   context.Context
	store objectstore.Store
	name  objectstore.Name
	info  objectstore.Info
}

func (r *ranges) ReadAt(p []byte, offset int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	object, err := r.store.Get(r.ctx, r.name, objectstore.GetOptions{Offset: offset, Length: int64(len(p)), Match: r.info.ETag})
	if err != nil {
		return 0, err
	}
	n, err := io.ReadFull(object.Body, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	_ = object.Body.Close() // it was only read
	return n, err
}

// checkFooter refuses a footer that is larger than any that is meant to be read: its length is what the file says it is.
func checkFooter(r io.ReaderAt, size int64) error {
	var end [8]byte
	if size < int64(len(end)) {
		return &Error{Cause: "This is no Parquet file: it is too short."}
	}
	if _, err := r.ReadAt(end[:], size-int64(len(end))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if string(end[4:]) != "PAR1" {
		return &Error{Cause: "This is no Parquet file: it does not end in PAR1."}
	}
	if n, most := int64(binary.LittleEndian.Uint32(end[:])), min(parquetFooterBytes, size-int64(len("PAR1")+len(end))); n > most {
		return &Error{Cause: fmt.Sprintf("The Parquet file says that its footer has %d bytes; at most %d are read.", n, most)}
	}
	return nil
}

func (p *parquetItems) place() place { return place{Open: true, ETag: p.etag, Offset: p.next0} }

func (p *parquetItems) close() (err error) {
	defer recovered(&err)
	if p.rows != nil {
		err = p.rows.Close()
		p.rows = nil
	}
	return err
}

func (p *parquetItems) next() (item Item, err error) {
	defer recovered(&err)
	for len(p.have) == 0 {
		if err := p.fill(); err != nil {
			return Item{}, err
		}
	}
	row := rowOf(p.have[0], p.leaves)
	p.value, err = p.root.append(p.value[:0], row, p.most)
	if err != nil {
		return Item{}, err
	}
	p.have = p.have[1:]
	p.next0++
	return Item{Value: p.value, Source: p.source}, nil
}

// fill reads the next rows of the first of groups, and goes to the next group at its end. io.EOF: there are none.
func (p *parquetItems) fill() error {
	if len(p.groups) == 0 {
		return io.EOF
	}
	if p.rows == nil {
		p.rows = p.groups[0].Rows()
		if p.skip > 0 {
			if err := p.rows.SeekToRow(p.skip); err != nil {
				return err
			}
			p.skip = 0
		}
	}
	n, err := p.rows.ReadRows(p.buffer)
	p.have = p.buffer[:n]
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case n == 0:
		err := p.rows.Close()
		p.rows, p.groups = nil, p.groups[1:]
		return err
	}
	return nil
}
