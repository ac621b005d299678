package codec

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// Block is the width and height of a block in pixels. Pictures consist of whole blocks.
	Block = 8
	// Reach is how far a motion vector goes, in pixels.
	Reach = 7
	// Step is the size of the steps in which differences are kept, in shades of grey.
	Step = 6
	// FramesMost bounds a stream, so that a broken one takes no more memory than that.
	FramesMost = 256
)

// Size is that of pictures in pixels.
type Size struct{ Width, Height int }

// Valid reports whether pictures of this size can be encoded.
func (s Size) Valid() bool {
	return s.Width > 0 && s.Height > 0 && s.Width%Block == 0 && s.Height%Block == 0 && s.Width <= 4096 && s.Height <= 4096
}

// Picture is Width*Height shades of grey, row by row.
type Picture []byte

// State is where an encoder or a decoder has stopped: the picture shown last. nil: nothing was shown, and a key frame
// comes first.
type State = Picture

// Vector says where a block comes from, relative to where it is.
type Vector struct{ X, Y int8 }

// Vectors are those of the blocks of a frame; nil: the frame is a key frame.
type Vectors []Vector

// Encode encodes pictures to be shown after state. known are the vectors of an earlier encoding of the same pictures: those
// of frames that had some are used again, and all others are searched for. It returns the stream and the state at the end,
// which depends on everything before it.
func Encode(size Size, state State, pictures []Picture, known []Vectors) (stream []byte, end State) {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.DefaultCompression) // only a wrong level is an error
	var n [4]byte
	binary.LittleEndian.PutUint32(n[:], uint32(len(pictures)))
	w.Write(n[:]) //nolint:errcheck // a Buffer takes everything
	for i, p := range pictures {
		var v Vectors
		switch {
		case state == nil:
		case i < len(known) && known[i] != nil:
			v = known[i]
		default:
			v = search(size, state, p)
		}
		state = frame(w, size, state, p, v)
	}
	w.Close() //nolint:errcheck // as above
	return out.Bytes(), state
}

// search finds for each block of p the place in before that is most like it.
func search(size Size, before State, p Picture) Vectors {
	var all Vectors
	for y := 0; y < size.Height; y += Block {
		for x := 0; x < size.Width; x += Block {
			best, least := Vector{}, distance(size, before, p, x, y, 0, 0, 1<<30)
			for dy := -Reach; dy <= Reach; dy++ {
				for dx := -Reach; dx <= Reach; dx++ {
					if d := distance(size, before, p, x, y, dx, dy, least); d < least {
						best, least = Vector{int8(dx), int8(dy)}, d
					}
				}
			}
			all = append(all, best)
		}
	}
	return all
}

// distance is the sum of the differences between the block of p at x, y and that of before which is dx, dy away; most or
// more if it is not under most.
func distance(size Size, before State, p Picture, x, y, dx, dy, most int) int {
	if x+dx < 0 || y+dy < 0 || x+dx+Block > size.Width || y+dy+Block > size.Height {
		return most
	}
	sum := 0
	for row := range Block {
		a := p[(y+row)*size.Width+x:][:Block]
		b := before[(y+dy+row)*size.Width+x+dx:][:Block]
		for i := range Block {
			d := int(a[i]) - int(b[i])
			sum += max(d, -d)
		}
		if sum >= most {
			return most
		}
	}
	return sum
}

// frame writes a frame, and returns what a decoder shows of it.
func frame(w io.Writer, size Size, before State, p Picture, v Vectors) State {
	head := []byte{0}
	if v != nil {
		head[0] = 1
		for _, at := range v {
			head = append(head, byte(at.X), byte(at.Y))
		}
	}
	guess := predict(size, before, v)
	steps := make([]byte, len(p))
	for i := range p {
		d := int(p[i]) - int(guess[i])
		q := (max(d, -d) + Step/4) / Step // rounded down for the most part: grain is not worth its bits
		if d < 0 {
			q = -q
		}
		steps[i] = byte(int8(q))
	}
	w.Write(head)  //nolint:errcheck // to a Buffer
	w.Write(steps) //nolint:errcheck // to a Buffer
	return show(guess, steps)
}

