package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
	// A killed process leaves what it has written: once the answer of reserve is in the log, it counts.
	for deadline := time.Now().Add(time.Minute); !logged(t, dir, "shelf 12"); {
		if time.Now().After(deadline) {
			t.Fatal("the answer of reserve does not come into the log")
		}
		time.Sleep(time.Millisecond)
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
	got := out.String()
	if !strings.Contains(got, "shipped from shelf 12 <nil>") {
		t.Errorf("the second start says %q", got)
	}
	if strings.Contains(got, "reserving") {
		t.Errorf("the second start reserves again: %q", got)
	}
}

// logged reports whether the commit log of the program in dir has a text.
func logged(t *testing.T, dir, text string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "order-data", "log", "0*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if data, err := os.ReadFile(name); err == nil && bytes.Contains(data, []byte(text)) {
			return true
		}
	}
	return false
}
