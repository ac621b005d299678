package asl

import (
	"github.com/weftworks/weft/asl/jsonvalue"
)

const (
	// maxDelaySeconds bounds MaxDelaySeconds: one year and a day, as Step Functions documents it.
	maxDelaySeconds = 31_622_400
	allErrors       = "States.ALL"
	allLast         = "States.ALL must appear alone and at end of list" // Step Functions' message
)

// retry reads Retry with its defaults: 1 s, 3 attempts, rate 2. Source: Amazon States Language, Retriers.
func (r *graphReader) retry(s *spot, st *State) {
	list := r.handlers(s, st, "Retry")
	for i := range list {
		f := list[i]
		x := Retrier{IntervalSeconds: 1, MaxAttempts: 3, BackoffRate: 2}
		if !r.fields(f, "a retrier", retrierFields) {
			continue
		}
		x.ErrorEquals = r.errorNames(f, i == len(list)-1)
		if v, ok := r.whole(f, "IntervalSeconds", 0, maxSeconds); ok {
			x.IntervalSeconds = v
		}
		if v, ok := r.whole(f, "MaxAttempts", 0, maxSeconds); ok {
			x.MaxAttempts = v
		}
		x.MaxDelaySeconds, _ = r.whole(f, "MaxDelaySeconds", 1, maxDelaySeconds)
		if d := f.member("MaxDelaySeconds"); x.MaxDelaySeconds > 0 && x.MaxDelaySeconds <= x.IntervalSeconds {
			r.report(d, SchemaInvalid, "make it larger", "MaxDelaySeconds (%d) must be larger than IntervalSeconds (%d)", x.MaxDelaySeconds, x.IntervalSeconds)
		}
		r.backoff(f, &x)
		r.jitter(f, &x)
		st.Retry = append(st.Retry, x)
	}
}

func (r *graphReader) backoff(f *spot, x *Retrier) {
	rate := f.member("BackoffRate")
	if rate == nil {
		return
	}
	n, ok := rate.node.Scalar.(jsonvalue.Number)
	if !ok || n.Compare("1") < 0 || n.Compare("1e9") > 0 {
		at := r.report(rate, SchemaInvalid, "", "expected a number of at least 1.0, not %s", quote(rate.node))
		at.ServiceMessage = "Expected value of type Float"
		if ok {
			outside(at, n, "1.0", "1e9")
		}
		return
	}
	x.BackoffRate = n.Float64()
}

func (r *graphReader) jitter(f *spot, x *Retrier) {
	text, ok := r.text(f, "JitterStrategy")
	if !ok {
		return
	}
	x.FullJitter = text == "FULL"
	if text != "FULL" && text != "NONE" {
		r.choose(f.member("JitterStrategy"), "NONE", "FULL")
	}
}

func (r *graphReader) catch(s *spot, st *State) {
	list := r.handlers(s, st, "Catch")
	st.Catch = make([]Catcher, len(list)) // of fixed size: Next is filled in by address
	for i, f := range list {
		c := &st.Catch[i]
		if !r.fields(f, "a catcher", catcherFields) {
			continue
		}
		c.ErrorEquals = r.errorNames(f, i == len(list)-1)
		c.ResultPath = r.referencePath(f)
		c.Assign = r.assign(f, hasErrorOutput)
		c.Output = r.queryTemplate(f, "Output", hasErrorOutput)
		r.require(f, "Next")
		if name, ok := r.text(f, "Next"); ok {
			c.Next = name
			r.refer(f.member("Next"), name, &c.To)
		}
	}
	if len(list) == 0 {
		st.Catch = nil
	}
}

// handlers returns the entries of Retry or Catch of a state that may have them.
func (r *graphReader) handlers(s *spot, st *State, name string) (list []*spot) {
	f := s.member(name)
	if _, takes := stateFields[st.Type][name]; !takes || f == nil || !r.kind(f, jsonvalue.KindArray) {
		return nil
	}
	for i := range f.node.Items {
		list = append(list, f.at(i))
	}
	return list
}

// errorNames reads ErrorEquals. States.ALL stands alone and in the last entry.
func (r *graphReader) errorNames(f *spot, last bool) (names []string) {
	list := f.member("ErrorEquals")
	if !r.require(f, "ErrorEquals") || !r.kind(list, jsonvalue.KindArray) {
		return nil
	}
	if len(list.node.Items) == 0 {
		r.empty(list, `name errors, or write ["States.ALL"]`, "ErrorEquals names no error")
	}
	for i := range list.node.Items {
		item := list.at(i)
		if !r.kind(item, jsonvalue.KindString) {
			continue
		}
		name := item.node.Scalar.(string)
		names = append(names, name)
		switch {
		case name != allErrors:
		case len(list.node.Items) > 1:
			r.report(item, SchemaInvalid, "give it an entry of its own", "States.ALL must stand alone in ErrorEquals").service(list, allLast)
		case !last:
			r.report(item, SchemaInvalid, "move it to the end", "States.ALL must be in the last entry: those after it could never match").service(list, allLast)
		}
	}
	return names
}
