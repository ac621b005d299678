package video

import (
	"context"
	"fmt"

	"github.com/weftworks/weft/examples/excamera/codec"
)

// Film is the input of Split: what is to be encoded. All members are optional.
type Film struct {
	Chunks  int    `json:"chunks"`  // default 12
	Frames  int    `json:"frames"`  // of a chunk; default 6, as in the paper
	Width   int    `json:"width"`   // default 320; whole blocks
	Height  int    `json:"height"`  // default 192; whole blocks
	Encoder string `json:"encoder"` // "ffmpeg", "stand-in"; default ffmpeg if it is there
	Dir     string `json:"dir"`     // where the film's directory is made; default below the system's for temporary files
	Keep    bool   `json:"keep"`    // keep the parts, to look at
}

// Chunk is a part of a film.
type Chunk struct {
	Dir      string `json:"dir"`
	Index    int    `json:"index"`
	Of       int    `json:"of"`
	Frames   int    `json:"frames"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
	Encoder  string `json:"encoder"`
	Keep     bool   `json:"keep,omitempty"`
	Pictures string `json:"pictures"` // file
	Source   string `json:"source"`   // file of what Pictures were before VP8; the same without it
	VP8      string `json:"vp8,omitempty"`
}

// Stage says how far a chunk is.
type Stage string

// The stages of a chunk.
const (
	Encoded   Stage = "encoded"   // by itself
	Decoded   Stage = "decoded"   // by itself, and its last picture is known
	Reencoded Stage = "reencoded" // after the chunk before it as that was by itself
	Rebased   Stage = "rebased"   // after the film before it
)

// Piece is a chunk that is encoded.
type Piece struct {
	Chunk
	Stage  Stage  `json:"stage"`
	Stream string `json:"stream"`          // file
	State  string `json:"state,omitempty"` // file with the picture at the end
	Alone  int    `json:"alone"`           // bytes of the stream where the chunk is encoded by itself
	// Film is what there is of all chunks up to this one, if their streams go together.
	Film []Part `json:"film,omitempty"`
}

// Part is what remains of a chunk in the film: files, and Alone as in Piece.
type Part struct {
	Stream string `json:"stream"`
	Source string `json:"source"`
	VP8    string `json:"vp8,omitempty"`
	Alone  int    `json:"alone"`
}

func (p *Piece) part() Part { return Part{p.Stream, p.Source, p.VP8, p.Alone} }

// OutOfOrder says that a stage was given what it does not take.
type OutOfOrder struct{ Problem string }

func (e OutOfOrder) Error() string { return e.Problem }

func (c *Chunk) size() codec.Size { return codec.Size{Width: c.Width, Height: c.Height} }
func (c *Chunk) store() store     { return store(c.Dir) }

func (p *Piece) String() string { return fmt.Sprintf("chunk %d, %s", p.Index, p.Stage) }

// pictures reads the pictures in a file.
func (c *Chunk) pictures(file string) ([]codec.Picture, error) {
	data, err := c.store().get(file)
	if err != nil {
		return nil, err
	}
	all := cut(data, c.size())
	if len(all) != c.Frames {
		return nil, Lost{fmt.Sprintf("chunk %d has %d pictures and should have %d", c.Index, len(all), c.Frames)}
	}
	return all, nil
}

func cut(data []byte, size codec.Size) (all []codec.Picture) {
	for n := size.Width * size.Height; len(data) >= n; data = data[n:] {
		all = append(all, data[:n:n])
	}
	return all
}

// Vpxenc encodes a chunk by itself.
func Vpxenc(ctx context.Context, c Chunk) (*Piece, error) {
	if c.Encoder == ffmpeg {
		if err := c.vp8(ctx); err != nil {
			return nil, err
		}
	}
	pictures, err := c.pictures(c.Pictures)
	if err != nil {
		return nil, err
	}
	stream, _ := codec.Encode(c.size(), nil, pictures, nil)
	p := &Piece{Chunk: c, Stage: Encoded, Alone: len(stream)}
	if p.Stream, err = c.store().put(stream); err != nil {
		return nil, err
	}
	if c.Index == 0 {
		p.Film = []Part{p.part()} // nothing comes before it
	}
	return p, nil
}

// Xcdec decodes a chunk that is encoded by itself.
func Xcdec(_ context.Context, p Piece) (*Piece, error) {
	if p.Stage != Encoded {
		return nil, OutOfOrder{fmt.Sprintf("xcdec takes a chunk encoded by itself, not %s", &p)}
	}
	stream, err := p.store().get(p.Stream)
	if err != nil {
		return nil, err
	}
	_, end, err := codec.Decode(p.size(), nil, stream)
	if err != nil {
		return nil, err
	}
	p.Stage = Decoded
	p.State, err = p.store().put(end)
	return &p, err
}

// Reencode encodes a chunk again, to follow the one before it as that is by itself.
func Reencode(_ context.Context, in [2]Piece) (*Piece, error) {
	before, p := &in[0], &in[1]
	if before.Stage != Decoded || p.Stage != Encoded || before.Index+1 != p.Index {
		return nil, OutOfOrder{fmt.Sprintf("reencode takes the state of a chunk and the chunk after it, not (%s) and (%s)", before, p)}
	}
	again, err := after(before, p)
	if err != nil {
		return nil, err
	}
	again.Stage = Reencoded
	return again, nil
}

// Rebase encodes chunks for the last time. The first of the list is where the film ends so far, the others are those that
// follow, in order.
func Rebase(_ context.Context, list []Piece) (*Piece, error) {
	if len(list) == 0 {
		return nil, OutOfOrder{"rebase takes the end of a film and what follows it, not nothing"}
	}
	film := &list[0]
	for i := 1; i < len(list); i++ {
		p := &list[i]
		ready := p.Stage == Reencoded || p.Stage == Encoded && p.Index == 1 // the state after chunk 0 is final as it is
		if film.State == "" || len(film.Film) != film.Index+1 || !ready || film.Index+1 != p.Index {
			return nil, OutOfOrder{fmt.Sprintf("rebase takes the end of a film and the chunk after it, not (%s) and (%s)", film, p)}
		}
		next, err := after(film, p)
		if err != nil {
			return nil, err
		}
		next.Stage = Rebased
		next.Film = append(film.Film[:len(film.Film):len(film.Film)], next.part())
		film = next
	}
	return film, nil
}

// after encodes the pictures of p to be shown after before, with the vectors that p has.
func after(before, p *Piece) (*Piece, error) {
	s := p.store()
	state, err := s.get(before.State)
	if err != nil {
		return nil, err
	}
	pictures, err := p.pictures(p.Pictures)
	if err != nil {
		return nil, err
	}
	old, err := s.get(p.Stream)
	if err != nil {
		return nil, err
	}
	vectors, err := codec.VectorsOf(p.size(), old)
	if err != nil {
		return nil, err
	}
	stream, end := codec.Encode(p.size(), state, pictures, vectors)
	next := *p
	if next.Stream, err = s.put(stream); err == nil {
		next.State, err = s.put(end)
	}
	return &next, err
}
