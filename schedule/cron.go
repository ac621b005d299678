package schedule

import (
	"regexp"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/weftworks/weft/limits"
)

// expression is one cron expression. Of the library it has the syntax and the search on a clock that nobody changes;
// what happens when a clock is changed is ours (see the package comment), since the library lets times that
// do not exist pass and keeps times that come twice twice.
type expression struct {
	spec *cron.SpecSchedule
	wild bool // a rhythm, not an appointment
}

var (
	parser = cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	// The library reads "*-5" as "*", "+5" as 5 and "," as a field that never matches.
	fieldSyntax = regexp.MustCompile(`^` + item + `(,` + item + `)*$`)
)

const item = `([*?]|\w+(-\w+)?)(/\d+)?`

const starBit = 1 << 63 // of a field of the library: it has a * without a step

// fields are the names and ranges of the six fields.
var fields = []struct{ name, values string }{
	{"second", "0-59"}, {"minute", "0-59"}, {"hour", "0-23"}, {"day of month", "1-31"}, {"month", "1-12 or JAN-DEC"}, {"day of week", "0-6 or SUN-SAT"},
}

// parseCron reads a cron expression that is not an "@every". part names it in errors.
func parseCron(part, text string) (expression, error) {
	words := strings.Fields(text)
	if len(text) > limits.ScheduleCronChars {
		return expression{}, invalid(part, "a cron expression of %d characters; the most is %d", len(text), limits.ScheduleCronChars)
	}
	if len(words) == 1 && strings.HasPrefix(words[0], "@") {
		return parseDescriptor(part, words[0])
	}
	if len(words) > 0 && strings.Contains(words[0], "TZ=") {
		return expression{}, invalid(part, "%q names its own time zone; use the schedule's zone", text)
	}
	if len(words) != 5 && len(words) != 6 {
		return expression{}, invalid(part, "%q has %d fields; give minute, hour, day of month, month and day of week, with or without seconds before them", text, len(words))
	}
	for i, word := range words {
		// Each alone among fields that are right, so that an error says which.
		f := fields[i+6-len(words)]
		alone := strings.Split("* * * * * *", " ")
		alone[i+6-len(words)] = word
		if !fieldSyntax.MatchString(word) {
			return expression{}, invalid(part, "%q as %s: give *, numbers, ranges such as 1-5, steps such as */2, or a list of them; values are %s", word, f.name, f.values)
		}
		if _, err := parser.Parse(strings.Join(alone, " ")); err != nil {
			return expression{}, invalid(part, "%q as %s: %w; values are %s", word, f.name, err, f.values)
		}
	}
	e, err := newExpression(part, strings.Join(words, " "))
	minuteAndHour := words[len(words)-5] + words[len(words)-4]
	e.wild = strings.ContainsAny(minuteAndHour, "*?")
	return e, err
}

func parseDescriptor(part, text string) (expression, error) {
	e, err := newExpression(part, text)
	if err == nil {
		e.wild = (e.spec.Minute|e.spec.Hour)&starBit != 0
	}
	return e, err
}

// newExpression parses what has passed the checks, and refuses what never fires.
func newExpression(part, text string) (expression, error) {
	s, err := parser.Parse(text)
	if err != nil {
		return expression{}, invalid(part, "%q: %w; there are @yearly, @monthly, @weekly, @daily, @hourly and @every", text, err)
	}
	e := expression{spec: s.(*cron.SpecSchedule)}
	e.spec.Location = time.UTC
	if _, ok := e.next(firstSecond - 1); !ok {
		return e, invalid(part, "%q never fires: no month of it has such a day", text)
	}
	return e, nil
}

// next returns the first wall time after wall that matches. The library searches five years, and from 1970 to 2099 there is a
// 29 February every four.
func (e *expression) next(wall int64) (int64, bool) {
	t := e.spec.Next(time.Unix(wall, 0).UTC())
	return t.Unix(), !t.IsZero()
}

// after returns the first instant after t at which the expression fires in a zone.
func (e *expression) after(z *Zone, t int64) (int64, bool) {
	if !e.wild {
		// All wall times up to the latest one shown have been kept, and later ones have not.
		wall, ok := e.next(z.latest(t))
		return z.first(wall), ok
	}
	for t++; t <= lastSecond; {
		i := z.at(t)
		offset, end := z.spans[i].offset, z.end(i)
		wall, ok := e.next(t - 1 + offset)
		if !ok {
			break
		}
		if wall < end+offset {
			return wall - offset, true
		}
		t = end // where the clock may have been put back, so that wall is no bound
	}
	return 0, false
}
