package machine

import (
	"errors"
	"hash/fnv"
	"math"
	"strconv"
	"strings"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/machine/history"
)

// MapRun is what a distributed Map wants done with its items: everything evaluated but the input of each child run, which
// a Selector makes. Whoever takes StartMapRun answers with MapRunSucceeded or MapRunFailed.
type MapRun struct {
	State string // the Map's name
	Name  string // of the Map Run, a UUID
	Label string // the state's, or one made of its name
	ARN   string

	Items  []byte // a JSON array or object; nil when there is a Reader
	Reader *MapReader
	Batch  *MapBatch  // nil: each item is a child run's
	Writer *MapWriter // nil: the results are the state's

	MaxConcurrency int64 // 0: no bound of the user's
	Tolerance      MapTolerance

	// Scope is what a Selector sees beside the item; nil when the state has no ItemSelector.
	Scope []byte
}

// MapTolerance is how many items may fail: as many as Count and Percent of all, where they are given, and none where neither is.
// The Map Run fails when it exceeds either (Step Functions, "Tolerated failure threshold").
type MapTolerance struct {
	HasCount   bool
	Count      int64
	HasPercent bool
	Percent    float64
}

// Exceeded reports whether failed of total items are too many. A total that is not known yet is below 0: then only a count says.
func (t *MapTolerance) Exceeded(failed, total int64) bool {
	switch {
	case failed == 0:
		return false
	case !t.HasCount && !t.HasPercent, t.HasCount && failed > t.Count:
		return true
	}
	return t.HasPercent && total >= 0 && float64(failed)*100 > t.Percent*float64(total)
}

// MapReader is an ItemReader, evaluated. How the object is read stands in the definition.
type MapReader struct {
	Arguments []byte // a JSON object: Bucket, Key, …
	MaxItems  int64  // 0: all. Negative: States.ItemReaderFailed
}

// MapBatch is an ItemBatcher, evaluated.
type MapBatch struct {
	MaxItems int64  // 0: no bound
	MaxBytes int64  // of a child run's input; 0: no bound
	Input    []byte // BatchInput, a JSON text; nil: none
}

// MapWriter is a ResultWriter, evaluated.
type MapWriter struct {
	Arguments []byte // a JSON object: Bucket, Prefix; nil: results are the state's result
}

// mapRunOf returns a MapRun with the names of the one that b's invocation stands for.
func (s *step) mapRunOf(b *branch) *MapRun {
	exec := &s.f.exec
	run := &MapRun{State: b.state.Name, Label: mapLabel(b.state, exec.MachineID), Name: uuid(mix(exec.Seed ^ mix(b.invocation^mapRunSalt)))}
	run.ARN = strings.Replace(exec.MachineID, ":stateMachine:", ":mapRun:", 1) + "/" + run.Label + ":" + run.Name
	return run
}

const mapRunSalt = 0x6d61702d72756e

// mapRun starts the Map Run of a distributed Map.
func (s *step) mapRun(b *branch) *branch {
	run, data, length, e := s.newMapRun(b)
	if e != nil {
		return s.failed(b, e)
	}
	s.note(b, history.Event{Type: history.MapStateStarted, Length: int64(length)})
	if e := s.mapRunFields(b, run, data); e != nil {
		return s.failed(b, e)
	}
	if r := s.mocked(b); r != nil {
		return s.mockedRun(b, run, data, r)
	}
	if s.in.ForkMode {
		return s.forkMapRun(b, run)
	}
	b.invocation, b.phase = s.f.newID(b), mapping
	b.mapped = b.invocation
	names := s.mapRunOf(b)
	run.Name, run.Label, run.ARN = names.Name, names.Label, names.ARN
	s.note(b, history.Event{Type: history.MapRunStarted, Resource: run.ARN})
	s.command(Command{Kind: StartMapRun, ID: b.invocation, MapRun: run})
	return nil
}

