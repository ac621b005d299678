package machine

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"github.com/weftworks/weft/limits"
)

// TestFramesOfVersion1 holds that runs which an older Weft left behind go on.
func TestFramesOfVersion1(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/frames/v1.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		in := &Interpreter{Definition: parse(t, zoo), Limits: limits.Default}
		f, err := DecodeFrame(data, in)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeFrame(f.AppendBinary(nil), in)
		if err != nil {
			t.Fatal(err)
		}
		if again.Events() != f.Events() || again.Status() != Running {
			t.Errorf("event %d, %v after %d", again.Events(), again.Status(), f.Events())
		}
	}
}
