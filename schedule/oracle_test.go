package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// pattern is a cron expression as sets, and its text. It is what the oracle understands.
type pattern struct {
	text                        string
	minute, hour, dom, mon, dow map[int]bool
	anyDay                      bool // one of the day fields has a *: both must match
	wild                        bool
}

// newPattern takes the five fields apart, which may be "*", "*/n" or lists of numbers.
func newPattern(text string) *pattern {
	f := strings.Fields(text)
	set := func(word string, low, high int) map[int]bool {
		m := make(map[int]bool)
		for v := low; v <= high; v++ {
			step := 0
			if word == "*" {
				m[v] = true
			} else if n, _ := fmt.Sscanf(word, "*/%d", &step); n == 1 {
				m[v] = (v-low)%step == 0
			} else {
				m[v] = slices.Contains(strings.Split(word, ","), fmt.Sprint(v))
			}
		}
		return m
	}
	return &pattern{
		text: text, minute: set(f[0], 0, 59), hour: set(f[1], 0, 23), dom: set(f[2], 1, 31), mon: set(f[3], 1, 12), dow: set(f[4], 0, 6),
		anyDay: f[2] == "*" || f[4] == "*", wild: strings.Contains(f[0]+f[1], "*"),
	}
}

// matches takes a wall time as a time in UTC.
func (p *pattern) matches(wall time.Time) bool {
	day := p.dom[wall.Day()] || p.dow[int(wall.Weekday())]
	if p.anyDay {
		day = p.dom[wall.Day()] && p.dow[int(wall.Weekday())]
	}
	return p.minute[wall.Minute()] && p.hour[wall.Hour()] && p.mon[int(wall.Month())] && day && wall.Second() == 0
}

// oracle returns all firings in (from, to] by looking at the clock of loc every minute from a day before, and at
// nothing else: not at offsets, not at transitions. Clocks whose offset has odd seconds are beyond it.
func oracle(p *pattern, loc *time.Location, from, to time.Time) (fires []time.Time) {
	const tick = time.Minute
	var seen time.Time // the latest wall time
	for t := from.Truncate(time.Minute).Add(-26 * time.Hour); !t.After(to); t = t.Add(tick) {
		l := t.In(loc)
		wall := time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), 0, time.UTC)
		fire := false
		if p.wild {
			fire = p.matches(wall)
		} else if seen.IsZero() {
			seen = wall
		}
		for w := seen.Add(tick); !p.wild && !w.After(wall); w = w.Add(tick) {
			fire = fire || p.matches(w)
			seen = w
		}
		if fire && t.After(from) {
			fires = append(fires, t.UTC())
		}
	}
	return fires
}
