// Package crash kills a serving weft with SIGKILL, again and again, and checks that nothing acknowledged is lost and
// no result changes.
package crash

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// rounds is how often the server is killed; `make crash` sets 200.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("WEFT_CRASH_ROUNDS")); err == nil && n > 0 {
		return n
	}
	return 4
}

const (
	runsPerRound = 500
	clients      = 32
	machineARN   = "arn:aws:states:us-east-1:000000000000:stateMachine:order"
	runPrefix    = "arn:aws:states:us-east-1:000000000000:execution:order:"
	timeout      = 2 * time.Minute
)

// definition calls a function in a process twice, in a Map and after a Wait, and keeps the order's number.
const definition = `{"StartAt":"Check","States":{
 "Check":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericGreaterThanEquals":0,"Next":"Items"}],"Default":"Bad"},
 "Bad":{"Type":"Fail","Error":"Bad"},
 "Items":{"Type":"Map","ItemsPath":"$.items","ResultPath":"$.items","Next":"Rest",
  "ItemProcessor":{"StartAt":"Item","States":{"Item":{"Type":"Task","Resource":"echo","End":true}}}},
 "Rest":{"Type":"Wait","Seconds":1,"Next":"Last"},
 "Last":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"echo","Payload":{"n.$":"$.n","got.$":"$.items"}},
  "OutputPath":"$.Payload","Retry":[{"ErrorEquals":["States.ALL"]}],"End":true}}}`

func input(n int) string  { return fmt.Sprintf(`{"n":%d,"items":[%d,%d]}`, n, n, n+1) }
func output(n int) string { return fmt.Sprintf(`{"n":%d,"got":[%d,%d]}`, n, n, n+1) }

// server is one life of `weft serve`.
type server struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	http *http.Client
}

func build(t *testing.T, dir, name, pkg string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if out, err := exec.Command("go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", pkg, err, out)
	}
	return path
}

func serve(t *testing.T, weft, data, config string) *server {
	t.Helper()
	cmd := exec.Command(weft, "serve", "--data", data, "--listen", "127.0.0.1:0", "--config", config)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, cmd: cmd, http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: clients}}}
	ready := make(chan string, 1)
	go func() {
		var log strings.Builder
		said := false
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if _, after, ok := strings.Cut(lines.Text(), "listening on http://"); ok && !said {
				said = true
				ready <- "http://" + strings.Fields(after)[0]
			}
			if log.Len() < 1<<16 {
				log.WriteString(lines.Text() + "\n")
			}
		}
		select {
		case ready <- "":
			t.Logf("the server ended:\n%s", log.String())
		default:
		}
	}()
	if s.url = <-ready; s.url == "" {
		t.Fatal("the server did not start")
	}
	return s
}

// kill ends the server without warning.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.http.CloseIdleConnections()
}

// call does one operation of the Step Functions API.
func (s *server) call(ctx context.Context, op string, in map[string]any, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Amz-Target", "AWSStepFunctions."+op)
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	res, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", res.Status, text)
	}
	return json.Unmarshal(text, out)
}

// run is what we know of a run.
type run struct {
	n     int
	acked bool
	seen  string // the output once a client has seen it
}

func (r *run) name() string { return fmt.Sprintf("order-%d", r.n) }

type description struct{ Status, Output, Error, Cause string }

func (s *server) describe(r *run) (description, error) {
	var d description
	err := s.call(context.Background(), "DescribeExecution", map[string]any{"executionArn": runPrefix + r.name()}, &d)
	return d, err
}

func TestKilledServerKeepsItsWord(t *testing.T) {
	if testing.Short() {
		t.Skip("kills a server several times; run without -short")
	}
	dir := t.TempDir()
	weft := build(t, dir, "weft", "github.com/weftworks/weft/cmd/weft")
	echo := build(t, dir, "echo", "github.com/weftworks/weft/bench/echo")
	config := filepath.Join(dir, "weft.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "functions:\n  echo: {runtime: provided, binary: %q, concurrency: 4}\n", echo), 0o600); err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	data := filepath.Join(dir, "data")
	s := serve(t, weft, data, config)
	defer func() { s.kill() }()
	var created struct{ StateMachineArn string }
	err := s.call(t.Context(), "CreateStateMachine", map[string]any{"name": "order", "definition": definition, "roleArn": "arn:aws:iam::000000000000:role/order"}, &created)
	if err != nil || created.StateMachineArn != machineARN {
		t.Fatalf("create: %v, %+v", err, created)
	}
	var acked, lost, total int
	for round := range rounds() {
		runs := make([]*run, runsPerRound)
		for i := range runs {
			runs[i] = &run{n: round*runsPerRound + i}
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.startAll(runs)
		}()
		// The starts take a tenth of a second or so, a run a second and more: kill amid the starts or amid the runs.
		length := 1800 * time.Millisecond
		if round%2 == 0 {
			length = 30 * time.Millisecond
		}
		select {
		case <-time.After(time.Duration(rng.Int64N(int64(length)))):
		case <-t.Context().Done():
		}
		if round%2 == 1 {
			s.look(runs, rng) // takes a while, in which all starts are answered
		}
		s.kill()
		<-done
		s = serve(t, weft, data, config)
		a, l := s.check(runs)
		acked, lost, total = acked+a, lost+l, total+len(runs)
	}
	t.Logf("%d rounds, %d starts: %d acknowledged, all with their one right result; %d unacknowledged, of which %d do not exist",
		rounds(), total, acked, total-acked, lost)
}

// startAll starts the runs from several clients until the server is gone.
func (s *server) startAll(runs []*run) {
	var wg sync.WaitGroup
	for c := range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := c; i < len(runs); i += clients {
				var answer struct{ ExecutionArn string }
				err := s.call(context.Background(), "StartExecution", map[string]any{
					"stateMachineArn": machineARN, "name": runs[i].name(), "input": input(runs[i].n),
				}, &answer)
				if err != nil {
					return
				}
				runs[i].acked = true
			}
		}()
	}
	wg.Wait()
}

// look reads some runs before the kill: what it sees must never change.
func (s *server) look(runs []*run, rng *rand.Rand) {
	for range 50 {
		r := runs[rng.IntN(len(runs))]
		if d, err := s.describe(r); err == nil && d.Status == "SUCCEEDED" {
			r.seen = d.Output
		}
	}
}

// check waits for the end of all runs that exist, and compares.
func (s *server) check(runs []*run) (acked, lost int) {
	s.t.Helper()
	end := time.Now().Add(timeout)
	for _, r := range runs {
		d, err := s.describe(r)
		for err == nil && d.Status == "RUNNING" && time.Now().Before(end) {
			time.Sleep(20 * time.Millisecond) // the runs' own Wait is what we wait for
			d, err = s.describe(r)
		}
		switch {
		case err != nil && r.acked:
			s.t.Fatalf("%s was acknowledged: %v", r.name(), err)
		case err != nil && !strings.Contains(err.Error(), "ExecutionDoesNotExist"):
			s.t.Fatalf("%s: %v", r.name(), err)
		case err != nil:
			lost++
			continue
		case d.Status != "SUCCEEDED" || d.Output != output(r.n):
			s.t.Fatalf("%s ended %s with %s %s %s, want %s", r.name(), d.Status, d.Output, d.Error, d.Cause, output(r.n))
		case r.seen != "" && r.seen != d.Output:
			s.t.Fatalf("%s had ended with %s and now with %s", r.name(), r.seen, d.Output)
		}
		if r.acked {
			acked++
		}
	}
	return acked, lost
}
