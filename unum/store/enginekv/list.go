package enginekv

import (
	"context"
	"errors"
	"strings"

	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/internal/wire"
)

// page is how many names a lane looks at before it serves others.
const page = 1000

// names is a page of the names in a partition, and where the next begins; "": nowhere.
type names struct {
	list []string
	next string
}

// Keys implements unum.Lister. fn may use the store.
func (s *Store) Keys(ctx context.Context, prefix string, fn func(key string) bool) error {
	for _, kind := range []string{recordPrefix, blobPrefix} {
		for p := range partitions {
			more, err := s.walk(ctx, p, kind+prefix, fn)
			if err != nil || !more {
				return err
			}
		}
	}
	return nil
}

// walk calls fn for the keys of a partition whose names begin with prefix; more is false when it wants no more.
func (s *Store) walk(ctx context.Context, p int, prefix string, fn func(key string) bool) (more bool, err error) {
	for from := prefix; from != ""; {
		wait, err := s.submit(ctx, p, lane.Item{Read: func(r *lane.Reader) any {
			n, err := readNames(r, partition.ID(p), prefix, from)
			if err != nil {
				return err
			}
			return n
		}})
		if err != nil {
			return false, err
		}
		v, err := await(ctx, wait)
		if err != nil {
			return false, err
		}
		n := v.(names)
		for _, name := range n.list {
			if !fn(name[1:]) {
				return false, nil
			}
		}
		from = n.next
	}
	return true, nil
}

var errPage = errors.New("the page is full")

// readNames returns a page of names from one on. The first has all that the store may not have yet.
func readNames(r *lane.Reader, p partition.ID, prefix, from string) (n names, err error) {
	if from == prefix {
		r.Core().Listed(func(_ partition.Ref, name string, _ partition.Summary, ok bool) {
			if ok && strings.HasPrefix(name, prefix) {
				n.list = append(n.list, name)
			}
		})
	}
	lower := partition.NameKey(p, from)
	skip, looked := len(partition.NameKey(p, "")), 0
	upper := append(partition.NameKey(p, prefix), 0xff) // keys are ASCII
	err = r.Store().Scan(lower, upper, func(key, value []byte) error {
		if looked++; looked > page {
			n.next = string(key[skip:])
			return errPage
		}
		v := wire.NewReader(value)
		if ref := partition.Ref(v.Uint()); !r.Core().Removed(ref) {
			n.list = append(n.list, string(key[skip:]))
		}
		return v.Err()
	})
	if err == errPage {
		err = nil
	}
	return n, err
}
