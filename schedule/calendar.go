package schedule

import (
	"fmt"
	"strings"
	"time"

	"github.com/weftworks/weft/limits"
)

// Calendar is the times of one Spec. It is immutable, and safe for concurrent use.
type Calendar struct {
	zone        *Zone
	expressions []expression
	intervals   []interval
	first, last int64 // Unix seconds, inclusive
	jitter      int64 // milliseconds
	seed        uint64
}

// interval is the times anchor, anchor+every, ... in Unix seconds.
type interval struct{ anchor, every int64 }

func (v interval) after(t int64) int64 {
	if t < v.anchor {
		return v.anchor
	}
	return v.anchor + ((t-v.anchor)/v.every+1)*v.every
}

// Compile validates a Spec and returns its calendar in a zone, which must be that of the Spec. Jitter depends on the seed and
// the nominal time alone. Errors are faults of kind InvalidArgument whose subject is the member that is wrong.
//
// What was valid once must stay valid and mean the same: stored schedules are compiled again when they are loaded.
func Compile(s Spec, zone *Zone, seed uint64) (*Calendar, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if len(s.Cron) > limits.ScheduleCrons {
		return nil, invalid("cron", "%d expressions; the most is %d", len(s.Cron), limits.ScheduleCrons)
	}
	c := &Calendar{zone: zone, first: firstSecond, last: lastSecond, jitter: s.Jitter.Milliseconds(), seed: seed}
	anchor := int64(0)
	if !s.Start.IsZero() {
		anchor = ceil(s.Start)
		c.first = max(c.first, anchor)
	}
	if !s.End.IsZero() {
		c.last = min(c.last, s.End.Unix())
	}
	if s.Every > 0 {
		c.intervals = append(c.intervals, interval{anchor: anchor + int64(s.Offset/time.Second), every: int64(s.Every / time.Second)})
	}
	for i, text := range s.Cron {
		if err := c.add(fmt.Sprintf("cron[%d]", i), text, anchor); err != nil {
			return nil, err
		}
	}
	if _, ok := c.after(c.first - 1); !ok {
		return nil, invalid("", "it never fires: no time of it lies between start, or 1970, and end, or 2099")
	}
	return c, nil
}

// add adds a cron expression, or an interval from anchor that is written as one.
func (c *Calendar) add(part, text string, anchor int64) error {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), "@every ")
	if !ok {
		e, err := parseCron(part, text)
		c.expressions = append(c.expressions, e)
		return err
	}
	every, err := time.ParseDuration(strings.TrimSpace(rest))
	if err != nil || every < time.Second || every%time.Second != 0 {
		return invalid(part, "%q: give a whole number of seconds, such as \"@every 90s\" or \"@every 1h30m\"", text)
	}
	c.intervals = append(c.intervals, interval{anchor: anchor, every: int64(every / time.Second)})
	return nil
}

// ceil returns the first whole second at or after t.
func ceil(t time.Time) int64 {
	if t.Nanosecond() > 0 {
		return t.Unix() + 1
	}
	return t.Unix()
}

// Next returns the first nominal time after the given one, and when its work is to begin. Both are in UTC. ok is false if
// there is none.
func (c *Calendar) Next(after time.Time) (nominal, fire time.Time, ok bool) {
	n, ok := c.after(after.Unix())
	if !ok {
		return time.Time{}, time.Time{}, false
	}
	nominal = time.Unix(n, 0).UTC()
	return nominal, nominal.Add(c.delay(n)), true
}

// after returns the first nominal time after t.
func (c *Calendar) after(t int64) (first int64, ok bool) {
	t, first = max(t, c.first-1), c.last+1
	if t >= c.last {
		return first, false
	}
	for _, v := range c.intervals {
		first = min(first, v.after(t))
	}
	for i := range c.expressions {
		if n, ok := c.expressions[i].after(c.zone, t); ok {
			first = min(first, n)
		}
	}
	return first, first <= c.last
}

// delay returns the jitter of a nominal time: less than Jitter and than the time to the next one, so that firing keeps
// the order of the calendar.
func (c *Calendar) delay(nominal int64) time.Duration {
	if c.jitter == 0 {
		return 0
	}
	most := c.jitter
	if next, ok := c.after(nominal); ok {
		most = min(most, (next-nominal)*1000)
	}
	return time.Duration(mix(c.seed^mix(uint64(nominal)))%uint64(most)) * time.Millisecond
}

// mix is the finalizer of splitmix64 (Steele, Lea and Flood 2014): every bit of z changes every bit of the result.
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
