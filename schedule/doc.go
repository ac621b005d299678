// Package schedule is the calendar of schedules: when something is to be done, and nothing of the doing. A Spec says it
// in words that people write (cron expressions, intervals, a time zone, bounds); Compile turns it into a Calendar,
// which answers Next. Nothing here reads a clock: the same Spec, Zone and seed give the same times for ever.
//
// # Times
//
// A nominal time is a time of the calendar: a whole second, unique and rising. A fire time is when the work
// is to begin: the nominal time plus its jitter, always before the next nominal time. The calendar begins in 1970
// and ends with 2099: nobody knows the rules of time zones that far, and a search needs an end.
//
// # Clocks that are changed
//
// Cron expressions speak of what the clock on the wall shows, and twice a year that clock jumps. Vixie cron's rule is
// followed, without its limit of three hours:
//
//   - An expression with a wildcard (* or ?, with or without a step) in its hour or minute is a rhythm. It
//     fires at every instant at which the clock shows a time that matches: "*/15 * * * *" every quarter of an hour that
//     passes, also in an hour that comes twice, and never for an hour that does not come.
//   - Any other expression is an appointment, and is kept once. If the clock shows its time twice, the first counts.
//     If the clock jumps over it, it is kept at the first instant after the jump: "30 2 * * *" at 03:00 on the day when
//     02:30 does not exist, and "0 9 * * *" at the first instant of 31 December 2011 in Apia, which had no 30 December.
//     Appointments that meet at such an instant are one.
//
// Intervals know no zones: every 24h is 24 hours.
//
// # Zones
//
// Rules of time zones change several times a year, and a fold over a log must give tomorrow what it gave today. So
// a Calendar is compiled from a Zone, which is data that can be stored: LoadZone alone looks into the time zone
// database of the machine.
//
//	spec, err := schedule.Parse([]byte(`{"cron": ["0 9 * * MON-FRI"], "zone": "Europe/Berlin", "jitter": "5m"}`))
//	zone, err := schedule.LoadZone(spec.Zone)
//	calendar, err := schedule.Compile(spec, zone, seed)
//	nominal, fire, ok := calendar.Next(after)
package schedule
