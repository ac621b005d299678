package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftworks/weft/unum/deploy/build"
)

// runtimesBeside puts runtimes where `weft build` finds them first: beside the command, which is the test binary.
func runtimesBeside(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"weft-function-linux-arm64", "weft-function-linux-amd64", "weft-function-google-linux-amd64"} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(self), name), []byte(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	runtimesBeside(t)
	out := filepath.Join(t.TempDir(), "dist")
	s := session{t, nil}
	stdout, stderr := s.run(0, "build", "../examples/text", "-o", out, "--arch", "arm64,amd64,arm64")
	for _, want := range []string{"layer-arm64.zip", "layer-amd64.zip", "functions/user_mention.zip", "functions/publish.zip", "the runtime"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no word of %s:\n%s", want, stdout)
		}
	}
	if !strings.Contains(stderr, "built function publish in ") {
		t.Errorf("no progress:\n%s", stderr)
	}
	stdout, stderr = s.run(0, "build", "../examples/text", "-o", out, "--json", "--quiet")
	var m build.Manifest
	if err := json.Unmarshal([]byte(stdout), &m); err != nil || m.App != "text" || m.Layers[build.ARM64] == "" || m.Layers[build.AMD64] != "" || stderr != "" {
		t.Errorf("%v %s%s", err, stdout, stderr)
	}
	for _, f := range m.Functions {
		if f.Code == "publish" && (f.Runtime != "python3.13" || f.Environment["WEFT_CODE"] != `{"command":["./publish.py"]}`) {
			t.Errorf("%+v", f)
		}
	}
	s.run(2, "build", "../examples/text", "-o", out, "--arch", "riscv")
	s.run(3, "build", "../examples/text/absent")
	s.run(2, "build")
}
