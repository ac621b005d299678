package mapreduce

import (
	"bufio"
	"container/heap"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// SummariseRequest is Summarise's event: the plan and what all functions since answered.
type SummariseRequest struct {
	Plan
	Mapped  []Counted `json:"mapped"`
	Reduced []Reduced `json:"reduced"`
}

// Summary is the run's result.
type Summary struct {
	Root        string      `json:"root"`
	Files       int         `json:"files"` // counted
	BinaryFiles int         `json:"binary_files"`
	Skipped     int         `json:"skipped"` // neither regular files nor directories
	Bytes       int64       `json:"bytes"`   // of the counted files
	Words       int64       `json:"words"`
	Distinct    int64       `json:"distinct"`
	Mappers     int         `json:"mappers"`
	Reducers    int         `json:"reducers"`
	Top         []WordCount `json:"top"`
	Table       string      `json:"table"`          // path of the whole table
	Work        string      `json:"work,omitempty"` // path of the work files, if kept
}

// Summarise merges the reducers' files into the table and adds up the totals. It holds one line per reducer in
// memory. Words that were mapped but not reduced, or the other way round, are WorkLost.
func Summarise(ctx context.Context, req SummariseRequest) (*Summary, error) {
	s, err := openStore(req.Run)
	if err != nil {
		return nil, err
	}
	sum := &Summary{
		Root: req.Root, Skipped: req.Skipped, Mappers: len(req.Mapped), Reducers: len(req.Reduced),
		Top: []WordCount{}, Table: req.Out,
	}
	if req.Keep {
		sum.Work = s.work()
	}
	var mappedWords int64
	for _, m := range req.Mapped {
		sum.Files += m.Files
		sum.BinaryFiles += m.Binary
		sum.Bytes += m.Bytes
		mappedWords += m.Words
	}
	m, err := openMerge(s, req.Reduced)
	defer m.close()
	if err != nil {
		return nil, err
	}
	err = writeFile(req.Out, func(w *bufio.Writer) error { return sum.table(ctx, m, w, req.Top) })
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, badInput("cannot write the table: %v; give an out in a directory that can be written", err)
	}
	if err != nil {
		return nil, err
	}
	if sum.Words != mappedWords {
		return nil, workLost("%d words were mapped and %d reduced", mappedWords, sum.Words)
	}
	return sum, nil
}

// table writes all lines of m to w and counts them.
func (sum *Summary) table(ctx context.Context, m *merge, w *bufio.Writer, top int) error {
	var line []byte
	for {
		row, ok, err := m.next()
		if err != nil || !ok {
			return err
		}
		sum.Words += row.Count
		sum.Distinct++
		if len(sum.Top) < top {
			sum.Top = append(sum.Top, shorten(row))
		}
		line = appendLine(line[:0], row.Count, row.Word)
		if _, err := w.Write(line); err != nil {
			return err
		}
		if sum.Distinct%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// shorten keeps a long word from filling the result; the table has all of it.
func shorten(row WordCount) WordCount {
	const most = 100
	if len(row.Word) > most {
		row.Word = row.Word[:most] + "..."
	}
	return row
}

// merge reads sorted files as one: a heap of their next lines.
type merge struct{ heads []*head }

// head is one file of a merge and its next line.
type head struct {
	file  *os.File
	lines *bufio.Scanner
	row   WordCount
}

func (m *merge) Len() int           { return len(m.heads) }
func (m *merge) Less(i, j int) bool { return compare(m.heads[i].row, m.heads[j].row) < 0 }
func (m *merge) Swap(i, j int)      { m.heads[i], m.heads[j] = m.heads[j], m.heads[i] }
func (m *merge) Push(x any)         { m.heads = append(m.heads, x.(*head)) }
func (m *merge) Pop() any {
	last := m.heads[len(m.heads)-1]
	m.heads = m.heads[:len(m.heads)-1]
	return last
}

// openMerge opens the reducers' files. The merge must be closed even when there is an error.
func openMerge(s store, parts []Reduced) (*merge, error) {
	m := &merge{}
	for _, part := range parts {
		path := s.file(reduced, part.Partition)
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return m, workLost("%s is missing (was it deleted, or TMPDIR changed?)", path)
		}
		if err != nil {
			return m, err
		}
		h := &head{file: f, lines: scanLines(f)}
		ok, err := h.advance()
		if err != nil || !ok {
			f.Close()
		} else {
			m.heads = append(m.heads, h)
		}
		if err != nil {
			return m, err
		}
	}
	heap.Init(m)
	return m, nil
}

// next returns the next line of all; ok is false at the end.
func (m *merge) next() (row WordCount, ok bool, err error) {
	if len(m.heads) == 0 {
		return WordCount{}, false, nil
	}
	first := m.heads[0]
	row = first.row
	more, err := first.advance()
	if err != nil {
		return WordCount{}, false, err
	}
	if more {
		heap.Fix(m, 0)
	} else {
		first.file.Close()
		heap.Pop(m)
	}
	return row, true, nil
}

func (m *merge) close() {
	for _, h := range m.heads {
		h.file.Close()
	}
}

// advance reads the next line; false at the end of the file.
func (h *head) advance() (bool, error) {
	if !h.lines.Scan() {
		return false, h.lines.Err()
	}
	count, word, err := parseLine(h.lines.Bytes())
	if err != nil {
		return false, workLost("%s: %v", filepath.Base(h.file.Name()), err)
	}
	h.row = WordCount{Word: string(word), Count: count}
	return true, nil
}
