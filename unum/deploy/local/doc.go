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
// What it lacks: the queue of requests is in memory. Records survive the process, requests that wait or are being executed
// do not: their runs stand still until they are cancelled.
package local
