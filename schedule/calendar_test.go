package schedule

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func compile(t testing.TB, s Spec, seed uint64) *Calendar {
	t.Helper()
	zone, err := LoadZone(s.Zone)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compile(s, zone, seed)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

// times returns the next n nominal times after from, as the clock of the zone shows them with its offset.
func times(c *Calendar, zone string, from time.Time, n int) (list []string) {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		panic(err)
	}
	for range n {
		nominal, _, ok := c.Next(from)
		if !ok {
			return append(list, "never")
		}
		list = append(list, nominal.In(loc).Format("2006-01-02T15:04:05Z07:00"))
		from = nominal
	}
	return list
}

// TestClocksThatAreChanged has the rules of the package comment as cases a person can check.
func TestClocksThatAreChanged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, zone, cron, from, want string }{
		{"a time that does not exist, at the first instant after", "America/New_York", "30 2 * * *", "2026-03-07T12:00:00-05:00",
			"2026-03-08T03:00:00-04:00 2026-03-09T02:30:00-04:00"},
		{"several of them are one", "America/New_York", "10,20,30 2 * * *", "2026-03-07T12:00:00-05:00",
			"2026-03-08T03:00:00-04:00 2026-03-09T02:10:00-04:00"},
		{"and one with the time that is there", "America/New_York", "0 2,3 * * *", "2026-03-07T12:00:00-05:00",
			"2026-03-08T03:00:00-04:00 2026-03-09T02:00:00-04:00"},
		{"with seconds too", "America/New_York", "*/20 30 2 * * *", "2026-03-07T12:00:00-05:00",
			"2026-03-08T03:00:00-04:00 2026-03-09T02:30:00-04:00 2026-03-09T02:30:20-04:00"},
		{"a time that comes twice, once", "America/New_York", "30 1 * * *", "2026-10-31T12:00:00-04:00",
			"2026-11-01T01:30:00-04:00 2026-11-02T01:30:00-05:00"},
		{"from within the hour that comes twice", "America/New_York", "30 1 * * *", "2026-11-01T01:10:00-05:00", "2026-11-02T01:30:00-05:00"},
		{"to the end of it", "America/New_York", "0 2 * * *", "2026-11-01T01:10:00-05:00", "2026-11-01T02:00:00-05:00"},
		{"the hour that comes twice, for a rhythm", "America/New_York", "*/30 * * * *", "2026-11-01T00:45:00-04:00",
			"2026-11-01T01:00:00-04:00 2026-11-01T01:30:00-04:00 2026-11-01T01:00:00-05:00 2026-11-01T01:30:00-05:00 2026-11-01T02:00:00-05:00"},
		{"the hour that does not come, for a rhythm", "America/New_York", "*/30 * * * *", "2026-03-08T01:15:00-05:00",
			"2026-03-08T01:30:00-05:00 2026-03-08T03:00:00-04:00"},
		{"a rhythm of hours", "America/New_York", "0 */2 * * *", "2026-03-07T23:00:00-05:00",
			"2026-03-08T00:00:00-05:00 2026-03-08T04:00:00-04:00"},
		{"a rhythm within an hour that does not come", "America/New_York", "*/20 2 * * *", "2026-03-07T12:00:00-05:00",
			"2026-03-09T02:00:00-04:00"},
		{"@hourly is a rhythm", "America/New_York", "@hourly", "2026-11-01T00:30:00-04:00",
			"2026-11-01T01:00:00-04:00 2026-11-01T01:00:00-05:00"},
		{"@daily where midnight does not exist", "America/Sao_Paulo", "@daily", "2018-11-03T12:00:00-03:00",
			"2018-11-04T01:00:00-02:00 2018-11-05T00:00:00-02:00"},
		{"@daily where midnight comes twice", "America/Havana", "@daily", "2026-10-31T12:00:00-04:00",
			"2026-11-01T00:00:00-04:00 2026-11-02T00:00:00-05:00"},
		{"half an hour that does not exist", "Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00:00+10:30",
			"2026-10-04T02:30:00+11:00 2026-10-05T02:15:00+11:00"},
		{"half an hour that comes twice", "Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00:00+11:00",
			"2026-04-05T01:45:00+11:00 2026-04-06T01:45:00+10:30"},
		{"and for a rhythm", "Australia/Lord_Howe", "*/15 * * * *", "2026-04-05T01:20:00+11:00",
			"2026-04-05T01:30:00+11:00 2026-04-05T01:45:00+11:00 2026-04-05T01:30:00+10:30 2026-04-05T01:45:00+10:30"},
		{"a day that does not exist", "Pacific/Apia", "0 9 * * *", "2011-12-29T08:00:00-10:00",
			"2011-12-29T09:00:00-10:00 2011-12-31T00:00:00+14:00 2011-12-31T09:00:00+14:00"},
		{"a day of the month that does not exist", "Pacific/Apia", "0 9 30 * *", "2011-12-01T00:00:00-10:00",
			"2011-12-31T00:00:00+14:00 2012-01-30T09:00:00+14:00"},
		{"a day that does not exist, for a rhythm", "Pacific/Apia", "0 */12 * * *", "2011-12-29T11:00:00-10:00",
			"2011-12-29T12:00:00-10:00 2011-12-31T00:00:00+14:00"},
		{"two hours at once", "Antarctica/Troll", "30 1,2 * * *", "2026-03-28T12:00:00Z",
			"2026-03-29T03:00:00+02:00 2026-03-30T01:30:00+02:00"},
		{"a zone that changed for good", "Asia/Pyongyang", "15 0 * * *", "2015-08-14T12:00:00+09:00",
			"2015-08-15T00:15:00+08:30"},
		{"seconds that come twice", "Africa/Monrovia", "0 0 0 * * *", "1972-01-06T12:00:00Z",
			"1972-01-07T00:44:30Z 1972-01-08T00:00:00Z"},
		{"a leap day", "Europe/Berlin", "0 12 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T12:00:00+01:00 2032-02-29T12:00:00+01:00"},
		{"either day field suffices", "UTC", "0 0 13 * 5", "2026-02-07T00:00:00Z", "2026-02-13T00:00:00Z 2026-02-20T00:00:00Z"},
		{"names", "UTC", "0 0 ? feb,MAR Mon-tue", "2026-02-23T00:00:00Z", "2026-02-24T00:00:00Z 2026-03-02T00:00:00Z"},
		{"the end of the calendar", "UTC", "@yearly", "2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z never"},
		{"the start of the calendar", "Asia/Tokyo", "@yearly", "1900-01-01T00:00:00Z", "1971-01-01T00:00:00+09:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := strings.Fields(c.want)
			got := times(compile(t, Spec{Cron: []string{c.cron}, Zone: c.zone}, 0), c.zone, at(c.from), len(want))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// hardZones are those that have done what others do not: small and large shifts, skipped days, odd seasons, shifts at midnight.
var hardZones = []string{
	"UTC", "America/New_York", "Europe/Berlin", "Europe/London", "Europe/Dublin", "Africa/Casablanca", "Australia/Lord_Howe",
	"Pacific/Apia", "America/Sao_Paulo", "Asia/Tehran", "Asia/Kathmandu", "Asia/Kolkata", "Pacific/Chatham", "America/St_Johns",
	"America/Havana", "Asia/Gaza", "Africa/Cairo", "Antarctica/Troll", "Asia/Pyongyang", "America/Caracas", "Pacific/Kwajalein",
	"Pacific/Kiritimati", "America/Asuncion", "Asia/Amman", "Antarctica/Casey", "America/Scoresbysund", "Europe/Volgograd",
	"Asia/Beirut", "Africa/Windhoek", "America/Nuuk", "Pacific/Norfolk", "America/Argentina/San_Luis", "Asia/Hovd",
}

var hardPatterns = []string{
	"30 2 * * *", "*/15 * * * *", "0 0 * * *", "45 1,23 * * *", "5 */3 * * *", "*/10 2 * * *", "15 0 1 * *", "0,30 0,1,2,3 * * 0", "59 23 30,31 * 5",
}

// TestAgainstOracle compares the calendar around transitions of the hard zones with what their clocks show.
func TestAgainstOracle(t *testing.T) {
	t.Parallel()
	for _, name := range hardZones {
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			t.Parallel()
			zone, err := LoadZone(name)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range zone.spans {
				if i == 0 || s.from < firstSecond || s.from > at("2030-01-01T00:00:00Z").Unix() {
					continue
				}
				// Of the hours that come and go every year, one in four will do.
				if shift := s.offset - zone.spans[i-1].offset; i%4 == 0 || shift*shift != 3600*3600 {
					p := newPattern(hardPatterns[i/4%len(hardPatterns)])
					around := time.Unix(s.from, 0).UTC()
					compare(t, p, name, around.Add(-20*time.Hour), around.Add(26*time.Hour))
				}
			}
		})
	}
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// compare wants the calendar and the oracle to agree on (from, to].
func compare(t fataler, p *pattern, zone string, from, to time.Time) {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatalf("%v", err)
	}
	z, _ := LoadZone(zone)
	c, err := Compile(Spec{Cron: []string{p.text}, Zone: zone}, z, 0)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var got []time.Time
	for at := from; ; {
		nominal, fire, ok := c.Next(at)
		if ok && (!nominal.After(at) || !fire.Equal(nominal)) {
			t.Fatalf("%q in %s: after %v comes %v, fired at %v", p.text, zone, at, nominal, fire)
		}
		if !ok || nominal.After(to) {
			break
		}
		got = append(got, nominal)
		at = nominal
	}
	if diff := cmp.Diff(oracle(p, loc, from, to), got); diff != "" {
		t.Fatalf("%q in %s from %v: the clock says -, the calendar +\n%s", p.text, zone, from, diff)
	}
}

