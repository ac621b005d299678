package protocol

// Tally is what a line has come to so far, for what it costs. It is counted along the way, in requests and checkpoints, so
// that nobody has to watch a run. What was repeated is not in it: it is the least that a run can have taken.
type Tally struct {
	Instances int64 `json:"instances,omitempty"` // function instances that have checkpointed
	Hops      int64 `json:"hops,omitempty"`      // invocations that have left no checkpoint
	Arrivals  int64 `json:"arrivals,omitempty"`  // of branches at their join
	Joins     int64 `json:"joins,omitempty"`     // checkpoints that joins have made without a function
	Entered   int64 `json:"entered,omitempty"`   // states, each retry of a task being one more; 0 for hand-written instructions
	Millis    int64 `json:"millis,omitempty"`    // of user code
	// Partial says that there is more: of a graph, or of a run that was ended from outside, not all is counted.
	Partial bool `json:"partial,omitempty"`
}

func (t *Tally) add(other *Tally) {
	t.Instances += other.Instances
	t.Hops += other.Hops
	t.Arrivals += other.Arrivals
	t.Joins += other.Joins
	t.Entered += other.Entered
	t.Millis += other.Millis
	t.Partial = t.Partial || other.Partial
}

// count returns the tally of a line once an instance of it has come to a plan by an outcome (nil: it had no work).
func (t Tally) count(plan *Plan, out *Outcome) Tally {
	t.Instances++
	t.Entered += plan.Entered
	if out != nil {
		t.Millis += out.Millis
	}
	t.Partial = t.Partial || plan.Graph != nil
	return t
}
