package conformance

import "time"

// mapRunsLeftTheChain is when Step Functions began to let MapStateExited hang on MapRunStarted: all recordings until August
// 2024 have it on MapRunSucceeded, all from November 2024 on have not.
var mapRunsLeftTheChain = time.Date(2024, 11, 1, 0, 0, 0, 0, time.UTC)

// today returns recorded events as the service would number them today. What it has changed since is no rule to follow.
func (c *Case) today(events []event) []event {
	recorded, err := time.Parse("02-01-2006, 15:04:05", c.Recorded)
	if err != nil || !recorded.Before(mapRunsLeftTheChain) {
		return events
	}
	before := map[int]int{} // by id of a MapRunSucceeded
	for _, e := range events {
		if e.kind == "MapRunSucceeded" {
			before[e.id] = e.prev
		}
	}
	for i := range events {
		if prev, ok := before[events[i].prev]; ok && events[i].kind == "MapStateExited" {
			events[i].prev = prev
		}
	}
	return events
}
