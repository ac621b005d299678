package jsonata

// Regular expressions are JavaScript's (ECMA-262, 22.2, with annex B and without the flag u): they match UTF-16
// units, know look-around and back references, and take the first alternative that works. Such expressions can take
// exponential time, which RE2 avoids by not having them; here every step of the matcher counts against the
// evaluation's budget instead.

// regex is a compiled regular expression.
type regex struct {
	source     string
	code       []inst
	groups     int // captures beside the whole match
	registers  int // two for each capture, then those of loops
	ignoreCase bool
	multiline  bool
	first      int // the unit every match begins with; -1: not known
}

type opcode uint8

const (
	opMatch   opcode = iota // the end, of the whole or of a look-around
	opChar                  // a unit
	opAny                   // "."
	opClass                 // [...]
	opSplit                 // go on at x, else at y
	opJump                  // go on at x
	opSave                  // register x is where we are
	opSet                   // register x is y
	opLoop                  // decide on another round of the loop
	opEnter                 // begin a round
	opRound                 // end a round
	opRun                   // a loop over one unit: as many as there are, step by step back
	opBegin                 // ^
	opEnd                   // $
	opWord                  // \b
	opNotWord               // \B
	opBack                  // a back reference to group x
	opLook                  // look-around up to y; x: negative
)

// inst is an instruction. Of loops: registers x (rounds) and x+1 (where the round began), least and most rounds,
// captures from..to cleared each round, y is behind the loop.
type inst struct {
	op          opcode
	back        bool // matches backwards, inside look-behind
	lazy        bool
	unit        uint16
	x, y        int
	least, most int
	from, to    int
	class       *class
	body        opcode // of opRun: opChar, opAny or opClass
}

// subject is a text being matched: in UTF-16 units, which for ASCII are the bytes.
type subject struct {
	s string
	u []uint16
}

func newSubject(s string) *subject {
	if ascii(s) {
		return &subject{s: s}
	}
	return &subject{s: s, u: units(s)}
}

func (t *subject) len() int {
	if t.u != nil {
		return len(t.u)
	}
	return len(t.s)
}

func (t *subject) at(i int) uint16 {
	if t.u != nil {
		return t.u[i]
	}
	return uint16(t.s[i])
}

// part is substring(i, j).
func (t *subject) part(i, j int) string {
	if i > j {
		i, j = j, i
	}
	i, j = max(min(i, t.len()), 0), max(min(j, t.len()), 0)
	if t.u != nil {
		return fromUnits(t.u[i:j])
	}
	return t.s[i:j]
}

// point is something to go back to: a place to go on from, or a register to restore.
type point struct {
	pc  int // -1: restore register at from value low
	at  int
	low int // of a run: the lowest place to go on from; else equal to at
}

// maxPoints bounds the memory of one match.
const maxPoints = 1 << 20

type matcher struct {
	*regex
	*subject
	ev    *evaluator
	reg   []int
	stack []point
	steps int
}

// exec finds the first match at or behind from. It returns the registers, of which the first 2*(groups+1) are
// captures, -1 where they took no part; nil is no match.
func (re *regex) exec(ev *evaluator, t *subject, from int) ([]int, error) {
	m := &matcher{regex: re, subject: t, ev: ev, reg: make([]int, re.registers)}
	for i := range m.reg {
		m.reg[i] = -1 // and again after every attempt that failed, as going back undoes it all
	}
	for at := from; at <= t.len(); at++ {
		if re.first >= 0 {
			start := at
			for at < t.len() && int(t.at(at)) != re.first {
				at++
			}
			m.steps += (at - start) / 8
			if at == t.len() {
				break
			}
		}
		m.stack = m.stack[:0]
		end, ok, err := m.run(0, at)
		if err != nil {
			return nil, err
		}
		if ok {
			m.reg[0], m.reg[1] = at, end
			return m.reg, ev.spend(int64(m.steps/8 + 1))
		}
	}
	return nil, ev.spend(int64(m.steps/8 + 1))
}

// set gives a register a value that going back undoes.
func (m *matcher) set(reg, v int) {
	if m.reg[reg] != v {
		m.stack = append(m.stack, point{pc: -1, at: reg, low: m.reg[reg]})
		m.reg[reg] = v
	}
}

func (m *matcher) push(pc, at int) { m.stack = append(m.stack, point{pc, at, at}) }

// back goes back to the last choice above base.
func (m *matcher) back(base int) (pc, at int, ok bool) {
	for len(m.stack) > base {
		p := &m.stack[len(m.stack)-1]
		if p.pc < 0 {
			m.reg[p.at] = p.low
			m.stack = m.stack[:len(m.stack)-1]
			continue
		}
		pc, at = p.pc, p.at
		if p.at > p.low {
			p.at--
		} else {
			m.stack = m.stack[:len(m.stack)-1]
		}
		return pc, at, true
	}
	return 0, 0, false
}

