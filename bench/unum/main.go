// Command unum measures runs without an orchestrator: the runtime, the protocol and compiled machines are the real ones; the
// datastore and the platform keep what they are given in memory, and each of their answers takes as long as those of
// DynamoDB and Lambda took in the paper's measurements (read 6.6, write 20.1, invoke 39.9 ms at the median).
//
//	go run ./bench/unum            # all of it
//	go run ./bench/unum -runs 12   # quicker
//
// Beside each figure stand the paper's, of its own system and of Step Functions, which ran on AWS: only the shape can be
// compared, and what is wanted is said. The same run measures the runtime with one invocation after the other, which is how
// the published system fans out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/weftworks/weft/unum/cost"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench/unum:", err)
		os.Exit(1)
	}
}

// paper are the published measurements, in ms: "Fan-out+fan-in end-to-end" and "chain", 1 KB (Liu et al., NSDI 2023, and its
// notebooks).
var (
	paperFan = []struct {
		n                          int
		unum, unum99, step, step99 float64
	}{
		{2, 410.5, 490.6, 302.5, 387.3}, {4, 499.5, 561.7, 303, 369.2}, {8, 604, 681.4, 415.5, 567}, {16, 905, 1088.9, 676, 753},
		{32, 1373, 1522.8, 3256.5, 3299.3}, {64, 2390.5, 2519.4, 8121.5, 10056.6}, {128, 4457.5, 4658.5, 17477.5, 19340.8},
		{256, 8570, 8664.6, 35661, 41331}, {512, 16396.5, 16714.7, 75216, 88998.6},
	}
	paperChain = []struct {
		n          int
		unum, step float64
	}{
		{2, 158, 202.5}, {3, 260.5, 304}, {4, 365, 432.5}, {5, 456.5, 560}, {6, 552, 653.5}, {7, 650, 766.5}, {8, 767, 927.5},
		{9, 829.5, 1002.5}, {10, 969.5, 1083},
	}
)

// What the issue of this benchmark wants.
const (
	wantFan512 = 1500.0
	wantFan2   = 302.0
)

