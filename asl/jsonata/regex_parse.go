package jsonata

import (
	"errors"
	"slices"
	"unicode"
	"unicode/utf16"
)

// maxRegexNesting bounds groups inside each other.
const maxRegexNesting = 200

// maxCode bounds the instructions of one regular expression.
const maxCode = 1 << 16

// regexNode is a part of a regular expression.
type regexNode struct {
	op          opcode
	unit        uint16
	class       *class
	list        []*regexNode // of a sequence (opJump) or alternatives (opSplit)
	group       int          // of opSave: its number; 0 only groups. Of opBack
	name        string       // of a back reference by name
	behind, neg bool
	least, most int // of opLoop, over list[0]
	lazy        bool
	from, to    int // groups inside: from < g <= to
}

type regexParser struct {
	u      []uint16
	at     int
	depth  int
	groups int
	total  int
	names  map[string]int
	named  bool
	nodes  int
}

func compileRegex(source, flags string) (*regex, error) {
	p := &regexParser{u: units(source), names: make(map[string]int)}
	p.total, p.named = countGroups(p.u)
	n, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	if p.at < len(p.u) {
		return nil, errors.New("Unmatched ')'")
	}
	re := &regex{source: source, groups: p.groups, registers: 2 * (p.groups + 1), first: -1}
	for _, f := range flags {
		re.ignoreCase = re.ignoreCase || f == 'i'
		re.multiline = re.multiline || f == 'm'
	}
	if err := re.emit(n, p.names, false); err != nil {
		return nil, err
	}
	re.code = append(re.code, inst{op: opMatch})
	if re.code[0].op == opChar && !re.ignoreCase {
		re.first = int(re.code[0].unit)
	}
	return re, nil
}

// countGroups counts capturing groups ahead: whether \2 is a reference depends on it.
func countGroups(u []uint16) (n int, named bool) {
	inClass := false
	for i := 0; i < len(u); i++ {
		switch {
		case u[i] == '\\':
			i++
		case u[i] == '[':
			inClass = true
		case u[i] == ']':
			inClass = false
		case u[i] == '(' && !inClass:
			if i+1 < len(u) && u[i+1] == '?' {
				if i+3 < len(u) && u[i+2] == '<' && u[i+3] != '=' && u[i+3] != '!' {
					n, named = n+1, true
				}
				continue
			}
			n++
		}
	}
	return n, named
}

func (p *regexParser) peek() rune {
	if p.at < len(p.u) {
		return rune(p.u[p.at])
	}
	return -1
}

func (p *regexParser) accept(text string) bool {
	if p.at+len(text) > len(p.u) {
		return false
	}
	for i := range len(text) {
		if p.u[p.at+i] != uint16(text[i]) {
			return false
		}
	}
	p.at += len(text)
	return true
}

func (p *regexParser) alternatives() (*regexNode, error) {
	if p.depth++; p.depth > maxRegexNesting {
		return nil, errors.New("Regular expression too large")
	}
	defer func() { p.depth-- }()
	out := &regexNode{op: opSplit}
	for {
		seq := &regexNode{op: opJump}
		for p.at < len(p.u) && p.u[p.at] != '|' && p.u[p.at] != ')' {
			if p.nodes++; p.nodes > maxCode {
				return nil, errors.New("Regular expression too large")
			}
			n, err := p.term()
			if err != nil {
				return nil, err
			}
			seq.list = append(seq.list, n)
		}
		out.list = append(out.list, seq)
		if !p.accept("|") {
			break
		}
	}
	if len(out.list) == 1 {
		return out.list[0], nil
	}
	return out, nil
}

func (p *regexParser) term() (*regexNode, error) {
	before := p.groups
	n, repeats, err := p.atom()
	if err != nil {
		return nil, err
	}
	least, most, ok, err := p.quantifier()
	if err != nil || !ok {
		return n, err
	}
	if !repeats {
		return nil, errors.New("Nothing to repeat")
	}
	return &regexNode{op: opLoop, list: []*regexNode{n}, least: least, most: most, lazy: p.accept("?"), from: before, to: p.groups}, nil
}

