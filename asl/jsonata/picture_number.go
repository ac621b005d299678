package jsonata

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// $formatNumber formats by a picture string of XPath and XQuery Functions 3.1, section 4.7.

// symbols are the characters of a picture that mean something. Each is one UTF-16 unit save where options say
// otherwise.
type symbols struct {
	decimal, grouping, exponent, minus, percent, permille, zero, digit, separator string
}

func (s *symbols) byName(name string) *string {
	switch name {
	case "decimal-separator":
		return &s.decimal
	case "grouping-separator":
		return &s.grouping
	case "exponent-separator":
		return &s.exponent
	case "minus-sign":
		return &s.minus
	case "percent":
		return &s.percent
	case "per-mille":
		return &s.permille
	case "zero-digit":
		return &s.zero
	case "digit":
		return &s.digit
	case "pattern-separator":
		return &s.separator
	}
	return nil
}

// isDigit reports whether a character is of the decimal digit family.
func (s *symbols) isDigit(ch string) bool {
	r, n := runeOf(ch)
	zero, _ := runeOf(s.zero)
	return n == len(ch) && r >= zero && r < zero+10
}

func (s *symbols) active(ch string) bool {
	return s.isDigit(ch) || ch == s.decimal || ch == s.exponent || ch == s.grouping || ch == s.digit || ch == s.separator
}

func runeOf(s string) (rune, int) {
	if s == "" {
		return -1, 0
	}
	return unitAt(s, 0)
}

// subPicture is one half of a picture, analysed.
type subPicture struct {
	text, prefix, suffix string
	active, mantissa     string
	integer, fraction    string
	exponent             string
	hasExponent          bool

	groups                []int // positions of grouping separators, from the decimal separator
	regular               int   // their distance where it is always the same
	fractionGroups        []int
	minInteger, scaling   int
	minFraction, maxDigit int
	minExponent           int
}

func formatNumber(c *call, args []any) (any, error) {
	sym := symbols{".", ",", "e", "-", "%", "‰", "0", "#", ";"}
	if o, ok := objectOf(arg(args, 2)); ok {
		for name, v := range o.All() {
			if p := sym.byName(name); p != nil {
				s, ok := v.(string)
				if !ok || s == "" {
					return nil, failure("T0410", v).with("index", 3.0)
				}
				*p = s
			}
		}
	}
	picture, err := c.pictureArg(args, 1)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(picture, sym.separator)
	if len(parts) > 2 {
		return nil, failure("D3080", undefined)
	}
	var pictures []*subPicture
	for _, text := range parts {
		p := sym.cut(text)
		if code := sym.check(p); code != "" {
			return nil, failure(code, undefined)
		}
		sym.analyse(p)
		pictures = append(pictures, p)
	}
	value := numberArg(args, 0, 0)
	p, prefix := pictures[0], pictures[0].prefix
	if value < 0 {
		if len(pictures) == 2 {
			p, prefix = pictures[1], pictures[1].prefix
		} else {
			prefix = sym.minus + prefix
		}
	}
	return prefix + sym.format(p, value) + p.suffix, nil
}

// cut takes a sub-picture apart (4.7.3).
func (s *symbols) cut(text string) *subPicture {
	p := &subPicture{text: text}
	first, last := -1, -1
	for i, r := range text {
		if ch := string(r); s.active(ch) && ch != s.exponent {
			if first < 0 {
				first = i
			}
			last = i + len(ch)
		}
	}
	if first < 0 {
		first, last = 0, len(text) // nothing active: check says so
	}
	p.prefix, p.active, p.suffix = text[:first], text[first:last], text[last:]
	p.mantissa = p.active
	if at := strings.Index(text[first:], s.exponent); at >= 0 && first+at <= last {
		// The reference cuts the active part where the exponent is in the whole: one prefix too far.
		active := []rune(p.active)
		cut := min(utf8.RuneCountInString(text[:first+at]), len(active))
		p.mantissa, p.exponent, p.hasExponent = string(active[:cut]), string(active[min(cut+1, len(active)):]), true
	}
	whole, fraction, found := strings.Cut(p.mantissa, s.decimal)
	p.integer, p.fraction = whole, fraction
	if !found {
		p.fraction = p.suffix // as the reference has it
	}
	return p
}

// check returns the code of what is wrong with a sub-picture; of several errors the last counts.
func (s *symbols) check(p *subPicture) (code string) {
	wrong := func(is bool, c string) {
		if is {
			code = c
		}
	}
	twice := func(what string) bool { return strings.Count(p.text, what) > 1 }
	hasPercent, hasPermille := strings.Contains(p.text, s.percent), strings.Contains(p.text, s.permille)
	wrong(twice(s.decimal), "D3081")
	wrong(twice(s.percent), "D3082")
	wrong(twice(s.permille), "D3083")
	wrong(hasPercent && hasPermille, "D3084")
	wrong(s.count(p.mantissa, true) == 0, "D3085")
	for _, r := range p.active {
		wrong(!s.active(string(r)), "D3086")
	}
	if at := strings.Index(p.text, s.decimal); at >= 0 {
		wrong(strings.HasSuffix(p.text[:at], s.grouping) || strings.HasPrefix(p.text[at+len(s.decimal):], s.grouping), "D3087")
	} else {
		wrong(strings.HasSuffix(p.integer, s.grouping), "D3088")
	}
	wrong(strings.Contains(p.text, s.grouping+s.grouping), "D3089")
	if at := strings.Index(p.integer, s.digit); at >= 0 {
		wrong(s.count(p.integer[:at], false) > 0, "D3090")
	}
	if at := strings.LastIndex(p.fraction, s.digit); at >= 0 {
		wrong(s.count(p.fraction[at:], false) > 0, "D3091")
	}
	wrong(p.hasExponent && p.exponent != "" && (hasPercent || hasPermille), "D3092")
	if p.hasExponent {
		bad := p.exponent == ""
		for _, r := range p.exponent {
			bad = bad || !s.isDigit(string(r))
		}
		wrong(bad, "D3093")
	}
	return code
}