func run(args []string) error {
	set := flag.NewFlagSet("bench/unum", flag.ContinueOnError)
	runs := set.Int("runs", 24, "runs of each size; the best two and the worst two are left out, as in the paper")
	dispatch := set.Duration("dispatch", 0, "added between the answer of an invocation and the function's start (the paper's chains leave room for about 35ms)")
	region := set.String("region", "us-west-1", "whose prices")
	day := set.String("prices", "2022-01-01", "the day of the prices (the paper's); empty: the newest")
	most := set.Int("most", 512, "the largest fan-out")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if *runs < 5 {
		return errors.New("-runs: at least 5, of which 4 are left out")
	}
	book, err := cost.Find("aws", *region, *day)
	if err != nil {
		return err
	}
	w := world{
		read:     latency{6600 * time.Microsecond, 10 * time.Millisecond},
		write:    latency{20100 * time.Microsecond, 30 * time.Millisecond},
		invoke:   latency{39900 * time.Microsecond, 60 * time.Millisecond},
		dispatch: latency{*dispatch, *dispatch * 3 / 2},
		unitTime: time.Millisecond,
	}
	b := &bench{world: w, runs: *runs, book: book, out: tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', tabwriter.AlignRight)}
	fmt.Printf("injected, p50: read %v, write %v, invoke %v, dispatch %v; an item takes 1,000 write units a second; %d runs of each size\n\n",
		w.read.p50, w.write.p50, w.invoke.p50, w.dispatch.p50, *runs)
	ctx := context.Background()
	return errors.Join(b.fans(ctx, *most), b.chains(ctx))
}

// bench measures and prints.
type bench struct {
	world world
	runs  int
	book  *cost.Book
	out   *tabwriter.Writer
	short []string // what falls short of what is wanted
}

func (b *bench) fans(ctx context.Context, most int) error {
	fmt.Println("fan-out and join of N (ms from the first function's start to the last checkpoint)")
	fmt.Fprintln(b.out, "N\tp50\tp99\tone by one p50\tUnum p50\tp99\tStep Functions p50\tp99\t")
	last := len(paperFan) - 1
	var usage cost.Usage
	for i, p := range paperFan {
		if p.n > most {
			break
		}
		got, used, err := b.measure(ctx, fanMachine, fanInput(p.n), settings{functions: p.n + 2, together: max(1, 32/p.n)})
		if err != nil {
			return err
		}
		serial := "-"
		if i != last || b.runs >= 24 { // half a minute at 512
			one, _, err := b.measure(ctx, fanMachine, fanInput(p.n), settings{functions: p.n + 2, together: 8, parallel: 1, runs: 5})
			if err != nil {
				return err
			}
			serial = fmt.Sprintf("%.0f", quantile(one, 0.5))
		}
		usage = used
		fmt.Fprintf(b.out, "%d\t%.0f\t%.0f\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t\n", p.n, quantile(got, 0.5), quantile(got, 0.99), serial, p.unum, p.unum99, p.step, p.step99)
		b.want(p.n == 512 && quantile(got, 0.5) >= wantFan512, "fan-out 512 takes %.0f ms, wanted are less than %.0f", quantile(got, 0.5), wantFan512)
		b.want(p.n == 2 && quantile(got, 0.5) > wantFan2, "fan-out 2 takes %.0f ms, wanted are at most %.0f", quantile(got, 0.5), wantFan2)
	}
	if err := b.out.Flush(); err != nil {
		return err
	}
	fmt.Println()
	return b.price(2*min(most, 512)+1, &usage)
}

func (b *bench) chains(ctx context.Context) error {
	fmt.Println("\nchain of N (ms from the first function's start to the last checkpoint)")
	fmt.Fprintln(b.out, "N\tp50\tp99\tUnum p50\tStep Functions p50\t")
	var usage cost.Usage
	for _, p := range paperChain {
		got, used, err := b.measure(ctx, chainMachine(p.n), `{"n":0}`, settings{functions: p.n, together: 32})
		if err != nil {
			return err
		}
		usage = used
		fmt.Fprintf(b.out, "%d\t%.0f\t%.0f\t%.0f\t%.0f\t\n", p.n, quantile(got, 0.5), quantile(got, 0.99), p.unum, p.step)
	}
	if err := b.out.Flush(); err != nil {
		return err
	}
	fmt.Println()
	if err := b.price(paperChain[len(paperChain)-1].n, &usage); err != nil {
		return err
	}
	fmt.Println()
	for _, s := range b.short {
		fmt.Println("SHORT:", s)
	}
	if len(b.short) == 0 {
		fmt.Println("nothing falls short of what is wanted: fan-out 512 in less than 1.5 s, 2 in at most 302 ms, at most one read, write, invoke and delete a transition")
	}
	return nil
}

func (b *bench) want(missed bool, format string, args ...any) {
	if missed {
		b.short = append(b.short, fmt.Sprintf(format, args...))
	}
}

// price prints what a transition has used: the start, and each edge of the graph, whether it leads to a function or to a join.
func (b *bench) price(transitions int, u *cost.Usage) error {
	per := func(n int64) float64 { return float64(n) / float64(transitions) }
	fmt.Printf("for each of %d transitions: %.2f reads, %.2f writes, %.2f invokes, %.2f deletes; units: %.2f read, %.2f write, %.2f delete\n",
		transitions, per(u.Reads), per(u.Writes), per(u.Invokes), per(u.Deletes), per(u.ReadUnits), per(u.WriteUnits), per(u.DeleteUnits))
	b.want(max(per(u.Reads), per(u.Writes), per(u.Invokes), per(u.Deletes)) >= 1.005, "a transition takes more than one read, write, invoke or delete")
	r := b.book.Report(*u, 0)
	million := r.Orchestration * 1e6 / float64(transitions)
	fmt.Printf("dollars for a million of them, without the functions' GB-seconds: %.2f (prices of %s, %s); the paper has 6.28 for Unum and 27.90 for Step Functions\n",
		million, b.book.From, b.book.Region)
	return nil
}

// quantile returns a quantile of sorted values.
func quantile(sorted []float64, q float64) float64 {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// trim sorts values and leaves out the best two and the worst two.
func trim(values []float64) []float64 {
	slices.Sort(values)
	if len(values) <= 5 {
		return values
	}
	return values[2 : len(values)-2]
}
