package executionlog

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/weftworks/weft/fault"
)

func open(t *testing.T, cfg Config) *Log {
	t.Helper()
	cfg.Dir, cfg.Logger = "logs", slog.New(slog.NewTextHandler(io.Discard, nil))
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// read returns all lines of a group, a few at a time.
func read(t *testing.T, l *Log, group string) (lines []string) {
	t.Helper()
	for from := ""; ; {
		page, err := l.Read(group, from, 3, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range page.Lines {
			lines = append(lines, string(line))
		}
		if from = page.Next; !page.More {
			return lines
		}
	}
}

func TestGroupsAndReopening(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	names := []string{"/a/b", "%2Fa%2Fb", "a.1", "", "..", strings.Repeat("ü", 300), strings.Repeat("ü", 299) + "u"}
	var want []string
	for round := range 3 {
		l := open(t, Config{FS: fs})
		for i := range 4 {
			line := fmt.Sprint(round, i)
			want = append(want, line)
			for _, g := range names {
				l.Add(g, []byte(line+"\n"), 1)
			}
		}
		l.Flush(time.Minute)
		for _, g := range names {
			if got := read(t, l, g); !slices.Equal(got, want) {
				t.Errorf("group %.20q, opening %d: %q, want %q", g, round, got, want)
			}
		}
		if s := l.Stats(); s.Written != uint64(4*len(names)) || s.Dropped != 0 {
			t.Errorf("%+v", s)
		}
		l.Close()
	}
}

func TestFollowing(t *testing.T) {
	t.Parallel()
	l := open(t, Config{FS: vfs.NewMem(), FileBytes: 20})
	from := ""
	for i := range 20 {
		l.Add("g", fmt.Appendf(nil, "line %d\n", i), 1)
		l.Flush(time.Minute)
		page, err := l.Read("g", from, 10, nil)
		if err != nil || len(page.Lines) != 1 || string(page.Lines[0]) != fmt.Sprint("line ", i) || page.More {
			t.Fatalf("after line %d from %q: %+v, %v", i, from, page, err)
		}
		from = page.Next
	}
	page, err := l.Read("g", "", 100, func(line []byte) bool { return strings.HasSuffix(string(line), "7") })
	if err != nil || len(page.Lines) != 2 || page.Next != from {
		t.Errorf("lines that match: %+v, %v", page, err)
	}
	if _, err := l.Read("g", "x", 1, nil); !fault.Is(err, fault.InvalidToken) {
		t.Errorf("a cursor that is none: %v", err)
	}
}

func TestOldestFilesGo(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{{TotalBytes: 100, FileBytes: 30}, {Files: 4, FileBytes: 30}} {
		fs := vfs.NewMem()
		cfg.FS = fs
		l := open(t, cfg)
		l.Add("quiet", []byte("old\n"), 1)
		for i := range 50 {
			l.Add("busy", fmt.Appendf(nil, "line number %d\n", i), 1)
			l.Flush(time.Minute)
		}
		files, err := fs.List("logs")
		if err != nil || len(files) > 5 {
			t.Errorf("%d files are left: %v", len(files), err)
		}
		lines := read(t, l, "busy")
		if n := len(lines); n < 3 || n > 8 || lines[n-1] != "line number 49" || len(read(t, l, "quiet")) != 0 {
			t.Errorf("what is left: %q", lines)
		}
		l.Add("quiet", []byte("new\n"), 1)
		l.Flush(time.Minute)
		if got := read(t, l, "quiet"); !slices.Equal(got, []string{"new"}) {
			t.Errorf("the quiet group has %q", got)
		}
	}
}

func TestTornLine(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	l := open(t, Config{FS: fs})
	l.Add("g", []byte("whole\ntorn"), 2)
	l.Close()
	l = open(t, Config{FS: fs})
	l.Add("g", []byte("next\n"), 1)
	l.Flush(time.Minute)
	if got := read(t, l, "g"); !slices.Equal(got, []string{"whole", "next"}) {
		t.Errorf("%q", got)
	}
}

// TestSlowDisk holds the disk up: nobody waits for it, and what does not fit into the queue is counted.
func TestSlowDisk(t *testing.T) {
	t.Parallel()
	writing, goOn := make(chan struct{}), make(chan struct{})
	first := true
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileWriteAt && first {
			first = false
			close(writing)
			<-goOn
		}
		return nil
	}))
	l := open(t, Config{FS: fs, QueueBytes: 30})
	l.Add("g", []byte("the first\n"), 1)
	<-writing
	for range 5 {
		l.Add("g", []byte("0123456789\n"), 1)
	}
	close(goOn)
	l.Flush(time.Minute)
	if s := l.Stats(); s.Written != 2 || s.Dropped != 4 {
		t.Errorf("%+v, want 2 written and 4 dropped", s)
	}
	if got := read(t, l, "g"); len(got) != 2 {
		t.Errorf("%q", got)
	}
}

func TestFailingDisk(t *testing.T) {
	t.Parallel()
	broken := true
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileWriteAt && broken {
			broken = false
			return errorfs.ErrInjected
		}
		return nil
	}))
	l := open(t, Config{FS: fs})
	for _, text := range []string{"lost", "kept"} {
		l.Add("g", []byte(text+"\n"), 1)
		l.Flush(time.Minute)
	}
	if got, s := read(t, l, "g"), l.Stats(); !slices.Equal(got, []string{"kept"}) || s.Written != 1 || s.Dropped != 1 {
		t.Errorf("%q, %+v", got, s)
	}
}
