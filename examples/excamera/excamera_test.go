// Package excamera_test makes films with examples/excamera: on the engine, and without it by both graphs.
package excamera_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftworks/weft/examples/excamera/video"
	"github.com/weftworks/weft/examples/internal/exampletest"
)

func TestMain(m *testing.M) { os.Exit(exampletest.Main(m)) }

var dir = exampletest.Dir("excamera")

func result(t *testing.T, got exampletest.Outcome) *video.Result {
	t.Helper()
	var r video.Result
	if err := json.Unmarshal(got.Stdout, &r); err != nil || got.Code != 0 {
		t.Fatalf("exit code %d, result %q: %v\n%s", got.Code, got.Stdout, err, got.Stderr)
	}
	if info, err := os.Stat(r.Film); err != nil || info.Size() != int64(r.Bytes) {
		t.Errorf("the film is %v, %v, and should have %d bytes", info, err, r.Bytes)
	}
	return &r
}

// TestOneFilm makes one film three times, and wants the same each time.
func TestOneFilm(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	text, err := json.Marshal(map[string]any{"chunks": 4, "width": 96, "height": 64, "encoder": "stand-in", "dir": temp})
	if err != nil {
		t.Fatal(err)
	}
	input := string(text)
	want := result(t, exampletest.Run(t, nil, "run", dir, "--input", input))
	if want.Chunks != 4 || want.Frames != 24 || want.Bytes >= want.Alone || want.PSNR < 35 {
		t.Errorf("the film of the engine is %+v", want)
	}
	for _, path := range []string{dir, filepath.Join(dir, "machine.asl.json")} {
		if got := result(t, exampletest.Deployed(t, nil, path, "n1", input)); got.Digest != want.Digest {
			t.Errorf("%s: the film is %+v, and that of the engine %+v", path, got, want)
		}
	}
	if left, err := filepath.Glob(filepath.Join(temp, "*", "parts")); err != nil || len(left) > 0 {
		t.Errorf("parts are left: %q, %v", left, err)
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	got := exampletest.Deployed(t, nil, dir, "n1", `{"chunks": -1}`)
	if got.Code != 1 || !strings.Contains(got.Stderr, "BadInput") {
		t.Errorf("exit code %d\n%s", got.Code, got.Stderr)
	}
}
