package local

import (
	"context"
	"time"

	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/protocol"
)

// What says what has happened to a record.
type What string

// What can happen.
const (
	Appeared What = "appeared" // a line of control has its first checkpoint, which may be its last, or a run has begun
	Advanced What = "advanced" // the next checkpoint has taken the place of the last
	Joined   What = "joined"   // a line has become a member of the scope
	Ended    What = "ended"    // a checkpoint, not the first, is the last of its line
	Vanished What = "vanished" // the record was collected
)

// Change is something that has happened to a record.
type Change struct {
	Time     time.Time
	What     What
	Key      string
	Function string // that made the checkpoint; "": none did
	Member   string // that has joined
	Record   *unum.Record
}

// watched is a Store that tells of changes.
type watched struct {
	unum.Store
	tell func(Change)
}

func (w *watched) put(what What, key string, rec *unum.Record) {
	c := Change{Time: time.Now(), What: what, Key: key, Record: rec}
	if rec.Ended && what == Advanced {
		c.What = Ended
	}
	if cp, err := protocol.DecodeCheckpoint(rec.Value); err == nil {
		c.Function = cp.Function
	}
	w.tell(c)
}

func (w *watched) Create(ctx context.Context, key string, rec *unum.Record) (*unum.Record, bool, error) {
	cur, created, err := w.Store.Create(ctx, key, rec)
	if created {
		w.put(Appeared, key, rec)
	}
	return cur, created, err
}

func (w *watched) Advance(ctx context.Context, key, nonce string, from int64, rec *unum.Record) (*unum.Record, bool, error) {
	cur, advanced, err := w.Store.Advance(ctx, key, nonce, from, rec)
	if advanced {
		w.put(Advanced, key, rec)
	}
	return cur, advanced, err
}

func (w *watched) Add(ctx context.Context, key, nonce string, step int64, member string, failed bool) (*unum.Record, bool, error) {
	cur, added, err := w.Store.Add(ctx, key, nonce, step, member, failed)
	if added {
		w.tell(Change{Time: time.Now(), What: Joined, Key: key, Member: member, Record: cur})
	}
	return cur, added, err
}

func (w *watched) Delete(ctx context.Context, keys []string) error {
	recs, _ := w.Store.Get(ctx, keys) // what cannot be read is not told of
	err := w.Store.Delete(ctx, keys)
	if err == nil {
		for i, rec := range recs {
			if rec != nil {
				w.tell(Change{Time: time.Now(), What: Vanished, Key: keys[i], Record: rec})
			}
		}
	}
	return err
}