// quantifier reads *, +, ? or {n,m}; braces that are none are themselves.
func (p *regexParser) quantifier() (least, most int, ok bool, err error) {
	switch {
	case p.accept("*"):
		return 0, many, true, nil
	case p.accept("+"):
		return 1, many, true, nil
	case p.accept("?"):
		return 0, 1, true, nil
	case p.peek() != '{':
		return 0, 0, false, nil
	}
	start := p.at
	p.at++
	least, found := p.integer()
	if !found {
		p.at = start
		return 0, 0, false, nil
	}
	most = least
	if p.accept(",") {
		if most, found = p.integer(); !found {
			most = many
		}
	}
	if !p.accept("}") {
		p.at = start
		return 0, 0, false, nil
	}
	if most < least {
		return 0, 0, false, errors.New("numbers out of order in {} quantifier")
	}
	return least, most, true, nil
}

func (p *regexParser) integer() (n int, ok bool) {
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		n, ok = min(n*10+int(c-'0'), many), true
		p.at++
	}
	return n, ok
}

// atom reads what a quantifier may follow; repeats false says that none may.
func (p *regexParser) atom() (n *regexNode, repeats bool, err error) {
	c := p.u[p.at]
	p.at++
	switch c {
	case '^':
		return &regexNode{op: opBegin}, false, nil
	case '$':
		return &regexNode{op: opEnd}, false, nil
	case '.':
		return &regexNode{op: opAny}, true, nil
	case '(':
		return p.group()
	case '[':
		set, err := p.class()
		return &regexNode{op: opClass, class: set}, true, err
	case '\\':
		return p.escape()
	case '*', '+', '?':
		return nil, false, errors.New("Nothing to repeat")
	case '{':
		p.at--
		if _, _, ok, err := p.quantifier(); ok || err != nil {
			return nil, false, errors.New("Nothing to repeat")
		}
		p.at++
	}
	return &regexNode{op: opChar, unit: c}, true, nil
}

func (p *regexParser) group() (*regexNode, bool, error) {
	out := &regexNode{op: opSave}
	repeats := true
	switch {
	case p.accept("?:"):
	case p.accept("?="):
		out.op = opLook
	case p.accept("?!"):
		out.op, out.neg = opLook, true
	case p.accept("?<="):
		out.op, out.behind, repeats = opLook, true, false
	case p.accept("?<!"):
		out.op, out.behind, out.neg, repeats = opLook, true, true, false
	case p.accept("?<"):
		p.groups++
		out.group = p.groups
		name, err := p.groupName()
		if err != nil {
			return nil, false, err
		}
		if _, taken := p.names[name]; taken {
			return nil, false, errors.New("Duplicate capture group name")
		}
		p.names[name] = out.group
	case p.peek() == '?':
		return nil, false, errors.New("Invalid group")
	default:
		p.groups++
		out.group = p.groups
	}
	out.from = p.groups
	body, err := p.alternatives()
	if err != nil {
		return nil, false, err
	}
	if !p.accept(")") {
		return nil, false, errors.New("Unterminated group")
	}
	out.list = []*regexNode{body}
	return out, repeats, nil
}

func (p *regexParser) groupName() (string, error) {
	end := slices.Index(p.u[p.at:], '>')
	if end <= 0 {
		return "", errors.New("Invalid capture group name")
	}
	name := string(utf16.Decode(p.u[p.at : p.at+end]))
	for i, r := range name {
		if r != '$' && r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return "", errors.New("Invalid capture group name")
		}
	}
	p.at += end + 1
	return name, nil
}

// escape reads an escape outside of classes, behind the backslash.
func (p *regexParser) escape() (*regexNode, bool, error) {
	if p.at >= len(p.u) {
		return nil, false, errors.New("\\ at end of pattern")
	}
	c := p.u[p.at]
	switch {
	case c == 'b' || c == 'B':
		p.at++
		op := opWord
		if c == 'B' {
			op = opNotWord
		}
		return &regexNode{op: op}, false, nil
	case c >= '1' && c <= '9':
		start := p.at
		if n, _ := p.integer(); n <= p.total {
			return &regexNode{op: opBack, group: n}, true, nil
		}
		p.at = start
	case c == 'k' && p.named:
		p.at++
		if !p.accept("<") {
			return nil, false, errors.New("Invalid named reference")
		}
		name, err := p.groupName()
		return &regexNode{op: opBack, name: name}, true, err
	}
	if set := p.classEscape(); set != nil {
		return &regexNode{op: opClass, class: set}, true, nil
	}
	return &regexNode{op: opChar, unit: p.character()}, true, nil
}

