package cli

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/config"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/schedule"
	"github.com/weftworks/weft/server/rest"
)

// specFlags are the flags that say when a schedule fires.
type specFlags struct {
	spec                           schedule.Spec
	every, offset, jitter, catchUp span
	start, end                     string
}

// span is a flag that is a duration, days included.
type span time.Duration

// MarshalText implements encoding.TextMarshaler.
func (s span) MarshalText() ([]byte, error) {
	if s == 0 {
		return nil, nil
	}
	return []byte(spanWords(time.Duration(s))), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *span) UnmarshalText(text []byte) error {
	d, err := config.ParseDuration(string(text))
	*s = span(d)
	return err
}

func (w *specFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&w.spec.Cron, "cron", nil, "`EXPRESSION`, for example '0 3 * * *'; may be repeated")
	f.TextVar(&w.every, "every", span(0), "`DURATION` between times, for example 15m or 1d; counted from --start, else from 1970")
	f.TextVar(&w.offset, "offset", span(0), "`DURATION` by which the times of --every are later")
	f.StringVar(&w.spec.Zone, "zone", "", "time `ZONE` of --cron, for example Europe/Oslo (default UTC)")
	f.StringVar(&w.start, "start", "", "no time before `TIME`: 2026-03-04T05:06:07Z, 2026-03-04, or 2h for so long from now")
	f.StringVar(&w.end, "end", "", "no time after `TIME`")
	f.TextVar(&w.jitter, "jitter", span(0), "begin up to `DURATION` later than the time, so that not all begin at once")
	f.TextVar(&w.catchUp, "catch-up", span(0), "a time counts if it is handled up to `DURATION` late, after an outage (default 365d)")
	f.TextVar(&w.spec.Overlap, "overlap", schedule.Overlap(0), "`POLICY` if a run is running: skip (the default), bufferOne, bufferAll, cancelOther or allowAll")
	f.IntVar(&w.spec.Remaining, "remaining", 0, "start `N` runs at most (default any number)")
	f.BoolVar(&w.spec.Paused, "paused", false, "create it paused")
	f.BoolVar(&w.spec.PauseOnFailure, "pause-on-failure", false, "pause it when a run has failed")
}

// read returns the Spec that the flags say. Its errors name the flag.
func (w *specFlags) read(a *app) (schedule.Spec, error) {
	s := w.spec
	s.Every, s.Offset, s.Jitter, s.CatchUp = time.Duration(w.every), time.Duration(w.offset), time.Duration(w.jitter), time.Duration(w.catchUp)
	start, err := a.when("--start", w.start, 1)
	if err != nil {
		return s, err
	}
	end, err := a.when("--end", w.end, 1)
	if err != nil {
		return s, err
	}
	s.Start, s.End = start.Time(), end.Time()
	var f *fault.Error
	if err := s.Validate(); errors.As(err, &f) {
		return s, fault.New("", f.Kind, flagOf(f.Subject, len(s.Cron)), "%w", f.Err)
	}
	return s, nil
}

// flagOf returns the flag of a part of a Spec: --catch-up of catchUp; --cron, of several expressions with its number.
func flagOf(part string, crons int) string {
	var i int
	switch _, err := fmt.Sscanf(part, "cron[%d]", &i); {
	case part == "":
		return ""
	case err == nil && crons > 1:
		return fmt.Sprintf("--cron number %d", i+1)
	case err == nil:
		return "--cron"
	}
	flag := "--"
	for _, c := range part {
		if unicode.IsUpper(c) {
			flag += "-"
		}
		flag += string(unicode.ToLower(c))
	}
	return flag
}

