package workflow_test

import (
	"bytes"
	"runtime"
	"slices"
	"testing"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/limits"
)

// states returns encoded states of instances of a program, as the scripts' commands leave them.
func states(f testing.TB, program partition.ProgramID, commands ...string) (all [][]byte) {
	s := &script{cluster: newCluster(f, 3, 40), held: make(map[string]bool)}
	s.codes, s.check = codes(), false
	for _, line := range commands {
		if err := s.do(line); err != nil {
			f.Fatal(err)
		}
		s.quiet(s.held)
		for _, n := range s.nodes {
			n.plain.InMemory(func(ref partition.Ref, _ bool) {
				if data, p, _ := look(n.plain, nil, ref); p == program {
					all = append(all, data)
				}
			})
		}
	}
	return all
}

func FuzzRunState(f *testing.F) {
	for _, data := range states(f, workflow.RunsID, "start a transfer", "start b transfer", "start p parent x", "tag p k=v", "suspend p why", "raise p e 1", "raise a go 1",
		"start c call 1", "fail c 1 Bad reason", "start d call 1 at=9000", "start e eternal 1", "terminate e t") {
		f.Add(data)
	}
	p := &workflow.Runs{}
	f.Fuzz(func(t *testing.T, data []byte) {
		run, err := p.Decode(data, nil)
		if err != nil {
			return
		}
		again := run.Append(nil)
		back, err := p.Decode(bytes.Clone(again), nil)
		if err != nil || !bytes.Equal(back.Append(nil), again) {
			t.Errorf("%q is written as %q, which is read with error %v", data, again, err)
		}
		if _, _, err := p.ReadView(data); err != nil {
			t.Error(err)
		}
	})
}

func FuzzEntityState(f *testing.F) {
	for _, data := range states(f, workflow.EntitiesID, "signal e/1 add 1", "start a transfer", "start b transfer", "signal e/1 add 5", "signal e/2 add 5 at=9000", "absent e/1",
		"start c ask get", "terminate a x") {
		f.Add(data)
	}
	p := &workflow.Entities{}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := p.Decode(data, nil)
		if err != nil {
			return
		}
		again := e.Append(nil)
		back, err := p.Decode(bytes.Clone(again), nil)
		if err != nil || !bytes.Equal(back.Append(nil), again) {
			t.Errorf("%q is written as %q, which is read with error %v", data, again, err)
		}
	})
}

// FuzzMessages gives a partition with runs and entities in many states a message, or the result of a step, of hostile
// bytes: it may take it for anything, but must not fail.
func FuzzMessages(f *testing.F) {
	add := func(program partition.ProgramID, op uint8, body []byte) { f.Add(byte(program), op, "a", body) }
	address := workflow.Address{Instance: "workflow/a", Program: workflow.RunsID, Op: workflow.OpReply, Ref: 1, Execution: 1, Seq: 1}
	lock := workflow.Lock{From: address, Entities: []string{"e/1", "e/2"}}
	add(workflow.RunsID, workflow.OpStart, (&workflow.Start{Workflow: "w", Parent: address, Tags: map[string]string{"a": "b"}}).Encode())
	add(workflow.RunsID, workflow.OpRewind, (&workflow.Rewind{Parent: address}).Encode())
	add(workflow.RunsID, workflow.OpTerminate, (&workflow.Terminate{Parent: address, Recursive: true}).Encode())
	add(workflow.RunsID, workflow.OpReply, (&workflow.Reply{To: address, Failure: &durable.Failure{Type: "t"}}).Encode())
	add(workflow.RunsID, 0, durable.AppendStep(nil, &durable.Step{Consumed: 1, Actions: []durable.Event{{Kind: durable.LocksRequested, ID: 1, Targets: []string{"e/1"}}}}))
	for _, op := range []uint8{workflow.OpLock, workflow.OpCancel} {
		add(workflow.EntitiesID, op, lock.Encode())
	}
	add(workflow.EntitiesID, workflow.OpCall, (&workflow.Operation{Name: "n", From: address}).Encode())
	add(workflow.EntitiesID, 0, (&workflow.EntityStep{Consumed: 1, Answers: []workflow.Answer{{Op: 1}}, Change: workflow.StateSet, State: []byte("1")}).Encode())
	f.Fuzz(func(t *testing.T, program byte, op uint8, id string, body []byte) {
		c := newCluster(t, 1, 40)
		c.codes, c.check = codes(), false
		c.absent["call"], c.absent["e/9"] = true, true
		s := &script{cluster: c, held: map[string]bool{"entity/e/3": true}}
		for _, line := range []string{"start a transfer", "start b call 1", "start p parent x", "start l call 1 at=9000", "signal e/9 add 1", "signal e/1 add 1 at=99"} {
			if err := s.do(line); err != nil {
				t.Fatal(err)
			}
			s.quiet(s.held)
		}
		to, n := workflow.RunInstance(id), c.nodes[0]
		if partition.ProgramID(program) == workflow.EntitiesID {
			to = workflow.EntityInstance("e/" + id)
		}
		if op == 0 {
			for ref := partition.Ref(1); ref < 9; ref++ {
				if v, ok := n.plain.View(ref); ok && v.Program == partition.ProgramID(program) {
					for step := range uint64(4) {
						c.step(n, partition.Event{Kind: partition.Stepped, Ref: ref, ID: step, Body: body})
					}
				}
			}
			return
		}
		c.step(n, partition.Event{Kind: partition.Message, To: to, Program: partition.ProgramID(program), Op: op, Body: body, Client: "client"})
		c.step(n, partition.Event{Kind: partition.Message, To: to, Program: partition.ProgramID(program), Op: op, Body: body})
	})
}