// predict is what a picture looks like before differences: grey, or blocks of the one before it.
func predict(size Size, before State, v Vectors) Picture {
	p := make(Picture, size.Width*size.Height)
	if v == nil {
		for i := range p {
			p[i] = 128
		}
		return p
	}
	n := 0
	for y := 0; y < size.Height; y += Block {
		for x := 0; x < size.Width; x += Block {
			from := (y+int(v[n].Y))*size.Width + x + int(v[n].X)
			for row := range Block {
				copy(p[(y+row)*size.Width+x:][:Block], before[from+row*size.Width:][:Block])
			}
			n++
		}
	}
	return p
}

func show(guess Picture, steps []byte) Picture {
	for i, q := range steps {
		guess[i] = byte(min(255, max(0, int(guess[i])+int(int8(q))*Step)))
	}
	return guess
}

// Decode returns the pictures of a stream that is shown after state, and the state at the end.
func Decode(size Size, state State, stream []byte) (pictures []Picture, end State, err error) {
	if !size.Valid() {
		return nil, nil, fmt.Errorf("codec: no picture has %d times %d pixels", size.Width, size.Height)
	}
	r := flate.NewReader(bytes.NewReader(stream))
	var n [4]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return nil, nil, fmt.Errorf("codec: the stream is broken: %w", err)
	}
	frames := binary.LittleEndian.Uint32(n[:])
	if frames > FramesMost {
		return nil, nil, fmt.Errorf("codec: the stream is broken: it claims %d frames", frames)
	}
	for range frames {
		if state, err = readFrame(r, size, state); err != nil {
			return nil, nil, fmt.Errorf("codec: the stream is broken: %w", err)
		}
		pictures = append(pictures, state)
	}
	return pictures, state, nil
}

func readFrame(r io.Reader, size Size, before State) (Picture, error) {
	var kind [1]byte
	if _, err := io.ReadFull(r, kind[:]); err != nil {
		return nil, err
	}
	v, err := readVectors(r, size, before, kind[0] == 1)
	if err != nil {
		return nil, err
	}
	steps := make([]byte, size.Width*size.Height)
	if _, err := io.ReadFull(r, steps); err != nil {
		return nil, err
	}
	return show(predict(size, before, v), steps), nil
}

func readVectors(r io.Reader, size Size, before State, some bool) (Vectors, error) {
	if !some {
		return nil, nil
	}
	if len(before) != size.Width*size.Height {
		return nil, errors.New("it goes on after a picture that is not given")
	}
	text := make([]byte, 2*(size.Width/Block)*(size.Height/Block))
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, err
	}
	v := make(Vectors, len(text)/2)
	for i := range v {
		v[i] = Vector{int8(text[2*i]), int8(text[2*i+1])}
		x, y := i%(size.Width/Block)*Block+int(v[i].X), i/(size.Width/Block)*Block+int(v[i].Y)
		if x < 0 || y < 0 || x+Block > size.Width || y+Block > size.Height {
			return nil, errors.New("a block comes from outside of the picture")
		}
	}
	return v, nil
}

// VectorsOf reads the vectors of a stream, for an encoding of the same pictures that uses them again.
func VectorsOf(size Size, stream []byte) ([]Vectors, error) {
	state := make(State, size.Width*size.Height) // what is shown does not matter
	r := flate.NewReader(bytes.NewReader(stream))
	var n [4]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return nil, fmt.Errorf("codec: the stream is broken: %w", err)
	}
	var all []Vectors
	for range min(binary.LittleEndian.Uint32(n[:]), FramesMost) {
		var kind [1]byte
		if _, err := io.ReadFull(r, kind[:]); err != nil {
			return nil, fmt.Errorf("codec: the stream is broken: %w", err)
		}
		v, err := readVectors(r, size, state, kind[0] == 1)
		if err == nil {
			_, err = io.CopyN(io.Discard, r, int64(len(state)))
		}
		if err != nil {
			return nil, fmt.Errorf("codec: the stream is broken: %w", err)
		}
		all = append(all, v)
	}
	return all, nil
}
