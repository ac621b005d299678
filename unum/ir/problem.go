package ir

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/weftworks/weft/asl"
)

// Problem is one thing that is wrong with an app.
type Problem struct {
	File         string // "" for an app that has not been read from files
	Line, Column int    // from 1; 0: of no place in particular
	Where        string // `function "F", next[1]`; may be ""
	Message      string // what is wrong
	Fix          string // what to do about it; may be ""
}

// Error returns `f.yaml:3:5: function "F", next[1]: there is no function "G"; did you mean "H"?`.
func (p *Problem) Error() string {
	text := ""
	if p.File != "" {
		text = p.File + ":"
	}
	if p.Line > 0 {
		text += fmt.Sprintf("%d:%d:", p.Line, p.Column)
	}
	if text != "" {
		text += " "
	}
	if p.Where != "" {
		text += p.Where + ": "
	}
	text += p.Message
	if p.Fix != "" {
		text += "; " + p.Fix
	}
	return text
}

// Problems is all that is wrong with an app, in the order of the files and of the text.
type Problems []Problem

// maxProblems bounds how many are described: a hostile text has very many.
const maxProblems = 100

// Error returns one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i := range ps {
		lines[i] = ps[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns ps as an error, or nil when it is empty.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

func (ps *Problems) add(at pos, where, fix, format string, args ...any) {
	if len(*ps) < maxProblems {
		*ps = append(*ps, Problem{at.file, at.line, at.column, where, fmt.Sprintf(format, args...), fix})
	}
}

func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(ps, func(a, b Problem) bool { return a == b })
}

// meant returns `did you mean "X"?` for the candidate nearest to name, or "".
func meant(name string, candidates []string) string {
	if best := asl.Closest(name, candidates); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return ""
}
