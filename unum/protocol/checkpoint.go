package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// Checkpoint is what the Value of a Record holds: of an instance that goes on its outcome, of one that forked what the
// program parked, of one that ended its line the end. Each of them decides what follows.
type Checkpoint struct {
	Function    string   `json:"function,omitempty"`
	Outcome     *Outcome `json:"outcome,omitempty"`
	Fork        bool     `json:"fork,omitempty"`
	Parked      []byte   `json:"parked,omitempty"`
	Concurrency int64    `json:"concurrency,omitempty"`
	Names       []string `json:"names,omitempty"`
	End         *End     `json:"end,omitempty"`
	// Joined says that no function was run for it: the end of a branch wrote it, which had found the scope full.
	Joined bool `json:"joined,omitempty"`
	// Hops is that of the request whose execution made it.
	Hops int `json:"hops,omitempty"`
	// Garbage is what has been left by the join, or by the end of the run from outside, and nobody has collected yet.
	Garbage Garbage `json:"garbage,omitzero"`
	// Tally is that of the line, once it has ended or forked.
	Tally Tally `json:"tally,omitzero"`
	// Ref is the blob that holds the checkpoint, of which the record has only Fork and Concurrency.
	Ref string `json:"ref,omitempty"`
}

// Encode returns the Value of a record.
func (c *Checkpoint) Encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c); err != nil {
		return nil, fmt.Errorf("a checkpoint of %s: %w", c.Function, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// DecodeCheckpoint returns what Encode wrote.
func DecodeCheckpoint(value []byte) (*Checkpoint, error) {
	c := new(Checkpoint)
	if err := json.Unmarshal(value, c); err != nil {
		return nil, fmt.Errorf("the value of a record is no checkpoint: %w", err)
	}
	return c, nil
}

// Key returns the key of the record of the last of lines: the run's id for the run's own line.
func Key(run string, lines []Line) string {
	if len(lines) == 1 {
		return run
	}
	return Below(run, lines)
}

// Below returns what the keys of all that is below the last of lines begin with. The nonce of the run is in it, so that a
// run which gets the id of one that was forgotten shares nothing with what is left of that.
func Below(run string, lines []Line) string {
	b := append(append([]byte(run), '/'), lines[0].Nonce...)
	for i := 1; i < len(lines); i++ {
		b = appendBelow(b, lines[i-1].Step, lines[i].Name)
	}
	return string(b)
}

func appendBelow(b []byte, step int64, name string) []byte {
	b = append(b, '/')
	b = strconv.AppendInt(b, step, 10)
	b = append(b, '.')
	return append(b, name...)
}

// keys returns the keys of the records of a scope's lines, each once.
func (s *Scope) keys() []string {
	keys := make([]string, 0, int(s.Width)+len(s.Names))
	for i := range s.Width {
		keys = append(keys, string(appendBelow([]byte(s.Key), s.Step, strconv.FormatInt(i, 10))))
	}
	for _, name := range s.Names {
		keys = append(keys, string(appendBelow([]byte(s.Key), s.Step, name)))
	}
	return keys
}

// scope returns the scope that the instance of a record has opened, whose lines' keys begin with prefix. Lines of a graph are
// known once they are members.
func (c *Checkpoint) scope(prefix string, step int64, rec *Record) Scope {
	s := Scope{Key: prefix, Step: step}
	if len(c.Names) == 0 {
		s.Width = rec.Width
	}
	named := map[string]bool{}
	for _, name := range c.Names {
		named[name] = true
		s.Names = append(s.Names, name)
	}
	for _, name := range rec.Members {
		if i, err := strconv.ParseInt(name, 10, 64); err == nil && i >= 0 && i < s.Width || named[name] {
			continue
		}
		s.Names = append(s.Names, name)
	}
	return s
}

// add appends what other names.
func (g *Garbage) add(other Garbage) {
	g.Scopes = append(g.Scopes, other.Scopes...)
	g.Blobs = append(g.Blobs, other.Blobs...)
	g.Lists = append(g.Lists, other.Lists...)
}

func (g *Garbage) addBlob(name string) {
	if name != "" {
		g.Blobs = append(g.Blobs, name)
	}
}
