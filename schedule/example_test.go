package schedule_test

import (
	"fmt"
	"time"

	"github.com/weftworks/weft/schedule"
)

// The clock of New York jumps from two to three on 8 March 2026.
func Example() {
	spec, err := schedule.Parse([]byte(`{"cron": ["30 2 * * *"], "zone": "America/New_York"}`))
	if err != nil {
		panic(err)
	}
	zone, err := schedule.LoadZone(spec.Zone)
	if err != nil {
		panic(err)
	}
	calendar, err := schedule.Compile(spec, zone, 1)
	if err != nil {
		panic(err)
	}
	for at := time.Date(2026, 3, 7, 0, 0, 0, 0, time.UTC); at.Day() < 10; {
		at, _, _ = calendar.Next(at)
		fmt.Println(at)
	}
	// Output:
	// 2026-03-07 07:30:00 +0000 UTC
	// 2026-03-08 07:00:00 +0000 UTC
	// 2026-03-09 06:30:00 +0000 UTC
	// 2026-03-10 06:30:00 +0000 UTC
}
