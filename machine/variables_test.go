package machine

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"github.com/weftworks/weft/limits"
)

// TestOldFrames holds that runs which an older Weft left behind go on.
func TestOldFrames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"v1", "v2"} {
		text, err := os.ReadFile("testdata/frames/" + name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			oldFrame(t, name, strings.TrimSpace(line))
		}
	}
}

func oldFrame(t *testing.T, name, text string) {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	in := &Interpreter{Definition: parse(t, zoo), Limits: limits.Default}
	f, err := DecodeFrame(data, in)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	again, err := DecodeFrame(f.AppendBinary(nil), in)
	if err != nil {
		t.Fatalf("%s, written anew: %v", name, err)
	}
	if again.Events() != f.Events() || again.Status() != Running {
		t.Errorf("%s: event %d, %v after %d", name, again.Events(), again.Status(), f.Events())
	}
}
