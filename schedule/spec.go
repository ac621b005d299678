package schedule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/weftworks/weft/fault"
)

// DefaultCatchUp is how late a time may be and still count, unless a Spec says otherwise: a year, as with Temporal. It
// should be longer than any outage, for what is not caught up is lost without anybody deciding so (a monthly run
// must survive a weekend). It need not guard against a flood of old runs: that is what the overlap policy
// does, and under Skip an outage of any length is followed by one run. Kubernetes has no limit by default either, but
// gives a job up for good after a hundred missed times.
const DefaultCatchUp = 365 * 24 * time.Hour

// The least CatchUp, so that a busy minute is no outage, and the largest Jitter.
const (
	catchUpMin = 10 * time.Second
	jitterMax  = 24 * time.Hour
)

// Spec says when a schedule fires and what happens when times collide or pass unseen. The nominal times are those
// of all Cron expressions and of Every together; one that several of them give counts once. As JSON its members have
// the names of the fields with a small first letter, durations are texts such as "1h30m", times are RFC 3339.
type Spec struct {
	// Cron are cron expressions of five fields (minute, hour, day of month, month, day of week), or of six with
	// seconds before them. A field is *, ?, a number, a range, any of them with a /step, or a list of those; months and
	// days of week have their English names too, Sunday is 0. If neither day field has a *, either one suffices.
	// Also: @yearly, @monthly, @weekly, @daily, @hourly, and "@every 15m", which is one more interval. At most
	// limits.ScheduleCrons.
	Cron []string
	// Every is an interval of whole seconds; 0: none. Intervals are counted from Start, or from 1970 if there is none.
	Every time.Duration
	// Offset shifts the intervals of Every; at least 0 and less than Every.
	Offset time.Duration
	// Zone is the IANA name of the time zone of Cron. "": UTC.
	Zone string
	// Start and End bound the nominal times, both inclusive. Zero: no bound.
	Start, End time.Time
	// Jitter delays each firing by a time below it that looks random and is always the same for a nominal time, so
	// that schedules of the same hour do not all start at once. At most 24 hours, and never up to the next nominal time.
	Jitter time.Duration
	// CatchUp is how late a time may be and still count, if nobody was there when it came; later it is missed. At
	// least 10 seconds; 0: DefaultCatchUp.
	CatchUp time.Duration
	// Overlap says what happens to a time that comes while a run is still running. 0: Skip.
	Overlap Overlap
	// Paused makes a schedule begin paused.
	Paused bool
	// PauseOnFailure pauses the schedule when a run has failed.
	PauseOnFailure bool
	// Remaining is how many times the schedule may start a run; 0: any number.
	Remaining int
}

// Overlap says what happens to a time that comes while a run of the schedule is still running. Values are append-only:
// they are stored.
type Overlap uint8

// The overlap policies.
const (
	Skip        Overlap = iota + 1 // the time passes
	BufferOne                      // it is run afterwards, unless another one waits for that already
	BufferAll                      // it is run afterwards, when those that wait already have been run
	CancelOther                    // the run is terminated and what waits is dropped; the time is run when it has ended
	AllowAll                       // it is run beside the other
)

var overlapNames = []string{"", "skip", "bufferOne", "bufferAll", "cancelOther", "allowAll"}

// String returns the policy's name in JSON.
func (o Overlap) String() string {
	if int(o) < len(overlapNames) {
		return overlapNames[o]
	}
	return fmt.Sprintf("overlap(%d)", uint8(o))
}

// MarshalText implements encoding.TextMarshaler.
func (o Overlap) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *Overlap) UnmarshalText(text []byte) error {
	i := slices.Index(overlapNames, string(text))
	if i < 0 {
		return invalid("overlap", "there is no policy %q; it is one of %s", text, strings.Join(overlapNames[1:], ", "))
	}
	*o = Overlap(i)
	return nil
}

// Policy returns the overlap policy that counts.
func (s *Spec) Policy() Overlap {
	if s.Overlap == 0 {
		return Skip
	}
	return s.Overlap
}

// Window returns the catch-up window that counts.
func (s *Spec) Window() time.Duration {
	if s.CatchUp == 0 {
		return DefaultCatchUp
	}
	return s.CatchUp
}