// classEscape reads d, w, s or their opposites.
func (p *regexParser) classEscape() *class {
	set := &class{}
	switch c := p.u[p.at]; c {
	case 'd', 'D':
		set.add('0', '9')
		set.negated = c == 'D'
	case 'w', 'W':
		for _, r := range [][2]uint16{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}} {
			set.add(r[0], r[1])
		}
		set.negated = c == 'W'
	case 's', 'S':
		for _, r := range blanks {
			set.add(r[0], r[1])
		}
		set.negated = c == 'S'
	default:
		return nil
	}
	p.at++
	return set
}

// character reads the escape of one unit.
func (p *regexParser) character() uint16 {
	c := p.u[p.at]
	p.at++
	switch c {
	case 't':
		return '\t'
	case 'n':
		return '\n'
	case 'v':
		return '\v'
	case 'f':
		return '\f'
	case 'r':
		return '\r'
	case 'c':
		if next := p.peek(); next >= 'a' && next <= 'z' || next >= 'A' && next <= 'Z' {
			p.at++
			return uint16(next & 31)
		}
		p.at--
		return '\\'
	case 'x':
		return p.hex(2, c)
	case 'u':
		return p.hex(4, c)
	case '0', '1', '2', '3', '4', '5', '6', '7':
		v := c - '0'
		for next := p.peek(); next >= '0' && next <= '7' && v*8+uint16(next-'0') <= 0o377; next = p.peek() {
			v = v*8 + uint16(next-'0')
			p.at++
		}
		return v
	}
	return c
}

// hex reads n hexadecimal digits, or nothing: then the letter stands for itself.
func (p *regexParser) hex(n int, letter uint16) uint16 {
	v := uint16(0)
	for i := range n {
		if p.at+i >= len(p.u) {
			return letter
		}
		switch c := p.u[p.at+i]; {
		case c >= '0' && c <= '9':
			v = v<<4 | (c - '0')
		case c|32 >= 'a' && c|32 <= 'f':
			v = v<<4 | (c | 32 - 'a' + 10)
		default:
			return letter
		}
	}
	p.at += n
	return v
}

// class reads a class behind its bracket.
func (p *regexParser) class() (*class, error) {
	set := &class{negated: p.accept("^")}
	for {
		if p.at >= len(p.u) {
			return nil, errors.New("Unterminated character class")
		}
		if p.accept("]") {
			return set, nil
		}
		low, inner, err := p.classAtom()
		if err != nil {
			return nil, err
		}
		if p.peek() != '-' || p.at+1 >= len(p.u) || p.u[p.at+1] == ']' {
			set.include(low, low, inner)
			continue
		}
		p.at++
		high, inner2, err := p.classAtom()
		if err != nil {
			return nil, err
		}
		switch {
		case inner != nil || inner2 != nil: // no range: the three of them
			set.include(low, low, inner)
			set.include(high, high, inner2)
			set.add('-', '-')
		case high < low:
			return nil, errors.New("Range out of order in character class")
		default:
			set.add(low, high)
		}
	}
}

func (p *regexParser) classAtom() (unit uint16, inner *class, err error) {
	unit = p.u[p.at]
	p.at++
	if unit != '\\' {
		return unit, nil, nil
	}
	if p.at >= len(p.u) {
		return 0, nil, errors.New("\\ at end of pattern")
	}
	if inner = p.classEscape(); inner != nil {
		return 0, inner, nil
	}
	switch p.u[p.at] {
	case 'b':
		p.at++
		return '\b', nil, nil
	case '-':
		p.at++
		return '-', nil, nil
	}
	return p.character(), nil, nil
}

// emit writes the code of a node; back is the direction.
func (re *regex) emit(n *regexNode, names map[string]int, back bool) error {
	if len(re.code) > maxCode {
		return errors.New("Regular expression too large")
	}
	put := func(in inst) int {
		in.back = back
		re.code = append(re.code, in)
		return len(re.code) - 1
	}
	switch n.op {
	case opChar:
		unit := n.unit
		if re.ignoreCase {
			unit = canonical(unit)
		}
		put(inst{op: opChar, unit: unit})
	case opJump:
		for i := range n.list {
			if back {
				i = len(n.list) - 1 - i
			}
			if err := re.emit(n.list[i], names, back); err != nil {
				return err
			}
		}
	case opSplit:
		return re.emitAlternatives(n, names, back)
	case opSave:
		return re.emitGroup(n, names, back)
	case opLoop:
		return re.emitLoop(n, names, back)
	case opLook:
		neg := 0
		if n.neg {
			neg = 1
		}
		at := put(inst{op: opLook, x: neg})
		if err := re.emit(n.list[0], names, n.behind); err != nil {
			return err
		}
		put(inst{op: opMatch})
		re.code[at].y = len(re.code)
	case opBack:
		group := n.group
		if n.name != "" {
			var ok bool
			if group, ok = names[n.name]; !ok {
				return errors.New("Invalid named capture referenced")
			}
		}
		put(inst{op: opBack, x: group})
	default:
		put(inst{op: n.op, class: n.class})
	}
	return nil
}

