package statemachine

import (
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/machine"
)

// source gives the items of a Map Run: those of the state's data, or of pages that are read one ahead. It is a value: a copy
// is where it was.
type source struct {
	known int64  // items there are, or have been read so far
	at    int    // state data: where the next item starts
	given int64  // items taken
	name  string // of the last item, as $$.Map.Item.Source

	// Of a reader.
	reads   bool
	page    []byte // what is left of the page
	ahead   []byte // the page that follows
	cursor  []byte // of the page that is to be read next
	done    bool   // all is read
	reading uint64 // the invocation of ReadItems; 0: none
}

func newSource(run *machine.MapRun) source {
	if run.Reader != nil {
		return source{reads: true, name: run.Source()}
	}
	s := source{at: 1, name: run.Source()}
	i := 1
	for {
		_, _, next, more := machine.NextItem(run.Items, i)
		if !more {
			return s
		}
		i = next
		s.known++
	}
}

// next takes an item; false when there is none now.
func (s *source) next(run *machine.MapRun) (value, key []byte, ok bool) {
	if !s.reads {
		if key, value, s.at, ok = machine.NextItem(run.Items, s.at); ok {
			s.given++
		}
		return value, key, ok
	}
	if len(s.page) == 0 {
		s.page, s.ahead = s.ahead, nil
	}
	if len(s.page) == 0 {
		return nil, nil, false
	}
	r := wire.NewReader(s.page)
	name := r.String()
	key, value = r.Bytes(), r.Bytes()
	if r.Err() != nil {
		return nil, nil, false // decodePage has counted the items
	}
	if name != "" {
		s.name = name
	}
	if len(key) == 0 {
		key = nil
	}
	s.page = r.Rest()
	s.given++
	return value, key, true
}

// wants reports whether a page should be read now.
func (s *source) wants() bool { return s.reads && !s.done && s.reading == 0 && len(s.ahead) == 0 }

// complete reports whether it is known how many items there are.
func (s *source) complete() bool { return !s.reads || s.done }

// exhausted reports whether there will be no more items.
func (s *source) exhausted() bool {
	return s.complete() && len(s.page) == 0 && len(s.ahead) == 0 && (s.reads || s.given == s.known)
}

// add takes a page and returns how many items it has.
func (s *source) add(p *Page) int64 {
	n := int64(0)
	for r := wire.NewReader(p.items); r.Len() > 0 && r.Err() == nil; n++ {
		r.Bytes()
		r.Bytes()
		r.Bytes()
	}
	s.known += n
	s.cursor, s.done = p.Cursor, p.Done
	if len(s.page) == 0 {
		s.page = p.items
	} else {
		s.ahead = p.items
	}
	return n
}
