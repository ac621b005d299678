package progress

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/weftworks/weft/cli/console"
)

// Plain prints the board as lines for a log: every Every, one line for each state that changed.
type Plain struct {
	W     io.Writer
	Start time.Time
	Every time.Duration // 0: a second
	Lines int           // most lines at a time; 0: 12

	next  time.Time
	shown map[string]Row
}

// Show prints what changed since the last lines if it is time to, or if this is the final state.
func (p *Plain) Show(now time.Time, b *Board, final bool) {
	if !final && now.Before(p.next) {
		return
	}
	if p.shown == nil {
		p.shown = map[string]Row{}
	}
	var changed []*Row
	width := 0
	for _, r := range b.Rows {
		if r.Entered > 0 && p.shown[r.Name] != *r {
			changed = append(changed, r)
			p.shown[r.Name] = *r
			width = max(width, console.Width(label(r)))
		}
	}
	if len(changed) > 0 {
		p.next = now.Add(orDefault(p.Every, time.Second))
	}
	most := orDefault(p.Lines, 12)
	for i, r := range changed {
		if i == most && len(changed) > most+1 {
			fmt.Fprintf(p.W, "%7s  … and %s\n", "", console.Count(int64(len(changed)-most), "more state"))
			break
		}
		fmt.Fprintf(p.W, "%7s  %s  %s\n", console.Elapsed(now.Sub(p.Start)),
			console.Pad(label(r), min(width, 40)), strings.Join(words(r), ", "))
	}
}

// Note prints a line between the board's.
func (p *Plain) Note(text string) { fmt.Fprintln(p.W, console.Clean(text)) }

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

func label(r *Row) string {
	return strings.Repeat("  ", min(r.Depth, 8)) + console.Clean(r.Name)
}

// words says how a state is doing, most telling part first.
func words(r *Row) []string {
	if r.Type == "Map" && r.Items > 0 {
		return append(itemWords(r), retryWords(r)...)
	}
	if r.Entered == 1 {
		return append([]string{oneWord(r)}, retryWords(r)...)
	}
	var w []string
	add := func(n int64, what string) {
		if n > 0 {
			w = append(w, console.Number(n)+" "+what)
		}
	}
	add(r.Succeeded, "succeeded")
	add(r.Running(), "running")
	add(r.Failed-r.Caught, "failed")
	add(r.Caught, "caught")
	add(r.Aborted, "aborted")
	return append(w, retryWords(r)...)
}

func oneWord(r *Row) string {
	switch {
	case r.Caught > 0:
		return "failed, caught"
	case r.Failed > 0:
		return "failed"
	case r.Succeeded > 0:
		return "succeeded"
	case r.Aborted > 0:
		return "aborted"
	}
	return "running"
}

func retryWords(r *Row) []string {
	if r.Retried == 0 {
		return nil
	}
	return []string{console.Number(r.Retried) + " retried"}
}

func itemWords(r *Row) []string {
	w := []string{fmt.Sprintf("%s/%s items", console.Number(r.ItemsDone), console.Number(r.Items))}
	if n := r.ItemsStarted - r.ItemsDone - r.ItemsFailed; n > 0 && r.Running() > 0 {
		w = append(w, console.Number(n)+" running")
	}
	if r.ItemsFailed > 0 {
		w = append(w, console.Number(r.ItemsFailed)+" failed")
	}
	if r.Failed > r.Caught && r.ItemsFailed == 0 {
		w = append(w, "failed")
	}
	return w
}

// Live repaints the board in place on a terminal.
type Live struct {
	W     io.Writer
	Title string
	Start time.Time
	Size  func() (width, height int) // of the terminal, in cells
	Style console.Style
	Every time.Duration // 0: 100 ms

	next  time.Time
	drawn int // lines on the screen that are ours
}