// run executes from pc on until a match; what is left on the stack then are the choices not taken.
func (m *matcher) run(pc, at int) (end int, ok bool, err error) {
	base := len(m.stack)
	for {
		if m.steps++; m.steps >= 1024 {
			if err := m.ev.spend(int64(m.steps / 8)); err != nil {
				return 0, false, err
			}
			m.steps = 0
		}
		if len(m.stack) > maxPoints {
			return 0, false, m.ev.tooDeep()
		}
		in := &m.code[pc]
		if in.op == opMatch {
			return at, true, nil
		}
		next, to, fine := m.step(in, pc, at)
		if in.op == opLook {
			if fine, err = m.look(in, pc, at); err != nil {
				return 0, false, err
			}
		}
		if !fine {
			if next, to, fine = m.back(base); !fine {
				return 0, false, nil
			}
		}
		pc, at = next, to
	}
}

// step executes one instruction; ok false is a mismatch.
func (m *matcher) step(in *inst, pc, at int) (next, to int, ok bool) {
	switch in.op {
	case opChar, opAny, opClass:
		i, to := at, at+1
		if in.back {
			i, to = at-1, at-1
		}
		return pc + 1, to, i >= 0 && i < m.len() && m.takes(in, in.op, m.at(i))
	case opSplit:
		m.push(in.y, at)
		return in.x, at, true
	case opJump:
		return in.x, at, true
	case opSave:
		m.set(in.x, at)
	case opSet:
		m.set(in.x, in.y)
	case opLoop:
		return m.loop(in, pc, at), at, true
	case opEnter:
		m.set(in.x, m.reg[in.x]+1)
		m.set(in.x+1, at)
		for r := in.from; r < in.to; r++ {
			m.set(r, -1)
		}
	case opRound:
		return in.y, at, m.reg[in.x+1] != at || m.reg[in.x] <= in.least
	case opRun:
		return m.greedy(in, pc, at)
	case opBegin:
		return pc + 1, at, at == 0 || m.multiline && lineEnd(m.at(at-1))
	case opEnd:
		return pc + 1, at, at == m.len() || m.multiline && lineEnd(m.at(at))
	case opWord, opNotWord:
		edge := (at > 0 && wordUnit(m.at(at-1))) != (at < m.len() && wordUnit(m.at(at)))
		return pc + 1, at, edge == (in.op == opWord)
	case opBack:
		to, ok := m.reference(in, at)
		return pc + 1, to, ok
	case opLook:
		return in.y, at, true
	}
	return pc + 1, at, true
}

// loop decides on another round.
func (m *matcher) loop(in *inst, pc, at int) (next int) {
	rounds := m.reg[in.x]
	switch {
	case rounds < in.least:
		return pc + 1
	case rounds >= in.most:
		return in.y
	case in.lazy:
		m.push(pc+1, at)
		return in.y
	}
	m.push(in.y, at)
	return pc + 1
}

// greedy takes as many units as there are, and remembers that fewer would do.
func (m *matcher) greedy(in *inst, pc, at int) (next, to int, ok bool) {
	to = at
	for to < m.len() && to-at < in.most && m.takes(in, in.body, m.at(to)) {
		to++
	}
	m.steps += (to - at) / 8
	if to-at < in.least {
		return 0, 0, false
	}
	if low := at + in.least; to > low {
		m.stack = append(m.stack, point{pc + 1, to - 1, low})
	}
	return pc + 1, to, true
}

// takes reports whether an instruction over one unit takes c.
func (m *matcher) takes(in *inst, op opcode, c uint16) bool {
	switch op {
	case opChar:
		return c == in.unit || m.ignoreCase && canonical(c) == in.unit
	case opAny:
		return !lineEnd(c)
	}
	m.steps += len(in.class.ranges) / 8
	return in.class.has(c, m.ignoreCase)
}

// reference matches what a group has matched; a group that took no part matches nothing.
func (m *matcher) reference(in *inst, at int) (to int, ok bool) {
	from, end := m.reg[2*in.x], m.reg[2*in.x+1]
	if from < 0 || end < 0 {
		return at, true
	}
	size := end - from
	start := at
	if in.back {
		start = at - size
	}
	if start < 0 || start+size > m.len() {
		return at, false
	}
	m.steps += size / 8
	for i := range size {
		a, b := m.at(from+i), m.at(start+i)
		if a != b && (!m.ignoreCase || canonical(a) != canonical(b)) {
			return at, false
		}
	}
	if in.back {
		return start, true
	}
	return at + size, true
}

// look runs a look-around. What it has captured stays, and going back undoes it; its choices are forgotten.
func (m *matcher) look(in *inst, pc, at int) (bool, error) {
	base := len(m.stack)
	_, found, err := m.run(pc+1, at)
	if err != nil {
		return false, err
	}
	if in.x == 1 { // negative
		for len(m.stack) > base {
			if p := m.stack[len(m.stack)-1]; p.pc < 0 {
				m.reg[p.at] = p.low
			}
			m.stack = m.stack[:len(m.stack)-1]
		}
		return !found, nil
	}
	kept := m.stack[:base]
	for _, p := range m.stack[base:] {
		if p.pc < 0 {
			kept = append(kept, p)
		}
	}
	m.stack = kept
	return found, nil
}
