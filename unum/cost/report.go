package cost

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Line is one item of a report.
type Line struct {
	Name       string  `json:"name"`
	Count      float64 `json:"count"`
	PerMillion float64 `json:"price_per_million"`
	Dollars    float64 `json:"dollars"`
}

// Report says what a run costs by a book, and what it would cost elsewhere.
type Report struct {
	Cloud  string `json:"cloud"`
	Region string `json:"region"`
	Prices string `json:"prices_from"`
	Source string `json:"source"`
	Usage  Usage  `json:"usage"`
	Lines  []Line `json:"lines"`
	// Least says that the usage is what the run's own tally says: what was repeated is not in it.
	Least bool `json:"least,omitempty"`

	Dollars float64 `json:"dollars"` // of the run
	Million float64 `json:"dollars_million"`
	// Orchestration is the part of Dollars that is not user code: all but the functions' GB-seconds, which would be there under any
	// orchestrator. Requests are, too, once for each execution.
	Orchestration float64 `json:"dollars_orchestration"`
	// Standard and Express are what Step Functions would charge for the run, functions included as here; 0: not known.
	Standard float64 `json:"dollars_step_functions"`
	Express  float64 `json:"dollars_step_functions_express,omitempty"`
}

// Report prices what a run has used. took is how long it took, for what an Express workflow costs; 0: not known.
func (b *Book) Report(u Usage, took time.Duration) *Report {
	r := &Report{Cloud: b.Cloud, Region: b.Region, Prices: b.From, Source: b.Source, Usage: u}
	var functions float64
	for i, item := range b.Items {
		l := Line{Name: item.Name, Count: item.count(&u), PerMillion: item.PerMillion}
		l.Dollars = l.Count * l.PerMillion / million
		r.Lines = append(r.Lines, l)
		r.Dollars += l.Dollars
		if i < 2 { // requests and GB-seconds of functions
			functions += l.Dollars
		}
	}
	r.Million, r.Orchestration = r.Dollars*million, r.Dollars-functions
	if u.Transitions > 0 {
		r.Standard = functions + float64(u.Transitions)*b.Transition/million
		if took > 0 {
			r.Express = functions + b.ExpressRequest/million + expressGBSeconds(took)*b.ExpressGBSecond/million
		}
	}
	return r
}

// expressGBSeconds is what an Express workflow of the least memory (64 MB) uses, by started 100 ms.
func expressGBSeconds(took time.Duration) float64 {
	const memory = 64.0 / 1024
	return memory * float64((took+100*time.Millisecond-1)/(100*time.Millisecond)) / 10
}

// Text writes the report for people.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	u := &r.Usage
	least := ""
	if r.Least {
		least = ", at least: counted along the run, without what was repeated"
	}
	fmt.Fprintf(&b, "cost by prices of %s %s since %s%s\n", r.Cloud, r.Region, r.Prices, least)
	fmt.Fprintf(&b, "  %d executions, %d invocations (%d delayed), %d reads, %d writes, %d deletes, %s GB-seconds\n",
		u.Executions, u.Invokes, u.Delayed, u.Reads, u.Writes, u.Deletes, number(u.GBSeconds, 4))
	for _, l := range r.Lines {
		if l.Count > 0 {
			fmt.Fprintf(&b, "  %-34s %12s   x %9s $/million  %12s $/million runs\n", l.Name, number(l.Count, 4), number(l.PerMillion, 4), number(l.Dollars*million, 2))
		}
	}
	fmt.Fprintf(&b, "  %-34s %60s $/million runs\n", "together", number(r.Million, 2))
	if r.Standard > 0 {
		fmt.Fprintf(&b, "  %-34s %60s $/million runs (%d transitions; %.1f times as much)\n", "Step Functions, Standard", number(r.Standard*million, 2), u.Transitions, r.Standard/r.Dollars)
	}
	if r.Express > 0 {
		fmt.Fprintf(&b, "  %-34s %60s $/million runs (at least once, no history)\n", "Step Functions, Express", number(r.Express*million, 2))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// number writes x with at most digits behind the point.
func number(x float64, digits int) string {
	s := strconv.FormatFloat(x, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
