package mapreduce

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// ReduceRequest is Reduce's event.
type ReduceRequest struct {
	Run       string `json:"run"`
	Partition int    `json:"partition"`
}

// Reduced is Reduce's answer.
type Reduced struct {
	Partition int   `json:"partition"`
	Words     int64 `json:"words"`
	Distinct  int64 `json:"distinct"`
}

// WordCount is a line of the table.
type WordCount struct {
	Word  string `json:"word"`
	Count int64  `json:"count"`
}

// compare orders the table: highest count first, then by word.
func compare(a, b WordCount) int {
	if c := cmp.Compare(b.Count, a.Count); c != 0 {
		return c
	}
	return strings.Compare(a.Word, b.Word)
}

// Reduce is the reducer: it adds up its words over all mappers and writes them in the table's order.
// Errors: WorkLost.
func Reduce(ctx context.Context, req ReduceRequest) (*Reduced, error) {
	s, err := openStore(req.Run)
	if err != nil {
		return nil, err
	}
	share, err := readSegments(s.file(segments, req.Partition))
	if err != nil {
		return nil, err
	}
	t := newTally()
	for _, seg := range share {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := addSegment(t, s.file(mapped, seg.mapper), seg); err != nil {
			return nil, err
		}
	}
	result := &Reduced{Partition: req.Partition, Distinct: int64(len(t.counts))}
	rows := make([]WordCount, 0, len(t.counts))
	for word, i := range t.index {
		result.Words += t.counts[i]
		rows = append(rows, WordCount{Word: word, Count: t.counts[i]})
	}
	slices.SortFunc(rows, compare)
	err = writeFile(s.file(reduced, req.Partition), func(w *bufio.Writer) error {
		var line []byte
		for _, row := range rows {
			line = appendLine(line[:0], row.Count, row.Word)
			if _, err := w.Write(line); err != nil {
				return err
			}
		}
		return nil
	})
	return result, err
}

// addSegment adds one segment of a mapped file to t.
func addSegment(t *tally, path string, seg segment) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return workLost("%s is missing (was it deleted, or TMPDIR changed?)", path)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines := scanLines(io.NewSectionReader(f, seg.offset, seg.bytes))
	for lines.Scan() {
		count, word, err := parseLine(lines.Bytes())
		if err != nil {
			return workLost("%s: %v", path, err)
		}
		t.add(word, count)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// scanLines reads lines as appendLine writes them.
func scanLines(r io.Reader) *bufio.Scanner {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 32<<10), maxWord+64)
	return lines
}
