package asl

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// Code says what sort of problem a definition has, in the codes of ValidateStateMachineDefinition.
type Code string

// The codes. NotSupported is ours: the definition is good, but Weft lacks what it uses.
const (
	InvalidJSON       Code = "INVALID_JSON_DESCRIPTION"
	SchemaInvalid     Code = "SCHEMA_VALIDATION_FAILED"
	MissingTarget     Code = "MISSING_TRANSITION_TARGET"
	MissingEnd        Code = "MISSING_END_STATE"
	DuplicateState    Code = "DUPLICATE_STATE_NAME"
	InvalidStateName  Code = "INVALID_STATE_NAME"
	InvalidQuery      Code = "INVALID_JSONATA_EXPRESSION"
	UnsupportedQuery  Code = "UNSUPPORTED_JSONATA_EXPRESSION"
	DuplicateVariable Code = "DUPLICATE_VARIABLE_NAME"
	NotSupported      Code = "NOT_SUPPORTED"
	maxProblems            = 100 // as many as one answer of ValidateStateMachineDefinition holds
	maxServiceSource       = 500 // characters of a text that Step Functions quotes in a position
)

// Problem is one thing wrong with a definition.
type Problem struct {
	Pos     Pos
	Path    string // a JSON pointer: "/States/A/Next"
	Where   string // for a person: `state "A", Next`
	Code    Code
	Message string // what is wrong
	Fix     string // what to write instead; may be ""
	// ServiceMessage and ServiceLocation are what Step Functions' API answers for it.
	ServiceMessage  string
	ServiceLocation string // "" when there is none
}

// service sets what Step Functions answers for the problem: its words, at the object that holds the field.
func (p *Problem) service(at *spot, format string, args ...any) {
	p.ServiceMessage, p.ServiceLocation = fmt.Sprintf(format, args...), at.location()
}

// Error returns `line 3, column 5: state "A", Next: there is no state "B"; did you mean "C"?`.
func (p *Problem) Error() string {
	text := fmt.Sprintf("line %d, column %d: ", p.Pos.Line, p.Pos.Column)
	if p.Where != "" {
		text += p.Where + ": "
	}
	text += p.Message
	if p.Fix != "" {
		text += "; " + p.Fix
	}
	return text
}

// withoutLocation sets what Step Functions answers for a problem of the whole.
func (p *Problem) withoutLocation(message string) {
	p.ServiceMessage, p.ServiceLocation = message, ""
}

// Problems is everything wrong with a definition, in the order of the text.
type Problems []Problem

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

// Unsupported reports whether the definition is good but for what Weft does not support yet.
func (ps Problems) Unsupported() bool {
	for i := range ps {
		if ps[i].Code != NotSupported {
			return false
		}
	}
	return len(ps) > 0
}

// Service returns the problems that Step Functions would find too: all but NotSupported ones, or all when
// there are no others.
func (ps Problems) Service() Problems {
	if ps.Unsupported() {
		return ps
	}
	var found Problems
	for i := range ps {
		if ps[i].Code != NotSupported {
			found = append(found, ps[i])
		}
	}
	return found
}

// ServiceMessage returns the message of Step Functions' InvalidDefinition error.
func (ps Problems) ServiceMessage() string {
	parts := []string{}
	for _, p := range ps.Service() {
		part := string(p.Code) + ": " + p.ServiceMessage
		switch {
		case p.Code == InvalidJSON: // its message has the location
		case p.Code == MissingEnd:
			part += " at null"
		case p.ServiceLocation != "":
			part += " at " + p.ServiceLocation
		}
		parts = append(parts, part)
	}
	return "Invalid State Machine Definition: '" + strings.Join(parts, ", ") + "'"
}

// spot is a value of the definition with the way to it.
type spot struct {
	up    *spot
	key   string // of a member; "" for an item of an array
	item  int
	keyAt int // offset of the key; -1 for an item
	node  *jsonvalue.Node
}

// member returns the member of that name, or nil.
func (s *spot) member(key string) *spot {
	if m := s.find(key); m != nil {
		return &spot{up: s, key: key, keyAt: m.KeyOffset, node: &m.Value}
	}
	return nil
}

// find returns the last member of that name, or nil.
func (s *spot) find(key string) *jsonvalue.NodeMember {
	for i := len(s.node.Members) - 1; i >= 0; i-- {
		if m := &s.node.Members[i]; m.Key == key {
			return m
		}
	}
	return nil
}

func (s *spot) has(key string) bool { return s.find(key) != nil }

