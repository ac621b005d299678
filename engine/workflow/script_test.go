package workflow_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts in testdata give now into them")

// codes are the workflows of scripts and of the model check, by name and version.
func codes() map[string]durable.Code {
	call := func(w *durable.Flow, name, in string) ([]byte, error) {
		return durable.Call(w, name, []byte(in), nil, nil).Await(w)
	}
	return map[string]durable.Code{
		"call":   func(w *durable.Flow, in []byte) ([]byte, error) { return call(w, "f", string(in)) },
		"callv2": func(w *durable.Flow, in []byte) ([]byte, error) { return call(w, "g", string(in)) },
		"wait":   func(w *durable.Flow, in []byte) ([]byte, error) { return durable.Receive(w, string(in)).Await(w) },
		"busy": func(w *durable.Flow, _ []byte) ([]byte, error) {
			if err := durable.SetStatus(w, []byte(`"busy"`)); err != nil {
				return nil, err
			}
			f := durable.Call(w, "f", nil, nil, nil)
			t := durable.Timer(w, w.Now().Add(time.Minute).UnixMilli())
			e := durable.Receive(w, "e")
			durable.Wait(w, 1, f, t, e)
			return []byte(fmt.Sprint(f.Done(), t.Done(), e.Done())), nil
		},
		"parent": func(w *durable.Flow, in []byte) ([]byte, error) {
			return durable.Child(w, "wait", "", string(in), []byte("e"), nil, nil).Await(w)
		},
		"parent of a call": func(w *durable.Flow, in []byte) ([]byte, error) {
			return durable.Child(w, "call", "", string(in), []byte("e"), nil, nil).Await(w)
		},
		"transfer": func(w *durable.Flow, _ []byte) ([]byte, error) {
			s, err := durable.Enter(w, "e/1", "e/2", "e/3")
			if err != nil {
				return nil, err
			}
			defer s.Leave()
			a, err := durable.CallEntity(w, "e/1", "add", []byte("-5")).Await(w)
			if err != nil {
				return nil, err
			}
			if _, err := durable.Receive(w, "go").Await(w); err != nil {
				return nil, err
			}
			b, err := durable.CallEntity(w, "e/2", "add", []byte("5")).Await(w)
			return []byte(string(a) + " " + string(b)), err
		},
		"ask": func(w *durable.Flow, in []byte) ([]byte, error) {
			return durable.CallEntity(w, "e/1", string(in), nil).Await(w)
		},
		"eternal": func(w *durable.Flow, in []byte) ([]byte, error) {
			n, _ := durable.Receive(w, "n").Await(w)
			durable.Timer(w, 1<<40)
			durable.Call(w, "f", nil, nil, nil)
			return nil, durable.ContinueAsNew(slices.Concat(in, n), "", false)
		},
		"send": func(w *durable.Flow, in []byte) ([]byte, error) {
			if err := durable.Raise(w, string(in), "e", []byte("hello")); err != nil {
				return nil, err
			}
			if err := durable.SignalEntity(w, "e/1", "add", []byte("1"), 0); err != nil {
				return nil, err
			}
			return nil, durable.SignalEntity(w, "e/1", "add", []byte("2"), w.Now().UnixMilli()+500)
		},
		"talk": func(w *durable.Flow, _ []byte) ([]byte, error) {
			for {
				if _, err := call(w, "f", ""); err != nil {
					return nil, err
				}
			}
		},
	}
}

// TestScripts runs testdata/*.txt. A script is commands, each with what it gives under it, indented. After each, messages
// are carried and steps made until nothing is left to do, but for those that are held.
//
//	start ID WORKFLOW INPUT [at=MS] [replace=STATUS,...] [existing] [version=V]
//	raise ID NAME DATA | suspend ID REASON | resume ID REASON | rewind ID REASON | restart ID | purge ID
//	terminate ID REASON [recursive] | tag ID K=V...
//	signal ENTITY OPERATION INPUT [at=MS]
//	done ID CALL DATA | fail ID CALL TYPE | time MS (and the timers that are due)
//	hold INSTANCE | free INSTANCE     messages to it wait
//	absent CODE | present CODE        workflow or entity whose code is not there
//	slow ID | now ID                  the result of its next step comes with now
//	await ID | show NAME | history ID | store | messages
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(t, string(text))
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

type script struct {
	*cluster
	held map[string]bool
}

func runScript(t *testing.T, text string) string {
	s := &script{cluster: newCluster(t, 3, 40), held: make(map[string]bool)}
	s.codes = codes()
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
		s.said = nil
		if err := s.do(line); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		s.quiet(s.held)
		for _, l := range s.said {
			out.WriteString("\t" + strings.ReplaceAll(l, "\n", " / ") + "\n")
		}
	}
	return out.String()
}

