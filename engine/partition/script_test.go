package partition

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts in testdata give into them")

// describeEffects writes effects as lines.
func describeEffects(effects []Effect) (lines []string) {
	for _, e := range effects {
		s := ""
		switch e.Kind {
		case Invoke:
			s = fmt.Sprintf("invoke %d of %d: %s(%s) timeout %d flags %d", e.Call.ID, e.Ref, e.Call.Function, e.Call.Input, e.Call.TimeoutMS, e.Call.Flags)
		case Cancel:
			s = fmt.Sprintf("cancel %d of %d", e.Call.ID, e.Ref)
		case Send:
			s = fmt.Sprintf("send to %d: %d.%d %s %q", e.Partition, e.Event.From.Partition, e.Event.From.Seq, e.Event.To, e.Event.Body)
		case Reply:
			s = fmt.Sprintf("reply to %v: %v missing %t", e.Client, e.Value, e.Missing)
		case Ended:
			s = fmt.Sprintf("ended %d: %v", e.Ref, e.Value)
		case Resume:
			s = fmt.Sprintf("resume %d", e.Ref)
		case Confirm:
			s = fmt.Sprintf("confirm to %d: %d", e.Partition, e.Seq)
		}
		lines = append(lines, s)
	}
	return lines
}

// TestScripts runs testdata/*.txt. A script is commands, each with its output under it, indented. Commands:
//
//	message NAME [from=P.SEQ] [tell] [client=C] : COMMAND; COMMAND    do what puppets do
//	done REF ID OUTPUT | fail REF ID ERROR | due REF ID | continue REF
//	ack PARTITION SEQ | define TEXT | purge REF... | recovered N
//	time MS               move the clock
//	timers                the due events of now
//	await REF             somebody waits for the end
//	save KEEP | load      snapshot, apply and evict; start again from the store
//	show                  the whole state
//	pending | outstanding REF | listed | keys
func TestScripts(t *testing.T) {
	t.Parallel()
	files := must[[]string](t)(filepath.Glob("testdata/*.txt"))
	if len(files) == 0 {
		t.Fatal("no scripts in testdata")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text := string(must[[]byte](t)(os.ReadFile(file)))
			got := runScript(text)
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != text {
				t.Errorf("%s gives (go test -run TestScripts -rewrite writes it, then read the difference)\n%s", file, got)
			}
		})
	}
}

func runScript(text string) string {
	s := &scriptRunner{shell: newShell(testConfig(3)), now: 1000}
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "\t") {
			continue
		}
		out.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		for _, l := range s.run(line) {
			out.WriteString("\t" + l + "\n")
		}
	}
	return out.String()
}

type scriptRunner struct {
	*shell
	now int64
}

func (s *scriptRunner) run(line string) []string {
	word, rest, _ := strings.Cut(line, " ")
	var a, b uint64
	var text string
	_, _ = fmt.Sscan(rest, &a, &b, &text)
	switch word {
	case "time":
		s.now = int64(a)
		return nil
	case "timers":
		return s.due()
	case "await":
		return []string{fmt.Sprint(s.core.Await(Ref(a)))}
	case "save":
		s.save(int(a))
		return nil
	case "load":
		s.shell = s.load()
		return nil
	case "show":
		return strings.Split(strings.TrimSpace(s.show()), "\n")
	case "pending":
		var lines []string
		s.core.Pending(func(dest ID, ev *Event) { lines = append(lines, fmt.Sprintf("to %d: %d %s", dest, ev.From.Seq, ev.To)) })
		return lines
	case "outstanding":
		var lines []string
		again, _ := s.core.Outstanding(Ref(a), func(c Invocation) { lines = append(lines, fmt.Sprintf("%d %s", c.ID, c.Function)) })
		return append(lines, fmt.Sprintf("continue %t", again))
	case "listed":
		var lines []string
		s.core.Listed(func(ref Ref, name string, sum Summary, ok bool) {
			lines = append(lines, fmt.Sprintf("%d %s %+v %t", ref, name, sum, ok))
		})
		return lines
	}
	return describeEffects(s.step(s.event(word, rest)))
}

