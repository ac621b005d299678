// Command testsum runs `go test` in one or more modules, prints what go test prints, and ends with one line that
// counts the tests:
//
//	$ go run ./internal/testsum -timeout=9m -- . test/aws
//	ok  	github.com/weftworks/weft/asl	0.8s
//	...
//	1234 passed, 0 failed
//
// What stands before -- goes to go test. Skipped tests are listed with their reasons: a test whose tool is missing is
// not a test that passed. Exit code: 0, or 1 if anything failed, builds included.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
)

func main() {
	flags, dirs, err := split(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(2)
	}
	sum := newSummary(os.Stdout)
	for _, dir := range dirs {
		if err := goTest(sum, dir, flags); err != nil {
			fmt.Fprintln(os.Stderr, "testsum:", err)
			sum.failed++
		}
	}
	sum.report()
	if sum.failed > 0 {
		os.Exit(1)
	}
}

// split cuts the arguments at "--": flags of go test, and directories of modules (none: this one).
func split(args []string) (flags, dirs []string, err error) {
	cut := slices.Index(args, "--")
	if cut < 0 {
		return args, []string{"."}, nil
	}
	if cut == len(args)-1 {
		return nil, nil, errors.New("no directory after --; say which modules to test, for example . test/aws")
	}
	return args[:cut], args[cut+1:], nil
}

// goTest runs go test in dir and adds it to the summary. A failed test is no error; a go test that failed without
// saying what failed is.
func goTest(sum *summary, dir string, flags []string) error {
	args := append([]string{"test", "-json"}, flags...)
	cmd := exec.Command("go", append(args, "./...")...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting go test in %s: %w", dir, err)
	}
	before := sum.failed
	readErr := sum.read(out)
	_, _ = io.Copy(io.Discard, out) // let go test end whatever it says
	waitErr := cmd.Wait()
	if readErr != nil {
		return fmt.Errorf("what go test says in %s does not decode: %w", dir, readErr)
	}
	if waitErr != nil && sum.failed == before {
		return fmt.Errorf("go test in %s: %w", dir, waitErr)
	}
	return nil
}