func (re *regex) emitAlternatives(n *regexNode, names map[string]int, back bool) error {
	var jumps []int
	for i, alt := range n.list {
		split := -1
		if i < len(n.list)-1 {
			split = len(re.code)
			re.code = append(re.code, inst{op: opSplit, x: split + 1})
		}
		if err := re.emit(alt, names, back); err != nil {
			return err
		}
		if split >= 0 {
			jumps = append(jumps, len(re.code))
			re.code = append(re.code, inst{op: opJump})
			re.code[split].y = len(re.code)
		}
	}
	for _, at := range jumps {
		re.code[at].x = len(re.code)
	}
	return nil
}

func (re *regex) emitGroup(n *regexNode, names map[string]int, back bool) error {
	first, second := 2*n.group, 2*n.group+1
	if back {
		first, second = second, first
	}
	if n.group > 0 {
		re.code = append(re.code, inst{op: opSave, x: first})
	}
	if err := re.emit(n.list[0], names, back); err != nil {
		return err
	}
	if n.group > 0 {
		re.code = append(re.code, inst{op: opSave, x: second})
	}
	return nil
}

func (re *regex) emitLoop(n *regexNode, names map[string]int, back bool) error {
	body := n.list[0]
	if (body.op == opChar || body.op == opAny || body.op == opClass) && !n.lazy && !back {
		in := inst{op: opRun, body: body.op, unit: body.unit, class: body.class, least: n.least, most: n.most}
		if re.ignoreCase {
			in.unit = canonical(in.unit)
		}
		re.code = append(re.code, in)
		return nil
	}
	in := inst{x: re.registers, least: n.least, most: n.most, lazy: n.lazy, from: 2*n.from + 2, to: 2*n.to + 2}
	re.registers += 2
	re.code = append(re.code, inst{op: opSet, x: in.x})
	loop := len(re.code)
	in.op = opLoop
	re.code = append(re.code, in)
	in.op = opEnter
	re.code = append(re.code, in)
	if err := re.emit(body, names, back); err != nil {
		return err
	}
	in.op, in.y = opRound, loop
	re.code = append(re.code, in)
	re.code[loop].y = len(re.code)
	return nil
}

// class is a set of units.
type class struct {
	negated bool
	ranges  [][2]uint16
	inner   []*class
}

func (s *class) add(low, high uint16) { s.ranges = append(s.ranges, [2]uint16{low, high}) }

func (s *class) include(low, high uint16, inner *class) {
	if inner != nil {
		s.inner = append(s.inner, inner)
		return
	}
	s.add(low, high)
}

// has reports whether the class takes a unit; with fold, whether it takes one that is the same but for case.
func (s *class) has(c uint16, fold bool) bool {
	in := s.holds(c)
	if fold && !in {
		k := canonical(c)
		for r := unicode.SimpleFold(rune(c)); r != rune(c) && !in; r = unicode.SimpleFold(r) {
			in = r <= 0xFFFF && canonical(uint16(r)) == k && s.holds(uint16(r))
		}
	}
	return in != s.negated
}

func (s *class) holds(c uint16) bool {
	for _, r := range s.ranges {
		if c >= r[0] && c <= r[1] {
			return true
		}
	}
	for _, in := range s.inner {
		if in.holds(c) != in.negated {
			return true
		}
	}
	return false
}

// blanks are what \s takes.
var blanks = [][2]uint16{
	{'\t', '\r'}, {' ', ' '}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F},
	{0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF},
}

func lineEnd(c uint16) bool { return c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029 }

func wordUnit(c uint16) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c == '_' || c >= 'a' && c <= 'z'
}

// canonical is Canonicalize of ECMA-262, 22.2.2.7.3, without the flag u.
func canonical(c uint16) uint16 {
	if c < 0x80 {
		if c >= 'a' && c <= 'z' {
			return c - 32
		}
		return c
	}
	up := unicode.ToUpper(rune(c))
	if up > 0xFFFF || up < 0x80 || isSurrogate(rune(c)) {
		return c
	}
	return uint16(up)
}
