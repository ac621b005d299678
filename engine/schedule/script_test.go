package schedule

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/schedule"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts in testdata give into them")

// TestScripts runs testdata/*.txt. A script is commands, each with what the partition then wants under it, indented. There
// is one schedule, s. Commands:
//
//	run TIME                     the time passes to TIME, the node is up
//	down TIME                    the time passes to TIME, the node is down and then up again
//	late TIME                    the time passes to TIME, and timers are late
//	create SPEC | update SPEC    SPEC is JSON
//	pause NOTE | resume NOTE | delete
//	trigger [POLICY] | backfill FROM TO [POLICY]
//	ended RUN [failed]           RUN without the schedule's id
//	zone NAME AS                 the rules of NAME are now those of AS
//	view
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts in testdata", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(string(text))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Errorf("%s gives (go test -run TestScripts -rewrite writes it, then read the difference)\n%s", file, got)
			}
		})
	}
}

func runScript(text string) string {
	w := newWorld("2026-03-01T00:00:00Z")
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
		if strings.HasPrefix(line, "== ") {
			w = newWorld("2026-03-01T00:00:00Z")
			continue
		}
		w.wants = nil
		for _, l := range append(w.do(line), w.wants...) {
			out.WriteString("\t" + l + "\n")
		}
	}
	return out.String()
}

// do carries out a command and describes its answer; what the partition wants is in w.wants.
func (w *world) do(line string) []string {
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	args := append(strings.Fields(rest), "", "", "")
	policy := func(text string) (o schedule.Overlap) {
		if err := o.UnmarshalText([]byte(text)); err != nil {
			panic(err)
		}
		return o
	}
	switch word {
	case "run":
		w.run(ms(args[0]))
	case "down":
		w.now = ms(args[0])
		w.fire()
	case "late":
		w.now = ms(args[0])
	case "create":
		return w.defineText(OpCreate, rest)
	case "update":
		return w.defineText(OpUpdate, rest)
	case "pause":
		return describeAnswer(w.tell("s", OpPause, []byte(rest)))
	case "resume":
		return describeAnswer(w.tell("s", OpResume, []byte(rest)))
	case "delete":
		return describeAnswer(w.tell("s", OpDelete, nil))
	case "trigger":
		m := TriggerMessage{Overlap: policy(args[0])}
		return describeAnswer(w.tell("s", OpTrigger, m.Encode()))
	case "backfill":
		m := BackfillMessage{From: ms(args[0]), To: ms(args[1]), Overlap: policy(args[2])}
		return describeAnswer(w.tell("s", OpBackfill, m.Encode()))
	case "ended":
		w.ended("s", "s-"+args[0], 3, args[1] == "failed")
	case "zone":
		return describeAnswer(w.tell("s", OpZone, rules(args[0], args[1])))
	case "view":
		return describeView(w.view("s"))
	default:
		panic("unknown command " + word)
	}
	return nil
}

// rules returns the rules of one zone under the name of another.
func rules(name, as string) []byte {
	z, err := schedule.LoadZone(as)
	if err != nil {
		panic(err)
	}
	data := z.Append(nil)
	return append(append([]byte{data[0], byte(len(name))}, name...), data[2+len(as):]...)
}

func (w *world) defineText(op uint8, text string) []string {
	spec, err := schedule.Parse([]byte(text))
	if err != nil {
		return []string{err.Error()}
	}
	return describeAnswer(w.define("s", op, spec))
}

func describeAnswer(answer any) []string {
	switch a := answer.(type) {
	case *View:
		if len(a.Next) == 0 {
			return []string{a.Status.String()}
		}
		return []string{a.Status.String() + ", next " + clock(a.Next[0].Nominal)}
	case *Triggered:
		if a.Waits {
			return []string{a.Run + " waits"}
		}
		return []string{a.Run}
	case *fault.Error:
		return []string{a.Error()}
	}
	return []string{fmt.Sprintf("%v", answer)}
}

func describeView(v *View) (lines []string) {
	if v == nil {
		return []string{"there is none"}
	}
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	add("%s %q, %d left, started %d, skipped %d, missed %d, manual %d", v.Status, v.Note, v.Remaining, v.Counts.Started, v.Counts.Skipped, v.Counts.Missed, v.Counts.Manual)
	if len(v.Next) > 0 {
		next := "next"
		for _, t := range v.Next {
			next += " " + clock(t.Nominal)
			if t.Fire != t.Nominal {
				next += fmt.Sprintf(" (+%v)", time.Duration(t.Fire-t.Nominal)*time.Millisecond)
			}
		}
		lines = append(lines, next)
	}
	for _, r := range v.Running {
		add("runs %s since %s", r.ID, clock(r.Started))
	}
	for _, r := range v.Waiting {
		add("waits %s for %s", r.ID, clock(r.Nominal))
	}
	for _, r := range v.Recent {
		add("ended %s %s to %s status %d failed %t", r.ID, clock(r.Started), clock(r.Ended), r.Status, r.Failed)
	}
	for _, b := range v.Backfills {
		add("backfill from %s to %s %s, reached %s", clock(b.From), clock(b.To), b.Overlap, clock(b.Reached))
	}
	return lines
}
