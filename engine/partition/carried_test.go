package partition

import (
	"testing"

	"github.com/weftworks/weft/internal/wire"
)

// TestCarriedBlobsSurviveASnapshot holds that a message in a stored outbox still knows the blob that its receiver needs, and
// that one from before there were any is read.
func TestCarriedBlobsSurviveASnapshot(t *testing.T) {
	t.Parallel()
	var o outbox
	o.put(1, &Event{Kind: Message, To: "a", Program: 1, With: &Carried{ID: "blob", Data: []byte("data")}, Fresh: true})
	o.put(1, &Event{Kind: Message, To: "b", Program: 1})
	var back outbox
	r := wire.NewReader(o.append(nil))
	back.read(r)
	if r.Err() != nil || r.Len() != 0 {
		t.Fatalf("%v, %d bytes are left", r.Err(), r.Len())
	}
	list := back.to[1].pending
	if len(list) != 2 || list[0].With == nil || list[0].With.ID != "blob" || !list[0].Fresh || list[1].With != nil || list[1].To != "b" {
		t.Errorf("%+v", list)
	}
}
