// Command weftvet finds what a replay cannot repeat in workflows written in Go: clocks, randomness, I/O, goroutines, map
// ranges, shared state. It runs by itself or under go vet:
//
//	weftvet ./...
//	go vet -vettool=$(which weftvet) ./...
//
// The rules, and how to answer for a line, are in docs/determinism.md.
package main

import (
	"golang.org/x/tools/go/analysis/singlechecker"

	"github.com/weftworks/weft/analysis/determinism"
)

func main() { singlechecker.Main(determinism.Analyzer) }
