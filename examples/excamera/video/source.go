package video

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/weftworks/weft/examples/excamera/codec"
)

// Encoders.
const (
	ffmpeg  = "ffmpeg"
	standIn = "stand-in"
)

// Bounds of films, so that a slip of the pen does not fill a disk.
const (
	chunksMost = 256
)

// BadInput says what cannot be used of the run's input.
type BadInput struct{ Problem string }

func (e BadInput) Error() string { return e.Problem }

// fill puts in what the input leaves out, and says what is wrong.
func (f *Film) fill() error {
	for _, d := range []struct {
		n *int
		v int
	}{{&f.Chunks, 12}, {&f.Frames, 6}, {&f.Width, 320}, {&f.Height, 192}} {
		if *d.n == 0 {
			*d.n = d.v
		}
	}
	if f.Encoder == "" {
		f.Encoder = standIn
		if _, err := exec.LookPath(ffmpeg); err == nil {
			f.Encoder = ffmpeg
		}
	}
	size := codec.Size{Width: f.Width, Height: f.Height}
	switch {
	case f.Chunks < 1 || f.Chunks > chunksMost || f.Frames < 1 || f.Frames > codec.FramesMost:
		return BadInput{fmt.Sprintf("chunks is to be from 1 to %d and frames from 1 to %d, not %d and %d", chunksMost, codec.FramesMost, f.Chunks, f.Frames)}
	case !size.Valid():
		return BadInput{fmt.Sprintf("width and height are multiples of %d up to 4096, not %d and %d", codec.Block, f.Width, f.Height)}
	case f.Encoder != ffmpeg && f.Encoder != standIn:
		return BadInput{fmt.Sprintf("encoder is %q or %q, not %q", ffmpeg, standIn, f.Encoder)}
	}
	return nil
}

// Split makes the film and cuts it.
func Split(ctx context.Context, f Film) ([]Chunk, error) {
	if err := f.fill(); err != nil {
		return nil, err
	}
	var film []byte
	if f.Encoder == ffmpeg {
		var err error
		if film, err = testPattern(ctx, &f); err != nil {
			return nil, err
		}
	}
	s, err := newStore(f.Dir)
	if err != nil {
		return nil, err
	}
	chunks := make([]Chunk, f.Chunks)
	for i := range chunks {
		c := &chunks[i]
		*c = Chunk{Dir: string(s), Index: i, Of: f.Chunks, Frames: f.Frames, Width: f.Width, Height: f.Height, Encoder: f.Encoder, Keep: f.Keep}
		var pictures []byte
		if film != nil {
			n := len(film) / f.Chunks
			pictures = film[i*n : (i+1)*n]
		} else {
			for k := range f.Frames {
				pictures = append(pictures, draw(c.size(), i*f.Frames+k)...)
			}
		}
		if c.Pictures, err = s.put(pictures); err != nil {
			return nil, err
		}
		c.Source = c.Pictures
	}
	return chunks, nil
}

// draw is picture t of the film where there is no ffmpeg: a disc in front of a ground of waves, both moving, and grain that is
// another in each picture.
func draw(size codec.Size, t int) codec.Picture {
	p := make(codec.Picture, size.Width*size.Height)
	cx, cy, r := 20+3*t%size.Width, size.Height/2+(t*5)%23-11, size.Height/5
	grain := uint32(t)*2654435761 + 1
	for y := range size.Height {
		for x := range size.Width {
			v := 96 + ((x+2*t)*(y+t)>>4)&63
			if dx, dy := x-cx, y-cy; dx*dx+dy*dy < r*r {
				v = 200 + (dx-dy)&15
			}
			grain ^= grain << 13
			grain ^= grain >> 17
			grain ^= grain << 5
			p[y*size.Width+x] = byte(v + int(grain&1))
		}
	}
	return p
}

// run runs ffmpeg.
func run(ctx context.Context, input []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, ffmpeg, append([]string{"-hide_banner", "-loglevel", "error", "-nostdin", "-y"}, args...)...)
	cmd.Stdin = bytes.NewReader(input)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("ffmpeg %q: %w: %s", args, err, bytes.TrimSpace(said.Bytes()))
	}
	return out, nil
}

// raw describes pictures to ffmpeg.
func raw(c *Chunk) []string {
	return []string{"-f", "rawvideo", "-pix_fmt", "gray", "-s", fmt.Sprintf("%dx%d", c.Width, c.Height), "-r", "24"}
}

func testPattern(ctx context.Context, f *Film) ([]byte, error) {
	film, err := run(ctx, nil, "-f", "lavfi", "-i", fmt.Sprintf("testsrc=size=%dx%d:rate=24", f.Width, f.Height),
		"-frames:v", fmt.Sprint(f.Chunks*f.Frames), "-pix_fmt", "gray", "-f", "rawvideo", "-")
	if want := f.Chunks * f.Frames * f.Width * f.Height; err == nil && len(film) != want {
		err = fmt.Errorf("ffmpeg has made %d bytes of film, and not %d", len(film), want)
	}
	return film, err
}

// vp8 encodes the chunk as VP8, and replaces its pictures with what is seen of that.
func (c *Chunk) vp8(ctx context.Context) error {
	pictures, err := c.store().get(c.Source)
	if err != nil {
		return err
	}
	webm, err := run(ctx, pictures, append(raw(c), "-i", "-", "-c:v", "libvpx", "-threads", "1", "-b:v", "1M", "-pix_fmt", "yuv420p", "-fflags", "+bitexact", "-f", "webm", "-")...)
	if err != nil {
		return err
	}
	if c.VP8, err = c.store().put(webm); err != nil {
		return err
	}
	seen, err := run(ctx, webm, "-f", "webm", "-i", "-", "-pix_fmt", "gray", "-f", "rawvideo", "-")
	if err != nil {
		return err
	}
	c.Pictures, err = c.store().put(seen)
	return err
}

// concatenate makes one WebM of those of chunks, without encoding again.
func concatenate(ctx context.Context, s store, film []Part, to string) error {
	var list bytes.Buffer
	for i := range film {
		fmt.Fprintf(&list, "file '%s'\n", s.path(film[i].VP8))
	}
	f, err := os.CreateTemp(string(s), "list-*.txt")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(list.Bytes()); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	_, err = run(ctx, nil, "-f", "concat", "-safe", "0", "-i", f.Name(), "-c", "copy", to)
	return err
}