// event reads a command that is an event.
func (s *scriptRunner) event(word, rest string) Event {
	var a, b uint64
	var text string
	_, _ = fmt.Sscan(rest, &a, &b, &text)
	ev := Event{Time: s.now, Ref: Ref(a), ID: b}
	switch word {
	case "message":
		return s.message(rest)
	case "done":
		ev.Kind, ev.Body = Done, []byte(text)
	case "fail":
		ev.Kind, ev.Error = Done, text
	case "due":
		ev.Kind = Due
	case "continue":
		ev.Kind = Continue
	case "ack":
		ev = Event{Kind: Ack, Time: s.now, From: Origin{Partition: ID(a), Seq: b}}
	case "define":
		ev = Event{Kind: Define, Time: s.now, Body: []byte(rest)}
	case "purge":
		var refs []Ref
		for f := range strings.FieldsSeq(rest) {
			_, _ = fmt.Sscan(f, &a)
			refs = append(refs, Ref(a))
		}
		ev = Event{Kind: Purge, Time: s.now, Body: AppendRefs(nil, refs)}
	case "recovered":
		ev = Event{Kind: Recovered, Time: s.now, ID: a}
	default:
		panic("unknown command " + word)
	}
	return ev
}

func (s *scriptRunner) message(rest string) Event {
	head, script, _ := strings.Cut(rest, " : ")
	fields := strings.Fields(head)
	ev := do(fields[0], strings.ReplaceAll(script, "; ", "\n"))
	ev.Time = s.now
	for _, f := range fields[1:] {
		switch {
		case f == "tell":
			ev.Op = opTell
		case strings.HasPrefix(f, "from="):
			_, _ = fmt.Sscanf(f, "from=%d.%d", &ev.From.Partition, &ev.From.Seq)
		case strings.HasPrefix(f, "client="):
			ev.Client = strings.TrimPrefix(f, "client=")
		}
	}
	return ev
}

// due folds the timers that are due.
func (s *scriptRunner) due() (lines []string) {
	for _, ev := range s.core.Due(nil, s.now, 100) {
		lines = append(lines, fmt.Sprintf("due %d %d", ev.Ref, ev.ID))
		lines = append(lines, describeEffects(s.step(ev))...)
	}
	return lines
}

// show writes the state for people.
func (s *scriptRunner) show() string {
	var b strings.Builder
	c := s.core
	fmt.Fprintf(&b, "incarnation %d now %d last %d, %d timers\n", c.incarnation, c.now, c.lastRef, c.timers.live())
	for _, ref := range sortedRefs(c.instances) {
		in := c.instances[ref]
		fmt.Fprintf(&b, "%d %s:", ref, in.name)
		if p, ok := in.state.(*puppet); ok {
			fmt.Fprintf(&b, " notes %q events %d", p.notes, p.events)
		} else {
			fmt.Fprintf(&b, " packed %d bytes", len(in.packed))
		}
		fmt.Fprintf(&b, " calls %d timers %d ended %t resume %t chunks %d %+v\n", in.calls.live, len(in.timers), in.ended, in.resume, len(in.chunks), in.summary)
	}
	for _, id := range sortedBlobs(c.blobs.by) {
		fmt.Fprintf(&b, "blob %q pins %d\n", c.blobs.by[id].data, c.blobs.by[id].pins)
	}
	for _, d := range sortedKeys(c.outbox.to) {
		fmt.Fprintf(&b, "outbox to %d: next %d, %d pending\n", d, c.outbox.to[d].next, len(c.outbox.to[d].pending))
	}
	for _, p := range sortedKeys(c.dedup.last) {
		fmt.Fprintf(&b, "from %d: %d\n", p, c.dedup.last[p])
	}
	letters := make(map[string]int)
	for k := range s.store {
		letters[k[2:3]]++
	}
	fmt.Fprintf(&b, "store %v\n", letters)
	return b.String()
}
