package runs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/sim"
)

// run is one run as the log has it.
type run struct {
	history []string
	end     string // status and output; "" while open
}

// Check implements sim.Workload.
func (b *Runs) Check(truth *sim.Fold) error {
	runs := make(map[string][]run) // by instance name; two when a late start came after a purge
	for _, key := range truth.Keys() {
		if strings.HasPrefix(key, "end ") {
			continue
		}
		r := run{history: truth.History(key)}
		if end := truth.History("end " + key); len(end) == 1 {
			r.end = end[0]
		}
		name, _, _ := strings.Cut(key, "#")
		runs[name] = append(runs[name], r)
	}
	for _, c := range b.clients {
		if err := b.checkRuns(c, runs[c.name]); err != nil {
			return err
		}
	}
	for _, s := range b.seen {
		if !slices.ContainsFunc(runs[s.client.name], s.fits) {
			return fmt.Errorf("a client saw %s as %s with %d events, output %s, history %q, which is not how the log has it: %q", s.client.name,
				s.view.Status, s.view.Events, s.view.Output, s.lines, runs[s.client.name])
		}
	}
	for _, l := range b.lists {
		if !slices.ContainsFunc(runs[l.name], func(r run) bool {
			return l.status == machine.Running || strings.HasPrefix(r.end, l.status.String()+" ")
		}) {
			return fmt.Errorf("a list showed %s as %s, which is not how the log has it: %q", l.name, l.status, runs[l.name])
		}
	}
	return nil
}

// fits reports whether a client that saw s may have seen r.
func (s sight) fits(r run) bool {
	v := s.view
	if v.Events > int64(len(r.history)) || (s.ref != 0 && v.Events != int64(len(s.lines))) {
		return false
	}
	if v.Status != machine.Running && (r.end != fmt.Sprintf("%s %s", v.Status, v.Output) || v.Events != int64(len(r.history))) {
		return false
	}
	return slices.Equal(s.lines, r.history[:len(s.lines)])
}

// checkRuns holds that a client's run ended, with the one right result.
func (b *Runs) checkRuns(c *client, runs []run) error {
	if c.acked && len(runs) == 0 {
		return fmt.Errorf("%s was acknowledged and never happened", c.name)
	}
	for _, r := range runs {
		if err := inOrder(r.history); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		status, output, _ := strings.Cut(r.end, " ")
		switch {
		case r.end == "":
			return fmt.Errorf("%s never ended: %q", c.name, r.history)
		case status == machine.Aborted.String() && c.stopped:
		case status != machine.Succeeded.String():
			return fmt.Errorf("%s ended as %s: %q", c.name, r.end, r.history)
		default:
			if e1 := right(c.shape, 1, c.n, []byte(output)); e1 != nil {
				if e2 := right(c.shape, 2, c.n, []byte(output)); e2 != nil {
					return e2
				}
			}
		}
	}
	return nil
}

// inOrder holds that ids count from 1 and time never goes back, whatever the clock did.
func inOrder(history []string) error {
	last := int64(0)
	for i, e := range history {
		var id, prev, at int64
		if _, err := fmt.Sscan(e, &id, &prev, &at); err != nil {
			return err
		}
		if id != int64(i+1) || prev >= id || at < last {
			return fmt.Errorf("event %d is %q after an event at %d", i+1, e, last)
		}
		last = at
	}
	return nil
}