// count counts digits, with optional ones where asked.
func (s *symbols) count(part string, optional bool) (n int) {
	for _, r := range part {
		if ch := string(r); s.isDigit(ch) || optional && ch == s.digit {
			n++
		}
	}
	return n
}

// analyse works out what a sub-picture asks for (4.7.4).
func (s *symbols) analyse(p *subPicture) {
	for i, at := 0, 0; ; i = at + len(s.grouping) {
		next := strings.Index(p.integer[i:], s.grouping)
		if next < 0 {
			break
		}
		at = i + next
		p.groups = append(p.groups, s.count(p.integer[at:], true))
	}
	p.regular = regularity(p.groups)
	// The reference goes on searching in the integer part after the first separator of the fraction.
	for at := strings.Index(p.fraction, s.grouping); at >= 0; {
		p.fractionGroups = append(p.fractionGroups, s.count(p.fraction[:min(at, len(p.fraction))], true))
		from := at + len(s.grouping)
		if from > len(p.integer) {
			break
		}
		next := strings.Index(p.integer[from:], s.grouping)
		if next < 0 {
			break
		}
		at = from + next
	}
	p.minInteger = s.count(p.integer, false)
	p.scaling = p.minInteger
	p.minFraction, p.maxDigit = s.count(p.fraction, false), s.count(p.fraction, true)
	if p.minInteger == 0 && p.maxDigit == 0 {
		if p.hasExponent {
			p.minFraction, p.maxDigit = 1, 1
		} else {
			p.minInteger = 1
		}
	}
	if p.hasExponent && p.minInteger == 0 && strings.Contains(p.integer, s.digit) {
		p.minInteger = 1
	}
	if p.minInteger == 0 && p.minFraction == 0 {
		p.minFraction = 1
	}
	p.minExponent = s.count(p.exponent, false)
}

// regularity is the distance of separators where they are at all its multiples, else 0.
func regularity(positions []int) int {
	if len(positions) == 0 {
		return 0
	}
	factor := positions[0]
	for _, p := range positions[1:] {
		for a, b := factor, p; ; a, b = b, a%b {
			if b == 0 {
				factor = a
				break
			}
		}
	}
	for i := 1; i <= len(positions); i++ {
		found := false
		for _, p := range positions {
			found = found || p == i*factor
		}
		if !found {
			return 0
		}
	}
	return factor
}

// format formats a number by a sub-picture, prefix and suffix apart (4.7.5).
func (s *symbols) format(p *subPicture, value float64) string {
	switch {
	case strings.Contains(p.text, s.percent):
		value *= 100
	case strings.Contains(p.text, s.permille):
		value *= 1000
	}
	exponent := 0
	if p.minExponent > 0 && value != 0 && !math.IsInf(value, 0) {
		most, least := math.Pow(10, float64(p.scaling)), math.Pow(10, float64(p.scaling-1))
		for ; math.Abs(value) < least; exponent-- {
			value *= 10
		}
		for ; math.Abs(value) > most; exponent++ {
			value /= 10
		}
	}
	digits := strconv.FormatFloat(math.Abs(round(value, float64(p.maxDigit))), 'f', p.maxDigit, 64)
	whole, fraction, _ := strings.Cut(digits, ".")
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	whole = s.digits(zeros(p.minInteger-len(whole)) + whole)
	fraction = s.digits(fraction + zeros(p.minFraction-len(fraction)))
	out := s.grouped(p, whole, fraction)
	if p.minExponent > 0 {
		digits := strconv.Itoa(max(exponent, -exponent))
		out += s.exponent
		if exponent < 0 {
			out += s.minus
		}
		out += s.digits(zeros(p.minExponent-len(digits)) + digits)
	}
	return out
}

func zeros(n int) string { return strings.Repeat("0", max(n, 0)) }

// digits writes digits in the family of the picture.
func (s *symbols) digits(text string) string {
	if s.zero == "0" {
		return text
	}
	zero, _ := runeOf(s.zero)
	return strings.Map(func(r rune) rune { return r - '0' + zero }, text)
}

// grouped puts the separators in: from the right in the integer part, where places before its beginning count from
// the end as JavaScript's slice has it, and from the left behind the decimal separator.
func (s *symbols) grouped(p *subPicture, whole, fraction string) string {
	text := []rune(whole + s.decimal + fraction)
	point := utf8.RuneCountInString(whole)
	insert := func(at int) {
		if at < 0 {
			at += len(text)
		}
		at = min(max(at, 0), len(text))
		text = slices.Concat(text[:at], []rune(s.grouping), text[at:])
	}
	if p.regular > 0 {
		for n := 1; n <= (point-1)/p.regular; n++ {
			insert(point - n*p.regular)
		}
	} else {
		at := point
		for _, position := range p.groups {
			insert(at - position)
			at++
		}
	}
	point = strings.Index(string(text), s.decimal)
	point = utf8.RuneCountInString(string(text)[:max(point, 0)])
	for _, position := range p.fractionGroups {
		insert(point + position + 1)
	}
	if !strings.Contains(p.text, s.decimal) || point == len(text)-1 {
		text = text[:len(text)-1]
	}
	return string(text)
}
