package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEachDistributionBecomesAPicture(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := "mode,ms,share\nclassic,90,0.5\nclassic,300,1\nlocal,9,0.99\nlocal,20,1\n"
	if err := os.WriteFile(filepath.Join(dir, "cdf-hello3-10ms.csv"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	single := filepath.Join(dir, "cdf-single.csv")
	if err := os.WriteFile(single, []byte("mode,ms,share\nlocal,0.1,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(filepath.Join(dir, "cdf-hello3-10ms.svg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg", "hello3-10ms", "classic", "local", "</svg>"} {
		if !bytes.Contains(svg, []byte(want)) {
			t.Errorf("the picture has no %q", want)
		}
	}
}

func TestWhatIsNoDistributionIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"",
		"mode,ms\nlocal,1\n",
		"mode,ms,share\nlocal,x,1\n",
		"mode,ms,share\nlocal,0,1\n", // has no logarithm
		"mode,ms,share\nlocal,1,1.5\n",
	} {
		if curves, err := read(strings.NewReader(text)); err == nil {
			t.Errorf("%q is read as %v", text, curves)
		}
	}
}