// drawPattern draws a cron expression that the oracle understands.
func drawPattern(t *rapid.T) *pattern {
	field := func(name string, low, high int) string {
		switch rapid.IntRange(0, 3).Draw(t, name) {
		case 0:
			return "*"
		case 1:
			return fmt.Sprintf("*/%d", rapid.IntRange(1, high).Draw(t, "step"))
		}
		var words []string
		for _, v := range rapid.SliceOfN(rapid.IntRange(low, high), 1, 4).Draw(t, "values") {
			words = append(words, fmt.Sprint(v))
		}
		return strings.Join(words, ",")
	}
	day, month, week := "*", "*", "*"
	if rapid.Bool().Draw(t, "days") {
		day, month, week = field("day", 1, 28), field("month", 1, 12), field("week", 0, 6)
		if strings.HasPrefix(day, "*/") || strings.HasPrefix(week, "*/") {
			day, week = "*", "*" // whether a step is a * is the library's to say
		}
	}
	hour := field("hour", 0, 23)
	if rapid.Bool().Draw(t, "night") {
		hour = field("hour of the night", 0, 3)
	}
	return newPattern(strings.Join([]string{field("minute", 0, 59), hour, day, month, week}, " "))
}

// TestRandomAgainstOracle compares random expressions near transitions and elsewhere.
func TestRandomAgainstOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPattern(t)
		name := rapid.SampledFrom(hardZones).Draw(t, "zone")
		zone, err := LoadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		from := rapid.Int64Range(firstSecond, lastSecond-4*86400).Draw(t, "from")
		if n := len(zone.spans); n > 1 {
			from = zone.spans[rapid.IntRange(1, n-1).Draw(t, "transition")].from + rapid.SampledFrom([]int64{-86400, -7200, 0, 7200}).Draw(t, "near")
			from = max(0, min(from+rapid.Int64Range(-7200, 7200).Draw(t, "second"), lastSecond-4*86400))
		}
		compare(t, p, name, time.Unix(from, 0).UTC(), time.Unix(from+2*86400, 0).UTC())
	})
}

