package asl

import (
	"unicode/utf8"

	"github.com/weftworks/weft/asl/jsonpath"
	"github.com/weftworks/weft/asl/jsonvalue"
)

// DistributedPart is what only a distributed Map has: its items are processed by runs of their own.
type DistributedPart struct {
	Express bool   // of the child runs
	Label   string // "" when absent
	Text    []byte // ItemProcessor as written: the definition of the child runs
	Reader  *ItemReader
	Batcher *ItemBatcher
	Writer  *ResultWriter
}

// The operations of S3 that a reader and a writer name as their Resource.
const (
	GetObject   = "arn:aws:states:::s3:getObject"
	ListObjects = "arn:aws:states:::s3:listObjectsV2"
	PutObject   = "arn:aws:states:::s3:putObject"
)

// ItemReader says where the items of a distributed Map are read from.
type ItemReader struct {
	Resource  string    // GetObject or ListObjects
	Arguments *Template // Parameters or Arguments; nil: none
	Config    ReaderConfig
}

// ReaderConfig says how an object is read. Words are as written, "" when absent.
type ReaderConfig struct {
	InputType         string
	ManifestType      string
	Transformation    string
	CSVDelimiter      string
	CSVHeaderLocation string
	CSVHeaders        []string
	ItemsPointer      string
	MaxItems          Amount `json:"-"`
}

// ItemBatcher says how items are put together into the inputs of child runs.
type ItemBatcher struct {
	MaxItems Amount
	MaxBytes Amount
	Input    *Template // BatchInput; nil: none
}

// ResultWriter says where the results of a distributed Map are written. Resource is "" when they are the state's result.
type ResultWriter struct {
	Resource       string
	Arguments      *Template // Parameters or Arguments; nil: none
	Transformation string    // "" when absent
	OutputType     string    // "" when absent
}

// Amount is a whole number, fixed or found by a path or an expression. Set says that the field is present.
type Amount struct {
	Set   bool
	Fixed int64
	Path  *jsonpath.Path
	Query *Query
}

// The bounds of a reader and a batcher (Step Functions, "ItemReader" and "ItemBatcher").
const (
	MaxReaderItems = 100_000_000
	MaxBatchBytes  = 256 << 10
	LabelChars     = 40
)

var (
	readerFields       = fieldSet("Resource ReaderConfig", both, "Parameters", onlyJSONPath, "Arguments", onlyJSONata)
	readerConfigFields = fieldSet("InputType ManifestType Transformation CSVDelimiter CSVHeaderLocation CSVHeaders ItemsPointer MaxItems", both,
		"MaxItemsPath", onlyJSONPath)
	batcherFields = fieldSet("BatchInput MaxItemsPerBatch MaxInputBytesPerBatch", both,
		"MaxItemsPerBatchPath MaxInputBytesPerBatchPath", onlyJSONPath)
	writerFields       = fieldSet("Resource WriterConfig", both, "Parameters", onlyJSONPath, "Arguments", onlyJSONata)
	writerConfigFields = fieldSet("Transformation OutputType", both)
	distributedFields  = []string{"ItemReader", "ItemBatcher", "ResultWriter", "Label"}
)

// distributed reads what only a distributed Map has, and refuses it in others.
func (r *graphReader) distributed(s *spot, st *State) {
	d := st.Map.Distributed
	if d == nil {
		for _, name := range distributedFields {
			if f := s.member(name); f != nil {
				r.reportKey(f, SchemaInvalid, `remove it, or write "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}`,
					"only a distributed Map has the field %q", name).service(s, "Field '%s' is not supported", name)
			}
		}
		return
	}
	d.Label = r.label(s)
	d.Reader = r.itemReader(s)
	d.Batcher = r.itemBatcher(s)
	d.Writer = r.resultWriter(s)
}

func (r *graphReader) label(s *spot) string {
	label, ok := r.text(s, "Label")
	if !ok {
		return ""
	}
	f := s.member("Label")
	switch n := utf8.RuneCountInString(label); {
	case n == 0:
		r.report(f, SchemaInvalid, "name it, or remove the field", "a label has 1 to %d characters", LabelChars).ServiceMessage = "Label cannot be empty"
	case n > LabelChars:
		r.report(f, SchemaInvalid, "shorten it", "the label has %d characters; at most %d are allowed", n, LabelChars).ServiceMessage =
			"Label cannot exceed 40 characters"
	case !labelText(label):
		r.report(f, SchemaInvalid, "leave out spaces, brackets, wildcards and other special characters",
			"the label %q would not be a part of an ARN", label).ServiceMessage = "Label contains invalid characters"
	}
	return label
}

// labelText reports whether a label can stand in ARNs, which take neither white space nor brackets, wildcards and
// special characters (Step Functions, "Map state in Distributed mode").
func labelText(label string) bool {
	for _, c := range label {
		switch {
		case c <= ' ', c >= 0x7f && c <= 0x9f, c == utf8.RuneError:
			return false
		}
		for _, bad := range "<>{}[]?*\"#%\\^|~`$&,;:/" {
			if c == bad {
				return false
			}
		}
	}
	return true
}

// resource reads the Resource of a reader or a writer.
func (r *graphReader) s3Resource(s *spot, words ...string) string {
	text, ok := r.text(s, "Resource")
	if !ok {
		return ""
	}
	for _, w := range words {
		if text == w {
			return text
		}
	}
	r.choose(s.member("Resource"), words...)
	return text
}

