// Package schedule holds the partition program of schedules: instances that start runs when the calendar of package
// schedule at the root says so. Like the core it serves, it does no I/O and reads no clock: the time zone's rules come
// with the message that makes a schedule, and the time with every event.
//
// An instance is named "schedule/<id>". It has one timer armed, for the next time of its calendar, and knows which of its runs
// still run. A run is named after the schedule and the time it is for, so that no crash and no retry makes two of one time.
//
// # What happens to a time
//
// Every nominal time of the calendar since the schedule was made ends in exactly one place, whatever crashes:
//
//   - missed: it was handled later than the catch-up window after it should have fired, since no node was up;
//   - skipped: the overlap policy let it pass, or a bound of package limits did;
//   - started: its run has been started, at once or after it had waited for others.
//
// Times during a pause are not times: nobody counts them. Nor are those before an update of the spec that were not handled yet.
// A schedule that catches up handles limits.ScheduleTimesPerStep times and lets others work in between.
//
// # What starts and ends runs
//
// What a run is, is not known here. A Starter, given by the engine, turns a Start into the message that starts a run, and
// whoever takes that message owes the schedule exactly one OpEnded: when the run has ended, or at once with Failed set if it cannot
// start (the machine is gone, the name is taken). A schedule that never gets it takes the run for running for ever.
//
//	programs[schedule.ID] = &schedule.Program{Starter: schedule.Starter{
//		Start:     func(s *schedule.Start) schedule.Message { ... },
//		Terminate: func(t schedule.Target, run, cause string) schedule.Message { ... },
//	}}
//	body, err := schedule.Define(id, spec, target, seed) // checks all that can be wrong
//	event := partition.Event{Kind: partition.Message, To: schedule.InstanceName(id), Program: schedule.ID, Op: schedule.OpCreate, Body: body}
package schedule