// newMapRun evaluates what Step Functions looks at before MapStateStarted: concurrency and items.
func (s *step) newMapRun(b *branch) (run *MapRun, data value, length int, e *failure) {
	m, sc, flow := b.state.Map, s.scope(b), flowOf(b.state)
	run = &MapRun{State: b.state.Name}
	if run.MaxConcurrency, e = flow.integer(sc, b.state, "MaxConcurrency", m.MaxConcurrency, m.MaxConcurrencyPath); e != nil {
		return nil, value{}, 0, e
	}
	s.f.probe.concurrency(b, run.MaxConcurrency)
	if data, e = flow.arguments(sc, b.state); e != nil || m.Distributed.Reader != nil {
		return run, data, 0, e
	}
	if run.Items, e = flow.items(sc, b.state, &data); e != nil {
		return nil, value{}, 0, e
	}
	return run, data, countElements(run.Items), nil
}

// mapLabel is a Map's Label or, without one, a text of the shape that Step Functions makes up, the same for all runs of a
// machine.
func mapLabel(st *asl.State, machine string) string {
	if l := st.Map.Distributed.Label; l != "" {
		return l
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(machine + "\x00" + st.Name))
	return uuid(h.Sum64())
}

// mapRunFields evaluates what comes after MapStateStarted.
func (s *step) mapRunFields(b *branch, run *MapRun, data value) *failure {
	d, sc := b.state.Map.Distributed, s.scope(b)
	t, e := s.tolerance(b, sc)
	if e != nil {
		return e
	}
	m := b.state.Map
	run.Tolerance = MapTolerance{HasCount: m.HasFailureCount, Count: t.count, HasPercent: m.HasFailurePercentage, Percent: t.percent}
	inner := sc.with(data)
	if r := d.Reader; r != nil {
		run.Reader = &MapReader{}
		if run.Reader.Arguments, e = s.evaluated(inner, r.Arguments); e != nil {
			return e
		}
		if run.Reader.MaxItems, e = amount(sc, b.state, "MaxItems", r.Config.MaxItems); e != nil {
			return e
		}
	}
	if w := d.Writer; w != nil {
		run.Writer = &MapWriter{}
		if w.Resource != "" {
			if run.Writer.Arguments, e = s.evaluated(inner, w.Arguments); e != nil {
				return e
			}
		}
	}
	if e := s.mapBatch(b, run, inner); e != nil {
		return e
	}
	if b.state.Parameters != nil {
		run.Scope = s.mapScope(b, data.json(s.in.bounds.PayloadBytes))
	}
	return nil
}

func (s *step) mapBatch(b *branch, run *MapRun, inner *scope) (e *failure) {
	batcher := b.state.Map.Distributed.Batcher
	if batcher == nil {
		return nil
	}
	run.Batch = &MapBatch{}
	if run.Batch.MaxItems, e = amount(s.scope(b), b.state, "MaxItemsPerBatch", batcher.MaxItems); e != nil {
		return e
	}
	if run.Batch.MaxBytes, e = amount(s.scope(b), b.state, "MaxInputBytesPerBatch", batcher.MaxBytes); e != nil {
		return e
	}
	if batcher.Input != nil {
		run.Batch.Input, e = s.evaluated(inner, batcher.Input)
	}
	return e
}

// evaluated is a template's text; {} for none.
func (s *step) evaluated(sc *scope, t *asl.Template) ([]byte, *failure) {
	if t == nil {
		return []byte("{}"), nil
	}
	v, e := flowOf(sc.b.state).fill(sc, t)
	if e != nil {
		return nil, e
	}
	text := v.json(sc.most())
	if len(text) > sc.most() {
		return nil, tooLarge(sc.b.state.Name)
	}
	return text, nil
}

