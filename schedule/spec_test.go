package schedule

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests are about zones, so they bring them

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/fault"
)

func TestSpecAsJSON(t *testing.T) {
	t.Parallel()
	full := Spec{
		Cron: []string{"0 9 * * MON-FRI", "@daily"}, Every: 90 * time.Second, Offset: time.Second, Zone: "Europe/Berlin",
		Start: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), End: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), Jitter: time.Minute,
		CatchUp: time.Hour, Overlap: BufferOne, Paused: true, PauseOnFailure: true, Remaining: 7,
	}
	const text = `{"cron":["0 9 * * MON-FRI","@daily"],"every":"1m30s","offset":"1s","zone":"Europe/Berlin",` +
		`"start":"2026-01-02T03:04:05Z","end":"2027-01-01T00:00:00Z","jitter":"1m0s","catchUp":"1h0m0s","overlap":"bufferOne",` +
		`"paused":true,"pauseOnFailure":true,"remaining":7}`
	got, err := json.Marshal(full)
	if err != nil || string(got) != text {
		t.Errorf("marshalled\n%s (%v), want\n%s", got, err, text)
	}
	back, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full, back); diff != "" {
		t.Error(diff)
	}
	if text, err := json.Marshal(Spec{Every: time.Second}); err != nil || string(text) != `{"every":"1s"}` {
		t.Errorf("a small Spec is %s (%v)", text, err)
	}
	there := full
	there.Start = full.Start.In(time.FixedZone("", 7200))
	if again, _ := json.Marshal(there); string(again) != text {
		t.Errorf("equal times have different texts: %s", again)
	}
	if full.Policy() != BufferOne || full.Window() != time.Hour || new(Spec).Policy() != Skip || new(Spec).Window() != DefaultCatchUp {
		t.Error("wrong policy or window")
	}
}

