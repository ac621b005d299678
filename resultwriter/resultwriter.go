// Package resultwriter writes the results of a distributed Map as a ResultWriter says: to an object store, in files by how
// the children ended, with a manifest that names them.
//
//	w, err := resultwriter.New(ctx, store, resultwriter.Config{Bucket: "out", Prefix: "orders"}, mapRunArn)
//	defer w.Abort()
//	for child := range children {
//		err := w.Add(child)
//	}
//	output, err := w.Close() // {"MapRunArn":"arn:...","ResultWriterDetails":{"Bucket":"out","Key":"orders/<uuid>/manifest.json"}}
//
// Under <prefix>/<uuid of the Map Run>/ are manifest.json and SUCCEEDED_n, FAILED_n and PENDING_n, each .json or .jsonl. A
// Writer holds a part of each file that is open, whatever their size. Who crashes before Close begins again: the same
// results make the same files, which replace those that there are, and the manifest comes last.
package resultwriter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/objectstore"
)

// ErrorName is the States Language's name for every error of a Writer; objectstore.Cause has its cause.
const ErrorName = "States.ResultWriterFailed"

// fileBytes is where a file ends and the next begins, as in Step Functions.
const fileBytes = 5_000_000_000

// OutputType is the format of the files.
type OutputType string

// The formats.
const (
	JSON  OutputType = "JSON"  // one array
	JSONL OutputType = "JSONL" // a result a line
)

// Config is a resolved ResultWriter.
type Config struct {
	Bucket string
	// Prefix is of the keys; a slash at its end makes no difference. "": none.
	Prefix         string
	Transformation Transformation // "": None
	OutputType     OutputType     // "": JSON
	// FileBytes is the size that a file does not grow past, unless by its only result; 0: 5 GB, as in Step Functions.
	FileBytes int64
}

// Writer writes the results of one Map Run. It belongs to one goroutine.
type Writer struct {
	ctx    context.Context
	store  objectstore.Store
	config Config
	arn    string
	folder string // of the keys, with a slash
	files  [len(classes)]files
	buffer []byte
}

// files are the files of one class.
type files struct {
	open  objectstore.Writer // nil: none
	bytes int64              // in the open one
	done  []objectstore.Info
}

// New begins to write the results of a Map Run.
func New(ctx context.Context, store objectstore.Store, c Config, mapRunArn string) (*Writer, error) {
	uuid := mapRunArn[strings.LastIndexByte(mapRunArn, ':')+1:]
	if uuid == "" {
		return nil, fault.New("resultwriter.New", fault.InvalidArn, mapRunArn, "the ARN of a Map Run ends in ':' and an id")
	}
	if c.FileBytes == 0 {
		c.FileBytes = fileBytes
	}
	w := &Writer{ctx: ctx, store: store, config: c, arn: mapRunArn}
	if prefix := strings.TrimSuffix(c.Prefix, "/"); prefix != "" {
		w.folder = prefix + "/"
	}
	w.folder += uuid + "/"
	return w, nil
}

func (w *Writer) name(file string) objectstore.Name {
	return objectstore.Name{Bucket: w.config.Bucket, Key: w.folder + file}
}

// lines are what stands around results in a file.
func (w *Writer) lines() (before, between, after string) {
	if w.config.OutputType == JSONL {
		return "", "\n", "\n"
	}
	return "[", ",", "]"
}

// Add writes the result of one child.
func (w *Writer) Add(r Result) (err error) {
	_, between, after := w.lines()
	if w.buffer, err = AppendResult(w.buffer[:0], w.config.Transformation, r, between); err != nil || len(w.buffer) == 0 {
		return err // an array without elements adds nothing
	}
	class := r.class()
	f := &w.files[class]
	if f.open != nil && f.bytes+int64(len(between)+len(w.buffer)+len(after)) > w.config.FileBytes {
		if err := w.end(f); err != nil {
			return err
		}
	}
	if f.open == nil {
		return w.begin(f, class)
	}
	return w.write(f, between)
}

// begin begins a file with what is in the buffer.
func (w *Writer) begin(f *files, class int) (err error) {
	name := fmt.Sprintf("%s_%d.%s", classes[class], len(f.done), strings.ToLower(string(w.outputType())))
	if f.open, err = w.store.Put(w.ctx, w.name(name)); err != nil {
		f.open = nil
		return err
	}
	before, _, _ := w.lines()
	return w.write(f, before)
}

func (w *Writer) outputType() OutputType {
	if w.config.OutputType == "" {
		return JSON
	}
	return w.config.OutputType
}

// write writes a word and what is in the buffer.
func (w *Writer) write(f *files, word string) error {
	if _, err := io.WriteString(f.open, word); err != nil {
		return err
	}
	_, err := f.open.Write(w.buffer)
	f.bytes += int64(len(word) + len(w.buffer))
	return err
}

// end completes the file that is open.
func (w *Writer) end(f *files) error {
	_, _, after := w.lines()
	if _, err := io.WriteString(f.open, after); err != nil {
		return err
	}
	info, err := f.open.Commit()
	if err != nil {
		return err
	}
	f.done, f.open, f.bytes = append(f.done, info), nil, 0
	return nil
}

// Close completes the files, writes the manifest, and returns the output of the Map state. After an error, Abort.
func (w *Writer) Close() (output []byte, err error) {
	for i := range w.files {
		if f := &w.files[i]; f.open != nil {
			if err := w.end(f); err != nil {
				return nil, err
			}
		}
	}
	name := w.name("manifest.json")
	if err := w.manifest(name); err != nil {
		return nil, err
	}
	output = append(output, `{"MapRunArn":`...)
	output = jsonvalue.AppendString(output, w.arn)
	output = append(output, `,"ResultWriterDetails":{"Bucket":`...)
	output = jsonvalue.AppendString(output, name.Bucket)
	output = append(output, `,"Key":`...)
	output = jsonvalue.AppendString(output, name.Key)
	return append(output, "}}"...), nil
}

func (w *Writer) manifest(name objectstore.Name) error {
	b := append(w.buffer[:0], `{"DestinationBucket":`...)
	b = jsonvalue.AppendString(b, name.Bucket)
	b = append(b, `,"MapRunArn":`...)
	b = jsonvalue.AppendString(b, w.arn)
	b = append(b, `,"ResultFiles":`...)
	for i, class := range classes {
		b = append(b, "{,"[min(i, 1)])
		b = fmt.Appendf(b, `"%s":[`, class)
		for j, info := range w.files[i].done {
			if j > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"Key":`...)
			b = jsonvalue.AppendString(b, info.Key)
			b = fmt.Appendf(b, `,"Size":%d}`, info.Size)
		}
		b = append(b, ']')
	}
	b = append(b, "}}"...)
	out, err := w.store.Put(w.ctx, name)
	if err != nil {
		return err
	}
	if _, err := out.Write(b); err != nil {
		return errors.Join(err, out.Abort())
	}
	_, err = out.Commit()
	return err
}

// Abort forgets the files that are not complete. After Close it does nothing.
func (w *Writer) Abort() (err error) {
	for i := range w.files {
		if f := &w.files[i]; f.open != nil {
			err = errors.Join(err, f.open.Abort())
			f.open = nil
		}
	}
	return err
}
