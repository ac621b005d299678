package workflow_test

import (
	"fmt"
	"strings"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/internal/wire"
)

// describeEffects writes effects as lines, but those that depend on who waits or steps, which is no part of the state.
func describeEffects(effects []partition.Effect) (lines []string) {
	for i := range effects {
		if k := effects[i].Kind; k != partition.Step && k != partition.Ended {
			lines = append(lines, describeEffect(&effects[i]))
		}
	}
	return lines
}

func describeEffect(e *partition.Effect) string {
	switch e.Kind {
	case partition.Invoke:
		return fmt.Sprintf("%d of %s: %s(%s)", e.Call.ID, e.Call.Instance, e.Call.Function, e.Call.Input)
	case partition.Cancel:
		return fmt.Sprintf("cancel %d", e.Call.ID)
	case partition.Send:
		return fmt.Sprintf("send %s %s", e.Event.To, message(e.Event))
	case partition.Reply, partition.Ended:
		what := map[partition.EffectKind]string{partition.Reply: "answer", partition.Ended: "ended"}[e.Kind]
		if e.Missing {
			return what + " missing"
		}
		if v, ok := e.Value.(*workflow.View); ok {
			return what + " " + describeView(v)
		}
		return fmt.Sprintf("%s %v", what, e.Value)
	case partition.Confirm:
		return fmt.Sprintf("confirm %d to %d", e.Seq, e.Partition)
	}
	return fmt.Sprintf("effect %d of %d", e.Kind, e.Ref)
}

func describeView(v *workflow.View) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s%s %v execution %d events %d waiting %d", v.ID, v.Workflow, v.Version, v.Status, v.Execution, v.Events, v.Waiting)
	for _, f := range []struct{ name, value string }{
		{"input", string(v.Input)}, {"output", string(v.Output)}, {"reason", v.Reason}, {"custom", string(v.Custom)}, {"parent", v.Parent},
	} {
		if f.value != "" {
			fmt.Fprintf(&b, " %s %s", f.name, f.value)
		}
	}
	if v.Failure != nil {
		fmt.Fprintf(&b, " failure %v", v.Failure)
	}
	if len(v.Tags) > 0 {
		fmt.Fprintf(&b, " %v", v.Tags)
	}
	if v.Scheduled != 0 {
		fmt.Fprintf(&b, " for %d", v.Scheduled)
	}
	if v.Ended != 0 {
		fmt.Fprintf(&b, " ended %d", v.Ended)
	}
	return b.String()
}

// message writes a message between instances.
func message(ev *partition.Event) string {
	if ev.Program == workflow.RunsID {
		switch ev.Op {
		case workflow.OpStart:
			return "a start"
		case workflow.OpRaise:
			r := wire.NewReader(ev.Body)
			return fmt.Sprintf("event %s=%s", r.String(), r.Rest())
		case workflow.OpTerminate:
			return "an end"
		case workflow.OpRewind:
			return "a rewind"
		case workflow.OpGranted:
			return "its locks"
		case workflow.OpReply:
			m, err := workflow.DecodeReply(ev.Body)
			if err != nil {
				return err.Error()
			}
			if m.Failure != nil {
				return fmt.Sprintf("reply to %d.%d of %s: %v", m.To.Execution, m.To.Seq, m.From, m.Failure)
			}
			return fmt.Sprintf("reply to %d.%d of %s: %s", m.To.Execution, m.To.Seq, m.From, m.Data)
		}
	}
	return map[uint8]string{
		workflow.OpSignal: "a signal", workflow.OpCall: "a call", workflow.OpLock: "a lock request", workflow.OpUnlock: "an unlock",
		workflow.OpCancel: "a cancellation",
	}[ev.Op]
}

// describeAll writes events of runs.
func describeAll(events []durable.Event) (all []string) {
	for i := range events {
		e := &events[i]
		s := e.Kind.String()
		if e.ID != 0 {
			s += fmt.Sprintf(" %d", e.ID)
		}
		for _, f := range []string{e.Name, e.Target, strings.Join(e.Targets, "+"), string(e.Data)} {
			if f != "" {
				s += " " + f
			}
		}
		if f := e.Failure; f != nil {
			message, _, _ := strings.Cut(f.Error(), ". Usual causes")
			s += " " + message
		}
		for _, u := range e.Unread {
			s += fmt.Sprintf(" unread %s=%s", u.Name, u.Data)
		}
		all = append(all, s)
	}
	return all
}
