package check

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/weftworks/weft/unum/protocol"
)

// Mistake breaks the protocol in one way, between the protocol and its operations.
type Mistake struct {
	Name string
	// Case is the name of one of Cases that catches it.
	Case string
	// Wrap returns the IO that an execution of req gets instead of io.
	Wrap func(io protocol.IO, req *protocol.Request) protocol.IO
	// NewID starts the run under another id when the entry is executed again, as an entry does that makes it up itself.
	NewID bool
}

// between is an IO that changes operations before they happen and answers after.
type between struct {
	io  protocol.IO
	req *protocol.Request
	// once, if set, is what is done first of all.
	once func(b *between) error
	// before may change an operation.
	before func(op *protocol.Op)
	// after may change what one operation came to, also by carrying out others.
	after func(b *between, op *protocol.Op, a *protocol.Answer) error
}

func (b *between) Do(ops []protocol.Op) ([]protocol.Answer, error) {
	if once := b.once; once != nil {
		b.once = nil
		if err := once(b); err != nil {
			return nil, err
		}
	}
	if b.before != nil {
		ops = slices.Clone(ops)
		for i := range ops {
			b.before(&ops[i])
		}
	}
	answers, err := b.io.Do(ops)
	if err != nil || b.after == nil {
		return answers, err
	}
	answers = slices.Clone(answers)
	for i := range answers {
		if err := b.after(b, &ops[i], &answers[i]); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// try carries out one more operation in the place of another.
func (b *between) try(op protocol.Op, a *protocol.Answer) error {
	answers, err := b.io.Do([]protocol.Op{op})
	if err == nil {
		*a = answers[0]
	}
	return err
}

func (b *between) own() string { return protocol.Key(b.req.Run, b.req.Lines) }

func (b *between) step() int64 { return b.req.Lines[len(b.req.Lines)-1].Step }

// parent returns the line that has forked the request's, and the key of its record; nil for the run's own.
func (b *between) parent() (*protocol.Line, string) {
	n := len(b.req.Lines) - 1
	if n == 0 {
		return nil, ""
	}
	return &b.req.Lines[n-1], protocol.Key(b.req.Run, b.req.Lines[:n])
}

func after(name, in string, fn func(b *between, op *protocol.Op, a *protocol.Answer) error) Mistake {
	return Mistake{Name: name, Case: in, Wrap: func(io protocol.IO, req *protocol.Request) protocol.IO {
		return &between{io: io, req: req, after: fn}
	}}
}

var runNonce = regexp.MustCompile("^" + run + "/[^/]*/")

// Mistakes are ways to break the protocol that others have found, or that we might: each has to be caught.
var Mistakes = []Mistake{
	after("losers do not continue", "chain of 2", func(b *between, op *protocol.Op, a *protocol.Answer) error {
		switch {
		case b.step() == 0: // a client
		case (op.Kind == protocol.OpCreate || op.Kind == protocol.OpAdvance) && !a.OK && op.Key == b.own():
			a.Record = nil
		case op.Kind == protocol.OpGet && op.Keys[0] == b.own() && a.Records[0] != nil && a.Records[0].Step == b.step():
			later := *a.Records[0]
			later.Step++ // as if there were nothing left to do
			a.Records = append([]*protocol.Record{&later}, a.Records[1:]...)
		}
		return nil
	}),
	after("losers continue with their own value", "chain of 2", func(b *between, op *protocol.Op, a *protocol.Answer) error {
		if (op.Kind == protocol.OpCreate || op.Kind == protocol.OpAdvance) && !a.OK && a.Record != nil && op.Record.Step == a.Record.Step {
			a.Record.Value = op.Record.Value
		}
		return nil
	}),
	after("branches create their sets", "nested 1 in 1", func(b *between, op *protocol.Op, a *protocol.Answer) error {
		if op.Kind != protocol.OpAdd || a.Record != nil {
			return nil
		}
		rec := &protocol.Record{Nonce: op.Nonce, Step: op.Step, Members: []string{op.Member}, Value: []byte("{}")}
		return b.try(protocol.Op{Kind: protocol.OpCreate, Key: op.Key, Record: rec}, a)
	}),
	{Name: "a new id on retry of the entry", Case: "chain of 2", NewID: true},
	after("a new nonce on retry of the entry", "chain of 2", func(b *between, op *protocol.Op, a *protocol.Answer) error {
		if op.Kind != protocol.OpCreate || op.Key != run || a.OK {
			return nil
		}
		if err := b.try(protocol.Op{Kind: protocol.OpDelete, Keys: []string{run}}, a); err != nil {
			return err
		}
		return b.try(*op, a)
	}),
	after("the order of indices is reversed in a nested fan-in", "nested 2 in 2", func(b *between, op *protocol.Op, a *protocol.Answer) error {
		if op.Kind == protocol.OpGet && len(b.req.Lines) > 2 && len(op.Keys) > 1 {
			a.Records = slices.Clone(a.Records)
			slices.Reverse(a.Records)
		}
		return nil
	}),
	after("heads do not verify their scope", "branches of 2", func(b *between, op *protocol.Op, a *protocol.Answer) error {
		if parent, key := b.parent(); op.Kind == protocol.OpGet && parent != nil && op.Keys[0] == key && b.step() == 1 {
			a.Records = []*protocol.Record{{Nonce: parent.Nonce, Step: parent.Step}}
		}
		return nil
	}),
	after("nonces are not compared", "forget and start again", func(b *between, op *protocol.Op, a *protocol.Answer) error {
		switch parent, key := b.parent(); {
		case op.Kind == protocol.OpGet && parent != nil && op.Keys[0] == key && a.Records[0] != nil:
			a.Records[0].Nonce = parent.Nonce
		case op.Kind == protocol.OpGet && op.Keys[0] == b.own() && a.Records[0] != nil:
			if own := b.req.Lines[len(b.req.Lines)-1].Nonce; own != "" {
				a.Records[0].Nonce = own
			}
		case (op.Kind == protocol.OpAdd || op.Kind == protocol.OpAdvance) && !a.OK && a.Record != nil && a.Record.Nonce != op.Nonce:
			again := *op
			again.Nonce = a.Record.Nonce
			return b.try(again, a)
		}
		return nil
	}),
	{Name: "garbage is collected before the checkpoint", Case: "parallel 2 and join", Wrap: func(io protocol.IO, req *protocol.Request) protocol.IO {
		return &between{io: io, req: req, once: func(b *between) error {
			var keys []string
			for _, s := range req.Collect.Scopes {
				for i := range s.Width {
					keys = append(keys, fmt.Sprintf("%s/%d.%d", s.Key, s.Step, i))
				}
			}
			if len(keys) == 0 {
				return nil
			}
			_, err := b.io.Do([]protocol.Op{{Kind: protocol.OpDelete, Keys: keys}})
			return err
		}}
	}},
	after("every failed branch takes itself for the first", "both fail, caught", func(b *between, op *protocol.Op, a *protocol.Answer) error {
		if op.Kind == protocol.OpAdd && op.Failed && a.OK {
			a.Record.Failed = op.Member
		}
		return nil
	}),
	after("the ratchet takes what is not older", "chain of 2", func(b *between, op *protocol.Op, a *protocol.Answer) error {
		if op.Kind != protocol.OpAdvance || a.OK || a.Record == nil || a.Record.Step <= op.Step || a.Record.Nonce != op.Nonce {
			return nil
		}
		again := *op
		again.Step = a.Record.Step
		return b.try(again, a)
	}),
	{Name: "keys are without the nonce of the run", Case: "forget and start again", Wrap: func(io protocol.IO, req *protocol.Request) protocol.IO {
		return &between{io: io, req: req, before: func(op *protocol.Op) {
			op.Key = runNonce.ReplaceAllString(op.Key, run+"/")
			op.Keys = slices.Clone(op.Keys)
			for i := range op.Keys {
				op.Keys[i] = runNonce.ReplaceAllString(op.Keys[i], run+"/")
			}
		}}
	}},
	after("whoever is without a checkpoint takes the next one's", "unchecked", func(b *between, op *protocol.Op, a *protocol.Answer) error {
		if op.Kind != protocol.OpGet || op.Keys[0] != b.own() || a.Records[0] == nil || a.Records[0].Step != b.step() || len(a.Records[0].Value) == 0 {
			return nil
		}
		cp, err := protocol.DecodeCheckpoint(a.Records[0].Value)
		if err == nil {
			cp.Hops = b.req.Hops
			a.Records[0].Value, err = cp.Encode()
		}
		return err
	}),
	after("a branch that has ended is not added twice", "parallel 2 and join, crashes", func(b *between, op *protocol.Op, a *protocol.Answer) error {
		if op.Kind == protocol.OpGet && op.Keys[0] == b.own() && len(b.req.Lines) > 1 && a.Records[0] != nil && a.Records[0].Ended {
			a.Records = []*protocol.Record{{Nonce: a.Records[0].Nonce, Step: b.step() + 1}}
		}
		return nil
	}),
}
