package sim

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/weftworks/weft/engine/commitlog"
)

// book is what an observer of the log has written down: every entry that was appended and not lost since.
type book struct {
	entries []entry
	highest commitlog.Position // ever given
	durable commitlog.Position // highest that the log reported
	trimmed commitlog.Position // highest that Trim was called with
	lost    int
}

type entry struct {
	pos       commitlog.Position
	partition uint32
	data      []byte
}

func newBook() book { return book{} }

// survey compares what a log that was just opened holds with the book, and strikes out what a crash has lost.
func (b *book) survey(log commitlog.Log, strict bool) error {
	i := 0
	for i < len(b.entries) && b.entries[i].pos < b.trimmed {
		i++
	}
	err := log.Recover(b.trimmed, func(pos commitlog.Position, partition uint32, data []byte) error {
		if i == len(b.entries) {
			return fmt.Errorf("the log holds an entry at %s that was lost or never appended", pos)
		}
		e := &b.entries[i]
		if e.pos != pos || e.partition != partition || !bytes.Equal(e.data, data) {
			return fmt.Errorf("the log holds an entry at %s of partition %d (%d bytes) where %s of partition %d (%d bytes) was appended", pos, partition, len(data), e.pos, e.partition, len(e.data))
		}
		i++
		return nil
	})
	if err != nil {
		return err
	}
	if strict && i < len(b.entries) && b.entries[i].pos <= b.durable {
		return errLost{b.entries[i].pos, b.durable}
	}
	b.lost += len(b.entries) - i
	b.entries = slices.Delete(b.entries, i, len(b.entries))
	if i > 0 && strict {
		b.durable = max(b.durable, b.entries[i-1].pos) // what an open log holds is durable
	}
	return nil
}

// errLost is the log's broken promise.
type errLost struct{ pos, durable commitlog.Position }

func (e errLost) Error() string {
	return fmt.Sprintf("the log lost the entry at %s after it reported %s as durable", e.pos, e.durable)
}

// tap is a log that keeps the book.
type tap struct {
	commitlog.Log
	book   *book
	strict bool
	fail   func(format string, args ...any)
}

func (t *tap) Append(partition uint32, data []byte) (commitlog.Position, error) {
	pos, err := t.Log.Append(partition, data)
	if err != nil {
		return pos, err
	}
	if t.strict && pos <= t.book.highest {
		t.fail("the log gave position %s again after %s", pos, t.book.highest)
	}
	t.book.highest = max(t.book.highest, pos)
	t.book.entries = append(t.book.entries, entry{pos, partition, slices.Clone(data)})
	return pos, nil
}

func (t *tap) Trim(pos commitlog.Position) error {
	t.book.trimmed = max(t.book.trimmed, pos)
	return t.Log.Trim(pos)
}
