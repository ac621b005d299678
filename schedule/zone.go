package schedule

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/weftworks/weft/internal/wire"
)

// The calendar's first and last second (Unix seconds).
const (
	firstSecond = 0
	lastSecond  = 4_102_444_799 // 2099-12-31T23:59:59Z
)

// offsetMax is more than any zone is away from UTC, in seconds (RFC 8536 3.2 says 25 hours west, 26 east).
const offsetMax = 26 * 3600

// Zone is the rules of a time zone from 1970 to 2099: what was to be added to UTC when. It is immutable.
//
// A wall time is what a clock of the zone shows, as the Unix time at which a clock of UTC shows the same.
type Zone struct {
	name  string
	spans []span // at least one, by rising from; neighbours differ
}

// span is a time with one offset. It lasts until the next one begins; the first has always been.
type span struct{ from, offset int64 } // Unix seconds; seconds east of UTC

// LoadZone returns the rules of a zone as the machine's time zone database has them today. "" is UTC.
func LoadZone(name string) (*Zone, error) {
	loc, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, invalid("zone", "there is no time zone %q in the time zone database; give an IANA name such as Europe/Berlin", name)
	}
	z := &Zone{name: loc.String()}
	// The days around the calendar make the clocks of its first and last second right.
	t := time.Unix(firstSecond-2*offsetMax, 0).In(loc)
	for t.Unix() <= lastSecond+2*offsetMax {
		_, offset := t.Zone()
		if n := len(z.spans); n == 0 || z.spans[n-1].offset != int64(offset) {
			z.spans = append(z.spans, span{from: t.Unix(), offset: int64(offset)})
		}
		_, end := t.ZoneBounds()
		if end.IsZero() {
			break
		}
		if !end.After(t) {
			// To package time a year that only rules reach has 365 days; the last day of a leap year has no end. It has no
			// transition either, since time looks for those before it looks for the year's end.
			end = t.Add(24 * time.Hour)
		}
		t = end
	}
	return z, z.check()
}

// Name returns the zone's IANA name.
func (z *Zone) Name() string { return z.name }

// Equal reports whether two zones have the same name and rules.
func (z *Zone) Equal(other *Zone) bool {
	return z.name == other.name && slices.Equal(z.spans, other.spans)
}

func (z *Zone) check() error {
	for i, s := range z.spans {
		if s.offset < -offsetMax || s.offset > offsetMax || i > 0 && s.from <= z.spans[i-1].from {
			return invalid("zone", "the rules of %s are damaged at Unix time %d; mend the time zone database", z.name, s.from)
		}
	}
	return nil
}

const zoneVersion = 1

// Append writes the zone, so that it can be stored: 20 bytes, or 1.5 KiB with daylight-saving time.
func (z *Zone) Append(dst []byte) []byte {
	dst = wire.AppendString(append(dst, zoneVersion), z.name)
	dst = wire.AppendUint(dst, uint64(len(z.spans)))
	var last span
	for _, s := range z.spans {
		dst = wire.AppendInt(dst, s.from-last.from)
		dst = wire.AppendInt(dst, s.offset-last.offset)
		last = s
	}
	return dst
}

// DecodeZone undoes Append.
func DecodeZone(data []byte) (*Zone, error) {
	r := wire.NewReader(data)
	if v := r.Byte(); v != zoneVersion && r.Err() == nil {
		return nil, fmt.Errorf("schedule: zone has format version %d; this program reads %d", v, zoneVersion)
	}
	z := &Zone{name: r.String(), spans: make([]span, r.Count(2))}
	var last span
	for i := range z.spans {
		last = span{from: last.from + r.Int(), offset: last.offset + r.Int()}
		z.spans[i] = last
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	if len(z.spans) == 0 || r.Len() > 0 {
		return nil, wire.ErrTruncated
	}
	return z, z.check()
}

// at returns the index of the span that t is in.
func (z *Zone) at(t int64) int {
	return max(0, sort.Search(len(z.spans), func(i int) bool { return z.spans[i].from > t })-1)
}

// end returns when span i ends.
func (z *Zone) end(i int) int64 {
	if i+1 == len(z.spans) {
		return 1 << 60
	}
	return z.spans[i+1].from
}

// latest returns the latest wall time that the clock has shown at t or before. It is t's own, unless the clock was
// put back shortly before.
func (z *Zone) latest(t int64) int64 {
	i := z.at(t)
	wall := t + z.spans[i].offset
	for ; i > 0 && z.spans[i].from > t-2*offsetMax; i-- {
		wall = max(wall, z.spans[i].from-1+z.spans[i-1].offset)
	}
	return wall
}

// first returns the first instant at which the clock shows wall or later.
func (z *Zone) first(wall int64) int64 {
	i := z.at(wall - offsetMax)
	for z.end(i)+z.spans[i].offset <= wall {
		i++
	}
	return max(z.spans[i].from, wall-z.spans[i].offset)
}