// amount is a number of a reader or a batcher, which Step Functions also takes as text. Below 0 is the Map Run's to judge.
func amount(sc *scope, st *asl.State, field string, a asl.Amount) (int64, *failure) {
	switch {
	case a.Query != nil:
		return sc.whole(a.Query)
	case a.Path == nil:
		return a.Fixed, nil
	}
	v, e := fieldPath(sc, st, a.Path)
	if e != nil {
		return 0, e
	}
	if n, ok := wholeNumber(v); ok {
		return n, nil
	}
	if text, ok := v.(string); ok {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, runtimeError(sc.b, "The %sPath field refers to value \"%s\" which is not a valid integer: %s", field, plain(v), a.Path)
}

// mapRunEnded goes on with a distributed Map whose Map Run has ended. The run's own end stands outside the line of
// control, as MapStateSucceeded does: what follows hangs on MapRunStarted.
func (s *step) mapRunEnded(b *branch, ev *Event) *branch {
	s.f.release(&b.invocation, b)
	b.phase = redo
	if ev.Kind == MapRunFailed {
		s.note(b, history.Event{Type: history.MapRunFailed, Error: ev.Error, HasError: true, Cause: ev.Cause, HasCause: ev.Cause != ""})
		return s.failed(b, &failure{name: ev.Error, hasName: true, cause: ev.Cause, hasCause: ev.Cause != ""})
	}
	b.mapped = 0
	ended := s.emit(history.Event{Type: history.MapRunSucceeded, Prev: b.prev})
	succeeded := s.emit(history.Event{Type: history.MapStateSucceeded, Prev: ended})
	out, e := s.joinedOutcome(b, ev.Output)
	if e != nil {
		b.prev = succeeded
		return s.failed(b, e)
	}
	return s.leave(b, out, b.state.NextState)
}

// redriveMap takes up the Map Run of a distributed Map that had failed or was stopped.
func (s *step) redriveMap(b *branch) {
	b.invocation, b.phase = b.mapped, mapping
	s.f.route(b.invocation, b)
	run := s.mapRunOf(b)
	s.note(b, history.Event{Type: history.MapRunRedriven, Resource: run.ARN, Length: s.f.redrives})
	s.command(Command{Kind: RedriveMapRun, ID: b.invocation, MapRun: run})
}

// distributed reports whether st is a distributed Map.
func distributed(st *asl.State) bool { return st.Map != nil && st.Map.Distributed != nil }

// abortMapRuns says of the Map Runs at and below b that they are aborted.
func (s *step) abortMapRuns(b *branch) {
	if b.phase == mapping {
		s.emit(history.Event{Type: history.MapRunAborted, Prev: b.prev})
		s.emit(history.Event{Type: history.MapStateAborted, Prev: b.prev})
	}
	if b.fork != nil {
		for _, c := range b.fork.inOrder() {
			s.abortMapRuns(c)
		}
	}
}

// scopeVersion is the first byte of MapRun.Scope.
const scopeVersion = 1

// mapScope is what an ItemSelector sees: the data, and what the context object is made of.
func (s *step) mapScope(b *branch, data []byte) []byte {
	f := s.f
	dst := []byte{scopeVersion}
	for _, text := range [...]string{f.exec.ID, f.exec.Name, f.exec.RoleARN, f.exec.MachineID, f.exec.MachineName} {
		dst = wire.AppendString(dst, text)
	}
	dst = wire.AppendInt(dst, f.exec.StartTime)
	dst = wire.AppendBool(dst, f.exec.Express)
	dst = wire.AppendUint(dst, f.draw())
	dst = wire.AppendBytes(dst, f.input)
	dst = wire.AppendInt(dst, b.entered)
	dst = wire.AppendInt(dst, b.enteredAt)
	dst = wire.AppendInt(dst, b.retries)
	dst = wire.AppendBytes(dst, data)
	visible := b.visible()
	dst = wire.AppendUint(dst, uint64(len(visible)))
	for _, v := range visible {
		dst = wire.AppendString(dst, v.name)
		dst = wire.AppendBytes(dst, v.value.text)
	}
	return dst
}

// visible returns the variables that a state of b sees.
func (b *branch) visible() (all variables) {
	for {
		for _, v := range b.variables {
			if all.get(v.name) == nil {
				all = append(all, v)
			}
		}
		for _, v := range b.outer {
			if all.get(v.name) == nil {
				all = append(all, v)
			}
		}
		if b.parent == nil {
			return all
		}
		b = b.parent.owner
	}
}

// Selector makes the inputs of a Map Run's child runs of its items. Not safe for concurrent use.
type Selector struct {
	in    *Interpreter
	state *asl.State
	fork  *fork
	step  step
	seed  uint64
	pairs bool // a member of an object is {"Key":…,"Value":…}
}

// NewSelector returns the selector of a Map Run, for the interpreter whose machine has the Map.
func (in *Interpreter) NewSelector(run *MapRun) (*Selector, error) {
	in.prepare()
	st := in.Definition.StateNamed(run.State)
	if st == nil || st.Map == nil {
		return nil, errFrame
	}
	sel := &Selector{in: in, state: st, pairs: run.Reader != nil}
	if run.Scope == nil {
		return sel, nil
	}
	f := &Frame{in: in, status: Running}
	r := wire.NewReader(run.Scope)
	if r.Byte() != scopeVersion {
		r.Fail(errFrame)
	}
	for _, text := range [...]*string{&f.exec.ID, &f.exec.Name, &f.exec.RoleARN, &f.exec.MachineID, &f.exec.MachineName} {
		*text = r.String()
	}
	f.exec.StartTime = r.Int()
	f.exec.Express = r.Bool()
	sel.seed = r.Uint()
	f.input = r.Bytes()
	b := &f.root
	b.state, b.phase = st, forked
	b.entered, b.enteredAt, b.retries = r.Int(), r.Int(), r.Int()
	data := r.Bytes()
	for range r.Count(2) {
		b.variables = append(b.variables, &variable{name: r.String(), value: textValue(r.Bytes())})
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	sel.step = step{in: in, f: f, out: new(Output)}
	sel.fork = &fork{owner: b, data: data}
	b.input = data
	return sel, nil
}

// Select returns the input made of item number index (from 0), which came from source: "STATE_DATA" or "S3://BUCKET/KEY".
// Its key, a JSON text, is nil unless it is the member of an object. A failure has a name and a cause; name is "" when there
// is none.
func (sel *Selector) Select(index int64, key, item []byte, source string) (input []byte, name, cause string) {
	switch {
	case sel.fork == nil && (key == nil || !sel.pairs):
		return item, "", ""
	case sel.fork == nil:
		input = append(append(append([]byte(`{"Key":`), key...), `,"Value":`...), item...)
		return append(input, '}'), "", ""
	}
	f := sel.step.f
	f.random = mix(sel.seed + uint64(index))
	f.context.forget()
	sel.fork.source = source
	candidate := &branch{parent: sel.fork, index: int(index), item: item, key: key}
	v, e := flowOf(sel.state).selectItem(sel.step.scope(&f.root), sel.fork, candidate)
	if e == nil {
		text := v.json(sel.in.bounds.PayloadBytes)
		if len(text) <= sel.in.bounds.PayloadBytes {
			return text, "", ""
		}
		e = tooLarge(sel.state.Name)
	}
	return nil, e.name, e.cause
}

// UUID returns a UUID made of r.
func UUID(r uint64) string { return uuid(r) }

// NextItem returns the item of a JSON array or object, compact and valid, that starts at i, and where the one after it starts.
// The first starts at 1; more is false at the end. The key of a member is a JSON text.
func NextItem(items []byte, i int) (key, item []byte, next int, more bool) {
	if len(items) <= 2 || i >= len(items) {
		return nil, nil, i, false
	}
	item, next = nextElement(items, i)
	if items[0] == '{' {
		key, item = splitMember(item)
	}
	return key, item, next, true
}

// AppendBatch appends the input of a child run that processes a batch: BatchInput, when there is one, and the items.
func (b *MapBatch) AppendBatch(dst []byte, items [][]byte) []byte {
	dst = append(dst, '{')
	if b.Input != nil {
		dst = append(append(dst, `"BatchInput":`...), b.Input...)
		dst = append(dst, ',')
	}
	dst = append(dst, `"Items":[`...)
	for i, item := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, item...)
	}
	return append(dst, "]}"...)
}

