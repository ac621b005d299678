// Package cost says what a run without an orchestrator costs. A Meter counts what the run asks of its datastore and its
// platform, in the units that clouds charge for; a Book prices them; a Report puts that beside what Step Functions would
// charge for the same run.
//
//	meter := cost.NewMeter()
//	runtime.Store, runtime.Platform = meter.Store(runtime.Store), meter.Platform(runtime.Platform)
//	...
//	usage, _ := meter.Usage("run-7")
//	book, err := cost.Find("aws", "us-east-1", "")
//	err = book.Report(usage, took).Text(os.Stdout)
//
// Units are computed from the sizes of what is read and written, by the rules that the clouds publish; nothing is asked
// of them. Storage, traffic out of the region, logs and free tiers are not in the reports.
package cost
