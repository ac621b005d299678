package jsonata

import (
	"math"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// Times are formatted and read by picture strings of XPath and XQuery Functions 3.1, section 9.8.4.

// picture is a date/time picture, analysed.
type picture struct{ parts []picturePart }

// picturePart is a literal where component is 0, else a marker.
type picturePart struct {
	literal   string
	component byte
	first     string // the first presentation modifier
	second    byte
	names     bool
	letters   letterCase // of names
	width     bool
	max       float64 // NaN: none
	years     int     // of Y, M and D: how many digits; -1: all
	integer   *integerFormat
}

var defaultPresentation = map[byte]string{
	'Y': "1", 'M': "1", 'D': "1", 'd': "1", 'F': "n", 'W': "1", 'w': "1", 'X': "1", 'x': "1", 'H': "1", 'h': "1",
	'P': "n", 'm': "01", 's': "01", 'f': "1", 'Z': "01:01", 'z': "01:01", 'C': "n", 'E': "n",
}

const isoPicture = "[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]"

var isoFormat = func() *picture {
	p, err := datePicture(isoPicture)
	if err != nil {
		panic(err)
	}
	return p
}()

func datePicture(text string) (*picture, error) {
	p := &picture{}
	literal := func(s string) {
		if s != "" {
			p.parts = append(p.parts, picturePart{literal: strings.ReplaceAll(s, "]]", "]")})
		}
	}
	for {
		open := strings.IndexByte(text, '[')
		if open < 0 {
			literal(text)
			return p, nil
		}
		literal(text[:open])
		text = text[open+1:]
		if strings.HasPrefix(text, "[") {
			p.parts = append(p.parts, picturePart{literal: "["})
			text = text[1:]
			continue
		}
		end := strings.IndexByte(text, ']')
		if end < 0 {
			return nil, failure("D3135", undefined)
		}
		part, err := pictureMarker(text[:end])
		if err != nil {
			return nil, err
		}
		p.parts = append(p.parts, part)
		text = text[end+1:]
	}
}

// pictureMarker reads what is in brackets.
func pictureMarker(marker string) (part picturePart, err error) {
	marker = strings.Join(strings.FieldsFunc(marker, unicode.IsSpace), "")
	part.max = math.NaN()
	if marker == "" {
		return part, failure("D3132", "")
	}
	part.component = marker[0]
	modifier := marker[1:]
	least := math.NaN()
	if comma := strings.LastIndexByte(marker, ','); comma > 0 {
		part.width = true
		from, to, _ := strings.Cut(marker[comma+1:], "-")
		least, part.max = leadingInt(from), leadingInt(to)
		modifier = marker[1:comma]
	}
	switch n := len(modifier); {
	case n == 0:
		modifier = defaultPresentation[part.component]
	case n > 1 && strings.IndexByte("atco", modifier[n-1]) >= 0:
		part.second, modifier = modifier[n-1], modifier[:n-1]
	}
	if part.first = modifier; modifier == "" {
		r, _ := runeOf(marker)
		return part, failure("D3132", string(r))
	}
	switch {
	case modifier[0] == 'n':
		part.names = true
	case strings.HasPrefix(modifier, "Nn"):
		part.names, part.letters = true, caseTitle
	case modifier[0] == 'N':
		part.names, part.letters = true, caseUpper
	case strings.IndexByte("YMDdFWwXxHhmsf", part.component) >= 0:
		if err := part.number(least); err != nil {
			return part, err
		}
	}
	if part.component == 'Z' || part.component == 'z' {
		part.integer, err = integerPicture(part.first)
	}
	return part, err
}

// number analyses the format of a component that is a number.
func (part *picturePart) number(least float64) (err error) {
	pattern := part.first
	if part.second != 0 {
		pattern += ";" + string(part.second)
	}
	if part.integer, err = integerPicture(pattern); err != nil {
		return err
	}
	f := part.integer
	const widest = 1000
	if least > float64(f.mandatory) && f.style == styleDecimal {
		f.mandatory = int(min(least, widest))
	}
	if strings.IndexByte("YMD", part.component) < 0 {
		return nil
	}
	part.years = -1
	if part.max == part.max {
		part.years = int(min(max(part.max, 0), widest))
		f.mandatory = part.years
	} else if w := f.mandatory + f.optional; w >= 2 {
		part.years = w
	}
	return nil
}

const dayMillis = 24 * 60 * 60 * 1000

var (
	dayNames   = [...]string{"", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
	monthNames = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
)

// utcMillis is JavaScript's Date.UTC, without its years 0 to 99 that mean 1900 to 1999.
func utcMillis(year, month, day int) int64 {
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).UnixMilli()
}

// firstWeek is when the first week of a year or a month begins: the one with its first Thursday, on Monday.
func firstWeek(year, month int) int64 {
	first := utcMillis(year, month, 1)
	day := int64(isoDay(time.UnixMilli(first).UTC()))
	if day > 4 {
		return first + (8-day)*dayMillis
	}
	return first - (day-1)*dayMillis
}

func isoDay(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }

// week numbers the week of a day, of the stretch that begins at start; last and next are where the ones before and
// after begin, most is the number after which it may be of the next.
func week(today, last, start, next int64, most int64) int {
	n := floorDiv(today-start, 7*dayMillis) + 1
	switch {
	case n > most && today >= next:
		return 1
	case n < 1:
		return int(floorDiv(today-last, 7*dayMillis) + 1)
	}
	return int(n)
}

func floorDiv(a, b int64) int64 { return int64(math.Floor(float64(a) / float64(b))) }

// component is a component of a time as a number; am and pm are 0 and 1.
func component(t time.Time, c byte) int {
	year, month, day := t.Year(), int(t.Month()), t.Day()
	today := utcMillis(year, month, day)
	switch c {
	case 'Y':
		return year
	case 'M':
		return month
	case 'D':
		return day
	case 'd':
		return t.YearDay()
	case 'F':
		return isoDay(t)
	case 'W':
		return week(today, firstWeek(year-1, 1), firstWeek(year, 1), firstWeek(year+1, 1), 52)
	case 'w':
		return week(today, firstWeek(year, month-1), firstWeek(year, month), firstWeek(year, month+1), 4)
	case 'X':
		switch now := t.UnixMilli(); {
		case now < firstWeek(year, 1):
			return year - 1
		case now >= firstWeek(year+1, 1):
			return year + 1
		}
		return year
	case 'x':
		switch now := t.UnixMilli(); {
		case now < firstWeek(year, month):
			return (month+10)%12 + 1
		case now >= firstWeek(year, month+1):
			return month%12 + 1
		}
		return month
	case 'H':
		return t.Hour()
	case 'h':
		return (t.Hour()+11)%12 + 1
	case 'P':
		return t.Hour() / 12
	case 'm':
		return t.Minute()
	case 's':
		return t.Second()
	case 'f':
		return t.Nanosecond() / 1e6
	}
	return 0
}

// maxMillis is the last time JavaScript knows.
const maxMillis = 8.64e15

// format writes a time, at an offset in hours and minutes.
func (p *picture) format(millis float64, hours, minutes int) (string, error) {
	at := millis + float64((60*hours+minutes)*60*1000)
	if !(math.Abs(at) <= maxMillis) {
		return "", failure("D1001", millis)
	}
	t := time.UnixMilli(int64(at)).UTC()
	var b strings.Builder
	for i := range p.parts {
		part := &p.parts[i]
		if part.component == 0 {
			b.WriteString(part.literal)
			continue
		}
		text, err := part.format(t, hours, minutes)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func (part *picturePart) format(t time.Time, hours, minutes int) (string, error) {
	switch c := part.component; c {
	case 'Z', 'z':
		return part.zone(hours, minutes)
	case 'P':
		text := [...]string{"am", "pm"}[component(t, c)]
		if part.names && part.letters == caseUpper {
			text = strings.ToUpper(text)
		}
		return text, nil
	case 'C', 'E':
		return "ISO", nil
	case 'f':
		if part.integer == nil {
			return "", failure("D3133", "f")
		}
		return part.integer.format(float64(component(t, c)))
	}
	if strings.IndexByte("YMDdFWwXxHhms", part.component) < 0 {
		return "undefined", nil // the reference adds what it does not know to the text
	}
	n := component(t, part.component)
	if part.component == 'Y' && part.years >= 0 {
		n = int(math.Mod(float64(n), math.Pow(10, float64(part.years))))
	}
	if !part.names {
		return part.integer.format(float64(n))
	}
	var name string
	switch part.component {
	case 'M', 'x':
		name = monthNames[n-1]
	case 'F':
		name = dayNames[n]
	default:
		return "", failure("D3133", string(part.component))
	}
	switch part.letters {
	case caseUpper:
		name = strings.ToUpper(name)
	case caseLower:
		name = strings.ToLower(name)
	}
	return part.cut(name), nil
}

// cut shortens a name to the greatest width.
func (part *picturePart) cut(name string) string {
	if part.width && float64(len(name)) > part.max {
		return name[:int(max(part.max, 0))]
	}
	return name
}

// zone writes the offset from UTC.
func (part *picturePart) zone(hours, minutes int) (text string, err error) {
	offset := hours*100 + minutes
	f := part.integer
	switch {
	case f.regular > 0, f.mandatory == 3, f.mandatory == 4:
		text, err = f.format(float64(offset))
	case f.mandatory == 1, f.mandatory == 2:
		if text, err = f.format(float64(hours)); err == nil && minutes != 0 {
			sign := ""
			if minutes < 0 {
				sign, minutes = "-", -minutes
			}
			text += ":" + sign + zeros(2-len(numberText(float64(minutes)))) + numberText(float64(minutes))
		}
	default:
		return "", failure("D3134", float64(f.mandatory))
	}
	if err != nil {
		return "", err
	}
	if offset >= 0 {
		text = "+" + text
	}
	if part.component == 'z' {
		text = "GMT" + text
	}
	if offset == 0 && part.second == 't' {
		text = "Z"
	}
	return text, nil
}

// pattern is a regular expression for what the picture writes. Its parts are simple enough for RE2.
func (p *picture) pattern() (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString("(?i)^")
	for i := range p.parts {
		text, err := p.parts[i].pattern()
		if err != nil {
			return nil, err
		}
		b.WriteString("(" + text + ")")
	}
	b.WriteString("$")
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil, failure("D3132", err.Error())
	}
	return re, nil
}

func (part *picturePart) pattern() (string, error) {
	switch c := part.component; {
	case c == 0:
		return regexp.QuoteMeta(part.literal), nil
	case c == 'Z' || c == 'z':
		text := "[-+][0-9]+"
		if c == 'z' {
			text = "GMT" + text
		}
		if part.integer.regular > 0 {
			text += regexp.QuoteMeta(part.integer.marks[0].text) + "[0-9]+"
		}
		return text, nil
	case part.integer != nil:
		return part.integer.pattern(part.years)
	case strings.IndexByte("MxFP", c) >= 0:
		return "[a-zA-Z]+", nil
	}
	return "", failure("D3133", string(part.component))
}

// pattern is a regular expression for numbers of this format; n is how many digits there are at most, if positive.
func (f *integerFormat) pattern(n int) (string, error) {
	switch f.style {
	case styleLetters:
		return "[a-z]+", nil
	case styleRoman:
		return "[mdclxvi]+", nil
	case styleWords:
		var list []string
		for w := range wordValues {
			list = append(list, w)
		}
		return "(?:" + strings.Join(list, "|") + "|and|[-, ])+", nil
	case styleSequence:
		return "", failure("D3130", f.token)
	}
	text := "[0-9]+"
	if n > 0 {
		text = "[0-9]{" + numberText(float64(max(n-f.optional, 0))) + "," + numberText(float64(n)) + "}"
		if f.optional == 0 {
			text = "[0-9]{" + numberText(float64(n)) + "}"
		}
	}
	if f.ordinal {
		text += "(?:th|st|nd|rd)"
	}
	return text, nil
}

// parse reads the value of a component; ok false is a name that is none.
func (part *picturePart) parse(text string) (v float64, ok bool, err error) {
	switch c := part.component; {
	case c == 'Z' || c == 'z':
		return part.parseZone(strings.TrimPrefix(strings.ToUpper(text), "GMT")), true, nil
	case part.integer != nil:
		v, err = part.integer.parse(text)
		return v, true, err
	case c == 'P':
		switch text {
		case "am", "AM":
			return 0, true, nil
		case "pm", "PM":
			return 1, true, nil
		}
		return 0, false, nil
	case c == 'F':
		for i, name := range dayNames[1:] {
			if part.cut(name) == text {
				return float64(i + 1), true, nil
			}
		}
		return 0, false, nil
	}
	for i, name := range monthNames {
		if part.cut(name) == text {
			return float64(i + 1), true, nil
		}
	}
	return 0, false, nil
}

// parseZone reads an offset from UTC, in minutes.
func (part *picturePart) parseZone(text string) float64 {
	if part.integer.regular > 0 {
		hours, minutes, _ := strings.Cut(text, part.integer.marks[0].text)
		return leadingInt(hours)*60 + leadingInt(minutes)
	}
	if len(text) <= 3 {
		return leadingInt(text) * 60
	}
	return leadingInt(text[:3])*60 + leadingInt(text[3:])
}

// parse reads a time; undefined where the text is not of this picture.
func (p *picture) parse(text string, now time.Time) (any, error) {
	re, err := p.pattern()
	if err != nil {
		return nil, err
	}
	groups := re.FindStringSubmatch(text)
	if groups == nil {
		return undefined, nil
	}
	given := make(map[byte]float64)
	any := false
	for i := range p.parts {
		part := &p.parts[i]
		if part.component == 0 {
			continue
		}
		any = true
		v, ok, err := part.parse(groups[i+1])
		if err != nil {
			return nil, err
		}
		if ok {
			given[part.component] = v
		} else {
			delete(given, part.component)
		}
	}
	if !any {
		return undefined, nil
	}
	return assemble(given, now)
}

// family reports whether of the components in all, some in of are given and none else.
func family(given map[byte]float64, all, of string) bool {
	some := false
	for i := range len(all) {
		v, ok := given[all[i]]
		if !ok || v == 0 || v != v {
			continue
		}
		if strings.IndexByte(of, all[i]) < 0 {
			return false
		}
		some = true
	}
	return some
}

// assemble makes a time of components: those above the given ones are today's, those below are zero, and none may be
// missing in between.
func assemble(given map[byte]float64, now time.Time) (any, error) {
	const dates, times = "YXMxWwdD", "PHhmsf"
	ofYear := !family(given, dates, "YMD") && family(given, dates, "Yd")
	weekOfMonth := family(given, dates, "Xxw")
	weekOfYear := !weekOfMonth && family(given, dates, "XW")
	half := !family(given, times, "Hmsf") && family(given, times, "Phmsf")
	order := "YMD"
	switch {
	case ofYear:
		order = "YD"
	case weekOfMonth:
		order = "XxwF"
	case weekOfYear:
		order = "XWF"
	}
	if half {
		order += "Phmsf"
	} else {
		order += "Hmsf"
	}
	begun, ended := false, false
	for i := range len(order) {
		c := order[i]
		switch _, ok := given[c]; {
		case ok && ended:
			return nil, failure("D3136", undefined)
		case ok:
			begun = true
		case begun:
			given[c] = 0
			if c == 'M' || c == 'D' || c == 'd' {
				given[c] = 1
			}
			ended = true
		default:
			given[c] = float64(component(now, c))
		}
	}
	if weekOfMonth || weekOfYear {
		return nil, failure("D3136", undefined)
	}
	month := max(given['M'], 1)
	if ofYear {
		day := time.UnixMilli(utcMillis(int(given['Y']), 1, 1) + int64(given['d']-1)*dayMillis).UTC()
		month, given['D'] = float64(day.Month()), float64(day.Day())
	}
	if half {
		given['H'] = given['h']
		if given['h'] == 12 {
			given['H'] = 0
		}
		if given['P'] == 1 {
			given['H'] += 12
		}
	}
	return stamp(given, month)
}

func stamp(given map[byte]float64, month float64) (any, error) {
	year := given['Y']
	if year >= 0 && year <= 99 {
		year += 1900 // Date.UTC
	}
	sum := 0.0
	for _, c := range "YDHmsfZz" {
		sum += math.Abs(given[byte(c)])
	}
	if !(sum < 1e9) {
		return nil, failure("D1001", sum)
	}
	t := time.Date(int(year), time.Month(month), int(given['D']), int(given['H']), int(given['m']), int(given['s']), 0, time.UTC)
	millis := float64(t.UnixMilli()) + given['f']
	zone := given['Z']
	if zone == 0 {
		zone = given['z']
	}
	return millis - zone*60*1000, nil
}