// TestZoneIsTheLocation compares the stored rules with time's, and its maps between instants and walls with each other.
func TestZoneIsTheLocation(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(hardZones).Draw(t, "zone")
		loc, _ := time.LoadLocation(name)
		z, err := LoadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		data := z.Append(nil)
		z, err = DecodeZone(data)
		if err != nil || !bytes.Equal(z.Append(nil), data) || z.Name() != name {
			t.Fatalf("%s does not come back: %v", name, err)
		}
		if len(data) > 2048 {
			t.Fatalf("the rules of %s have %d bytes", name, len(data))
		}
		at := rapid.Int64Range(firstSecond-86400, lastSecond+86400).Draw(t, "at")
		if n := len(z.spans); n > 1 && rapid.Bool().Draw(t, "near") {
			at = z.spans[rapid.IntRange(1, n-1).Draw(t, "transition")].from + rapid.Int64Range(-7200, 7200).Draw(t, "off")
		}
		if _, offset := time.Unix(at, 0).In(loc).Zone(); int64(offset) != z.spans[z.at(at)].offset {
			t.Fatalf("%s at %d: offset %d, want %d", name, at, z.spans[z.at(at)].offset, offset)
		}
		wall := at + z.spans[z.at(at)].offset + rapid.Int64Range(-7200, 7200).Draw(t, "wall")
		if (z.latest(at) >= wall) != (at >= z.first(wall)) {
			t.Fatalf("%s: by %d the clock showed %d; it first showed %d at %d", name, at, z.latest(at), wall, z.first(wall))
		}
	})
}

