package statemachine

import (
	"encoding/json"
	"fmt"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
)

// The messages a Map Run takes. Values are append-only: they are logged.
const (
	OpMapStart   uint8 = iota + 1 // mapStart
	OpMapStop                     // no body: the run of the Map is stopped, or has failed elsewhere
	OpChildEnded                  // childEnd
	OpMapUpdate                   // MapUpdate; a client gets a *MapRunView
	OpMapRedrive                  // mapAgain: start what failed or was aborted again, and go on with what was not begun
)

// The functions that a Map Run invokes. They are the engine's: names of users' functions have no colon.
const (
	// ReadItems takes a ReadRequest and answers a Page.
	ReadItems = "weft:read-items"
	// ExportResults takes an ExportRequest and answers the output of the state.
	ExportResults = "weft:export-results"
)

// The errors of a Map Run (States Language, "Errors").
const (
	errThreshold    = "States.ExceedToleratedFailureThreshold"
	causeThreshold  = "The specified tolerated failure threshold was exceeded"
	errDataLimit    = "States.DataLimitExceeded"
	errReaderFailed = "States.ItemReaderFailed"
)

// ReadRequest asks for a page of items.
type ReadRequest struct {
	Resource  string           // of the ItemReader
	Arguments json.RawMessage  // of the ItemReader
	Config    asl.ReaderConfig // without MaxItems
	MaxItems  int64            // 0: all
	Cursor    []byte           // nil: the beginning
}

// ExportRequest asks for the results of the child runs of a Map Run, all of which have ended, to be written.
type ExportRequest struct {
	Machine        string
	Name           string
	Arguments      json.RawMessage // of the ResultWriter
	Transformation string
	OutputType     string
}

// mapStart is the body of OpMapStart.
type mapStart struct {
	Parent     string // instance
	Invocation uint64 // of the parent
	Seed       uint64
	Blob       []byte // the child runs' revision
	Run        machine.MapRun
}

func (m *mapStart) encode() []byte {
	dst := wire.AppendString(nil, m.Parent)
	dst = wire.AppendUint(dst, m.Invocation)
	dst = wire.AppendUint(dst, m.Seed)
	dst = wire.AppendBytes(dst, m.Blob)
	return m.Run.AppendBinary(dst)
}

func decodeMapStart(body []byte) (m mapStart, err error) {
	r := wire.NewReader(body)
	m = mapStart{Parent: r.String(), Invocation: r.Uint(), Seed: r.Uint(), Blob: r.Bytes()}
	m.Run, err = machine.DecodeMapRun(r.Rest())
	if r.Err() != nil {
		err = r.Err()
	}
	return m, err
}

// mapAgain is the body of OpMapRedrive.
type mapAgain struct {
	parent     string // instance
	invocation uint64 // of the parent
}

func (m *mapAgain) encode() []byte {
	return wire.AppendUint(wire.AppendString(nil, m.parent), m.invocation)
}

func decodeMapAgain(body []byte) (m mapAgain, err error) {
	r := wire.NewReader(body)
	m = mapAgain{parent: r.String(), invocation: r.Uint()}
	return m, r.Err()
}

// childEnd is the body of OpChildEnded.
type childEnd struct {
	index  uint64
	status machine.Status
	output []byte
}

func (m *childEnd) encode() []byte {
	dst := make([]byte, 0, len(m.output)+32)
	dst = wire.AppendUint(dst, m.index)
	dst = append(dst, byte(m.status))
	return append(dst, m.output...)
}

func decodeChildEnd(body []byte) (m childEnd, err error) {
	r := wire.NewReader(body)
	m = childEnd{index: r.Uint(), status: machine.Status(r.Byte()), output: r.Rest()}
	return m, r.Err()
}

// mapEnd is the body of OpMapEnded, which a Map Run sends to the run of its Map.
type mapEnd struct {
	invocation uint64
	error      string // "": it succeeded
	cause      string
	output     []byte
}

func (m *mapEnd) encode() []byte {
	dst := wire.AppendUint(nil, m.invocation)
	dst = wire.AppendString(dst, m.error)
	dst = wire.AppendString(dst, m.cause)
	return append(dst, m.output...)
}

