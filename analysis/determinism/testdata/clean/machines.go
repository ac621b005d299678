package clean

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/weftworks/weft"
)

// 13: a pipeline over files, in batches, with retries of its own.

type Job struct {
	Files []string
	Batch int
}

var convert = weft.Function("convert", func(ctx context.Context, file string) (string, error) {
	out := strings.TrimSuffix(file, path.Ext(file)) + ".mp4"
	if err := exec.CommandContext(ctx, "ffmpeg", "-i", file, out).Run(); err != nil {
		return "", err
	}
	_, err := os.Stat(out)
	return out, err
})

func Convert(w *weft.Flow, in Job) ([]string, error) {
	var done []string
	for batch := range slices.Chunk(in.Files, max(in.Batch, 1)) {
		calls := make([]weft.Future[string], 0, len(batch))
		for _, f := range batch {
			calls = append(calls, convert.Start(w, f))
		}
		for i, c := range calls {
			out, err := c.Await(w)
			if err != nil {
				out, err = retried(w, 5, time.Second, func() (string, error) { return convert.Call(w, batch[i]) })
			}
			if err != nil {
				return done, fmt.Errorf("%s: %w", path.Base(batch[i]), err)
			}
			done = append(done, out)
		}
		if err := weft.SetStatus(w, map[string]int{"done": len(done), "of": len(in.Files)}); err != nil {
			return done, err
		}
	}
	return done, nil
}

// retried calls until it goes well, with waits that double and vary.
func retried[T any](w *weft.Flow, times int, wait time.Duration, call func() (T, error)) (out T, err error) {
	for n := range times {
		if out, err = call(); err == nil {
			return out, nil
		}
		d := time.Duration(float64(wait) * math.Pow(2, float64(n)) * (0.5 + w.Rand().Float64()))
		w.Sleep(d)
	}
	return out, err
}

// 14: a roll-out, host after host, back if something fails.

type Rollout struct {
	Version string
	Hosts   map[string][]string // by zone
}

var (
	install = weft.Function("install", func(ctx context.Context, at [2]string) (bool, error) { return true, nil })
	healthy = weft.Function("healthy", func(ctx context.Context, host string) (bool, error) { return true, nil })
)

// zones are those with hosts, in order.
func (r Rollout) zones() []string {
	var zones []string
	for z, hosts := range r.Hosts {
		if len(hosts) > 0 {
			zones = append(zones, z)
		}
	}
	return zones
}

func Deploy(w *weft.Flow, in Rollout) (n int, err error) {
	zones := in.zones()
	slices.Sort(zones)
	size := 0
	for _, hosts := range in.Hosts {
		size += len(hosts)
	}
	for _, z := range zones {
		for _, host := range in.Hosts[z] {
			if _, err := install.Call(w, [2]string{host, in.Version}); err != nil {
				return n, err
			}
			ok, err := poll(w, host)
			if err != nil || !ok {
				return n, errors.Join(err, fmt.Errorf("%s is not healthy after %d of %d", host, n, size))
			}
			n++
		}
	}
	return n, nil
}

func poll(w *weft.Flow, host string) (bool, error) {
	deadline := w.Now().Add(5 * time.Minute)
	for tick := time.Second; w.Now().Before(deadline); tick = min(2*tick, time.Minute) {
		if ok, err := healthy.Call(w, host); ok || err != nil {
			return ok, err
		}
		w.Sleep(tick)
	}
	return false, nil
}

// 15: a transfer between two accounts, under both their locks.

type Transfer struct {
	From, To string
	Cents    int64
}

var (
	accounts = weft.Entity[int64]("account")
	withdraw = weft.Operation(accounts, "withdraw", func(c *weft.EntityContext, s *int64, cents int64) (int64, error) { *s -= cents; return *s, nil })
	deposit  = weft.Operation(accounts, "deposit", func(c *weft.EntityContext, s *int64, cents int64) (int64, error) { *s += cents; return *s, nil })
)

func Move(w *weft.Flow, in Transfer) (string, error) {
	if in.Cents <= 0 || in.From == in.To {
		return "", fmt.Errorf("cannot transfer %d from %s to %s", in.Cents, in.From, in.To)
	}
	section, err := weft.Lock(w, accounts.ID(in.From), accounts.ID(in.To))
	if err != nil {
		return "", err
	}
	defer section.Leave()
	if _, err := withdraw.Call(w, in.From, in.Cents); err != nil {
		return "", err
	}
	if _, err := deposit.Call(w, in.To, in.Cents); err != nil {
		_, back := deposit.Call(w, in.From, in.Cents)
		return "", errors.Join(err, back)
	}
	return w.UUID(), nil
}

// 16: pages of an API, through an iterator.

type Page struct {
	Items []json.RawMessage
	Next  string
}

var fetch = weft.Function("fetch", func(ctx context.Context, cursor string) (Page, error) { return Page{}, nil })

func pages(w *weft.Flow) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		for cursor := ""; ; {
			p, err := fetch.Call(w, cursor)
			if !yield(p, err) || err != nil || p.Next == "" {
				return
			}
			cursor = p.Next
		}
	}
}

func Import(w *weft.Flow, limit int) (map[string]int, error) {
	kinds := make(map[string]int)
	for p, err := range pages(w) {
		if err != nil {
			return kinds, err
		}
		for _, raw := range p.Items {
			var item struct{ Kind string }
			if err := json.Unmarshal(raw, &item); err != nil {
				return kinds, fmt.Errorf("page: %w", err)
			}
			if kinds[item.Kind]++; kinds[item.Kind] >= limit {
				return kinds, nil
			}
		}
	}
	return kinds, nil
}

// 17: a change of the code, and children.

func Report(w *weft.Flow, in []Job) (string, error) {
	var parts []weft.Future[[]string]
	for _, job := range in {
		if w.Version("bigger-batches", 1, 2) > 1 {
			job.Batch *= 2
		}
		parts = append(parts, converts.Start(w, job))
	}
	all, err := weft.All(w, parts...)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i, files := range all {
		fmt.Fprintf(&b, "%d. %s\n", i+1, strings.Join(files, ", "))
	}
	return b.String(), nil
}

var converts = weft.Workflow("convert", Convert)

// 18: a thermostat that is a state machine of functions.

type state func(w *weft.Flow, c *control) (state, error)

type control struct {
	target, now float64
	switched    []time.Time
	readings    map[string]float64
}

var (
	measure = weft.Function("measure", func(ctx context.Context, room string) (float64, error) { return 20, nil })
	heat    = weft.Function("heat", func(ctx context.Context, on bool) (bool, error) { return on, nil })
)

func Thermostat(w *weft.Flow, target float64) (int, error) {
	c := &control{target: target, readings: map[string]float64{}}
	defer func() {
		if r := recover(); r != nil {
			w.Log().Error("the thermostat gives up", "why", r)
			panic(r)
		}
	}()
	for s := state(measuring); s != nil; {
		next, err := s(w, c)
		if err != nil {
			return len(c.switched), err
		}
		s = next
	}
	return len(c.switched), nil
}

func measuring(w *weft.Flow, c *control) (state, error) {
	for _, room := range []string{"kitchen", "bath"} {
		t, err := measure.Call(w, room)
		if err != nil {
			return nil, err
		}
		c.readings[room] = t
		c.now = math.Max(c.now, t)
	}
	if c.now < c.target {
		return heating, nil
	}
	return nil, nil
}

func heating(w *weft.Flow, c *control) (state, error) {
	c.switched = append(c.switched, w.Now())
	_, err := heat.Call(w, true)
	w.Sleep(10 * time.Minute)
	return measuring, err
}
