package jsonata

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Integers are formatted by picture strings of XPath and XQuery Functions 3.1, section 4.6.

type integerStyle uint8

const (
	styleDecimal integerStyle = iota
	styleLetters
	styleRoman
	styleWords
	styleSequence // anything else, which is not supported
)

type letterCase uint8

const (
	caseLower letterCase = iota
	caseUpper
	caseTitle
)

// integerFormat is an integer picture, analysed.
type integerFormat struct {
	style     integerStyle
	letters   letterCase
	ordinal   bool
	zero      rune
	mandatory int
	optional  int
	regular   int // distance of separators where it is always the same
	marks     []mark
	token     string // of a sequence
}

// mark is a grouping separator and how many digits follow it.
type mark struct {
	position int
	text     string
}

// zeroDigits are the zeros of the decimal digit families, as far as the reference knows them.
var zeroDigits = []rune{
	0x30, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50,
	0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50,
	0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
}

func integerPicture(picture string) (*integerFormat, error) {
	f := &integerFormat{}
	primary := picture
	if at := strings.LastIndexByte(picture, ';'); at >= 0 {
		primary = picture[:at]
		f.ordinal = strings.HasPrefix(picture[at+1:], "o")
	}
	switch primary {
	case "A":
		f.style, f.letters = styleLetters, caseUpper
	case "a":
		f.style = styleLetters
	case "I":
		f.style, f.letters = styleRoman, caseUpper
	case "i":
		f.style = styleRoman
	case "W":
		f.style, f.letters = styleWords, caseUpper
	case "Ww":
		f.style, f.letters = styleWords, caseTitle
	case "w":
		f.style = styleWords
	default:
		return f, f.decimal(primary)
	}
	return f, nil
}

// decimal analyses a pattern of digits, from its end.
func (f *integerFormat) decimal(primary string) error {
	position := 0
	runes := []rune(primary)
	for i := len(runes) - 1; i >= 0; i-- {
		zero := zeroOf(runes[i])
		switch {
		case zero != 0 && f.zero != 0 && f.zero != zero:
			return failure("D3131", undefined)
		case zero != 0:
			f.zero = zero
			f.mandatory++
			position++
		case runes[i] == '#':
			f.optional++
			position++
		default:
			f.marks = append(f.marks, mark{position, string(runes[i])})
		}
	}
	if f.mandatory == 0 {
		f.style, f.token = styleSequence, primary
		return nil
	}
	var positions []int
	same := true
	for _, m := range f.marks {
		positions = append(positions, m.position)
		same = same && m.text == f.marks[0].text
	}
	if same {
		f.regular = regularity(positions)
	}
	return nil
}

func zeroOf(r rune) rune {
	for _, zero := range zeroDigits {
		if r >= zero && r <= zero+9 {
			return zero
		}
	}
	return 0
}

// format writes a whole number.
func (f *integerFormat) format(value float64) (string, error) {
	size := math.Abs(value)
	text := ""
	switch f.style {
	case styleLetters:
		text = letters(size, f.letters)
	case styleRoman:
		if size > 1e7 {
			return "", failure("D1001", value)
		}
		text = roman(size)
		if f.letters == caseUpper {
			text = strings.ToUpper(text)
		}
	case styleWords:
		text = words(size, f.ordinal)
		switch f.letters {
		case caseUpper:
			text = strings.ToUpper(text)
		case caseLower:
			text = strings.ToLower(text)
		}
	case styleDecimal:
		text = f.digitsOf(size)
	case styleSequence:
		return "", failure("D3130", f.token)
	}
	if value < 0 {
		text = "-" + text
	}
	return text, nil
}