// Overhead is how many bytes a batch has beside its items and the commas between them.
func (b *MapBatch) Overhead() int { return len(b.AppendBatch(nil, nil)) }

// argument returns a text member of a JSON object, "" when there is none.
func argument(object []byte, name string) string {
	tree, err := jsonvalue.Parse(object)
	o, ok := tree.(*jsonvalue.Object)
	if err != nil || !ok {
		return ""
	}
	v, _ := o.Get(name)
	text, _ := v.(string)
	return text
}

// Source is what $$.Map.Item.Source says of the items of a Map Run.
func (run *MapRun) Source() string {
	if run.Reader == nil {
		return "STATE_DATA"
	}
	return "S3://" + argument(run.Reader.Arguments, "Bucket") + "/" + argument(run.Reader.Arguments, "Key")
}

// AppendBinary appends the encoding of what a Map Run wants, as DecodeMapRun reads it.
func (run *MapRun) AppendBinary(dst []byte) []byte {
	dst = append(dst, mapRunVersion)
	dst = wire.AppendString(dst, run.State)
	dst = wire.AppendString(dst, run.Name)
	dst = wire.AppendString(dst, run.Label)
	dst = wire.AppendString(dst, run.ARN)
	dst = wire.AppendBytes(dst, run.Items)
	dst = wire.AppendInt(dst, run.MaxConcurrency)
	dst = wire.AppendBool(dst, run.Tolerance.HasCount)
	dst = wire.AppendInt(dst, run.Tolerance.Count)
	dst = wire.AppendBool(dst, run.Tolerance.HasPercent)
	dst = wire.AppendUint(dst, math.Float64bits(run.Tolerance.Percent))
	dst = wire.AppendBytes(dst, run.Scope)
	if dst = wire.AppendBool(dst, run.Reader != nil); run.Reader != nil {
		dst = wire.AppendBytes(dst, run.Reader.Arguments)
		dst = wire.AppendInt(dst, run.Reader.MaxItems)
	}
	if dst = wire.AppendBool(dst, run.Batch != nil); run.Batch != nil {
		dst = wire.AppendInt(dst, run.Batch.MaxItems)
		dst = wire.AppendInt(dst, run.Batch.MaxBytes)
		dst = wire.AppendBytes(dst, run.Batch.Input)
	}
	if dst = wire.AppendBool(dst, run.Writer != nil); run.Writer != nil {
		dst = wire.AppendBytes(dst, run.Writer.Arguments)
	}
	return dst
}

