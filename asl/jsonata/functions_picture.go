package jsonata

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

func definePictures() {
	define("formatNumber", "<n-so?:s>", 3, strict(formatNumber))
	define("formatInteger", "<n-s:s>", 2, strict(func(c *call, args []any) (any, error) {
		text, err := c.pictureArg(args, 1)
		if err != nil {
			return nil, err
		}
		f, err := integerPicture(text)
		if err != nil {
			return nil, err
		}
		return texted(f.format(math.Floor(numberArg(args, 0, 0))))
	}))
	define("parseInteger", "<s-s:n>", 2, strict(func(c *call, args []any) (any, error) {
		text, err := c.pictureArg(args, 1)
		if err != nil {
			return nil, err
		}
		f, err := integerPicture(text)
		if err != nil {
			return nil, err
		}
		n, err := f.parse(textArg(args, 0))
		return n, err
	}))
	define("fromMillis", "<n-s?s?:s>", 3, strict(func(c *call, args []any) (any, error) {
		return c.formatTime(numberArg(args, 0, 0), arg(args, 1), arg(args, 2))
	}))
	define("now", "<s?s?:s>", 2, func(c *call, args []any) (any, error) {
		return c.formatTime(float64(c.evaluator.env.Now), arg(args, 0), arg(args, 1))
	})
	define("toMillis", "<s-s?:n>", 2, strict(toMillis))
}

// maxPicture bounds a picture in bytes: the work of formatting grows with its square.
const maxPicture = 4096

// pictureArg is an argument that is a picture.
func (ev *evaluator) pictureArg(args []any, i int) (string, error) {
	s := textArg(args, i)
	if len(s) > maxPicture {
		return "", failure("U1002", float64(maxPicture))
	}
	return s, ev.spend(int64(len(s)) >> 2)
}

func texted(s string, err error) (any, error) { return s, err }

// picture returns a date/time picture, analysed once an evaluation.
func (ev *evaluator) picture(text string) (*picture, error) {
	if len(text) > maxPicture {
		return nil, failure("U1002", float64(maxPicture))
	}
	if err := ev.spend(int64(len(text)) >> 2); err != nil {
		return nil, err
	}
	if p := ev.shape[text]; p != nil {
		return p, nil
	}
	p, err := datePicture(text)
	if err == nil && len(ev.shape) < 100 {
		if ev.shape == nil {
			ev.shape = make(map[string]*picture)
		}
		ev.shape[text] = p
	}
	return p, err
}

func (c *call) formatTime(millis float64, shape, zone any) (any, error) {
	hours, minutes := 0, 0
	if s, ok := zone.(string); ok {
		offset := leadingInt(s)
		if !(math.Abs(offset) < 1e6) {
			return nil, failure("D1001", millis)
		}
		hours, minutes = int(math.Floor(offset/100)), int(math.Mod(offset, 100))
	}
	p := isoFormat
	if s, ok := shape.(string); ok {
		var err error
		if p, err = c.picture(s); err != nil {
			return nil, err
		}
	}
	return texted(p.format(millis, hours, minutes))
}

// isoTime is what the reference takes for an ISO 8601 time; what it cannot read in that is not a number.
var isoTime = regexp.MustCompile(`^(\d{4})((?:-[01]\d)*)((?:-[0-3]\d)*)((?:T[0-2]\d:[0-5]\d:[0-5]\d)*)(\.\d+)?([+-][0-2]\d:?[0-5]\d|Z)?$`)

func toMillis(c *call, args []any) (any, error) {
	s := textArg(args, 0)
	if shape, ok := arg(args, 1).(string); ok {
		p, err := c.picture(shape)
		if err != nil {
			return nil, err
		}
		return p.parse(s, time.UnixMilli(c.evaluator.env.Now).UTC())
	}
	g := isoTime.FindStringSubmatch(s)
	if g == nil {
		return nil, failure("D3110", s)
	}
	return isoMillis(g[1], g[2]+g[3], g[4], g[5], g[6]), nil
}

// isoMillis reads the parts of an ISO 8601 time; not a number where Date.parse does not take them.
func isoMillis(year, date, clock, fraction, zone string) float64 {
	n := func(s string) int { v, _ := strconv.Atoi(s); return v }
	month, day := 1, 1
	switch len(date) {
	case 0:
	case 3:
		month = n(date[1:])
	case 6:
		month, day = n(date[1:3]), n(date[4:])
	default:
		return math.NaN()
	}
	if month < 1 || month > 12 || day < 1 || day > 31 || len(clock) > 9 || clock == "" && fraction+zone != "" {
		return math.NaN()
	}
	hour, minute, second := 0, 0, 0
	if clock != "" {
		hour, minute, second = n(clock[1:3]), n(clock[4:6]), n(clock[7:])
	}
	millis := 0
	if fraction != "" {
		millis = n((fraction[1:] + "00")[:3])
	}
	if hour > 24 || hour == 24 && (minute|second|millis) != 0 {
		return math.NaN()
	}
	t := time.Date(n(year), time.Month(month), day, hour, minute, second, millis*1e6, time.UTC).UnixMilli()
	if zone != "" && zone != "Z" {
		digits := strings.ReplaceAll(zone[1:], ":", "")
		offset := int64(n(digits[:2])*60+n(digits[2:])) * 60_000
		if zone[0] == '-' {
			offset = -offset
		}
		t -= offset
	}
	return float64(t)
}
