package build

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weftworks/weft/fault"
)

// Limits of Lambda on what is uploaded directly, and on function and layers unpacked together.
const (
	zippedMax   = 50 << 20
	unpackedMax = 250 << 20
)

// entriesMax bounds the files of an archive.
const entriesMax = 100_000

// tree is what goes into an archive, by slash-separated name.
type tree struct {
	entries map[string]entry
	bytes   int64 // unpacked
}

// entry is a file: one on disk (path), bytes, or a link to target.
type entry struct {
	path       string
	data       []byte
	target     string
	executable bool
	size       int64
	squeezed   *squeezed // nil: not yet
}

// squeezed is a file that has been compressed already: one that goes into many archives.
type squeezed struct {
	data []byte
	crc  uint32
}

// squeeze compresses a file on disk.
func squeeze(file string) (*squeezed, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fault.New("", fault.ResourceNotFound, file, "%w", err)
	}
	defer f.Close()
	var b bytes.Buffer
	w, err := compressor(&b)
	if err != nil {
		return nil, err
	}
	sum := crc32.NewIEEE()
	if _, err := io.Copy(io.MultiWriter(w, sum), f); err != nil {
		return nil, fault.New("", fault.InvalidArgument, file, "cannot package the file: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &squeezed{crc: sum.Sum32(), data: b.Bytes()}, nil
}

func compressor(w io.Writer) (io.WriteCloser, error) {
	return flate.NewWriter(w, flate.DefaultCompression)
}

func newTree() *tree { return &tree{entries: map[string]entry{}} }

// put adds an entry. A name that is there already keeps what it has: who is asked first wins.
func (t *tree) put(name string, e entry) {
	if _, ok := t.entries[name]; !ok {
		t.entries[name] = e
		t.bytes += e.size
	}
}

func (t *tree) add(name string, data []byte, executable bool) {
	t.put(name, entry{data: data, executable: executable, size: int64(len(data))})
}

// addFile adds a file on disk.
func (t *tree) addFile(name, file string, executable bool) error {
	info, err := os.Stat(file)
	if err != nil {
		return fault.New("", fault.ResourceNotFound, file, "%w", err)
	}
	t.put(name, entry{path: file, executable: executable, size: info.Size()})
	return nil
}

// all adds the entries of another tree.
func (t *tree) all(other *tree) {
	for name, e := range other.entries {
		t.put(name, e)
	}
}

// addDir adds what is in a directory below prefix. Left out are skip (a directory, absolute), what begins with a dot in
// the directory itself (version control, secrets, editors), and what interpreters and tests leave behind.
func (t *tree) addDir(prefix, dir string, skip ...string) error {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return fault.New("", fault.ResourceNotFound, dir, "%w", err)
	}
	return filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return fault.New("", fault.InvalidArgument, file, "cannot read what is to be packaged: %w", err)
		}
		name, err := filepath.Rel(root, file)
		if err != nil || name == "." {
			return err
		}
		if left(name, d) || slices.Contains(skip, file) || isEnvironment(file, d) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if len(t.entries) >= entriesMax {
			return fault.New("", fault.LimitExceeded, dir, "more than %d files to package; give the function a directory of its own (dir)", entriesMax)
		}
		return t.addEntry(path.Join(prefix, filepath.ToSlash(name)), root, file, d)
	})
}

// left reports whether a file or directory is left out by its name.
func left(name string, d fs.DirEntry) bool {
	base := filepath.Base(name)
	return base == name && strings.HasPrefix(base, ".") || base == "__pycache__" || base == ".git" || base == ".DS_Store" ||
		strings.HasSuffix(base, ".pyc") || strings.HasSuffix(base, "_test.go") && !d.IsDir()
}

// isEnvironment reports whether a directory is a virtual environment of Python's, which is of one machine.
func isEnvironment(file string, d fs.DirEntry) bool {
	if !d.IsDir() {
		return false
	}
	_, err := os.Lstat(filepath.Join(file, "pyvenv.cfg"))
	return err == nil
}

func (t *tree) addEntry(name, root, file string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return fault.New("", fault.InvalidArgument, file, "%w", err)
	}
	switch {
	case d.IsDir():
	case info.Mode().IsRegular():
		t.put(name, entry{path: file, executable: info.Mode()&0o111 != 0, size: info.Size()})
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := linkWithin(root, file)
		if err != nil {
			return err
		}
		t.put(name, entry{target: target, size: int64(len(target))})
	}
	return nil
}

