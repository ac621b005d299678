// Command bench measures Weft on the machine it runs on, against the disk's own fdatasync in the same run. It prints
// a table and appends one JSON object a figure to bench/out/latest.jsonl:
//
//	{"name":"five.inprocess.runs_per_s.256","value":15000,"unit":"runs/s","note":""}
//
// Closed-loop figures (one client, 64 or 256 outstanding) say what the pipeline can carry. Latency under load is
// measured open-loop: starts are scheduled at a fixed rate and latency counts from the schedule, so a stall of the
// engine shows in every start that it delays (no coordinated omission). Machines differ and drift: compare figures of
// one run with each other, above all with disk.fdatasync.
//
//	go run ./bench                # everything, about two minutes
//	go run ./bench -only five     # figures whose group begins with five
//	go run ./bench -cpuprofile cpu.prof -only five
package main