// document is a Spec as JSON has it.
type document struct {
	Cron           []string  `json:"cron,omitempty"`
	Every          duration  `json:"every,omitzero"`
	Offset         duration  `json:"offset,omitzero"`
	Zone           string    `json:"zone,omitempty"`
	Start          time.Time `json:"start,omitzero"`
	End            time.Time `json:"end,omitzero"`
	Jitter         duration  `json:"jitter,omitzero"`
	CatchUp        duration  `json:"catchUp,omitzero"`
	Overlap        Overlap   `json:"overlap,omitzero"`
	Paused         bool      `json:"paused,omitempty"`
	PauseOnFailure bool      `json:"pauseOnFailure,omitempty"`
	Remaining      int       `json:"remaining,omitempty"`
}

// duration is a time.Duration that is text in JSON.
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return invalid("", "%q is not a duration; write one such as \"90s\" or \"1h30m\"", text)
	}
	*d = duration(v)
	return nil
}

// MarshalJSON returns the Spec's one canonical text: equal specs have equal texts.
func (s Spec) MarshalJSON() ([]byte, error) {
	return json.Marshal(document{
		Cron: s.Cron, Every: duration(s.Every), Offset: duration(s.Offset), Zone: s.Zone, Start: s.Start.UTC(), End: s.End.UTC(),
		Jitter: duration(s.Jitter), CatchUp: duration(s.CatchUp), Overlap: s.Overlap, Paused: s.Paused,
		PauseOnFailure: s.PauseOnFailure, Remaining: s.Remaining,
	})
}

// UnmarshalJSON reads a Spec and refuses members it does not know. It does not validate.
func (s *Spec) UnmarshalJSON(text []byte) error {
	var d document
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&d); err != nil {
		return err
	}
	*s = Spec{
		Cron: d.Cron, Every: time.Duration(d.Every), Offset: time.Duration(d.Offset), Zone: d.Zone, Start: d.Start, End: d.End,
		Jitter: time.Duration(d.Jitter), CatchUp: time.Duration(d.CatchUp), Overlap: d.Overlap, Paused: d.Paused,
		PauseOnFailure: d.PauseOnFailure, Remaining: d.Remaining,
	}
	return nil
}

// Parse reads a Spec from one JSON object and validates it. Errors are faults of kind InvalidArgument.
func Parse(text []byte) (Spec, error) {
	var s Spec
	in := json.NewDecoder(bytes.NewReader(text))
	if err := in.Decode(&s); err != nil {
		if !fault.Is(err, fault.InvalidArgument) {
			err = invalid("", "this is not a schedule in JSON: %w", err)
		}
		return Spec{}, err
	}
	if _, err := in.Token(); err != io.EOF {
		return Spec{}, invalid("", "something follows the JSON object of the schedule; give one object")
	}
	return s, s.Validate()
}

// Validate reports what is wrong with the Spec, as Compile does, with the zone as this machine's database has it.
func (s *Spec) Validate() error {
	zone, err := LoadZone(s.Zone)
	if err == nil {
		_, err = Compile(*s, zone, 0)
	}
	return err
}

// check reports what is wrong with the fields that are not times.
func (s *Spec) check() error {
	switch {
	case len(s.Cron) == 0 && s.Every == 0:
		return invalid("", "it never fires; give it cron expressions or every")
	case s.Every < 0 || s.Every%time.Second != 0:
		return invalid("every", "%v is not a whole number of seconds, at least 1", s.Every)
	case s.Offset != 0 && (s.Offset < 0 || s.Offset >= s.Every || s.Offset%time.Second != 0):
		return invalid("offset", "%v is not a whole number of seconds below every (%v)", s.Offset, s.Every)
	case s.Jitter < 0 || s.Jitter > jitterMax:
		return invalid("jitter", "%v is not between 0 and %v", s.Jitter, jitterMax)
	case s.CatchUp != 0 && s.CatchUp < catchUpMin:
		return invalid("catchUp", "%v is less than %v; a node that is only busy would miss times", s.CatchUp, catchUpMin)
	case int(s.Overlap) >= len(overlapNames):
		return invalid("overlap", "there is no policy %d", s.Overlap)
	case s.Remaining < 0:
		return invalid("remaining", "%d is negative; leave it out for any number of runs", s.Remaining)
	case s.Start.Year() < 1 || s.Start.Year() > 9999 || s.End.Year() < 1 || s.End.Year() > 9999:
		return invalid("", "start and end must be in the years 1 to 9999, which RFC 3339 can write")
	case !s.Start.IsZero() && !s.End.IsZero() && s.End.Before(s.Start):
		return invalid("end", "%s is before start", s.End.Format(time.RFC3339))
	}
	return nil
}

// invalid returns the error that a part of a Spec is wrong.
func invalid(part, format string, args ...any) error {
	return fault.New("schedule", fault.InvalidArgument, part, format, args...)
}
