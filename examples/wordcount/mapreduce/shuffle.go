package mapreduce

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ShuffleRequest is Shuffle's event: the plan and what the mappers answered.
type ShuffleRequest struct {
	Plan
	Mapped []Counted `json:"mapped"`
}

// Shuffled is Shuffle's answer.
type Shuffled struct {
	Partitions []Partition `json:"partitions"`
}

// Partition is the share of one reducer.
type Partition struct {
	Partition int   `json:"partition"`
	Bytes     int64 `json:"bytes"` // to read, of all mappers
}

// segment is a stretch of a mapped file.
type segment struct {
	mapper        int
	offset, bytes int64
}

// Shuffle turns "what each mapper found for every reducer" into "what each reducer reads from every
// mapper". It moves no words. Every mapper's file must be there and whole, else WorkLost.
func Shuffle(ctx context.Context, req ShuffleRequest) (*Shuffled, error) {
	s, err := openStore(req.Run)
	if err != nil {
		return nil, err
	}
	if len(req.Mapped) != len(req.Batches) {
		return nil, workLost("%d batches were listed and %d counted", len(req.Batches), len(req.Mapped))
	}
	shares := make([][]segment, req.Partitions)
	for _, b := range req.Batches {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		sections, err := readSections(s.file(mapped, b.Batch), req.Partitions)
		if err != nil {
			return nil, err
		}
		for p, seg := range sections {
			if seg.bytes > 0 {
				seg.mapper = b.Batch
				shares[p] = append(shares[p], seg)
			}
		}
	}
	result := &Shuffled{}
	for p, share := range shares {
		total, err := writeSegments(s.file(segments, p), share)
		if err != nil {
			return nil, err
		}
		result.Partitions = append(result.Partitions, Partition{Partition: p, Bytes: total})
	}
	return result, nil
}

// readSections reads the header of a mapped file of n sections.
func readSections(path string, n int) ([]segment, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, workLost("%s is missing (was it deleted, or TMPDIR changed?)", path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	line, err := bufio.NewReaderSize(f, 64<<10).ReadSlice('\n')
	if err != nil {
		return nil, workLost("%s has no header: %v", path, err)
	}
	var head header
	if err := json.Unmarshal(line, &head); err != nil || len(head.Sections) != n {
		return nil, workLost("%s is not a mapper's file for %d reducers", path, n)
	}
	at := int64(len(line))
	sections := make([]segment, n)
	for p, size := range head.Sections {
		sections[p] = segment{offset: at, bytes: size}
		at += size
	}
	if info, err := f.Stat(); err != nil || info.Size() != at {
		return nil, workLost("%s is not as long as its header says (%d bytes)", path, at)
	}
	return sections, nil
}

func writeSegments(path string, share []segment) (total int64, err error) {
	err = writeFile(path, func(w *bufio.Writer) error {
		for _, seg := range share {
			total += seg.bytes
			if _, err := fmt.Fprintln(w, seg.mapper, seg.offset, seg.bytes); err != nil {
				return err
			}
		}
		return nil
	})
	return total, err
}

// readSegments reads what writeSegments wrote.
func readSegments(path string) ([]segment, error) {
	b, err := readWork(path)
	if err != nil {
		return nil, err
	}
	var share []segment
	for line := range bytes.Lines(b) {
		var seg segment
		if _, err := fmt.Sscanln(string(line), &seg.mapper, &seg.offset, &seg.bytes); err != nil {
			return nil, workLost("%s: %q is not a segment: %v", path, line, err)
		}
		share = append(share, seg)
	}
	return share, nil
}