func (f *integerFormat) digitsOf(size float64) string {
	plain := numberText(size)
	text := []rune(zeros(f.mandatory-len(plain)) + plain)
	for i, r := range text {
		text[i] = r + f.zero - '0'
	}
	if f.regular > 0 {
		for n := (len(text) - 1) / f.regular; n > 0; n-- {
			text = inserted(text, len(text)-n*f.regular, f.marks[0].text)
		}
	} else {
		for i := len(f.marks) - 1; i >= 0; i-- {
			text = inserted(text, len(text)-f.marks[i].position, f.marks[i].text)
		}
	}
	if f.ordinal {
		return string(text) + ordinalSuffix(text)
	}
	return string(text)
}

// inserted puts a separator at a place. Before the beginning JavaScript counts from the end, and loses what is before:
// pictures with separators in front of all digits come to that.
func inserted(text []rune, at int, mark string) []rune {
	left, right := text[:max(at, 0)], text[max(at, 0):]
	if at < 0 {
		right = text[max(len(text)+at, 0):]
	}
	return slices.Concat(left, []rune(mark), right)
}

func ordinalSuffix(text []rune) string {
	n := len(text)
	if n > 1 && text[n-2] == '1' {
		return "th"
	}
	switch text[n-1] {
	case '1':
		return "st"
	case '2':
		return "nd"
	case '3':
		return "rd"
	}
	return "th"
}

// letters numbers as spreadsheets do their columns: a, b, ... z, aa.
func letters(n float64, c letterCase) string {
	first := byte('a')
	if c == caseUpper {
		first = 'A'
	}
	var b []byte
	for n > 0 && len(b) < 300 {
		b = append([]byte{first + byte(math.Mod(n-1, 26))}, b...)
		n = math.Floor((n - 1) / 26)
	}
	return string(b)
}

var romans = []struct {
	value float64
	text  string
}{
	{1000, "m"}, {900, "cm"}, {500, "d"}, {400, "cd"}, {100, "c"}, {90, "xc"}, {50, "l"}, {40, "xl"}, {10, "x"}, {9, "ix"},
	{5, "v"}, {4, "iv"}, {1, "i"},
}

func roman(n float64) string {
	var b strings.Builder
	for _, r := range romans {
		for ; n >= r.value; n -= r.value {
			b.WriteString(r.text)
		}
	}
	return b.String()
}

var (
	smallNumbers = strings.Fields(`Zero One Two Three Four Five Six Seven Eight Nine Ten Eleven Twelve Thirteen Fourteen
		Fifteen Sixteen Seventeen Eighteen Nineteen`)
	smallOrdinals = strings.Fields(`Zeroth First Second Third Fourth Fifth Sixth Seventh Eighth Ninth Tenth Eleventh Twelfth
		Thirteenth Fourteenth Fifteenth Sixteenth Seventeenth Eighteenth Nineteenth`)
	tens       = strings.Fields("Twenty Thirty Forty Fifty Sixty Seventy Eighty Ninety Hundred")
	magnitudes = strings.Fields("Thousand Million Billion Trillion")
)

func words(n float64, ordinal bool) string { return wordsOf(n, false, ordinal, 0) }

func wordsOf(n float64, follows, ordinal bool, depth int) string {
	and, comma := "", ""
	if follows {
		and, comma = " and ", ", "
	}
	rest := func(text string, remainder float64, ending string) string {
		switch {
		case remainder > 0:
			return text + wordsOf(remainder, true, ordinal, depth+1)
		case ordinal:
			return text + ending
		}
		return text
	}
	switch {
	case !(n >= 0) || depth > 60:
		return ""
	case n <= 19 && ordinal:
		return and + smallOrdinals[int(n)]
	case n <= 19:
		return and + smallNumbers[int(n)]
	case n < 100:
		text := and + tens[int(n)/10-2]
		if r := int(n) % 10; r > 0 {
			return text + "-" + wordsOf(float64(r), false, ordinal, depth+1)
		} else if ordinal {
			return text[:len(text)-1] + "ieth"
		}
		return text
	case n < 1000:
		return rest(comma+smallNumbers[int(n)/100]+" Hundred", math.Mod(n, 100), "th")
	}
	mag := min(int(math.Floor(math.Log10(n)/3)), len(magnitudes))
	factor := math.Pow(10, float64(mag*3))
	count := math.Floor(n / factor)
	return rest(comma+wordsOf(count, false, false, depth+1)+" "+magnitudes[mag-1], n-count*factor, "th")
}

