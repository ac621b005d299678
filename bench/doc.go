// Command bench measures Weft on the machine it runs on, against the disk's own fdatasync in the same run.
//
// The workloads are those of the Durable Functions and Netherite papers, each in three modes: classic (package
// bench/classic, the original design), none and local. Each is measured with one client, with many pieces of work under way, and some
// with an open loop, whose latencies count from the intended starts (package bench/load). Those whose latencies the papers compare
// are measured again with slow syncs, as of cloud storage. Groups that begin with "machine" measure state machines.
//
// Everything goes to bench/out: latest.jsonl and latest.csv have one figure a line,
//
//	{"name":"hello5.local.many.rate","value":15000,"unit":"runs/s","note":""}
//
// and cdf-*.csv the distributions of the open loops, which bench/plot draws. At the end come the ratios of the papers
// and the targets, beside what was measured. Machines differ and drift: compare figures of one run with each
// other, above all with disk.fdatasync.
//
//	go run ./bench                                   # everything, some six minutes
//	go run ./bench -list                             # what there is
//	go run ./bench -only hello5 -modes local,none    # a part
//	go run ./bench -cpuprofile cpu.prof -only bank -modes local -sync-delay 0
package main