func decodeMapEnd(body []byte) (m mapEnd, err error) {
	r := wire.NewReader(body)
	m = mapEnd{invocation: r.Uint(), error: r.String(), cause: r.String(), output: r.Rest()}
	return m, r.Err()
}

// MapUpdate changes what UpdateMapRun may change. Nil fields stay as they are.
type MapUpdate struct {
	MaxConcurrency *int64
	FailureCount   *int64
	FailurePercent *float64
}

// Counts is how far a Map Run is, in items or in child runs.
type Counts struct {
	Pending, Running, Succeeded, Failed, TimedOut, Aborted, Total, ResultsWritten int64
}

// add counts n that have ended so.
func (c *Counts) add(status machine.Status, n int64) {
	switch status {
	case machine.Succeeded:
		c.Succeeded += n
	case machine.Failed:
		c.Failed += n
	case machine.TimedOut:
		c.TimedOut += n
	case machine.Aborted:
		c.Aborted += n
	}
}

// MapRunView is a Map Run as a client sees it.
type MapRunView struct {
	Machine        string // of the child runs: MACHINE/LABEL
	Name           string
	Parent         string // instance name of the run
	Status         machine.Status
	Started        int64 // Unix milliseconds
	Stopped        int64
	MaxConcurrency int64
	FailureCount   int64
	FailurePercent float64
	Redrives       int64
	Redriven       int64 // Unix milliseconds; 0: never
	Items          Counts
	Children       Counts
	Express        bool
}

// Page is some items, as ReadItems answers it.
type Page struct {
	Cursor []byte // of what follows
	Done   bool   // nothing follows
	items  []byte
	last   string
}

// Add adds an item: its JSON text, its key (a JSON text) when it is a member of an object, and its source.
func (p *Page) Add(value, key []byte, source string) {
	if source == p.last {
		source = ""
	} else {
		p.last = source
	}
	p.items = wire.AppendString(p.items, source)
	p.items = wire.AppendBytes(p.items, key)
	p.items = wire.AppendBytes(p.items, value)
}

// Size returns the number of bytes of the page's items.
func (p *Page) Size() int { return len(p.items) }

// Encode returns the answer of ReadItems.
func (p *Page) Encode() []byte {
	dst := append(make([]byte, 0, len(p.items)+len(p.Cursor)+16), formatVersion)
	dst = wire.AppendBytes(dst, p.Cursor)
	dst = wire.AppendBool(dst, p.Done)
	return append(dst, p.items...)
}

func decodePage(body []byte) (p Page, err error) {
	r := wire.NewReader(body)
	if b := r.Byte(); b != formatVersion && r.Err() == nil {
		return p, fmt.Errorf("statemachine: a page of items has format version %d; this program reads %d", b, formatVersion)
	}
	p = Page{Cursor: r.Bytes(), Done: r.Bool(), items: r.Rest()}
	return p, r.Err()
}

// MapRuns is the program of Map Runs.
type MapRuns struct{ Library *Library }

// Creates reports whether op makes a Map Run.
func (p *MapRuns) Creates(op uint8) bool { return op == OpMapStart || op == OpMapRedrive }

// New returns a Map Run that waits for its OpMapStart.
func (p *MapRuns) New() partition.Instance { return &MapRun{library: p.Library} }

// Decode implements partition.Program. The Map Run aliases data.
func (p *MapRuns) Decode(data []byte, blob func(partition.BlobID) []byte) (partition.Instance, error) {
	m := &MapRun{library: p.Library}
	return m, m.decode(data, blob)
}

// ReadView decodes what a client sees of a Map Run from its record's state.
func (p *MapRuns) ReadView(data []byte, blob func(partition.BlobID) []byte) (*MapRunView, error) {
	m := &MapRun{library: p.Library}
	if err := m.decode(data, blob); err != nil {
		return nil, err
	}
	return m.View(), nil
}

// payloadBytes is the largest text that a state may pass on.
func (l *Library) payloadBytes() int {
	if l.Limits.PayloadBytes == 0 {
		return limits.Default.PayloadBytes
	}
	return l.Limits.PayloadBytes
}
