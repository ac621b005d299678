package sim

import (
	"slices"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow/stepper"
	"github.com/weftworks/weft/limits"
)

// Coder is a Workload whose instances have user code.
type Coder interface {
	// Code finds the code.
	Code() stepper.Code
}

// moods are how a seed treats user code, as probabilities.
type moods struct {
	cool   float64 // a turn begins with no code warm: the next steps replay
	slow   float64 // a step does not end: its partition goes on without it
	absent float64 // code is not there
	hot    int     // what stays warm

	inbox  int   // requests that a partition takes at a time; 0: as many as come
	outage int64 // milliseconds, at most, that nobody is there at a time; 0: none
}

func (w *World) newMoods() moods {
	pick := func(most float64) float64 { return most * []float64{0, 0.1, 1}[w.Rand.IntN(3)] }
	m := moods{cool: pick(0.5), slow: pick(0.2), absent: pick(0.05), hot: 1 + w.Rand.IntN(16)}
	if w.Chance(0.3) {
		m.inbox = 1 + w.Rand.IntN(3)
	}
	if w.Chance(0.5) {
		m.outage = 20_000
	}
	return m
}

// hide is code of which a piece is not there now and then.
type hide struct {
	stepper.Code
	node *node
}

func (h hide) Workflow(name, version string) (durable.Code, bool) {
	if h.node.hidden() {
		return nil, false
	}
	return h.Code.Workflow(name, version)
}

func (h hide) Entity(name string) (durable.EntityCode, bool) {
	if h.node.hidden() {
		return nil, false
	}
	return h.Code.Entity(name)
}

func (n *node) hidden() bool {
	if n.w.calm || !n.w.Chance(n.w.moods.absent) {
		return false
	}
	n.idle = true
	return true
}

// newStepper returns what makes a partition's steps; nil without code.
func (n *node) newStepper() *stepper.Stepper {
	c, ok := n.w.workload.(Coder)
	if !ok {
		return nil
	}
	return stepper.New(stepper.Config{
		Code: hide{c.Code(), n}, Hot: n.w.moods.hot, PayloadBytes: limits.Default.PayloadBytes, Faults: n.w.opts.Faults.Stepper,
	})
}

// Step implements lane.Host.
func (h host) Step(p partition.ID, jobs []lane.Job) (done []partition.Event, lost bool) {
	s := h.steppers[p]
	if h.w.Chance(h.w.moods.cool) {
		s.Cool()
	}
	for i := range jobs {
		ev, ended := h.step(p, &jobs[i])
		if ended {
			done = append(done, ev)
			continue
		}
		if h.w.Chance(0.5) {
			h.done, h.rest = done, jobs[i+1:]
			return nil, true
		}
	}
	return done, false
}

// resume goes on with a turn of a partition that was lost in the middle of Step, as the goroutine does that took it over.
func (n *node) resume(p partition.ID) error {
	done := n.done
	for i := range n.rest {
		if ev, ended := n.step(p, &n.rest[i]); ended {
			done = append(done, ev)
		}
	}
	n.done, n.rest = nil, nil
	return n.lanes[p].Resume(done)
}

// step makes one step, or begins one whose code does not come to an end for long.
func (n *node) step(p partition.ID, job *lane.Job) (ev partition.Event, ended bool) {
	w := n.w
	w.stats.Steps++
	t := n.steppers[p].Prepare(job)
	if w.calm || !w.Chance(w.moods.slow) {
		return n.steppers[p].Make(t), true
	}
	w.stats.Slow++
	n.slow = append(n.slow, t)
	n.later(p, t)
	return ev, false
}

// later lets a slow step come to its end some time.
func (n *node) later(p partition.ID, t *stepper.Task) {
	n.w.post(delivery{what: "slow step", epoch: n.epoch, to: func() {
		if !n.w.calm && n.w.Chance(0.8) {
			n.later(p, t)
			return
		}
		n.slow = slices.DeleteFunc(n.slow, func(o *stepper.Task) bool { return o == t })
		ev := n.steppers[p].Make(t)
		_ = n.lanes[p].Submit(lane.Item{Event: ev, Internal: true})
	}}, true)
}

// closeCode ends the code of a process that is over.
func (n *node) closeCode() {
	for _, t := range n.slow {
		t.Close()
	}
	for _, s := range n.steppers {
		if s != nil {
			s.Close()
		}
	}
}