// argumentsOf reads Parameters, or Arguments in JSONata.
func (r *graphReader) argumentsOf(s *spot) *Template {
	if r.language == JSONPath {
		return r.template(s, "Parameters")
	}
	return r.queryTemplate(s, "Arguments", 0)
}

// batchInput reads BatchInput in either language.
func (r *graphReader) batchInput(s *spot) *Template {
	if r.language == JSONPath {
		return r.template(s, "BatchInput")
	}
	return r.queryTemplate(s, "BatchInput", 0)
}

// word reads an optional field that takes one of some words.
func (r *graphReader) word(s *spot, name string, words ...string) string {
	text, ok := r.text(s, name)
	if !ok {
		return ""
	}
	for _, w := range words {
		if text == w {
			return text
		}
	}
	r.choose(s.member(name), words...)
	return text
}

func (r *graphReader) itemReader(s *spot) *ItemReader {
	f := s.member("ItemReader")
	if f == nil || !r.fields(f, "an ItemReader", readerFields) || !r.require(f, "Resource") {
		return nil
	}
	reader := &ItemReader{Resource: r.s3Resource(f, GetObject, ListObjects), Arguments: r.argumentsOf(f)}
	c := f.member("ReaderConfig")
	if c == nil || !r.fields(c, "a ReaderConfig", readerConfigFields) {
		return reader
	}
	reader.Config = ReaderConfig{
		InputType:         r.word(c, "InputType", "CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"),
		ManifestType:      r.word(c, "ManifestType", "ATHENA_DATA", "S3_INVENTORY"),
		Transformation:    r.word(c, "Transformation", "NONE", "LOAD_AND_FLATTEN"),
		CSVDelimiter:      r.word(c, "CSVDelimiter", "COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"),
		CSVHeaderLocation: r.word(c, "CSVHeaderLocation", "FIRST_ROW", "GIVEN"),
		MaxItems:          r.amount(c, "MaxItems", MaxReaderItems),
	}
	reader.Config.ItemsPointer, _ = r.text(c, "ItemsPointer")
	reader.Config.CSVHeaders = r.headers(c)
	return reader
}

func (r *graphReader) headers(c *spot) (names []string) {
	f := c.member("CSVHeaders")
	if f == nil || !r.kind(f, jsonvalue.KindArray) {
		return nil
	}
	for i := range f.node.Items {
		if item := f.at(i); r.kind(item, jsonvalue.KindString) {
			names = append(names, item.node.Scalar.(string))
		}
	}
	return names
}

func (r *graphReader) itemBatcher(s *spot) *ItemBatcher {
	f := s.member("ItemBatcher")
	if f == nil || !r.fields(f, "an ItemBatcher", batcherFields) {
		return nil
	}
	b := &ItemBatcher{
		MaxItems: r.amount(f, "MaxItemsPerBatch", maxSeconds), MaxBytes: r.amount(f, "MaxInputBytesPerBatch", MaxBatchBytes),
		Input: r.batchInput(f),
	}
	if !b.MaxItems.Set && !b.MaxBytes.Set {
		r.report(f, SchemaInvalid, "add MaxItemsPerBatch or MaxInputBytesPerBatch", "an ItemBatcher must say how large a batch is").ServiceMessage =
			"This object should have at least one of the following fields: [MaxItemsPerBatch, MaxItemsPerBatchPath, MaxInputBytesPerBatch, MaxInputBytesPerBatchPath]"
	}
	return b
}

func (r *graphReader) resultWriter(s *spot) *ResultWriter {
	f := s.member("ResultWriter")
	if f == nil || !r.fields(f, "a ResultWriter", writerFields) {
		return nil
	}
	w := &ResultWriter{Resource: r.s3Resource(f, PutObject), Arguments: r.argumentsOf(f)}
	if c := f.member("WriterConfig"); c != nil && r.fields(c, "a WriterConfig", writerConfigFields) {
		w.Transformation = r.word(c, "Transformation", "NONE", "COMPACT", "FLATTEN")
		w.OutputType = r.word(c, "OutputType", "JSON", "JSONL")
	}
	return w
}

// amount reads name or, in JSONPath, namePath.
func (r *graphReader) amount(s *spot, name string, most int64) Amount {
	f := r.oneOf(s, name, name+"Path")
	if f == nil {
		return Amount{}
	}
	a := Amount{Set: true, Path: r.reference(s, name+"Path", true)}
	if r.isExpression(f) {
		a.Query = r.query(f, 0)
		return a
	}
	a.Fixed, _ = r.whole(s, name, 0, most)
	return a
}

// Processor returns the machine that processes the items of a distributed Map of m: its graph with m's states, so that a
// state has the same Index in both.
func (m *Machine) Processor(st *State) *Machine {
	return &Machine{
		QueryLanguage: m.QueryLanguage, Graph: *st.Map.Processor, AllStates: m.AllStates, Text: st.Map.Distributed.Text,
	}
}

// StateNamed returns the state of that name, wherever it is in m, or nil.
func (m *Machine) StateNamed(name string) *State {
	for _, st := range m.AllStates {
		if st.Name == name {
			return st
		}
	}
	return nil
}