// linkWithin returns where a link leads, relative to the link. What leads out of the directory would lead nowhere.
func linkWithin(root, link string) (string, error) {
	end, err := filepath.EvalSymlinks(link)
	if err != nil {
		return "", fault.New("", fault.InvalidArgument, link, "the link leads nowhere: %w", err)
	}
	if within, err := filepath.Rel(root, end); err != nil || !filepath.IsLocal(within) {
		return "", fault.New("", fault.InvalidArgument, link, "the link leads out of the function's directory, to %s: put a copy there", end)
	}
	target, err := filepath.Rel(filepath.Dir(link), end)
	return filepath.ToSlash(target), err
}

// zipEpoch is the earliest time that the format can say.
var zipEpoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// dosEpoch is the date of zipEpoch as the format has it: years since 1980, month 1, day 1.
const dosEpoch = 1<<5 | 1

// write writes the archive, the same bytes for the same tree.
func (t *tree) write(w io.Writer) error {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, compressor)
	for _, name := range t.names() {
		e := t.entries[name]
		h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: zipEpoch}
		switch {
		case e.target != "":
			h.SetMode(fs.ModeSymlink | 0o777)
		case e.executable:
			h.SetMode(0o755)
		default:
			h.SetMode(0o644)
		}
		err := e.writeTo(z, h)
		if err != nil {
			return fault.New("", fault.InvalidArgument, name, "cannot package the file: %w", err)
		}
	}
	return z.Close()
}

func (t *tree) names() []string {
	names := make([]string, 0, len(t.entries))
	for name := range t.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (e *entry) writeTo(z *zip.Writer, h *zip.FileHeader) error {
	if e.squeezed != nil {
		h.ModifiedDate = dosEpoch //nolint:staticcheck // CreateRaw writes what is here, and derives nothing from Modified
		h.CRC32, h.CompressedSize64, h.UncompressedSize64 = e.squeezed.crc, uint64(len(e.squeezed.data)), uint64(e.size)
		w, err := z.CreateRaw(h)
		if err != nil {
			return err
		}
		_, err = w.Write(e.squeezed.data)
		return err
	}
	w, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	return e.copy(w)
}

func (e *entry) copy(w io.Writer) error {
	switch {
	case e.target != "":
		_, err := io.WriteString(w, e.target)
		return err
	case e.path == "":
		_, err := w.Write(e.data)
		return err
	}
	f, err := os.Open(e.path)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return errors.Join(err, f.Close())
}

// largest names the biggest files, for a message.
func (t *tree) largest() string {
	const most = 5
	names := t.names()
	slices.SortStableFunc(names, func(a, b string) int { return int(t.entries[b].size - t.entries[a].size) })
	parts := make([]string, 0, most)
	for _, name := range names[:min(most, len(names))] {
		parts = append(parts, fmt.Sprintf("%s %s", name, mib(t.entries[name].size)))
	}
	return strings.Join(parts, ", ")
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// File is a file that has been built.
type File struct {
	SHA256   string `json:"sha256"` // hexadecimal
	Bytes    int64  `json:"bytes"`
	Unpacked int64  `json:"unpackedBytes,omitempty"`
}

// save writes an archive unless it is there as it is. beside is what is unpacked with it (layers), in bytes.
func (t *tree) save(file string, beside int64) (File, error) {
	if t.bytes+beside > unpackedMax {
		return File{}, fault.New("", fault.LimitExceeded, filepath.Base(file), "it has %s unpacked (%s with the runtime) and Lambda takes %s; the largest files are %s",
			mib(t.bytes), mib(t.bytes+beside), mib(unpackedMax), t.largest())
	}
	var b bytes.Buffer
	if err := t.write(&b); err != nil {
		return File{}, err
	}
	if b.Len() > zippedMax {
		return File{}, fault.New("", fault.LimitExceeded, filepath.Base(file), "the archive has %s and Lambda takes %s; the largest files are %s",
			mib(int64(b.Len())), mib(zippedMax), t.largest())
	}
	if err := replace(file, b.Bytes()); err != nil {
		return File{}, err
	}
	sum := sha256.Sum256(b.Bytes())
	return File{SHA256: hex.EncodeToString(sum[:]), Bytes: int64(b.Len()), Unpacked: t.bytes}, nil
}

// replace writes a file whole or not at all, and leaves one alone that has the same bytes.
func replace(file string, data []byte) error {
	if was, err := os.ReadFile(file); err == nil && bytes.Equal(was, data) {
		return nil
	}
	fresh := file + ".new"
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(fresh, data, 0o644)
	}
	if err == nil {
		err = os.Rename(fresh, file)
	}
	if err != nil {
		return fault.New("", fault.Unavailable, file, "cannot write what was built: %w", err)
	}
	return nil
}
