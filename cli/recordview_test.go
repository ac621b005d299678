package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft/unum"
	here "github.com/weftworks/weft/unum/deploy/local"
)

// TestWideFanOuts shows a tenth of the joins of a wide fan-out, and its lines when the last has vanished.
func TestWideFanOuts(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	v := &recordView{w: &out, run: "r", began: time.Unix(0, 0)}
	tell := func(what here.What, key, member string, rec unum.Record) {
		v.show(here.Change{Time: time.Unix(1, 0), What: what, Key: key, Member: member, Record: &rec})
	}
	const lines = 200
	tell(here.Advanced, "r", "", unum.Record{Step: 1, Width: lines})
	var members []string
	for i := range lines {
		line := fmt.Sprintf("r/nonce/1.%d", i)
		tell(here.Appeared, line, "", unum.Record{Step: 1, Width: 2})
		tell(here.Appeared, line+"/1.0", "", unum.Record{Step: 1, Ended: true})
		tell(here.Vanished, line+"/1.0", "", unum.Record{Step: 1, Ended: true})
		members = append(members, fmt.Sprint(i))
		tell(here.Joined, "r", fmt.Sprint(i), unum.Record{Step: 1, Width: lines, Members: members})
	}
	for i := range lines {
		tell(here.Vanished, fmt.Sprintf("r/nonce/1.%d", i), "", unum.Record{Step: 1})
	}
	tell(here.Advanced, "r", "", unum.Record{Step: 2, Width: 2})
	tell(here.Appeared, "r/nonce/2.0", "", unum.Record{Step: 1, Ended: true})
	tell(here.Joined, "r", "2.x", unum.Record{Step: 2, Width: 2, Members: []string{"x-0"}})
	got := out.String()
	if n := strings.Count(got, "joined"); n != 11 {
		t.Errorf("%d joins are shown", n)
	}
	for _, want := range []string{"opens 200 lines", "19 has ended: 20 of 200", "199 has ended: 200 of 200", "/1.*                     1  400 records", "/2.0 ", "2.x can be read"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n"); n != 16 {
		t.Errorf("%d lines are shown:\n%s", n, got)
	}
}
