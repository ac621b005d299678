package video

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftworks/weft/examples/excamera/codec"
)

// stages makes pieces of a film of three chunks: as Vpxenc, Xcdec and Reencode leave them, and the first two rebased.
type stages struct {
	alone, decoded []Piece
	reencoded      Piece // chunk 2
	film           Piece // chunks 0 and 1
}

func made(t *testing.T, f Film) *stages {
	t.Helper()
	f.Chunks, f.Dir = 3, t.TempDir()
	chunks, err := Split(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	s := &stages{}
	for _, c := range chunks {
		alone, err := Vpxenc(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := Xcdec(t.Context(), *alone)
		if err != nil {
			t.Fatal(err)
		}
		s.alone, s.decoded = append(s.alone, *alone), append(s.decoded, *decoded)
	}
	reencoded, err := Reencode(t.Context(), [2]Piece{s.decoded[1], s.alone[2]})
	if err != nil {
		t.Fatal(err)
	}
	film, err := Rebase(t.Context(), []Piece{s.decoded[0], s.alone[1]})
	if err != nil {
		t.Fatal(err)
	}
	s.reencoded, s.film = *reencoded, *film
	return s
}

// TestOrder holds that every stage refuses what it does not take.
func TestOrder(t *testing.T) {
	t.Parallel()
	s := made(t, small)
	for name, do := range map[string]func() error{
		"xcdec of a chunk decoded":         func() error { _, err := Xcdec(t.Context(), s.decoded[0]); return err },
		"reencode with both the other way": func() error { _, err := Reencode(t.Context(), [2]Piece{s.alone[2], s.decoded[1]}); return err },
		"reencode with no neighbours":      func() error { _, err := Reencode(t.Context(), [2]Piece{s.decoded[0], s.alone[2]}); return err },
		"rebase of nothing":                func() error { _, err := Rebase(t.Context(), nil); return err },
		"rebase with a gap":                func() error { _, err := Rebase(t.Context(), []Piece{s.decoded[0], s.reencoded}); return err },
		"rebase of what is not reencoded":  func() error { _, err := Rebase(t.Context(), []Piece{s.film, s.alone[2]}); return err },
		"rebase after no film":             func() error { _, err := Rebase(t.Context(), []Piece{s.decoded[1], s.reencoded}); return err },
		"play of less than all":            func() error { _, err := Play(t.Context(), s.film); return err },
	} {
		if err := do(); !errors.As(err, new(OutOfOrder)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What comes after another state is another stream: order shows in the film.
	wrong := s.film
	wrong.State = s.decoded[0].State
	right, err := Rebase(t.Context(), []Piece{s.film, s.reencoded})
	if err != nil {
		t.Fatal(err)
	}
	if other, err := Rebase(t.Context(), []Piece{wrong, s.reencoded}); err != nil || other.Stream == right.Stream {
		t.Errorf("after another state the stream is the same, %v", err)
	}
}

func TestPlay(t *testing.T) {
	t.Parallel()
	s := made(t, Film{Frames: 4, Width: 96, Height: 64, Encoder: standIn})
	last, err := Rebase(t.Context(), []Piece{s.film, s.reencoded})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Play(t.Context(), *last)
	if err != nil {
		t.Fatal(err)
	}
	if r.Bytes >= r.Alone || r.PSNR < 35 || !strings.HasPrefix(r.Encoder, "stand-in: ") {
		t.Errorf("the film is %+v", r)
	}
	if left, err := filepath.Glob(filepath.Join(last.Dir, "*")); err != nil || len(left) != 2 {
		t.Errorf("left are %q, %v", left, err)
	}
	if again, err := Play(t.Context(), *last); err != nil || *again != *r {
		t.Errorf("the second time it is %+v, %v", again, err)
	}
	if _, err := Rebase(t.Context(), []Piece{s.film, s.reencoded}); !errors.As(err, new(Lost)) {
		t.Errorf("a stage that is late: %v", err)
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	for _, f := range []Film{{Chunks: -1}, {Chunks: chunksMost + 1}, {Frames: codec.FramesMost + 1}, {Width: 33}, {Height: -8}, {Encoder: "x264"}} {
		if _, err := Split(t.Context(), f); !errors.As(err, new(BadInput)) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

// TestFFmpeg makes a film by ffmpeg, and one of its chunks.
func TestFFmpeg(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath(ffmpeg); err != nil {
		t.Skip("no ffmpeg: install it to run this test; without it the example encodes by its stand-in")
	}
	s := made(t, Film{Frames: 4, Width: 96, Height: 64, Encoder: ffmpeg})
	last, err := Rebase(t.Context(), []Piece{s.film, s.reencoded})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Play(t.Context(), *last)
	if err != nil {
		t.Fatal(err)
	}
	webm, err := os.ReadFile(r.WebM)
	if err != nil || !bytes.Contains(webm[:min(64, len(webm))], []byte("webm")) {
		t.Errorf("%s is no WebM: %v", r.WebM, err)
	}
	seen, err := run(t.Context(), webm, "-f", "webm", "-i", "-", "-pix_fmt", "gray", "-f", "rawvideo", "-")
	if want := r.Frames * 96 * 64; err != nil || len(seen) != want {
		t.Errorf("the WebM shows %d bytes and not %d: %v", len(seen), want, err)
	}
	if r.PSNR < 25 || !strings.HasPrefix(r.Encoder, "ffmpeg: ") {
		t.Errorf("the film is %+v", r)
	}
}