func (s *script) do(line string) error {
	f := strings.Fields(line)
	word, id := f[0], ""
	if len(f) > 1 {
		id = f[1]
	}
	rest := strings.Join(f[min(2, len(f)):], " ")
	run := func(op uint8, body []byte) { s.tell(workflow.RunInstance(id), workflow.RunsID, op, body) }
	switch word {
	case "start":
		return s.start(id, f[2:])
	case "raise":
		name, data, _ := strings.Cut(rest, " ")
		run(workflow.OpRaise, (&workflow.Raise{Name: name, Data: []byte(data)}).Encode())
	case "suspend":
		run(workflow.OpSuspend, []byte(rest))
	case "resume":
		run(workflow.OpResume, []byte(rest))
	case "terminate":
		reason, recursive := strings.CutSuffix(rest, " recursive")
		run(workflow.OpTerminate, (&workflow.Terminate{Reason: reason, Recursive: recursive}).Encode())
	case "rewind":
		run(workflow.OpRewind, (&workflow.Rewind{Reason: rest}).Encode())
	case "restart":
		run(workflow.OpRestart, nil)
	case "purge":
		run(workflow.OpPurge, nil)
	case "tag":
		tags := make(map[string]string)
		for _, t := range f[2:] {
			k, v, _ := strings.Cut(t, "=")
			tags[k] = v
		}
		run(workflow.OpTag, durable.AppendTags(nil, tags))
	case "signal":
		return s.signal(id, f[2:])
	case "time":
		return s.time(id)
	case "hold":
		s.held[id] = true
	case "free":
		delete(s.held, id)
	case "slow":
		s.slow[workflow.RunInstance(id)] = true
	case "absent":
		s.absent[id] = true
	case "present":
		delete(s.absent, id)
	default:
		return s.look(word, id, f)
	}
	return nil
}

func (s *script) start(id string, f []string) error {
	m := workflow.Start{Workflow: strings.ReplaceAll(f[0], "_", " "), Seed: 7}
	if len(f) > 1 {
		m.Input = []byte(f[1])
	}
	for _, o := range f[min(2, len(f)):] {
		k, v, _ := strings.Cut(o, "=")
		switch k {
		case "at":
			at, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				return err
			}
			m.At = at
		case "replace":
			for name := range strings.SplitSeq(v, ",") {
				status, ok := durable.ParseStatus(name)
				if !ok {
					return errors.New("no status " + name)
				}
				m.Replace |= 1 << status
			}
		case "existing":
			m.Existing = true
		case "version":
			m.Version = v
		default:
			return errors.New("no option " + k)
		}
	}
	s.tell(workflow.RunInstance(id), workflow.RunsID, workflow.OpStart, m.Encode())
	return nil
}

func (s *script) signal(target string, f []string) error {
	var m workflow.Operation
	for _, o := range f {
		switch at, ok := strings.CutPrefix(o, "at="); {
		case ok:
			due, err := strconv.ParseInt(at, 10, 64)
			if err != nil {
				return err
			}
			m.Due = due
		case m.Name == "":
			m.Name = strings.ReplaceAll(o, "_", " ")
		default:
			m.Input = []byte(o)
		}
	}
	s.tell(workflow.EntityInstance(target), workflow.EntitiesID, workflow.OpSignal, m.Encode())
	return nil
}

func (s *script) time(ms string) (err error) {
	if s.now, err = strconv.ParseInt(ms, 10, 64); err != nil {
		return err
	}
	for _, n := range s.nodes {
		for _, ev := range n.plain.Due(nil, s.now, 100) {
			s.step(n, ev)
		}
	}
	return nil
}

// look does the commands for a run that are no messages.
func (s *script) look(word, id string, f []string) error {
	if word == "messages" {
		for _, k := range s.pairs() {
			for _, ev := range s.queues[k] {
				s.say("%d to %d: %s for %s", k[0], k[1], message(ev), ev.To)
			}
		}
		return nil
	}
	name := workflow.RunInstance(id)
	if strings.Contains(id, "/") {
		name = workflow.EntityInstance(id)
	}
	n, ref, err := s.find(name)
	if err != nil {
		s.say("%v", err)
		return nil
	}
	switch word {
	case "done":
		call, err := strconv.ParseUint(f[2], 10, 64)
		if err != nil {
			return err
		}
		s.step(n, partition.Event{Kind: partition.Done, Ref: ref, ID: call, Body: []byte(strings.Join(f[3:], " "))})
	case "fail":
		call, err := strconv.ParseUint(f[2], 10, 64)
		if err != nil {
			return err
		}
		s.step(n, partition.Event{Kind: partition.Done, Ref: ref, ID: call, Error: f[3], Cause: strings.Join(f[4:], " ")})
	case "await":
		s.say("%t", n.plain.Await(ref))
	case "now":
		s.step(n, s.late[name])
		delete(s.late, name)
	case "show":
		data, program, _ := look(n.plain, nil, ref)
		return s.show(data, program)
	case "history":
		data, _, pending := look(n.plain, nil, ref)
		_, first, err := (&workflow.Runs{}).ReadView(data)
		if err != nil {
			return err
		}
		for _, l := range describeAll(readHistory(n.plain, nil, ref, first, pending)) {
			s.say("%s", l)
		}
	case "store": // where a snapshot has the run's history
		n.saved.Snapshot(n.store, 1)
		n.saved.Applied(0)
		_ = n.store.Scan(partition.HistoryKey(n.cfg.ID, ref, 0), partition.HistoryKey(n.cfg.ID, ref+1, 0), func(k, v []byte) error {
			s.say("chunk from %d", partition.HistoryFirst(k))
			return nil
		})
	default:
		return errors.New("no such command")
	}
	return nil
}

func (s *script) show(data []byte, program partition.ProgramID) error {
	if program == workflow.RunsID {
		view, _, err := (&workflow.Runs{}).ReadView(data)
		if err == nil {
			s.say("%s", describeView(view))
		}
		return err
	}
	view, err := (&workflow.Entities{}).ReadView(data)
	if err == nil {
		s.say("entity %s state %s waiting %d locked by %q", view.Target, view.State, view.Waiting, view.LockedBy)
	}
	return err
}
