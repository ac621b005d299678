package mapreduce

import (
	"bytes"
	"fmt"
	"io"
)

const (
	// maxWord bounds one word in bytes, and with it what a mapper holds of a file at a time.
	maxWord = 1 << 20
	// readSize is how much of a file is read at a time.
	readSize = 256 << 10
)

// isWord tells the bytes of words from all others.
var isWord = func() (t [256]bool) {
	for c := range t {
		t[c] = c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
	}
	return t
}()

// isBinary reports whether r holds a NUL byte. It reads no further than the first.
func isBinary(r io.Reader, buf []byte) (bool, error) {
	for {
		n, err := r.Read(buf)
		if bytes.IndexByte(buf[:n], 0) >= 0 {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// tally counts words. Counts live in a slice beside the map so that counting a known word does
// not allocate.
type tally struct {
	index  map[string]int
	counts []int64
	carry  []byte // the start of a word that the last read cut off
}

func newTally() *tally { return &tally{index: make(map[string]int)} }

func (t *tally) add(word []byte, n int64) {
	if i, ok := t.index[string(word)]; ok {
		t.counts[i] += n
		return
	}
	t.index[string(word)] = len(t.counts)
	t.counts = append(t.counts, n)
}

// read counts the words of r to its end and returns the number of bytes and of words. The end of r ends a
// word. A word of more than maxWord bytes is WordTooLong.
func (t *tally) read(r io.Reader, buf []byte) (size, words int64, err error) {
	t.carry = t.carry[:0]
	for {
		n, err := r.Read(buf)
		size += int64(n)
		found, tooLong := t.chunk(buf[:n])
		words += found
		if tooLong {
			return size, words, WordTooLong{Problem: fmt.Sprintf("a word of more than %d bytes ends past byte %d", maxWord, size-int64(n))}
		}
		if err == nil {
			continue
		}
		if err != io.EOF {
			return size, words, err
		}
		if len(t.carry) > 0 {
			t.add(t.carry, 1)
			words++
		}
		return size, words, nil
	}
}

// chunk counts the words that end inside b and carries the one that b cuts off.
func (t *tally) chunk(b []byte) (words int64, tooLong bool) {
	start := 0
	for i, c := range b {
		if isWord[c] {
			continue
		}
		word := b[start:i]
		start = i + 1
		if len(t.carry) > 0 {
			t.carry = append(t.carry, word...)
			word = t.carry
			t.carry = t.carry[:0]
		}
		if len(word) == 0 {
			continue
		}
		if len(word) > maxWord {
			return words, true
		}
		t.add(word, 1)
		words++
	}
	t.carry = append(t.carry, b[start:]...)
	return words, len(t.carry) > maxWord
}

// partition says which of n reducers counts word: FNV-1a, the same in every process.
func partition(word string, n int) int {
	h := uint32(2166136261)
	for i := range len(word) {
		h = (h ^ uint32(word[i])) * 16777619
	}
	return int(h % uint32(n))
}
