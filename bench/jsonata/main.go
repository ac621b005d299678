// Command jsonata measures asl/jsonata beside the reference (npm jsonata, in node) and, for orientation, beside gojq
// doing the same in jq. All evaluate what they have compiled once, in one process each, one after the other.
//
// It is a module of its own so that gojq is not among Weft's dependencies.
//
//	make bench-jsonata
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/itchyny/gojq"

	"github.com/weftworks/weft/asl/jsonata"
	"github.com/weftworks/weft/asl/jsonvalue"
)

// suite is testdata/bench.json of asl/jsonata.
type suite struct {
	Input json.RawMessage `json:"input"`
	Cases []struct {
		Name string `json:"name"`
		Expr string `json:"expr"`
		JQ   string `json:"jq"` // the same in jq; empty where that has no equal
	} `json:"cases"`
}

func main() {
	dir := flag.String("package", "asl/jsonata", "`directory` of the package")
	slice := flag.Duration("time", 100*time.Millisecond, "how long to measure each expression")
	flag.Parse()
	if err := run(*dir, *slice, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "jsonata:", err)
		os.Exit(1)
	}
}

func run(dir string, slice time.Duration, out io.Writer) error {
	text, err := os.ReadFile(filepath.Join(dir, "testdata", "bench.json"))
	if err != nil {
		return err
	}
	var s suite
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	ref, err := startReference(dir)
	if err != nil {
		return fmt.Errorf("%w; install Node.js and run `make tools`", err)
	}
	defer ref.stop()
	var ratios []float64
	fmt.Fprintf(out, "%-12s %12s %12s %8s %12s\n", "expression", "weft", "npm 2.0.6", "ratio", "gojq")
	for _, c := range s.Cases {
		ours, err := measureOurs(c.Expr, s.Input, slice)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		theirs, err := ref.measure(c.Expr, s.Input, slice)
		if err != nil {
			return fmt.Errorf("%s: the reference: %w", c.Name, err)
		}
		jq, err := measureJQ(c.JQ, s.Input, slice)
		if err != nil {
			return fmt.Errorf("%s: gojq: %w", c.Name, err)
		}
		ratios = append(ratios, theirs/ours)
		fmt.Fprintf(out, "%-12s %9.2f µs %9.2f µs %7.1fx %12s\n", c.Name, ours/1e3, theirs/1e3, theirs/ours, jq)
	}
	slices.Sort(ratios)
	fmt.Fprintf(out, "the median expression is %.1f times as fast as the reference, the slowest %.1f times\n", ratios[len(ratios)/2], ratios[0])
	return nil
}

// timed returns the nanoseconds one call of fn takes: the best of several slices, as others use the machine too.
func timed(slice time.Duration, fn func() error) (float64, error) {
	const slices = 5
	best := 0.0
	for range slices {
		start, n := time.Now(), 0
		for time.Since(start) < slice/slices {
			for range 8 {
				if err := fn(); err != nil {
					return 0, err
				}
			}
			n += 8
		}
		if each := float64(time.Since(start)) / float64(n); best == 0 || each < best {
			best = each
		}
	}
	return best, nil
}

func measureOurs(expr string, input []byte, slice time.Duration) (float64, error) {
	x, err := jsonata.Compile(expr)
	if err != nil {
		return 0, err
	}
	v, err := jsonvalue.Parse(input)
	if err != nil {
		return 0, err
	}
	env := &jsonata.Env{Input: v, HasInput: true}
	return timed(slice, func() error {
		_, _, err := x.Eval(env)
		return err
	})
}

func measureJQ(program string, input []byte, slice time.Duration) (string, error) {
	if program == "" {
		return "", nil
	}
	query, err := gojq.Parse(program)
	if err != nil {
		return "", err
	}
	code, err := gojq.Compile(query)
	if err != nil {
		return "", err
	}
	var v any
	if err := json.Unmarshal(input, &v); err != nil {
		return "", err
	}
	ns, err := timed(slice, func() error {
		for iter := code.Run(v); ; {
			out, ok := iter.Next()
			if !ok {
				return nil
			}
			if err, ok := out.(error); ok {
				return err
			}
		}
	})
	return fmt.Sprintf("%9.2f µs", ns/1e3), err
}

// reference is npm jsonata in a node process.
type reference struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startReference(dir string) (*reference, error) {
	cmd := exec.Command("node", filepath.Join(dir, "testdata", "oracle", "oracle.js"), "bench")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &reference{cmd: cmd, in: in, out: bufio.NewScanner(out)}
	r.out.Buffer(nil, 1<<20)
	return r, nil
}

func (r *reference) measure(expr string, input []byte, slice time.Duration) (float64, error) {
	request, err := json.Marshal(map[string]any{"expr": expr, "input": json.RawMessage(input), "ms": slice.Milliseconds()})
	if err != nil {
		return 0, err
	}
	if _, err := r.in.Write(append(request, '\n')); err != nil {
		return 0, err
	}
	if !r.out.Scan() {
		return 0, fmt.Errorf("it ended: %v", r.out.Err())
	}
	var answer struct {
		NS float64 `json:"ns"`
	}
	return answer.NS, json.Unmarshal(r.out.Bytes(), &answer)
}

func (r *reference) stop() {
	_ = r.in.Close()
	_ = r.cmd.Wait()
}