// at returns the i-th item of an array or member of an object.
func (s *spot) at(i int) *spot {
	if s.node.Kind == jsonvalue.KindObject {
		m := &s.node.Members[i]
		return &spot{up: s, key: m.Key, keyAt: m.KeyOffset, node: &m.Value}
	}
	return &spot{up: s, item: i, keyAt: -1, node: &s.node.Items[i]}
}

func (s *spot) name() string {
	if s.keyAt < 0 {
		return strconv.Itoa(s.item)
	}
	return s.key
}

// index is an item's place as ways write it: [0].
func (s *spot) index() string { return "[" + strconv.Itoa(s.item) + "]" }

// pointer returns the way as a JSON pointer; the definition itself is "/", as in Step Functions' answers.
func (s *spot) pointer() string {
	if s.up == nil {
		return "/"
	}
	text := ""
	for ; s.up != nil; s = s.up {
		text = "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(s.name()) + text
	}
	return text
}

// location returns the way as Step Functions' answers write it: /States/A/Choices[0]/Next.
func (s *spot) location() string {
	if s.up == nil {
		return "/"
	}
	text := ""
	for ; s.up != nil; s = s.up {
		if s.keyAt < 0 {
			text = s.index() + text
		} else {
			text = "/" + s.key + text
		}
	}
	return text
}

// where returns the way for a person: the innermost state, and what inside it.
func (s *spot) where() string {
	inside := ""
	for ; s.up != nil; s = s.up {
		switch {
		case s.keyAt < 0:
			inside = fmt.Sprintf("[%d]%s", s.item, joint(inside))
		case s.isState():
			if inside == "" {
				return fmt.Sprintf("state %q", s.key)
			}
			return fmt.Sprintf("state %q, %s", s.key, inside)
		default:
			inside = s.key + joint(inside)
		}
	}
	return inside
}

func joint(inside string) string {
	if inside == "" || inside[0] == '[' {
		return inside
	}
	return "." + inside
}

func (s *spot) isState() bool { return s.up.key == "States" && s.up.keyAt >= 0 && s.keyAt >= 0 }

// report adds a problem at s. In fix and message the definition's own words are quoted.
func (p *parser) report(s *spot, code Code, fix, format string, args ...any) *Problem {
	offset := s.node.Offset
	return p.reportAt(s, offset, code, fix, format, args...)
}

// reportKey is report at the key of s.
func (p *parser) reportKey(s *spot, code Code, fix, format string, args ...any) *Problem {
	return p.reportAt(s, max(s.keyAt, 0), code, fix, format, args...)
}

func (p *parser) reportAt(s *spot, offset int, code Code, fix, format string, args ...any) *Problem {
	if p.full() {
		p.dropped++
		return &Problem{}
	}
	message := fmt.Sprintf(format, args...)
	at := Problem{Pos: p.pos(offset), Path: s.pointer(), Where: s.where(), Code: code, Message: message, Fix: fix, ServiceMessage: message}
	at.ServiceLocation = s.location()
	p.problems = append(p.problems, at)
	return &p.problems[len(p.problems)-1]
}

// full reports that no more problems are described, only counted: a hostile definition has very many.
func (p *parser) full() bool { return len(p.problems) >= maxProblems }

// closest is the function of that name, while there is a use for its answer.
func (p *parser) closest(name string, candidates func() []string) string {
	if p.full() {
		return ""
	}
	return closest(name, candidates())
}

// soon reports the first use of something that Weft does not support yet.
func (p *parser) soon(s *spot, feature string) {
	if p.announced[feature] {
		return
	}
	p.announced[feature] = true
	offset := s.keyAt
	if offset < 0 {
		offset = s.node.Offset
	}
	p.reportAt(s, offset, NotSupported, "", "%s is not supported yet", feature)
}

// closest returns ` did you mean "X"?` for the candidate that most resembles name, or "".
func closest(name string, candidates []string) string {
	best := Closest(name, candidates)
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// distance is the number of insertions, deletions, substitutions and swaps of neighbours between a and b, or
// at least limit when it is not below it.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// Closest returns the candidate that most resembles name as a person may have meant it, or "".
func Closest(name string, candidates []string) string {
	best, bestAt := "", min(max(1, len(name)/3)+1, len(name))
	for _, c := range candidates {
		if strings.EqualFold(c, name) {
			return c
		}
		if d := distance(name, c, bestAt); d < bestAt {
			best, bestAt = c, d
		}
	}
	return best
}
