package disk

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/fault"
)

// image is the files of a log's directory by name.
type image map[string][]byte

// frameAt is where a frame of an image is and which entries it holds.
type frameAt struct {
	file       string
	off, end   int64
	first, num int // entries of the whole log
}

// sample makes a log of several segments and incarnations, closed, and returns its files and frames.
func sample(t *testing.T) (image, []frameAt) {
	t.Helper()
	fs := vfs.NewMem()
	var frames []frameAt
	entries := 0
	for round := range 2 {
		o := manual(fs, nil)
		o.SegmentBytes = segmentBytesMin
		log, err := Open(testDir, o)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 8 {
			for j := range 1 + i%3 {
				if _, err := log.Append(uint32(j), make([]byte, 200*(i%6)+round)); err != nil {
					t.Fatal(err)
				}
			}
			if err := log.Flush(); err != nil {
				t.Fatal(err)
			}
			n := 1 + i%3
			size := int64(frameHeaderBytes)
			for range n {
				size += int64(len(appendEntry(nil, 0, make([]byte, 200*(i%6)+round))))
			}
			frames = append(frames, frameAt{segmentName(log.active.number), log.active.off - size, log.active.off, entries, n})
			entries += n
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return readImage(t, fs), frames
}

func readImage(t *testing.T, fs vfs.FS) image {
	t.Helper()
	names, err := fs.List(testDir)
	if err != nil {
		t.Fatal(err)
	}
	im := image{}
	for _, name := range names {
		if _, spare, ok := parseName(name); !ok || spare {
			continue
		}
		f, err := fs.Open(fs.PathJoin(testDir, name))
		if err != nil {
			t.Fatal(err)
		}
		if im[name], err = io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	return im
}

// files makes a file system with the image in it.
func (im image) files(t testing.TB) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll(testDir, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, data := range im {
		f, err := fs.Create(fs.PathJoin(testDir, name), category)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(append([]byte(nil), data...)); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	return fs
}

// read opens a log and counts its entries.
func read(fs vfs.FS) (entries int, err error) {
	o := manual(fs, nil)
	o.SegmentBytes = segmentBytesMin
	log, err := Open(testDir, o)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	err = log.Recover(0, func(commitlog.Position, uint32, []byte) error {
		entries++
		return nil
	})
	return entries, err
}

// TestEveryByte flips a bit of every byte of a log, one at a time. The log must be read whole if the
// byte means nothing, cut if it is in the last frame, and else be refused; then Repair (tried with some)
// must keep every entry before the byte.
func TestEveryByte(t *testing.T) {
	t.Parallel()
	im, frames := sample(t)
	total := 0
	for _, f := range frames {
		total += f.num
	}
	if n, err := read(im.files(t)); err != nil || n != total || len(im) < 4 {
		t.Fatalf("the sample: %d of %d entries in %d files, %v", n, total, len(im), err)
	}
	if frames[len(frames)-3].file != frames[len(frames)-1].file {
		t.Fatal("the last segment should have several frames")
	}
	for name, data := range im {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine := image{}
			for n, d := range im {
				mine[n] = d
			}
			mine[name] = append([]byte(nil), data...)
			for off := range data {
				bit := byte(1) << (off % 8)
				mine[name][off] ^= bit
				checkFlip(t, mine, name, int64(off), frames, total)
				mine[name][off] ^= bit
			}
		})
	}
}

// checkFlip judges what a log with one flipped byte does.
func checkFlip(t *testing.T, im image, name string, off int64, frames []frameAt, total int) {
	t.Helper()
	hit, last := -1, len(frames)-1
	for i, f := range frames {
		if f.file == name && off >= f.off && off < f.end {
			hit = i
		}
	}
	fs := im.files(t)
	n, err := read(fs)
	switch {
	case off >= headerBytes && hit < 0:
		if err != nil || n != total {
			t.Errorf("offset %d means nothing, yet %d of %d entries, %v", off, n, total, err)
		}
	case hit == last:
		if err != nil || n != frames[last].first {
			t.Errorf("offset %d is in the last frame: %d entries, want %d; %v", off, n, frames[last].first, err)
		}
	case !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "offset ") ||
		!strings.Contains(err.Error(), "weft log repair --data data"):
		t.Errorf("offset %d: %d entries, %v", off, n, err)
	case off%13 == 0: // Repair takes longer
		keep := 0 // entries before the flip
		for i, f := range frames {
			if f.file < name || (f.file == name && off >= headerBytes && i < hit) {
				keep = f.first + f.num
			}
		}
		checkRepair(t, fs, fmt.Sprintf("%s offset %d", name, off), name, keep, total)
	}
}

// checkRepair verifies and repairs a damaged log and reads what is left.
func checkRepair(t *testing.T, fs vfs.FS, where, name string, keep, total int) {
	t.Helper()
	report, err := Verify(fs, testDir)
	if err != nil || len(report.Problems) == 0 || report.Problems[0].File != name {
		t.Errorf("%s: Verify: %+v, %v", where, report, err)
		return
	}
	repaired, err := Repair(fs, testDir)
	if err != nil || len(repaired.Aside) == 0 || keep+int(repaired.Lost) > total {
		t.Errorf("%s: Repair: %+v, %v", where, repaired, err)
		return
	}
	for _, path := range repaired.Aside {
		if _, err := fs.Stat(path); err != nil {
			t.Errorf("%s: put aside: %v", where, err)
		}
	}
	if report, err = Verify(fs, testDir); err != nil || len(report.Problems) != 0 {
		t.Errorf("%s: Verify after Repair: %+v, %v", where, report, err)
	}
	for range 2 {
		if n, err := read(fs); err != nil || n != keep {
			t.Errorf("%s: %d entries after Repair, want %d; %v", where, n, keep, err)
		}
	}
	if again, err := Repair(fs, testDir); err != nil || len(again.Problems) != 0 || len(again.Aside) != 0 {
		t.Errorf("%s: Repair again: %+v, %v", where, again, err)
	}
}

// TestFilesMissingOrShort takes away files and ends of files.
func TestFilesMissingOrShort(t *testing.T) {
	t.Parallel()
	im, frames := sample(t)
	last := frames[len(frames)-1].file
	for name, data := range im {
		others := func(with []byte) image {
			c := image{}
			for n, d := range im {
				if n != name {
					c[n] = d
				}
			}
			if with != nil {
				c[name] = with
			}
			return c
		}
		if name != last && name != segmentName(1) {
			if n, err := read(others(nil).files(t)); !fault.Is(err, fault.Corrupt) {
				t.Errorf("without %s: %d entries, %v", name, n, err)
			}
		}
		for _, size := range []int{0, 1, headerBytes - 1} {
			if n, err := read(others(data[:size]).files(t)); !fault.Is(err, fault.Corrupt) {
				t.Errorf("%s cut to %d bytes: %d entries, %v", name, size, n, err)
			}
		}
		for _, f := range frames {
			if f.file != name {
				continue
			}
			n, err := read(others(data[:f.end-1]).files(t))
			if name == last {
				if err != nil || n != f.first {
					t.Errorf("%s cut inside the frame at %d: %d entries, want %d; %v", name, f.off, n, f.first, err)
				}
			} else if !fault.Is(err, fault.Corrupt) {
				t.Errorf("%s cut inside the frame at %d: %d entries, %v", name, f.off, n, err)
			}
		}
	}
	im[segmentName(1)], im[segmentName(2)] = im[segmentName(2)], im[segmentName(1)]
	if n, err := read(im.files(t)); !fault.Is(err, fault.Corrupt) {
		t.Errorf("with two segments swapped: %d entries, %v", n, err)
	}
}

// TestForeignFrames puts whole frames where they do not belong, after the last one: a frame of another
// segment is rest of a recycled file, one with a wrong position or wrong entries is corruption.
func TestForeignFrames(t *testing.T) {
	t.Parallel()
	im, frames := sample(t)
	last := frames[len(frames)-1]
	number, _, _ := parseName(last.file)
	next := commitlog.First(2) + commitlog.Position(last.first+last.num-frames[8].first)
	good := appendEntry(make([]byte, frameHeaderBytes), 1, []byte("late"))
	short := append([]byte(nil), good[:len(good)-1]...)
	for _, c := range []struct {
		what    string
		frame   []byte
		segment uint32
		count   uint32
		first   commitlog.Position
		entries int // -1: refused
	}{
		{"as it should be", good, number, 1, next, 31},
		{"of another segment", good, number - 1, 1, next, 30},
		{"ahead", good, number, 1, next + 1, -1},
		{"behind", good, number, 1, next - 1, -1},
		{"with an entry too few", good, number, 2, next, -1},
		{"with an entry cut off", short, number, 1, next, -1},
	} {
		frame := append([]byte(nil), c.frame...)
		sealFrame(frame, c.segment, c.count, c.first)
		data := append([]byte(nil), im[last.file]...)
		data = append(data[:last.end], frame...)
		changed := image{}
		for n, d := range im {
			changed[n] = d
		}
		changed[last.file] = data
		n, err := read(changed.files(t))
		if c.entries >= 0 && (err != nil || n != c.entries) || c.entries < 0 && !fault.Is(err, fault.Corrupt) {
			t.Errorf("a frame %s: %d entries, %v", c.what, n, err)
		}
	}
}

// TestNewerVersion opens a log that a later Weft wrote.
func TestNewerVersion(t *testing.T) {
	t.Parallel()
	im, _ := sample(t)
	for name := range im {
		number, _, _ := parseName(name)
		h, err := decodeHeader(im[name], number)
		if err != nil {
			t.Fatal(err)
		}
		page := h.encodeAs(formatVersion + 1)
		copy(im[name], page)
		break
	}
	fs := im.files(t)
	if _, err := read(fs); !fault.Is(err, fault.Unsupported) {
		t.Errorf("Open: %v", err)
	}
	if _, err := Verify(fs, testDir); !fault.Is(err, fault.Unsupported) {
		t.Errorf("Verify: %v", err)
	}
	if _, err := Repair(fs, testDir); !fault.Is(err, fault.Unsupported) {
		t.Errorf("Repair: %v", err)
	}
}

func TestInUse(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	log, err := Open(testDir, manual(fs, nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(testDir, manual(fs, nil)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("opening twice: %v", err)
	}
	if _, err := Repair(fs, testDir); !fault.Is(err, fault.Unavailable) {
		t.Errorf("repairing an open log: %v", err)
	}
	if err := log.Close(); err != nil {
		t.Error(err)
	}
}

// FuzzSegment reads anything as the frames of a segment.
func FuzzSegment(f *testing.F) {
	frame := appendEntry(make([]byte, frameHeaderBytes), 3, []byte("entry"))
	sealFrame(frame, 1, 1, commitlog.First(1))
	f.Add(frame, int64(-1))
	f.Add(append(frame, frame...), int64(headerBytes+len(frame)))
	f.Add([]byte("frms Wrfm Wrfm"), int64(9000))
	f.Fuzz(func(t *testing.T, data []byte, end int64) {
		h := header{number: 1, first: commitlog.First(1), capacity: segmentBytesMin}
		fs := image{segmentName(1): append(h.encode(), data...)}.files(t)
		s, err := openSegment(fs, testDir, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer s.file.Close()
		next := h.first
		x, bad, err := s.scan(end, 0, func(pos commitlog.Position, _ uint32, _ []byte) error {
			if pos != next {
				t.Errorf("entry %s, want %s", pos, next)
			}
			next++
			return nil
		})
		if err != nil || x.next != next || x.end > s.size || (bad != nil && bad.off != x.end) {
			t.Errorf("scan: %+v, %+v, %v", x, bad, err)
		}
		if end < 0 && bad == nil {
			t.Error("a scan to the end found none")
		}
		if _, err := Verify(fs, testDir); err != nil {
			t.Errorf("Verify: %v", err)
		}
	})
}
