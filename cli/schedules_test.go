package cli

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests name zones, so they bring them

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/schedule"
	"github.com/weftworks/weft/server/rest"
)

func TestSchedulesOfAServer(t *testing.T) {
	t.Parallel()
	s := newShop().served(t, "")
	_, stderr := s.run(0, "schedules", "list")
	says(t, "an empty list", stderr, "weft schedules create")
	out, stderr := s.run(0, "schedules", "create", "yearly", "order", "--cron", "0 3 1 7 *", "--zone", "Europe/Oslo", "--input", `"tea"`)
	says(t, "create", stderr, "yearly starts order")
	if !regexp.MustCompile(`^(\w{3} 20\d\d-07-01 03:00:00 CEST\n){5}$`).MatchString(out) {
		t.Errorf("create printed %q", out)
	}
	s.run(0, "schedules", "create", "yearly", "order", "--cron", "0 3 1 7 *", "--zone", "Europe/Oslo", "--input", `"tea"`)
	_, stderr = s.run(4, "schedules", "create", "yearly", "order", "--cron", "0 3 1 7 *")
	says(t, "another with the id", stderr, "--update")
	s.run(0, "schedules", "create", "yearly", "order", "--cron", "0 3 1 7 *", "--zone", "Europe/Oslo", "--input", `"tea"`, "--remaining", "3", "--update")
	nextMillisecond()
	_, stderr = s.run(0, "schedules", "create", "sweep", "order", "--every", "1d", "--overlap", "bufferAll", "--catch-up", "7d", "--jitter", "90s", "--paused")
	says(t, "a paused one", stderr, "weft schedules resume sweep")

	out, _ = s.run(0, "schedules", "list")
	if !regexp.MustCompile(`(?s)^SCHEDULE +STATUS +NEXT +RUNNING +WORKFLOW +WHEN\nsweep +PAUSED +- +0 +order +every 24h\nyearly +ACTIVE +20\d\d-07-01 01:00:00 +0 +order +0 3 1 7 \* \(Europe/Oslo\)\n$`).MatchString(out) {
		t.Errorf("list:\n%s", out)
	}
	out, _ = s.run(0, "schedules", "list", "--prefix", "swe", "--json")
	says(t, "list --json", out, `"spec":{"every":"24h0m0s","jitter":"1m30s","catchUp":"168h0m0s","overlap":"bufferAll","paused":true}`)
	if strings.Count(out, "\n") != 1 {
		t.Errorf("list --prefix --json:\n%s", out)
	}
	checkScheduleByHand(t, s)

	_, stderr = s.run(0, "schedules", "delete", "yearly")
	says(t, "delete", stderr, "open runs")
	for _, args := range []string{"delete yearly", "show yearly", "pause yearly", "trigger yearly", "backfill yearly --from 1h"} {
		_, stderr = s.run(3, append([]string{"schedules"}, strings.Fields(args)...)...)
		says(t, args, stderr, "weft schedules list")
	}
}

// checkScheduleByHand triggers, pauses and backfills, and looks at what is shown.
func checkScheduleByHand(t *testing.T, s session) {
	t.Helper()
	out, _ := s.run(0, "schedules", "trigger", "yearly")
	first := strings.TrimSpace(out)
	_, stderr := s.run(4, "schedules", "trigger", "yearly")
	says(t, "a second trigger", stderr, "skip")
	out, stderr = s.run(0, "schedules", "trigger", "yearly", "--overlap", "bufferOne", "--json")
	says(t, "a trigger that waits", stderr, "other runs have ended")
	var second rest.Triggered
	if err := json.Unmarshal([]byte(out), &second); err != nil || !second.Waits {
		t.Errorf("trigger --json printed %s, %v", out, err)
	}
	_, stderr = s.run(0, "schedules", "pause", "yearly", "--note", "stock-taking")
	says(t, "pause", stderr, "paused yearly")
	out, _ = s.run(0, "schedules", "show", "yearly")
	for _, want := range []string{"PAUSED", "stock-taking", "0 3 1 7 * (Europe/Oslo)", "skip", "3 starts", first + "  for ", second.Run + "  of ", "\n  by hand     1 run\n", `"tea"`} {
		says(t, "show", out, want)
	}
	s.run(0, "runs", "terminate", first)
	_, stderr = s.run(0, "schedules", "backfill", "yearly", "--from", "2023-01-01", "--to", "2024-12-31T23:59:59Z")
	says(t, "backfill", stderr, "past times of yearly")
	out, _ = s.run(0, "schedules", "show", "yearly")
	for _, want := range []string{"from 2023-01-01 00:00:00 to 2024-12-31 23:59:59", first + "  TERMINATED"} {
		says(t, "show", out, want)
	}
	s.run(0, "schedules", "resume", "yearly")
	out, _ = s.run(0, "schedules", "show", "yearly")
	says(t, "show", out, "07-01 03:00:00 CEST")
	out, _ = s.run(0, "schedules", "show", "yearly", "--utc")
	says(t, "show --utc", out, "07-01 01:00:00 UTC")
	out, _ = s.run(0, "schedules", "show", "yearly", "--json")
	says(t, "show --json", out, `"zone":"Europe/Oslo"`)
}

