// Package local runs an application without an orchestrator in this process, as a platform would: functions are executed by
// package faas, with its queue, retries and failure destinations; records and blobs are in a directory, or in memory.
// The user's code is whatever package config declares. What happens to records can be watched, and is counted for package
// cost.
//
//	host, err := local.Open(local.Config{App: app, Program: program, Functions: functions, Dir: dir})
//	defer host.Close(ctx)
//	_, err = host.Runtime.Start(ctx, "run-1", input, 0)
//	description, err := host.Runtime.Wait(ctx, "run-1", time.Second)
//
// Serve lets other processes start runs and ask for them; Dial is what those have.
//
// With a directory, records and requests survive the process, and runs go on in the next one that opens it. Records are
// synced, requests are not: after the end of the machine a run may stand still until it is cancelled.
package local
