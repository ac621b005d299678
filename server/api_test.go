package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write the answers of testdata/*.txt anew")

// TestScripts plays testdata/*.txt: each holds requests, `OPERATION BODY` on a line, and the answer below,
// `STATUS BODY` after an arrow. Answers are compared whole. In requests $TOKEN is the nextToken of the answer
// before, and `let $NAME VALUE` names a text; A, E, X and V stand for the ARN prefixes of machines, runs,
// express runs and activities. Random ids in answers become UUID.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			compareScript(t, file, text, playScript(t, newTestServer(t, newFake()), text))
		})
	}
}

// TestNodeScripts plays testdata/node/*.txt, which are like those of TestScripts, against a whole node under virtual time.
// `sleep 2s` on a line lets time pass.
func TestNodeScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/node/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				compareScript(t, file, text, playScript(t, newTestServer(t, openNode(t)), text))
			})
		})
	}
}

func compareScript(t *testing.T, file string, text, got []byte) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(got, text) {
		diffLines(t, text, got)
	}
}

var (
	short   = strings.NewReplacer("A:", fakeARN+"stateMachine:", "E:", fakeARN+"execution:", "X:", fakeARN+"express:", "V:", fakeARN+"activity:")
	uuidRE  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	tokenRE = regexp.MustCompile(`"nextToken":"([^"]*)"`)
)

func playScript(t *testing.T, s *Server, text []byte) []byte {
	var out bytes.Buffer
	token := ""
	var long, brief []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "-> ") {
			continue
		}
		out.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if d, ok := strings.CutPrefix(line, "sleep "); ok {
			nap, err := time.ParseDuration(d)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(nap) // virtual
			continue
		}
		if let, ok := strings.CutPrefix(line, "let "); ok {
			name, value, _ := strings.Cut(let, " ")
			long, brief = append(long, name, value), append(brief, value, name)
			continue
		}
		op, body, _ := strings.Cut(line, " ")
		body = strings.NewReplacer(append(long, "$TOKEN", token)...).Replace(body)
		w := post(s, op, short.Replace(body))
		if m := tokenRE.FindStringSubmatch(w.Body.String()); m != nil {
			token = m[1]
		}
		answer := tokenRE.ReplaceAllString(w.Body.String(), `"nextToken":"TOKEN"`)
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("the answer to %s is not JSON: %s", line, answer)
		}
		fmt.Fprintf(&out, "-> %d %s\n", w.Code, uuidRE.ReplaceAllString(strings.NewReplacer(brief...).Replace(unshort(answer)), "UUID"))
	}
	return out.Bytes()
}

func unshort(s string) string {
	return strings.NewReplacer(fakeARN+"stateMachine:", "A:", fakeARN+"execution:", "E:", fakeARN+"express:", "X:", fakeARN+"activity:", "V:").Replace(s)
}

// post sends one request as an AWS client would.
func post(s *Server, op, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AWSStepFunctions."+op)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func diffLines(t *testing.T, want, got []byte) {
	a, b := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for i := range max(len(a), len(b)) {
		var x, y string
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			t.Errorf("line %d\n got %s\nwant %s", i+1, y, x)
			return
		}
	}
}
