package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weftworks/weft/bench/load"
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
)

// childFlag makes the program do one part of a measurement in a process of its own, so that resident memory and
// recovery are those of a node and not of the benchmark.
const childFlag = "-child"

// benchSleepers starts many runs that sleep in a Wait, measures resident memory, kills the process and measures the
// recovery.
func benchSleepers(r *report, c *settings) error {
	dir, err := os.MkdirTemp(c.dir, "sleepers-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	count := c.sleepers / 5
	sleep, err := spawn("sleep", dir, strconv.Itoa(count))
	if err != nil {
		return err
	}
	n := float64(count)
	r.add("machine.asleep.runs", n, "runs", "asleep in a Wait of a year")
	r.add("machine.asleep.start", n/sleep["start_s"], "runs/s", "started, durable, 256 outstanding")
	r.add("machine.asleep.resident", sleep["rss"]/(1<<20), "MiB", "process, while all sleep")
	r.add("machine.asleep.disk", sleep["disk"]/n, "B/run", "data directory")
	wake, err := spawn("wake", dir)
	if err != nil {
		return err
	}
	r.add("machine.asleep.recovery", wake["open_s"], "s", "after kill -9: until the node takes work")
	r.add("machine.asleep.recovered.resident", wake["rss"]/(1<<20), "MiB", "process, after the recovery")
	r.add("machine.asleep.listed", wake["listed"], "runs", "RUNNING after the recovery, counted through ListRuns")
	if wake["listed"] != n {
		return fmt.Errorf("%.0f runs sleep after the recovery, %d were acknowledged", wake["listed"], count)
	}
	return nil
}

// benchRecovery kills a process that has run for a while and measures how fast its log is replayed.
func benchRecovery(r *report, c *settings) error {
	dir, err := os.MkdirTemp(c.dir, "recovery-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	loaded, err := spawn("load", dir, (2 * c.length).String())
	if err != nil {
		return err
	}
	wake, err := spawn("wake", dir)
	if err != nil {
		return err
	}
	r.add("machine.recovery.runs", loaded["runs"], "runs", "of five calls, then kill -9")
	r.add("machine.recovery.log", wake["recovered"]/(1<<20), "MiB", "replayed")
	r.add("machine.recovery.replay", wake["recovered_s"], "s", "")
	r.add("machine.recovery.rate", wake["recovered"]/(1<<20)/max(wake["recovered_s"], 1e-6), "MiB/s", "")
	r.add("machine.recovery.runs_per_s", loaded["runs"]/max(wake["recovered_s"], 1e-6), "runs/s", "")
	return nil
}

// spawn runs a part in a child and returns the figures it prints as JSON. The child kills itself when done.
func spawn(args ...string) (map[string]float64, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, append([]string{childFlag}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	_ = cmd.Run() // it dies of SIGKILL: what it printed is the answer
	var figures map[string]float64
	if err := json.Unmarshal(out.Bytes(), &figures); err != nil {
		return nil, fmt.Errorf("the child process %v did not finish: %w", args, err)
	}
	return figures, nil
}

// child is the program in a child process: a part, a directory and the part's parameter.
func child(args []string) error {
	part, dir, figures := args[1], args[2], make(map[string]float64)
	do := machinePart
	switch part {
	case "asleep":
		do = asleepPart
	case "maprun":
		do = mapRunPart
	}
	if err := do(part, dir, args[3:], figures); err != nil {
		return err
	}
	figures["disk"] = diskUse(dir)
	if err := json.NewEncoder(os.Stdout).Encode(figures); err != nil {
		return err
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	return self.Kill() // no clean end: what follows is a recovery
}

// machinePart does a part of a measurement of state machines.
func machinePart(part, dir string, args []string, figures map[string]float64) error {
	began := time.Now()
	n, err := engine.Open(engine.Options{Dir: dir, Functions: echo(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	stats := n.Stats()
	figures["open_s"], figures["recovered"], figures["recovered_s"] = time.Since(began).Seconds(), float64(stats.RecoveredBytes), stats.RecoveredIn.Seconds()
	switch part {
	case "sleep":
		count, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		return startSleepers(n, count, figures)
	case "load":
		length, err := time.ParseDuration(args[0])
		if err != nil {
			return err
		}
		return work(n, length, figures)
	case "wake":
		debug.FreeOSMemory()
		figures["rss"] = resident()
		return countSleepers(n, figures)
	}
	return fmt.Errorf("there is no part %q", part)
}

func work(n *engine.Node, length time.Duration, figures map[string]float64) error {
	if _, err := n.CreateMachine(context.Background(), engine.CreateMachine{Name: "five", Definition: sequence(5, "hello")}); err != nil {
		return err
	}
	done, err := load.Closed(context.Background(), 256, length, runs(n, "five"))
	figures["runs"] = float64(done.Count)
	return err
}

func startSleepers(n *engine.Node, count int, figures map[string]float64) error {
	ctx := context.Background()
	definition := []byte(`{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":31536000,"End":true}}}`)
	if _, err := n.CreateMachine(ctx, engine.CreateMachine{Name: "sleep", Definition: definition}); err != nil {
		return err
	}
	const clients = 256
	began := time.Now()
	var wg sync.WaitGroup
	errs := make(chan error, clients)
	for i := range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := i; j < count; j += clients {
				if _, err := n.StartRun(ctx, engine.StartRun{Machine: "sleep", Input: []byte(`{"order":` + strconv.Itoa(j) + `}`)}); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
	}
	figures["start_s"] = time.Since(began).Seconds()
	time.Sleep(3 * time.Second) // the last snapshots; what we measure is the state at rest
	debug.FreeOSMemory()
	figures["rss"] = resident()
	return nil
}

func countSleepers(n *engine.Node, figures map[string]float64) error {
	q := engine.ListRuns{Machine: "sleep", Status: 1, Limit: 1000}
	for {
		page, err := n.ListRuns(context.Background(), q)
		if fault.Is(err, fault.MachineNotFound) {
			return nil // another group's directory
		}
		if err != nil {
			return err
		}
		figures["listed"] += float64(len(page.Runs))
		if page.Cursor == "" {
			return nil
		}
		q.Cursor = page.Cursor
	}
}

// resident returns the process's resident memory in bytes, 0 where the system does not say.
func resident() float64 { return status("VmRSS:") }

// status returns a size of this process that the kernel knows, in bytes; 0 where it does not say.
func status(field string) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib * 1024
		}
	}
	return 0
}

func diskUse(dir string) (total float64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if e.IsDir() {
			total += diskUse(dir + "/" + e.Name())
		} else if info, err := e.Info(); err == nil {
			total += float64(info.Size())
		}
	}
	return total
}
