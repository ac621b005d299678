package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// event is one line of `go test -json` (go doc test2json).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// summary prints the text of go test and counts tests. A test with subtests counts by its subtests, and once itself
// only when it failed and none of them did.
type summary struct {
	out             io.Writer
	passed, failed  int
	skipped         []string // "package.Test: reason"
	tests           map[string]*test
	packages        map[string]*strings.Builder
	failedInPackage map[string]int
}

// test is a test that is running. Key: package, a space, name.
type test struct {
	output   strings.Builder
	children int
	failures int // among the children
}

func newSummary(out io.Writer) *summary {
	return &summary{
		out: out, tests: make(map[string]*test), packages: make(map[string]*strings.Builder), failedInPackage: make(map[string]int),
	}
}

// read adds the events of one go test.
func (s *summary) read(r io.Reader) error {
	for dec := json.NewDecoder(r); ; {
		var ev event
		if err := dec.Decode(&ev); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		switch {
		case ev.Action == "build-output":
			s.print(ev.Output)
		case ev.Package == "":
		case ev.Test != "":
			s.test(&ev)
		default:
			s.pkg(&ev)
		}
	}
}

func (s *summary) test(ev *event) {
	key := ev.Package + " " + ev.Test
	t := s.tests[key]
	if t == nil {
		t = &test{}
		s.tests[key] = t
	}
	switch ev.Action {
	case "output":
		if !strings.HasPrefix(ev.Output, "=== ") {
			t.output.WriteString(ev.Output)
		}
		return
	case "pass":
		if t.children == 0 {
			s.passed++
		}
	case "skip":
		s.skipped = append(s.skipped, ev.Package+"."+ev.Test+": "+reason(t.output.String()))
	case "fail":
		if t.failures == 0 {
			s.failed++
			s.failedInPackage[ev.Package]++
		}
		s.print(t.output.String())
	default:
		return
	}
	delete(s.tests, key)
	s.tellParent(ev, key)
}

func (s *summary) tellParent(ev *event, key string) {
	cut := strings.LastIndexByte(key, '/')
	if cut < len(ev.Package) {
		return
	}
	if parent := s.tests[key[:cut]]; parent != nil {
		parent.children++
		if ev.Action == "fail" {
			parent.failures++
		}
	}
}

func (s *summary) pkg(ev *event) {
	b := s.packages[ev.Package]
	if b == nil {
		b = &strings.Builder{}
		s.packages[ev.Package] = b
	}
	switch ev.Action {
	case "output":
		b.WriteString(ev.Output)
		return
	case "pass", "skip":
		s.print(verdict(b.String()))
	case "fail":
		s.unfinished(ev.Package)
		s.print(b.String())
		if s.failedInPackage[ev.Package] == 0 {
			s.failed++ // it did not build, or its process ended
		}
	default:
		return
	}
	delete(s.packages, ev.Package)
}

// unfinished prints what the tests that a dying process left behind had said.
func (s *summary) unfinished(pkg string) {
	for _, key := range slices.Sorted(maps.Keys(s.tests)) {
		if strings.HasPrefix(key, pkg+" ") {
			s.print(s.tests[key].output.String())
			delete(s.tests, key)
		}
	}
}

func (s *summary) print(text string) { _, _ = io.WriteString(s.out, text) }

func (s *summary) report() {
	for _, line := range s.skipped {
		_, _ = fmt.Fprintf(s.out, "skipped: %s\n", line)
	}
	_, _ = fmt.Fprintf(s.out, "%d passed, %d failed\n", s.passed, s.failed)
}

// verdict is the line of a package that did not fail: all that go test shows of it without -v.
func verdict(output string) string {
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "?   \t") {
			return line
		}
	}
	return ""
}

// reason is what t.Skip was given: the text after "file.go:12: ".
func reason(output string) string {
	for line := range strings.Lines(output) {
		if _, text, ok := strings.Cut(line, ".go:"); ok {
			if _, why, ok := strings.Cut(text, ": "); ok {
				return strings.TrimSpace(why)
			}
		}
	}
	return "no reason given"
}
