package video

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/weftworks/weft/examples/excamera/codec"
)

// Result is the result of a run.
type Result struct {
	Encoder string `json:"encoder"` // what Vpxenc was, in words
	Chunks  int    `json:"chunks"`
	Frames  int    `json:"frames"`
	Bytes   int    `json:"bytes"` // of the film, which has one key frame
	Alone   int    `json:"alone"` // of its chunks, each with a key frame
	// PSNR says how like the film is to the pictures that were encoded, in decibels. The higher the better; from 35 on people
	// see little difference.
	PSNR   float64 `json:"psnr"`
	Digest string  `json:"digest"`         // of the film
	Film   string  `json:"film"`           // file
	WebM   string  `json:"webm,omitempty"` // file: the chunks as VP8, one after the other
}

// encoders says aloud what has encoded.
var encoders = map[string]string{
	ffmpeg:  "ffmpeg: vpxenc is VP8 by libvpx; the stages after it, which need an encoder that begins with a given state, are a small codec of the example's",
	standIn: "stand-in: ffmpeg is not there or was not wanted, so that all stages are a small codec of the example's, on a film that is drawn",
}

// Play puts the film together from the last piece of it.
func Play(ctx context.Context, p Piece) (*Result, error) {
	s := p.store()
	if text, err := os.ReadFile(s.result()); err == nil { // another execution has done it
		var r Result
		return &r, json.Unmarshal(text, &r)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if p.Index != p.Of-1 || len(p.Film) != p.Of {
		return nil, OutOfOrder{fmt.Sprintf("play takes the last of %d chunks, with %d streams, not %s with %d", p.Of, p.Of, &p, len(p.Film))}
	}
	r := &Result{Encoder: encoders[p.Encoder], Chunks: p.Of, Frames: p.Of * p.Frames, Film: filepath.Join(p.Dir, "film.streams")}
	film, err := r.measure(s, &p)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(film)
	r.Bytes, r.Digest = len(film), hex.EncodeToString(sum[:])
	if err := replace(r.Film, film); err != nil {
		return nil, err
	}
	if p.Encoder == ffmpeg {
		r.WebM = filepath.Join(p.Dir, "film.webm")
		if err := concatenate(ctx, s, p.Film, r.WebM); err != nil {
			return nil, err
		}
	}
	return r, s.finish(r, p.Keep)
}

// measure plays the streams of a film one after the other, compares what is seen with what was to be, and returns them joined.
func (r *Result) measure(s store, p *Piece) (film []byte, err error) {
	var state codec.State
	var seen, source []byte
	for i := range p.Film {
		part := &p.Film[i]
		r.Alone += part.Alone
		stream, err := s.get(part.Stream)
		if err != nil {
			return nil, err
		}
		pictures, end, err := codec.Decode(p.size(), state, stream)
		if err != nil {
			return nil, err
		}
		original, err := s.get(part.Source)
		if err != nil {
			return nil, err
		}
		state = end
		film, source = append(film, stream...), append(source, original...)
		seen = append(seen, slices.Concat(pictures...)...)
	}
	if len(seen) != len(source) {
		return nil, Lost{fmt.Sprintf("the film has %d pixels, and what it was made of %d", len(seen), len(source))}
	}
	r.PSNR = likeness(seen, source)
	return film, nil
}

// finish keeps the result for executions to come, and removes what only led to it.
func (s store) finish(r *Result, keep bool) error {
	text, err := json.Marshal(r)
	if err == nil {
		err = replace(s.result(), text)
	}
	if err == nil && !keep {
		err = os.RemoveAll(filepath.Join(string(s), parts))
	}
	return err
}

// likeness is the peak signal-to-noise ratio of pictures in decibels; of equal ones it is 99.
func likeness(a, b []byte) float64 {
	sum := 0.0
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	if sum == 0 {
		return 99
	}
	return math.Round(100*10*math.Log10(255*255*float64(len(a))/sum)) / 100
}

func (s store) result() string { return filepath.Join(string(s), "film.json") }