// spanWords writes a duration without its zeros: 1h, 90s as 1m30s.
func spanWords(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// whenWords says in one line when a schedule fires.
func whenWords(s *schedule.Spec) string {
	words := slices.Clone(s.Cron)
	if s.Every > 0 {
		every := "every " + spanWords(s.Every)
		if s.Offset > 0 {
			every += " + " + spanWords(s.Offset)
		}
		words = append(words, every)
	}
	text := strings.Join(words, ", ")
	if s.Zone != "" {
		text += " (" + s.Zone + ")"
	}
	return text
}

// zone is where the clock hangs that shows a schedule's times.
func (r *remote) zone(s *rest.Schedule) *time.Location {
	loc, err := time.LoadLocation(s.Spec.Zone)
	if err != nil || r.utc {
		return time.UTC
	}
	return loc
}

const nextLayout = "Mon 2006-01-02 15:04:05 MST"

// nextLines are the times to come, in the schedule's zone.
func nextLines(r *remote, s *rest.Schedule) (lines []string) {
	zone := r.zone(s)
	for _, t := range s.Next {
		line := t.Nominal.Time().In(zone).Format(nextLayout)
		if t.Fire != t.Nominal {
			line += ", begins " + spanWords((t.Fire.Time().Sub(t.Nominal.Time())).Round(time.Second)) + " later"
		}
		lines = append(lines, line)
	}
	return lines
}

func nextCell(r *remote, s *rest.Schedule) string {
	if len(s.Next) == 0 {
		return "-"
	}
	return r.at(s.Next[0].Fire)
}

func (a *app) showSchedule(r *remote, s *rest.Schedule) error {
	f := a.fields()
	f.head(s.ID)
	f.printf("  %s  %s\n", f.style.Dim(console.Pad("status", 10)), colourStatus(f.style, s.Status))
	f.line("note", s.Note)
	f.line("workflow", s.Workflow)
	f.line("version", s.Version)
	f.line("when", whenWords(&s.Spec))
	if !s.Spec.Start.IsZero() {
		f.line("start", r.at(rest.Time(s.Spec.Start.UnixMilli())))
	}
	if !s.Spec.End.IsZero() {
		f.line("end", r.at(rest.Time(s.Spec.End.UnixMilli())))
	}
	if s.Spec.Jitter > 0 {
		f.line("jitter", spanWords(s.Spec.Jitter))
	}
	f.line("overlap", s.Spec.Policy().String())
	if s.Spec.CatchUp > 0 {
		f.line("catch-up", spanWords(s.Spec.CatchUp))
	}
	if s.Spec.PauseOnFailure {
		f.line("on failure", "pauses")
	}
	if s.Remaining != nil {
		f.line("remaining", console.Count(*s.Remaining, "start"))
	}
	f.line("created", r.at(s.Created))
	if s.Updated != s.Created {
		f.line("updated", r.at(s.Updated))
	}
	f.line("times", fmt.Sprintf("%d started, %d skipped, %d missed", s.Counts.Started, s.Counts.Skipped, s.Counts.Missed))
	f.line("by hand", console.Count(int64(s.Counts.Manual), "run"))
	a.showScheduleRuns(f, r, s)
	if len(s.Input) > 0 && !bytes.Equal(s.Input, []byte("null")) {
		f.block("input", string(s.Input))
	}
	return f.flush()
}

// showScheduleRuns prints what comes, what runs, what waits and what has run.
func (a *app) showScheduleRuns(f *fields, r *remote, s *rest.Schedule) {
	f.lines("next", nextLines(r, s))
	f.lines("running", runLines(s.Running, func(run *rest.ScheduleRun) string {
		return "for " + console.Elapsed(a.Now().Sub(run.Started.Time()))
	}))
	f.lines("waiting", runLines(s.Waiting, func(run *rest.ScheduleRun) string {
		return "of " + r.at(run.Nominal)
	}))
	var backfills []string
	for _, b := range s.Backfills {
		line := "from " + r.at(b.From) + " to " + r.at(b.To)
		if b.Reached != 0 {
			line += ", has reached " + r.at(b.Reached)
		}
		backfills = append(backfills, line)
	}
	f.lines("backfills", backfills)
	recent := slices.Clone(s.Recent)
	slices.Reverse(recent)
	f.lines("recent", runLines(recent, func(run *rest.ScheduleRun) string {
		if run.Status == "" {
			return "not started: there is another run with this id"
		}
		return console.Pad(run.Status, len("TERMINATED")) + "  " + r.at(run.Ended) + "  after " + console.Elapsed(run.Ended.Time().Sub(run.Started.Time()))
	}))
}

// runsShown is how many runs of one sort are shown; --json has all.
const runsShown = 10

// runLines writes runs with what there is to say of each.
func runLines(runs []rest.ScheduleRun, say func(*rest.ScheduleRun) string) (lines []string) {
	width := 0
	for i := range runs[:min(len(runs), runsShown)] {
		width = max(width, console.Width(runs[i].ID))
	}
	for i := range runs[:min(len(runs), runsShown)] {
		lines = append(lines, console.Pad(runs[i].ID, width)+"  "+say(&runs[i]))
	}
	if more := len(runs) - runsShown; more > 0 {
		lines = append(lines, fmt.Sprintf("and %s more", console.Number(int64(more))))
	}
	return lines
}

// lines prints several lines below a name, unless there are none.
func (f *fields) lines(name string, lines []string) {
	if len(lines) > 0 {
		f.printf("  %s\n%s\n", f.style.Dim(name), console.Indent(console.CleanLines(strings.Join(lines, "\n")), "    "))
	}
}