const mapRunVersion = 1

// DecodeMapRun undoes AppendBinary. The result aliases b.
func DecodeMapRun(b []byte) (run MapRun, err error) {
	r := wire.NewReader(b)
	if r.Byte() != mapRunVersion {
		r.Fail(errMapRun)
	}
	run = MapRun{State: r.String(), Name: r.String(), Label: r.String(), ARN: r.String(), Items: some(r.Bytes()), MaxConcurrency: r.Int()}
	run.Tolerance = MapTolerance{HasCount: r.Bool(), Count: r.Int(), HasPercent: r.Bool(), Percent: math.Float64frombits(r.Uint())}
	run.Scope = some(r.Bytes())
	if r.Bool() {
		run.Reader = &MapReader{Arguments: some(r.Bytes()), MaxItems: r.Int()}
	}
	if r.Bool() {
		run.Batch = &MapBatch{MaxItems: r.Int(), MaxBytes: r.Int(), Input: some(r.Bytes())}
	}
	if r.Bool() {
		run.Writer = &MapWriter{Arguments: some(r.Bytes())}
	}
	return run, r.Err()
}

var errMapRun = errors.New("machine: a Map Run is malformed or of a newer version")

// some is text, nil when it is empty.
func some(text []byte) []byte {
	if len(text) == 0 {
		return nil
	}
	return text
}
