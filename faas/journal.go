package faas

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/weftworks/weft/fault"
)

// journal is a file with a line for each event that came, and one for each that is over. Its fields belong to
// Service.mu.
type journal struct {
	path  string
	file  *os.File
	live  map[uint64]*event // by serial
	lines int
}

const (
	// lineBytes bounds a line: an event of AsyncBytes and what is said of it.
	lineBytes = AsyncBytes + 4<<10
	// linesLeast is how many lines a file has before it is written anew without the events that are over.
	linesLeast = 1000
)

// line is a line of a journal: of an event, or that it is over.
type line struct {
	Serial   uint64          `json:"n"`
	Over     bool            `json:"over,omitempty"`
	ID       string          `json:"id,omitempty"`
	Function string          `json:"function,omitempty"`
	Born     int64           `json:"born,omitempty"` // Unix microseconds
	Due      int64           `json:"due,omitempty"`
	Payload  json.RawMessage `json:"payload,omitempty"`
}

// Keep has events kept in a file until they are over, so that those which a Service did not get to are executed by the
// next one that keeps its events there, from their first attempt on. The file outlives the process, whatever ends it; it
// is not synced, so the end of the machine may take some. Keep is called once, before Send and after Register: events of
// functions that are not there are lost. Two Services must not keep one file.
func (s *Service) Keep(path string) error {
	j, most, err := openJournal(path)
	switch {
	case fault.Is(err, fault.Corrupt):
		return err
	case err != nil:
		return fault.New("faas.Keep", fault.Unavailable, path, "%w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.journal != nil || s.serial > 0 {
		_ = j.file.Close() // nothing was written
		return fault.New("faas.Keep", fault.Conflict, path, "the service is in use or closed; keep a file before the first call and event")
	}
	s.journal, s.serial = j, most
	for _, e := range j.live {
		s.push(e)
	}
	s.pump()
	return nil
}

// openJournal reads a journal and writes it anew; most is the largest serial in it.
func openJournal(path string) (j *journal, most uint64, err error) {
	j = &journal{path: path, live: map[uint64]*event{}}
	old, err := os.Open(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, 0, err
	default:
		most, err = j.read(old)
		if err = errors.Join(err, old.Close()); err != nil {
			return nil, 0, err
		}
	}
	return j, most, j.rewrite()
}

// read takes up the events of a file. A line that breaks off at its end is none.
func (j *journal) read(f *os.File) (most uint64, err error) {
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, lineBytes)
	for n := 1; lines.Scan(); n++ {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			if !lines.Scan() {
				break
			}
			return 0, fault.New("faas.Keep", fault.Corrupt, j.path, "line %d is no event: %w; remove the file to go on without the events in it", n, err)
		}
		most = max(most, l.Serial)
		if l.Over {
			delete(j.live, l.Serial)
			continue
		}
		j.live[l.Serial] = &event{id: l.ID, function: l.Function, payload: l.Payload, serial: l.Serial, born: time.UnixMicro(l.Born), due: time.UnixMicro(l.Due)}
	}
	return most, lines.Err()
}

// rewrite puts a file with the live events in the place of the present one.
func (j *journal) rewrite() error {
	fresh := j.path + ".new"
	f, err := os.Create(fresh)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for _, e := range j.live {
		_, _ = w.Write(encode(e)) // Flush tells
	}
	if err := errors.Join(w.Flush(), os.Rename(fresh, j.path)); err != nil {
		return errors.Join(err, f.Close(), os.Remove(fresh))
	}
	if j.file != nil {
		err = j.file.Close()
	}
	j.file, j.lines = f, len(j.live)
	return err
}

func encode(e *event) []byte {
	return (&line{Serial: e.serial, ID: e.id, Function: e.function, Born: e.born.UnixMicro(), Due: e.due.UnixMicro(), Payload: e.payload}).encode()
}

func (l *line) encode() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l); err != nil {
		panic("faas: a line of the journal: " + err.Error()) // payloads have been checked
	}
	return b.Bytes()
}

// keep writes an event down. The caller holds mu.
func (s *Service) keep(e *event) error {
	j := s.journal
	if j == nil {
		return nil
	}
	if _, err := j.file.Write(encode(e)); err != nil {
		return fault.New("faas.Send", fault.Unavailable, j.path, "the event cannot be kept: %w", err)
	}
	j.live[e.serial] = e
	j.lines++
	return nil
}

// forget writes down that an event is over. The caller holds mu.
func (s *Service) forget(e *event) {
	j := s.journal
	if j == nil {
		return
	}
	delete(j.live, e.serial)
	_, err := j.file.Write((&line{Serial: e.serial, Over: true}).encode())
	if j.lines++; err == nil && j.lines > linesLeast && j.lines > 4*len(j.live) {
		err = j.rewrite()
	}
	if err != nil {
		s.cfg.Log.Warn("an event that is over may be executed again: the journal cannot be written", "path", j.path, "error", err)
	}
}
