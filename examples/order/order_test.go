package main

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSurvivesKill kills the program while it waits for the approval, and starts it again: what was reserved is not
// reserved again, and the order is shipped.
func TestSurvivesKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	binary := filepath.Join(dir, "order")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("building: %v: %s", err, out)
	}
	first := exec.Command(binary)
	first.Dir = dir
	stdin, err := first.StdinPipe() // stays open: nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	read := bufio.NewReader(stdout)
	said := ""
	for !strings.Contains(said, "reserving a teapot\n") || !strings.Contains(said, "approve? [y] ") {
		b, err := read.ReadByte()
		if err != nil {
			t.Fatalf("after %q: %v", said, err)
		}
		said += string(b)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, stdout)
	_ = first.Wait()

	second := exec.Command(binary)
	second.Dir = dir
	second.Stdin = strings.NewReader("y\n")
	var out bytes.Buffer
	second.Stdout = &out
	if err := second.Run(); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "shipped from shelf 12 <nil>") {
		t.Errorf("the second start says %q", got)
	}
}