// Show repaints if it is time to, or if this is the final state, which stays on the screen.
func (l *Live) Show(now time.Time, b *Board, final bool) {
	if !final && now.Before(l.next) {
		return
	}
	l.next = now.Add(orDefault(l.Every, 100*time.Millisecond))
	width, height := l.Size()
	lines := l.frame(now, b, max(width, 20), max(height, 6))
	var out strings.Builder
	out.WriteString(l.erase())
	for _, line := range lines {
		out.WriteString(line + "\n")
	}
	l.drawn = len(lines)
	if final {
		l.drawn = 0
	}
	io.WriteString(l.W, out.String())
}

// Note prints a line above the board.
func (l *Live) Note(text string) {
	io.WriteString(l.W, l.erase()+console.Clean(text)+"\n")
	l.drawn, l.next = 0, time.Time{}
}

func (l *Live) erase() string {
	if l.drawn == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r\x1b[J", l.drawn)
}

func (l *Live) frame(now time.Time, b *Board, width, height int) []string {
	head := fmt.Sprintf("%s  %s  %s", console.Clean(l.Title), console.Elapsed(now.Sub(l.Start)), console.Count(b.Events, "event"))
	lines := []string{l.Style.Bold(console.Truncate(head, width))}
	rows, hidden := pick(b.Rows, height-3)
	names := 0
	for _, r := range rows {
		names = max(names, console.Width(label(r)))
	}
	names = min(names, width/2)
	for _, r := range rows {
		lines = append(lines, l.row(r, names, width))
	}
	if hidden > 0 {
		lines = append(lines, l.Style.Dim(console.Truncate(fmt.Sprintf("  … and %s", console.Count(int64(hidden), "more state")), width)))
	}
	return lines
}

// pick chooses at most room rows: all if they fit, else those that run first, then the touched ones,
// in the board's order.
func pick(rows []*Row, room int) (chosen []*Row, hidden int) {
	if len(rows) <= room {
		return rows, 0
	}
	keep := make([]bool, len(rows))
	left := room
	for _, want := range []func(*Row) bool{
		func(r *Row) bool { return r.Running() > 0 || r.Failed > r.Caught },
		func(r *Row) bool { return r.Entered > 0 },
		func(*Row) bool { return true },
	} {
		for i := len(rows) - 1; i >= 0 && left > 0; i-- {
			if !keep[i] && want(rows[i]) {
				keep[i] = true
				left--
			}
		}
	}
	for i, r := range rows {
		if keep[i] {
			chosen = append(chosen, r)
		}
	}
	return chosen, len(rows) - len(chosen)
}

func (l *Live) row(r *Row, names, width int) string {
	s := l.Style
	mark, paint := "·", s.Dim
	text := "waiting"
	if r.Entered > 0 {
		text = strings.Join(words(r), ", ")
		mark, paint = s.Green("✓"), func(t string) string { return t }
	}
	switch {
	case r.Failed > r.Caught:
		mark, paint = s.Red("✗"), s.Red
	case r.Running() > 0:
		mark = s.Cyan("▸")
	case r.Aborted > 0:
		mark, paint = s.Yellow("-"), s.Yellow
	case r.Caught > 0:
		mark = s.Yellow("!")
	}
	if r.Entered == 0 {
		text = ""
	}
	name := console.Pad(console.Truncate(label(r), names), names)
	if bar := bar(r, 20); bar != "" && width > names+50 {
		text = s.Cyan(bar) + " " + console.Truncate(text, width-names-26)
		return "  " + mark + " " + paint(name) + "  " + text
	}
	return "  " + mark + " " + paint(name) + "  " + paint(console.Truncate(text, max(width-names-6, 1)))
}

// bar draws how much of a Map that is running is done.
func bar(r *Row, cells int64) string {
	if r.Type != "Map" || r.Items == 0 || r.Running() == 0 {
		return ""
	}
	full := min((r.ItemsDone+r.ItemsFailed)*cells/r.Items, cells)
	return strings.Repeat("█", int(full)) + strings.Repeat("░", int(cells-full))
}

// Silent shows nothing.
type Silent struct{}

// Show does nothing.
func (Silent) Show(time.Time, *Board, bool) {}

// Note does nothing.
func (Silent) Note(string) {}