// TestWrongSpecs wants an error that says where and what.
func TestWrongSpecs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"cron":["60 * * * *"]}`:                                    `schedule: cron[0]: "60" as minute: end of range (60) above maximum (59): 60; values are 0-59`,
		`{"cron":["* * * * *","* * 0 * *"]}`:                         `schedule: cron[1]: "0" as day of month: beginning of range (0) below minimum (1): 0; values are 1-31`,
		`{"cron":["* * * * 7"]}`:                                     `values are 0-6 or SUN-SAT`,
		`{"cron":["* * * FOO *"]}`:                                   `"FOO" as month`,
		`{"cron":["*/0 * * * *"]}`:                                   `step of range should be a positive number`,
		`{"cron":["90 * * * * *"]}`:                                  `"90" as second`,
		`{"cron":["*-5 * * * *"]}`:                                   `"*-5" as minute`,
		`{"cron":["1,,2 * * * *"]}`:                                  `"1,,2" as minute`,
		`{"cron":["* , * * *"]}`:                                     `"," as hour`,
		`{"cron":["+5 * * * *"]}`:                                    `"+5" as minute`,
		`{"cron":["* * *"]}`:                                         `has 3 fields; give minute, hour`,
		`{"cron":[""]}`:                                              `has 0 fields`,
		`{"cron":["* * L * *"]}`:                                     `"L" as day of month`,
		`{"cron":["* * * * 5#3"]}`:                                   `"5#3" as day of week`,
		`{"cron":["TZ=UTC"]}`:                                        `names its own time zone; use the schedule's zone`,
		`{"cron":["CRON_TZ=UTC * * * * *"]}`:                         `names its own time zone`,
		`{"cron":["@reboot"]}`:                                       `there are @yearly`,
		`{"cron":["@every 1.5s"]}`:                                   `a whole number of seconds`,
		`{"cron":["@every soon"]}`:                                   `a whole number of seconds`,
		`{"cron":["@every"]}`:                                        `there are @yearly`,
		`{"cron":["0 0 30 2 *"]}`:                                    `"0 0 30 2 *" never fires: no month of it has such a day`,
		`{"cron":["0 0 31 2,4,6,9,11 *"]}`:                           `never fires`,
		`{"cron":["` + strings.Repeat("1,", 300) + `1 * * * *"]}`:    `the most is 512`,
		`{"cron":[` + strings.Repeat(`"@daily",`, 32) + `"@daily"]}`: `33 expressions; the most is 32`,
		`{}`:                                `it never fires; give it cron expressions or every`,
		`null`:                              `it never fires`,
		`{"every":"1500ms"}`:                `schedule: every: 1.5s is not a whole number of seconds`,
		`{"every":"-1s"}`:                   `every: -1s`,
		`{"every":"1h","offset":"1h"}`:      `offset: 1h0m0s is not a whole number of seconds below every (1h0m0s)`,
		`{"cron":["@daily"],"offset":"1h"}`: `offset`,
		`{"every":"1h","jitter":"25h"}`:     `jitter: 25h0m0s is not between 0 and 24h0m0s`,
		`{"every":"1h","catchUp":"9s"}`:     `catchUp: 9s is less than 10s`,
		`{"every":"1h","overlap":"queue"}`:  `there is no policy "queue"; it is one of skip, bufferOne, bufferAll, cancelOther, allowAll`,
		`{"every":"1h","remaining":-1}`:     `remaining: -1`,
		`{"every":"1h","zone":"Berlin"}`:    `zone: there is no time zone "Berlin" in the time zone database`,
		`{"every":"1h","zone":"Local"}`:     `there is no time zone "Local"`,
		`{"every":"1h","zone":"../x"}`:      `there is no time zone`,
		`{"every":"1h","start":"2026-01-02T00:00:00Z","end":"2026-01-01T00:00:00Z"}`:       `end: 2026-01-01T00:00:00Z is before start`,
		`{"cron":["@yearly"],"start":"2026-01-02T00:00:00Z","end":"2026-12-01T00:00:00Z"}`: `no time of it lies between start`,
		`{"every":"1h","start":"2100-01-01T00:00:00Z"}`:                                    `it never fires`,
		`{"every":"1h","end":"1969-01-01T00:00:00Z"}`:                                      `it never fires`,
		`{"every":3600}`:             `not a schedule in JSON`,
		`{"every":"soon"}`:           `"soon" is not a duration`,
		`{"every":"1h","until":"x"}`: `unknown field "until"`,
		`{"every":"1h"} {}`:          `something follows`,
		`{"every":`:                  `not a schedule in JSON`,
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || !fault.Is(err, fault.InvalidArgument) {
			t.Errorf("%s: %v, want ... %s ...", text, err, want)
		}
	}
}

func TestOverlapNames(t *testing.T) {
	t.Parallel()
	for o := Skip; o <= AllowAll; o++ {
		text, _ := o.MarshalText()
		var back Overlap
		if err := back.UnmarshalText(text); err != nil || back != o {
			t.Errorf("%s comes back as %s (%v)", o, back, err)
		}
	}
	if Overlap(99).String() != "overlap(99)" {
		t.Error(Overlap(99))
	}
	if err := (&Spec{Every: time.Hour, Overlap: 99}).Validate(); err == nil {
		t.Error("policy 99 is valid")
	}
	if err := (&Spec{Every: time.Hour, End: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}).Validate(); err == nil {
		t.Error("a year that RFC 3339 cannot write is valid")
	}
}

// FuzzParse wants every text to be refused, or to be a Spec that comes back from its own text and gives times.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"cron":["0 9 * * MON-FRI"],"zone":"Europe/Berlin","jitter":"5m"}`))
	f.Add([]byte(`{"every":"90s","offset":"1s","start":"2026-01-01T00:00:00+02:00","end":"2027-01-01T00:00:00Z","overlap":"allowAll"}`))
	f.Add([]byte(`{"cron":["@every 15m","*/7 1-5/2 ? jan,3 *"],"catchUp":"10s","paused":true,"remaining":3}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		once, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse(once)
		if err != nil {
			t.Fatalf("%s was valid, its text %s is not: %v", text, once, err)
		}
		if twice, _ := json.Marshal(back); string(twice) != string(once) {
			t.Fatalf("%s comes back as %s", once, twice)
		}
	})
}
