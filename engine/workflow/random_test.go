package workflow_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow"
)

// commands of scripts that random tests give in any order. Ids are few, so that they meet.
var commands = []string{
	"start a transfer", "start b transfer", "start c transfer replace=RUNNING,COMPLETED,TERMINATED", "raise a go 1", "raise b go 1", "raise c go 1",
	"terminate a x", "terminate b x", "terminate c x recursive", "restart a", "restart b", "restart c", "purge a", "purge c", "suspend a x", "resume a x",
	"signal e/1 add 1", "signal e/2 delete", "signal e/3 add 1 at=3000", "start d ask fail", "rewind d x", "start p parent kid", "start q parent kid", "raise kid e 1",
	"terminate p x recursive", "restart p", "rewind q x", "purge kid", "start x eternal 0", "raise x n 1", "raise x n 2", "start k call 1", "done k 1 1", "fail k 1 Bad",
	"rewind k x", "start s send a", "start w wait e at=2000", "raise w e 1", "terminate w x", "slow a", "slow x", "now a", "now x", "tag a k=v", "absent e/1", "present e/1",
	"absent eternal", "present eternal",
}

// TestAnyOrder gives random commands, and between them carries messages and makes steps in any order that may be. After each
// event the partitions are compared with ones that were saved and loaded before it. At the end all that is held has a holder.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := &script{cluster: newCluster(t, 3, 200), held: make(map[string]bool)}
		s.codes = codes()
		for range rapid.IntRange(1, 40).Draw(rt, "commands") {
			line := rapid.SampledFrom(commands).Draw(rt, "command")
			s.now += rapid.Int64Range(0, 300).Draw(rt, "ms")
			if line[:3] != "now" || s.late[workflow.RunInstance(line[4:])].ID != 0 {
				if err := s.do(line); err != nil {
					rt.Fatalf("%s: %v", line, err)
				}
			}
			if err := s.do(fmt.Sprint("time ", s.now)); err != nil {
				rt.Fatal(err)
			}
			for range rapid.IntRange(0, 6).Draw(rt, "moves") {
				s.move(rt)
			}
		}
		for name, ev := range s.late { // as slow code ends at last
			if n, _, err := s.find(name); err == nil {
				s.step(n, ev)
			}
		}
		clear(s.slow)
		s.quiet(nil)
		for _, n := range s.nodes {
			n.plain.InMemory(func(ref partition.Ref, _ bool) {
				data, program, _ := look(n.plain, nil, ref)
				if program != workflow.EntitiesID {
					return
				}
				v, err := (&workflow.Entities{}).ReadView(data)
				if err != nil {
					rt.Fatal(err)
				}
				if v.LockedBy == "" {
					return
				}
				holder, href, err := s.find(workflow.RunInstance(v.LockedBy))
				if err != nil {
					rt.Fatalf("%s is locked by %q, which is not there", v.Target, v.LockedBy)
				}
				data, _, _ = look(holder.plain, nil, href)
				if run, _, _ := (&workflow.Runs{}).ReadView(data); run.Status.Ended() {
					rt.Fatalf("%s is locked by %q, which is %v", v.Target, v.LockedBy, run.Status)
				}
			})
		}
	})
}

// move carries one message or makes one step.
func (s *script) move(rt *rapid.T) {
	pairs := s.pairs()
	var owing []*node
	for _, n := range s.nodes {
		if len(n.owing) > 0 {
			owing = append(owing, n)
		}
	}
	if len(pairs)+len(owing) == 0 {
		return
	}
	i := rapid.IntRange(0, len(pairs)+len(owing)-1).Draw(rt, "move")
	if i < len(pairs) {
		s.carry(pairs[i])
		return
	}
	n := owing[i-len(pairs)]
	ref := n.owing[0]
	n.owing = n.owing[1:]
	s.work(n, ref)
}
