package executionlog

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/fault"
)

// file is one file of the log.
type file struct {
	group  string // as its name has it
	number uint64
	size   int64 // of whole lines, while this process writes it
}

const extension = ".jsonl"

func (l *Log) path(f *file) string {
	return l.cfg.FS.PathJoin(l.cfg.Dir, f.group+"."+strconv.FormatUint(f.number, 10)+extension)
}

// nameBytes bounds a group's part of a file's name, so that file systems take it.
const nameBytes = 160

// fileName returns what a group is called in file names: letters, digits, '-', '_' and '.' stay as they are, others are
// written as %XX; a long name is cut and has a hash instead.
func fileName(group string) string {
	var b strings.Builder
	for i := range len(group) {
		switch c := group[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if b.Len() <= nameBytes {
		return b.String()
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(group))
	return fmt.Sprintf("%s-%016x", b.String()[:nameBytes-17], h.Sum64())
}

// list finds the files of earlier openings.
func (l *Log) list() error {
	names, err := l.cfg.FS.List(l.cfg.Dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		base, ours := strings.CutSuffix(name, extension)
		dot := strings.LastIndexByte(base, '.')
		if !ours || dot < 0 {
			continue
		}
		n, err := strconv.ParseUint(base[dot+1:], 10, 64)
		if err != nil {
			continue
		}
		info, err := l.cfg.FS.Stat(l.cfg.FS.PathJoin(l.cfg.Dir, name))
		if err != nil || info.IsDir() {
			continue
		}
		l.files = append(l.files, &file{group: base[:dot], number: n, size: info.Size()})
		l.total += info.Size()
	}
	slices.SortFunc(l.files, func(a, b *file) int { return cmp.Compare(a.number, b.number) })
	return nil
}

// Page is a stretch of a group's lines.
type Page struct {
	Lines [][]byte // without newlines
	Next  string   // where to go on; there may be nothing yet
	More  bool     // there is something there
}

// One Read looks at no more than scanBytes and returns no more than pageBytes, but for its last line.
const (
	scanBytes = 8 << 20
	pageBytes = 1 << 20
)

// Read returns at most limit lines of a group that match takes (nil: all), oldest first, from where an earlier Page's Next
// says; "": from the oldest there is. Lines that have been removed since are passed over.
func (l *Log) Read(group, from string, limit int, match func(line []byte) bool) (*Page, error) {
	number, offset, err := parseCursor(from)
	if err != nil {
		return nil, err
	}
	name := fileName(group)
	var files []file
	l.mu.Lock()
	for _, f := range l.files {
		if f.group == name && f.number >= number {
			files = append(files, *f)
		}
	}
	l.mu.Unlock()
	page := &Page{Next: from}
	s := scan{page: page, limit: limit, match: match}
	for i := range files {
		f := &files[i]
		if f.number != number {
			offset = 0
		}
		if offset, err = l.scan(f, offset, &s); err != nil {
			return nil, err
		}
		page.Next = fmt.Sprintf("%d-%d", f.number, offset)
		if s.full() {
			page.More = offset < f.size || i+1 < len(files)
			break
		}
	}
	return page, nil
}

func parseCursor(text string) (number uint64, offset int64, err error) {
	if text == "" {
		return 0, 0, nil
	}
	a, b, _ := strings.Cut(text, "-")
	number, err = strconv.ParseUint(a, 10, 64)
	if err == nil {
		offset, err = strconv.ParseInt(b, 10, 64)
	}
	if err != nil || offset < 0 {
		return 0, 0, fault.New("", fault.InvalidToken, text, "this is no place in an execution log; start again without it")
	}
	return number, offset, nil
}

// scan is a Read on its way.
type scan struct {
	page  *Page
	limit int
	match func([]byte) bool
	seen  int64
	bytes int
}

func (s *scan) full() bool {
	return len(s.page.Lines) >= s.limit || s.seen >= scanBytes || s.bytes >= pageBytes
}

// scan reads lines of a file from offset on and returns where it stopped. What a crash has torn off at the end of a file is
// no line.
func (l *Log) scan(f *file, offset int64, s *scan) (int64, error) {
	if offset >= f.size {
		return offset, nil
	}
	h, err := l.cfg.FS.Open(l.path(f))
	if errors.Is(err, fs.ErrNotExist) {
		return f.size, nil // removed meanwhile
	}
	if err != nil {
		return offset, err
	}
	defer func() { _ = h.Close() }()
	r := bufio.NewReader(io.NewSectionReader(h, offset, f.size-offset))
	for !s.full() {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return f.size, nil
		}
		if err != nil {
			return offset, err
		}
		offset += int64(len(line))
		s.seen += int64(len(line))
		if line = line[:len(line)-1]; s.match == nil || s.match(line) {
			s.page.Lines = append(s.page.Lines, line)
			s.bytes += len(line)
		}
	}
	return offset, nil
}
