package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weftworks/weft/cli/console"
	here "github.com/weftworks/weft/unum/deploy/local"
)

// wideMost is how many lines a fan-out may have of which each is shown. Of wider ones a tenth of the joins is, and
// how many lines they had when all have vanished.
const wideMost = 20

// recordView shows what happens to records, a line each.
type recordView struct {
	w     io.Writer
	style console.Style
	run   string // whose id is left out; "": of all
	began time.Time

	mu   sync.Mutex
	head bool
	wide map[string]*wideScope // what the places of the lines of wide fan-outs begin with
}

// wideScope counts the records of a wide fan-out.
type wideScope struct{ alive, vanished int64 }

var marks = map[here.What]string{here.Appeared: "+", here.Advanced: "~", here.Joined: "·", here.Ended: "=", here.Vanished: "-"}

func (v *recordView) show(c here.Change) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.head {
		v.head = true
		fmt.Fprintln(v.w, v.style.Dim("  seconds    record                step  function"))
	}
	place := v.place(c.Key)
	detail := v.detail(&c)
	if prefix, s := v.within(place); s != nil {
		s.count(c.What)
		if c.What != here.Vanished || s.alive > 0 {
			return
		}
		place, detail = prefix+"*", console.Count(s.vanished, "record")
	}
	if c.Record.Width > wideMost {
		if tenth := (c.Record.Width + 9) / 10; c.What == here.Joined && int64(len(c.Record.Members))%tenth != 0 && int64(len(c.Record.Members)) != c.Record.Width {
			return
		}
		v.open(place, &c)
	}
	v.line(&c, place, detail)
}

func (v *recordView) line(c *here.Change, place, detail string) {
	text := strings.TrimRight(fmt.Sprintf("%s %-8s  %-20s  %4d  %s", marks[c.What], c.What, console.Clean(place), c.Record.Step, detail), " ")
	switch c.What {
	case here.Appeared:
		text = v.style.Green(text)
	case here.Ended:
		text = v.style.Cyan(text)
	case here.Vanished:
		text = v.style.Red(text)
	}
	fmt.Fprintf(v.w, "  %7.3f  %s\n", c.Time.Sub(v.began).Seconds(), text)
}

// open remembers a wide fan-out.
func (v *recordView) open(place string, c *here.Change) {
	if c.What != here.Appeared && c.What != here.Advanced {
		return
	}
	if v.wide == nil {
		v.wide = map[string]*wideScope{}
	}
	v.wide[strings.TrimPrefix(place, "(run)")+"/"+strconv.FormatInt(c.Record.Step, 10)+"."] = &wideScope{}
}

// within finds the wide fan-out, the outermost, that a record belongs to.
func (v *recordView) within(place string) (string, *wideScope) {
	for i, r := range place {
		if r != '.' {
			continue
		}
		if s := v.wide[place[:i+1]]; s != nil {
			return place[:i+1], s
		}
	}
	return "", nil
}

func (s *wideScope) count(what here.What) {
	switch what {
	case here.Appeared:
		s.alive++
	case here.Vanished:
		s.alive--
		s.vanished++
	}
}

// place is a record's key without what is the same in all of a run.
func (v *recordView) place(key string) string {
	run, below, inner := strings.Cut(key, "/")
	if v.run != "" {
		run = "(run)"
	}
	if !inner {
		return run
	}
	if _, lines, ok := strings.Cut(below, "/"); ok { // the first is the run's nonce
		below = lines
	}
	if v.run != "" {
		return "/" + below
	}
	return run + "/" + below
}

// detail says what there is to a change.
func (v *recordView) detail(c *here.Change) string {
	switch {
	case c.What == here.Joined:
		if _, err := strconv.Atoi(c.Member); err == nil {
			return fmt.Sprintf("%s has ended: %d of %d", c.Member, len(c.Record.Members), c.Record.Width)
		}
		return c.Member + " can be read" // of a graph whose functions read each other's values by name
	case c.What == here.Vanished:
		return ""
	case c.Record.Step == 0:
		return "the run begins"
	case c.Record.Width > 0 && !c.Record.Ended:
		return named(c.Function, ", and ") + "opens " + console.Count(c.Record.Width, "line")
	case c.What == here.Appeared && c.Record.Ended:
		return named(c.Function, ", ") + "the only step of its line"
	case c.What == here.Ended && !strings.Contains(c.Key, "/"):
		return named(c.Function, ", and ") + "the run ends"
	case c.What == here.Ended:
		return named(c.Function, ", ") + "the last step of its line"
	}
	return c.Function
}

// named is a function's name before what it did. There is none where no code ran, or where the value is too large for
// the record that would say so.
func named(function, then string) string {
	if function == "" {
		return ""
	}
	return function + then
}