func TestIntervals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		spec Spec
		from string
		want string
	}{
		{"from 1970", Spec{Every: 7 * time.Hour}, "1969-01-01T00:00:00Z", "1970-01-01T00:00:00Z 1970-01-01T07:00:00Z"},
		{"with an offset", Spec{Every: time.Hour, Offset: 5 * time.Minute}, "2026-01-01T00:05:00Z", "2026-01-01T01:05:00Z 2026-01-01T02:05:00Z"},
		{"from a start between seconds", Spec{Every: 25 * time.Second, Start: at("2026-01-01T00:00:09Z").Add(time.Millisecond)}, "2020-01-01T00:00:00Z",
			"2026-01-01T00:00:10Z 2026-01-01T00:00:35Z"},
		{"to an end", Spec{Every: time.Hour, End: at("2026-01-01T02:00:00Z")}, "2026-01-01T00:30:00Z", "2026-01-01T01:00:00Z 2026-01-01T02:00:00Z never"},
		{"as cron", Spec{Cron: []string{" @every  90s "}}, "2026-01-01T00:00:00Z", "2026-01-01T00:01:30Z"},
		{"no zone", Spec{Every: 24 * time.Hour, Zone: "Europe/Berlin"}, "2026-03-28T12:00:00Z", "2026-03-29T00:00:00Z 2026-03-30T00:00:00Z"},
		{"together with cron", Spec{Every: time.Hour, Cron: []string{"0,20 * * * *"}}, "2026-01-01T00:30:00Z",
			"2026-01-01T01:00:00Z 2026-01-01T01:20:00Z 2026-01-01T02:00:00Z"},
	} {
		want := strings.Fields(c.want)
		if diff := cmp.Diff(want, times(compile(t, c.spec, 0), "UTC", at(c.from), len(want))); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// TestJitter wants delays that stay in order and below the most, use the room they have, and depend on seed and time alone.
func TestJitter(t *testing.T) {
	t.Parallel()
	spec := Spec{Cron: []string{"0,1,30 * * * *"}, Jitter: 10 * time.Minute}
	c, same, other := compile(t, spec, 7), compile(t, spec, 7), compile(t, spec, 8)
	from := at("2026-01-01T00:00:30Z")
	var most, differ time.Duration
	for range 300 {
		nominal, fire, _ := c.Next(from)
		next, _, _ := c.Next(nominal)
		if fire.Before(nominal) || !fire.Before(next) || fire.Sub(nominal) >= 10*time.Minute {
			t.Fatalf("%v fires at %v; the next is %v", nominal, fire, next)
		}
		if _, again, _ := same.Next(nominal.Add(-time.Second)); again != fire {
			t.Fatalf("%v fires at %v and at %v", nominal, fire, again)
		}
		if _, f, _ := other.Next(from); f != fire {
			differ++
		}
		most = max(most, fire.Sub(nominal))
		from = nominal
	}
	if most < 9*time.Minute || differ < 250 {
		t.Errorf("in 300 times the longest delay is %v, and %d differ with another seed", most, differ)
	}
	if _, fire, _ := compile(t, Spec{Every: time.Hour, Jitter: time.Minute, End: at("2026-01-01T00:00:00Z")}, 1).Next(at("2025-12-31T23:30:00Z")); fire.IsZero() {
		t.Error("the last time does not fire")
	}
}

// FuzzNext wants every calendar to end, and to rise until it does.
func FuzzNext(f *testing.F) {
	f.Add("0 0 29 2 *", "Europe/Berlin", int64(0), int64(0))
	f.Add("*/5 0 22 3 *", "Asia/Tehran", int64(1e9), int64(time.Hour))
	f.Add("* * * * * *", "Pacific/Apia", int64(math.MaxInt64), int64(0))
	f.Add("@every 2562047h", "", int64(math.MinInt64), int64(1))
	f.Add("0 0 31 * 1", "Africa/Monrovia", int64(63593070), int64(time.Minute))
	f.Fuzz(func(t *testing.T, cron, zone string, from, jitter int64) {
		z, err := LoadZone(zone)
		if err != nil {
			return
		}
		c, err := Compile(Spec{Cron: []string{cron}, Zone: zone, Jitter: time.Duration(jitter)}, z, uint64(jitter))
		if err != nil {
			return
		}
		at := time.Unix(from, 0)
		for range 50 {
			nominal, fire, ok := c.Next(at)
			if !ok {
				return
			}
			if !nominal.After(at) || fire.Before(nominal) || nominal.Unix() > lastSecond || nominal.Unix() < firstSecond {
				t.Fatalf("%q in %s: after %v comes %v, fired at %v", cron, zone, at, nominal, fire)
			}
			at = nominal
		}
	})
}

func FuzzDecodeZone(f *testing.F) {
	z, _ := LoadZone("Australia/Lord_Howe")
	f.Add(z.Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		z, err := DecodeZone(data)
		if err != nil {
			return
		}
		if again, err := DecodeZone(z.Append(nil)); err != nil || !slices.Equal(again.spans, z.spans) {
			t.Fatalf("does not come back: %v", err)
		}
		z.first(z.latest(0))
	})
}

func BenchmarkNext(b *testing.B) {
	for _, cron := range []string{"*/15 * * * *", "30 2 * * *", "0 9 1 * *", "0 0 29 2 *"} {
		b.Run(cron, func(b *testing.B) {
			c := compile(b, Spec{Cron: []string{cron}, Zone: "Europe/Berlin"}, 0)
			from := at("2026-01-01T00:00:00Z")
			b.ReportAllocs()
			for b.Loop() {
				if from, _, _ = c.Next(from); from.IsZero() {
					from = at("2026-01-01T00:00:00Z")
				}
			}
		})
	}
}