// wordValues are the words of numbers, small letters.
var wordValues = func() map[string]float64 {
	m := make(map[string]float64)
	for i, w := range smallNumbers {
		m[strings.ToLower(w)] = float64(i)
		m[strings.ToLower(smallOrdinals[i])] = float64(i)
	}
	for i, w := range tens {
		w = strings.ToLower(w)
		m[w] = float64(i+2) * 10
		m[w[:len(w)-1]+"ieth"] = m[w]
	}
	m["hundredth"] = 100
	for i, w := range magnitudes {
		w = strings.ToLower(w)
		m[w] = math.Pow(10, float64(i+1)*3)
		m[w+"th"] = m[w]
	}
	return m
}()

// parseWords reads a number in words; NaN where a word is none.
func parseWords(text string) float64 {
	text = strings.NewReplacer(", ", " ", " and ", " ").Replace(text)
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == '-' || r == '\\' || unicode.IsSpace(r) })
	segments := []float64{0}
	for _, part := range parts {
		v, ok := wordValues[part]
		if !ok {
			return math.NaN()
		}
		top := segments[len(segments)-1]
		segments = segments[:len(segments)-1]
		switch {
		case v >= 100:
			segments = append(segments, top*v)
		case top >= 1000:
			segments = append(segments, top, v)
		default:
			segments = append(segments, top+v)
		}
	}
	sum := 0.0
	for _, s := range segments {
		sum += s
	}
	return sum
}

func parseRoman(text string) float64 {
	values := map[rune]float64{'M': 1000, 'D': 500, 'C': 100, 'L': 50, 'X': 10, 'V': 5, 'I': 1}
	runes := []rune(text)
	total, most := 0.0, 1.0
	for i := len(runes) - 1; i >= 0; i-- {
		v, ok := values[runes[i]]
		switch {
		case !ok:
			return math.NaN()
		case v < most:
			total -= v
		default:
			most = v
			total += v
		}
	}
	return total
}

func parseLetters(text string, c letterCase) float64 {
	first := 'a'
	if c == caseUpper {
		first = 'A'
	}
	total := 0.0
	for _, r := range text {
		total = total*26 + float64(r-first+1)
	}
	return total
}

// parse reads a number in this format; NaN where it is none.
func (f *integerFormat) parse(text string) (float64, error) {
	switch f.style {
	case styleLetters:
		return parseLetters(text, f.letters), nil
	case styleRoman:
		if f.letters != caseUpper {
			text = strings.ToUpper(text)
		}
		return parseRoman(text), nil
	case styleWords:
		return parseWords(strings.ToLower(text)), nil
	case styleSequence:
		return 0, failure("D3130", f.token)
	}
	if f.ordinal {
		text = text[:max(len(text)-2, 0)]
	}
	if f.regular > 0 {
		text = strings.ReplaceAll(text, ",", "")
	} else {
		for _, m := range f.marks {
			text = strings.ReplaceAll(text, m.text, "")
		}
	}
	if f.zero != '0' {
		runes := []rune(text)
		for i := range runes {
			runes[i] += '0' - f.zero
		}
		text = string(runes)
	}
	return leadingInt(text), nil
}

// leadingInt is JavaScript's parseInt: the digits a text begins with.
func leadingInt(text string) float64 {
	text = strings.TrimLeftFunc(text, unicode.IsSpace)
	end := 0
	if end < len(text) && (text[end] == '-' || text[end] == '+') {
		end++
	}
	start := end
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	if end == start {
		return math.NaN()
	}
	f, _ := strconv.ParseFloat(text[:end], 64)
	return f
}