// TestHostileStatesTakeNoMemory: numbers of elements are not believed before they are there.
func TestHostileStatesTakeNoMemory(t *testing.T) {
	seeds := slices.Concat(states(t, workflow.RunsID, "start a transfer"), states(t, workflow.EntitiesID, "signal e/1 add 1"))
	junk := make([]byte, 4<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, seed := range seeds {
		for at := range seed {
			data := append(wire.AppendUint(bytes.Clone(seed[:at]), 1<<20), junk...)
			_, _ = (&workflow.Runs{}).Decode(data, nil)
			_, _ = (&workflow.Entities{}).Decode(data, nil)
		}
	}
	runtime.ReadMemStats(&after)
	if used := (after.TotalAlloc - before.TotalAlloc) / uint64(len(seeds)*len(seeds[0])); used > 64<<20 {
		t.Errorf("a hostile state of %d bytes took %d of memory", len(junk), used)
	}
}

// TestInboxesAreBounded: clients are refused past the bound, messages between instances are not, as nobody would know.
func TestInboxesAreBounded(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 40)
	c.codes, c.check = codes(), false
	c.absent["wait"], c.absent["e/1"] = true, true
	s := &script{cluster: c}
	if err := s.do("start a wait e"); err != nil {
		t.Fatal(err)
	}
	big := make([]byte, limits.InboxBytes/8)
	raise := (&workflow.Raise{Name: "e", Data: big}).Encode()
	signal := (&workflow.Operation{Name: "add", Input: big}).Encode()
	later := (&workflow.Operation{Name: "add", Input: big, Due: 1 << 50}).Encode()
	for i, x := range []struct {
		to      string
		program partition.ProgramID
		op      uint8
		body    []byte
	}{
		{"workflow/a", workflow.RunsID, workflow.OpRaise, raise}, {"entity/e/1", workflow.EntitiesID, workflow.OpSignal, signal},
		{"entity/e/2", workflow.EntitiesID, workflow.OpSignal, later},
	} {
		tell := func(client any, from partition.Origin) partition.Effect {
			n := c.nodes[0]
			ev := partition.Event{Kind: partition.Message, To: x.to, Program: x.program, Op: x.op, Body: x.body, Client: client, From: from}
			prepare(n.plain, nil, &ev)
			for _, e := range n.plain.Step(&ev) {
				if e.Kind == partition.Reply {
					return e
				}
			}
			return partition.Effect{}
		}
		refused := 0
		for range 12 {
			if _, ok := tell("client", partition.Origin{}).Value.(error); ok {
				refused++
			}
		}
		if refused < 2 || refused > 4 {
			t.Errorf("%s refused %d of 12 messages of an eighth of what may wait", x.to, refused)
		}
		waits := func() int {
			_, ref, err := c.find(x.to)
			if err != nil {
				t.Fatal(err)
			}
			v, _ := c.nodes[0].plain.View(ref)
			if e, ok := v.State.(*workflow.Entity); ok {
				timers, _ := c.nodes[0].plain.Open()
				return e.View().Waiting + timers
			}
			return v.State.(*workflow.Run).View().Waiting
		}
		if before := waits(); tell(nil, partition.Origin{Partition: 1, Seq: uint64(i + 1)}).Kind != 0 || waits() != before+1 {
			t.Errorf("%s lost a message of another instance", x.to)
		}
	}
}

// TestBatchesOfOperations: a step of an entity does as many as the limits allow, and the rest in the next.
func TestBatchesOfOperations(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 40)
	c.check = false
	c.absent["e/1"] = true
	n := c.nodes[0]
	jobs := func() *workflow.EntityJob {
		_, ref, err := c.find("entity/e/1")
		if err != nil {
			t.Fatal(err)
		}
		work, ok := n.plain.Work(ref)
		if !ok {
			t.Fatal("no step is owed")
		}
		return work.(*workflow.EntityJob)
	}
	for range limits.OperationsPerStep + 5 {
		c.tell("entity/e/1", workflow.EntitiesID, workflow.OpSignal, (&workflow.Operation{Name: "add", Input: []byte("1")}).Encode())
	}
	if j := jobs(); len(j.Ops) != limits.OperationsPerStep {
		t.Errorf("a step does %d operations", len(j.Ops))
	}
	delete(c.absent, "e/1")
	c.quiet(nil)
	if v := c.entity(t, "e/1"); string(v.State) != "1005" || v.Waiting != 0 {
		t.Errorf("the entity is %+v", v)
	}
	c.absent["e/1"] = true
	large := append(make([]byte, limits.OperationsPerStepBytes-1), '1')
	for range 3 {
		c.tell("entity/e/1", workflow.EntitiesID, workflow.OpSignal, (&workflow.Operation{Name: "add", Input: large}).Encode())
	}
	if j := jobs(); len(j.Ops) != 1 {
		t.Errorf("a step does %d large operations", len(j.Ops))
	}
}

func (c *cluster) entity(t *testing.T, target string) *workflow.EntityView {
	t.Helper()
	n, ref, err := c.find(workflow.EntityInstance(target))
	if err != nil {
		t.Fatal(err)
	}
	data, _, _ := look(n.plain, nil, ref)
	v, err := (&workflow.Entities{}).ReadView(data)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
