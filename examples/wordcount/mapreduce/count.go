package mapreduce

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// CountRequest is Count's event.
type CountRequest struct {
	Run        string `json:"run"`
	Root       string `json:"root"`
	Partitions int    `json:"partitions"`
	Batch      int    `json:"batch"`
}

// Counted is Count's answer.
type Counted struct {
	Batch  int   `json:"batch"`
	Files  int   `json:"files"`  // counted
	Binary int   `json:"binary"` // skipped
	Bytes  int64 `json:"bytes"`  // of the counted files
	Words  int64 `json:"words"`
}

// Count is the mapper: it counts the words of one batch and writes them, a section per reducer.
// Errors: Unreadable, WordTooLong, WorkLost.
func Count(ctx context.Context, req CountRequest) (*Counted, error) {
	s, err := openStore(req.Run)
	if err != nil {
		return nil, err
	}
	if req.Partitions < 1 || req.Partitions > maxReducers {
		return nil, badInput("partitions is %d: give a number from 1 to %d", req.Partitions, maxReducers)
	}
	list, err := readWork(s.file(batches, req.Batch))
	if err != nil {
		return nil, err
	}
	result := &Counted{Batch: req.Batch}
	t := newTally()
	buf := make([]byte, readSize)
	for path := range bytes.SplitSeq(bytes.TrimSuffix(list, []byte{0}), []byte{0}) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := countFile(t, filepath.Join(req.Root, string(path)), buf, result); err != nil {
			return nil, err
		}
	}
	return result, writeMapped(s.file(mapped, req.Batch), t, req.Partitions)
}

// readWork reads a work file that must be there.
func readWork(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, workLost("%s is missing (was it deleted, or TMPDIR changed?)", path)
	}
	return b, err
}

func countFile(t *tally, path string, buf []byte, result *Counted) error {
	f, err := os.Open(path)
	if err != nil {
		return unreadable(err)
	}
	defer f.Close()
	binary, err := isBinary(f, buf)
	if err != nil {
		return unreadable(err)
	}
	if binary {
		result.Binary++
		return nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return unreadable(err)
	}
	size, words, err := t.read(f, buf)
	if long := (WordTooLong{}); errors.As(err, &long) {
		return WordTooLong{Problem: fmt.Sprintf("%s: %s", path, long.Problem)}
	}
	if err != nil {
		return unreadable(err)
	}
	result.Files++
	result.Bytes += size
	result.Words += words
	return nil
}

// header is the first line of a mapped file.
type header struct {
	Sections []int64 `json:"sections"` // bytes of each reducer's section, in order
}

// writeMapped writes what t counted, a section of sorted lines for each of n reducers.
func writeMapped(path string, t *tally, n int) error {
	words := make([][]string, n)
	for word := range t.index {
		p := partition(word, n)
		words[p] = append(words[p], word)
	}
	sections := make([][]byte, n)
	var head header
	for p := range sections {
		slices.Sort(words[p])
		for _, word := range words[p] {
			sections[p] = appendLine(sections[p], t.counts[t.index[word]], word)
		}
		head.Sections = append(head.Sections, int64(len(sections[p])))
	}
	return writeFile(path, func(w *bufio.Writer) error {
		line, err := json.Marshal(head)
		if err != nil {
			return err
		}
		_, _ = w.Write(append(line, '\n')) // Flush reports what these meet
		for _, section := range sections {
			_, _ = w.Write(section)
		}
		return nil
	})
}

// appendLine appends "count TAB word NEWLINE".
func appendLine(b []byte, count int64, word string) []byte {
	b = strconv.AppendInt(b, count, 10)
	b = append(b, '\t')
	b = append(b, word...)
	return append(b, '\n')
}

// parseLine takes such a line, without its end, apart. word aliases line.
func parseLine(line []byte) (count int64, word []byte, err error) {
	number, word, ok := bytes.Cut(line, []byte{'\t'})
	if ok {
		count, err = strconv.ParseInt(string(number), 10, 64)
	}
	if !ok || err != nil || count < 1 || len(word) == 0 {
		return 0, nil, fmt.Errorf("%.40q is not a count and a word", line)
	}
	return count, word, nil
}