func TestScheduleMistakesNameTheFlag(t *testing.T) {
	t.Parallel()
	s := newShop().served(t, "")
	for _, c := range []struct {
		code int
		args []string
		want string
	}{
		{3, []string{"x", "ordr", "--every", "1h"}, "there are: order"},
		{2, []string{"a/b", "order", "--every", "1h"}, "not the id of a schedule"},
		{2, []string{"x", "order"}, "it never fires"},
		{2, []string{"x", "order", "--cron", "0 25 * * *"}, `--cron: "25" as hour`},
		{2, []string{"x", "order", "--cron", "@daily", "--cron", "0 3 * *"}, "--cron number 2: "},
		{2, []string{"x", "order", "--every", "1h", "--catch-up", "1s"}, "--catch-up: 1s is less than"},
		{2, []string{"x", "order", "--every", "1h", "--jitter", "2d"}, "--jitter: 48h"},
		{2, []string{"x", "order", "--every", "hourly"}, `"hourly" is not a duration`},
		{2, []string{"x", "order", "--every", "1h", "--zone", "Europe/Olso"}, "--zone: there is no time zone"},
		{2, []string{"x", "order", "--every", "1h", "--overlap", "queue"}, "bufferOne"},
		{2, []string{"x", "order", "--every", "1h", "--start", "later"}, "--start"},
		{2, []string{"x", "order", "--every", "1h", "--input", "{"}, "--input:1:"},
		{2, []string{"x"}, "WORKFLOW is missing"},
	} {
		_, stderr := s.run(c.code, append([]string{"schedules", "create"}, c.args...)...)
		says(t, strings.Join(c.args, " "), stderr, c.want)
	}
	s.run(2, "schedules", "backfill", "x")
	s.run(2, "schedules", "paus", "x")
}

func TestNextTimesAreShownInTheirZone(t *testing.T) {
	t.Parallel()
	at := func(text string) rest.Time {
		v, err := rest.ParseTime(text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	s := &rest.Schedule{Spec: schedule.Spec{Zone: "Asia/Kathmandu"}, Next: []rest.ScheduleTime{
		{Nominal: at("2026-03-04T05:06:07Z"), Fire: at("2026-03-04T05:06:07Z")},
		{Nominal: at("2026-03-05T05:06:07Z"), Fire: at("2026-03-05T05:07:10.900Z")},
	}}
	want := []string{"Wed 2026-03-04 10:51:07 +0545", "Thu 2026-03-05 10:51:07 +0545, begins 1m4s later"}
	if d := cmp.Diff(want, nextLines(&remote{}, s)); d != "" {
		t.Error(d)
	}
	runs := make([]rest.ScheduleRun, runsShown+2)
	lines := runLines(runs, func(*rest.ScheduleRun) string { return "" })
	if len(lines) != runsShown+1 || lines[runsShown] != "and 2 more" {
		t.Errorf("%q", lines)
	}
	for d, want := range map[time.Duration]string{time.Hour: "1h", 90 * time.Second: "1m30s", 10 * time.Minute: "10m", 24 * time.Hour: "24h", 10 * time.Hour: "10h", 3601 * time.Second: "1h0m1s"} {
		if got := spanWords(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
