package console

import (
	"strings"
	"testing"
	"time"
)

func TestCleanMakesOutsideTextHarmless(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain ünïcode 漢字":     "plain ünïcode 漢字",
		"a\x1b[31mred\x1b[0m":  "a\uFFFD[31mred\uFFFD[0m",
		"two\nlines\tand\rtab": "two lines and tab",
		"bell\a del\x7f":       "bell\uFFFD del\uFFFD",
		"rtl\u202Etxt":         "rtl\uFFFDtxt",
		"c1\u009bm":            "c1\uFFFDm",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := CleanLines("a\n\tb\r\n\x1bc"); got != "a\n\tb\n\uFFFDc" {
		t.Errorf("CleanLines = %q", got)
	}
}

func TestElapsed(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second:                            "0.0s",
		0:                                       "0.0s",
		99 * time.Millisecond:                   "0.0s",
		850 * time.Millisecond:                  "0.8s",
		59*time.Second + 999*time.Millisecond:   "59.9s",
		time.Minute:                             "1m00s",
		2*time.Minute + 3*time.Second:           "2m03s",
		3*time.Hour + 4*time.Minute:             "3h04m",
		47*time.Hour + 59*time.Minute:           "47h59m",
		5*24*time.Hour + 2*time.Hour:            "5d02h",
		400*24*time.Hour + 23*time.Hour + 59*60: "400d23h",
	} {
		if got := Elapsed(d); got != want {
			t.Errorf("Elapsed(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestNumberAndCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", -1234567: "-1,234,567", 100: "100"} {
		if got := Number(n); got != want {
			t.Errorf("Number(%d) = %q, want %q", n, got, want)
		}
	}
	if Count(1, "event") != "1 event" || Count(0, "event") != "0 events" || Count(2143, "event") != "2,143 events" {
		t.Error("Count does not agree with its noun")
	}
}

func TestJSONKeepsNumbersAndOrder(t *testing.T) {
	t.Parallel()
	in := `{"b": 1.10, "a": [12345678901234567890, "<&>"]}`
	if got, want := CompactJSON([]byte(in)), `{"b":1.10,"a":[12345678901234567890,"<&>"]}`; got != want {
		t.Errorf("CompactJSON = %s, want %s", got, want)
	}
	want := "{\n  \"b\": 1.10,\n  \"a\": [\n    12345678901234567890,\n    \"<&>\"\n  ]\n}"
	if got := PrettyJSON([]byte(in)); got != want {
		t.Errorf("PrettyJSON = %s", got)
	}
	if got := PrettyJSON([]byte("no json")); got != "no json" {
		t.Errorf("PrettyJSON of other text = %q", got)
	}
}

func TestTableAlignsWideCharactersAndNumbers(t *testing.T) {
	t.Parallel()
	table := Table{Header: []string{"NAME", "N", "NOTE"}, Right: map[int]bool{1: true}}
	table.Add("漢字", "7", "x")
	table.Add("plain", "1,000", "")
	var b strings.Builder
	table.WriteTo(&b)
	want := "NAME       N  NOTE\n漢字       7  x\nplain  1,000\n"
	if b.String() != want {
		t.Errorf("table:\n%q\nwant\n%q", b.String(), want)
	}
}

func TestTableKeepsItsColumnsWhenFlushed(t *testing.T) {
	t.Parallel()
	table := Table{Header: []string{"N", "NAME"}, Right: map[int]bool{0: true}}
	var b strings.Builder
	for _, n := range []string{"100", "7", "1000"} {
		table.Add(n, "x")
		if err := table.Flush(&b); err != nil {
			t.Fatal(err)
		}
	}
	if want := "  N  NAME\n100  x\n  7  x\n1000  x\n"; b.String() != want || table.Len() != 0 {
		t.Errorf("got\n%s", b.String())
	}
}

func TestTableShortensTheLastColumn(t *testing.T) {
	t.Parallel()
	table := Table{Width: 20}
	table.Add("name", "a text that does not fit")
	var b strings.Builder
	table.WriteTo(&b)
	if got := strings.TrimRight(b.String(), "\n"); Width(got) > 20 || !strings.HasSuffix(got, "…") {
		t.Errorf("line %q has %d cells", got, Width(got))
	}
}

func TestCaretPointsAtTheColumn(t *testing.T) {
	t.Parallel()
	text := []byte("{\n\t\"Größe\": 1x,\n}\r\n")
	got := Caret(text, 2, strings.Index("\t\"Größe\": 1x,", "1x")+1, 80, "")
	want := "    2 |  \"Größe\": 1x,\n      |           ^\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := Caret(text, 9, 1, 80, ""); got != "" {
		t.Errorf("a line that is not there: %q", got)
	}
	long := []byte(strings.Repeat("a", 500) + "!" + strings.Repeat("b", 500))
	lines := strings.Split(Caret(long, 1, 501, 60, ""), "\n")
	if Width(lines[0]) > 60 || []rune(lines[0])[strings.IndexByte(lines[1], '^')] != '!' {
		t.Errorf("a long line:\n%s\n%s", lines[0], lines[1])
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	text := []byte("ab\ncd\n")
	for offset, want := range map[int64][2]int{0: {1, 1}, 1: {1, 2}, 3: {2, 1}, 4: {2, 2}, 99: {3, 1}, -5: {1, 1}} {
		if line, col := Place(text, offset); line != want[0] || col != want[1] {
			t.Errorf("Place(%d) = %d:%d, want %v", offset, line, col, want)
		}
	}
}

func TestStyleIsSilentWhenOff(t *testing.T) {
	t.Parallel()
	if got := (Style{}).Red("x"); got != "x" {
		t.Errorf("%q", got)
	}
	if got := (Style{On: true}).Red("x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("%q", got)
	}
}
