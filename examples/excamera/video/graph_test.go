package video

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/examples/excamera/codec"
	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/ir"
	"github.com/weftworks/weft/unum/platform/local"
	"github.com/weftworks/weft/unum/program"
	"github.com/weftworks/weft/unum/protocol"
	"github.com/weftworks/weft/unum/store/inject"
	"github.com/weftworks/weft/unum/store/memory"
)

// small is a film that takes no time.
var small = Film{Chunks: 1, Frames: 2, Width: 32, Height: 24, Encoder: standIn}

// direct computes the digest of a film without functions: chunk after chunk, by the codec alone.
func direct(f Film) string {
	size := codec.Size{Width: f.Width, Height: f.Height}
	var film []byte
	var alone [][]byte
	var state codec.State
	for i := range f.Chunks {
		var pictures []codec.Picture
		for k := range f.Frames {
			pictures = append(pictures, draw(size, i*f.Frames+k))
		}
		stream, _ := codec.Encode(size, nil, pictures, nil)
		alone = append(alone, stream)
		if i > 1 { // as if the chunk before it were the film
			vectors, _ := codec.VectorsOf(size, stream)
			_, before, _ := codec.Decode(size, nil, alone[i-1])
			stream, _ = codec.Encode(size, before, pictures, vectors)
		}
		vectors, _ := codec.VectorsOf(size, stream)
		stream, state = codec.Encode(size, state, pictures, vectors)
		film = append(film, stream...)
	}
	sum := sha256.Sum256(film)
	return hex.EncodeToString(sum[:])
}

// app reads the graph that is written by hand, or compiles the machine.
func app(t *testing.T, file string) *ir.App {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", file))
	if err != nil {
		t.Fatal(err)
	}
	var app *ir.App
	if file == "app.yaml" {
		app, err = ir.Parse([]ir.File{{Name: file, Text: text}})
	} else {
		app, err = compile.Machine(text, compile.Options{Name: "excamera"})
	}
	if err == nil {
		err = app.Validate().Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// cloud is a platform and a datastore in this process.
type cloud struct {
	service *faas.Service
	store   *memory.Store
	client  *unum.Runtime // nothing goes wrong there

	mu      sync.Mutex
	rand    *rand.Rand
	rate    float64
	crashes atomic.Int64
	calls   sync.Map // function -> *atomic.Int64
}

var errCrash = errors.New("the sandbox has crashed")

// crash has something fail now and then.
func (c *cloud) crash(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rand.Float64() < c.rate {
		c.crashes.Add(1)
		return errCrash
	}
	return err
}

// open deploys an app. At rate executions crash, before and after each operation on the datastore too, and requests are
// delivered twice.
func open(t *testing.T, app *ir.App, seed uint64, rate float64) *cloud {
	t.Helper()
	prog, err := program.New(app)
	if err != nil {
		t.Fatal(err)
	}
	c := &cloud{store: memory.New(), rand: rand.New(rand.NewPCG(seed, 1)), rate: rate}
	c.service = faas.New(faas.Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Faults: faas.Faults{
		Seed: seed, Duplicate: rate, DuplicateWithin: time.Minute, CrashBefore: rate, CrashAfter: rate, Delay: rate, DelayMost: time.Minute,
	}})
	platform := local.New(c.service)
	store := inject.Wrap(c.store, inject.Hooks{
		Before: func(context.Context, inject.Op) error { return c.crash(nil) },
		After:  func(_ context.Context, _ inject.Op, err error) error { return c.crash(err) },
	})
	inside := &unum.Runtime{Store: store, Platform: platform, Program: prog, Redeliveries: 50}
	c.client = &unum.Runtime{Store: c.store, Platform: platform, Program: prog}
	code := functions(t)
	handler := local.Function(func(ctx context.Context, payload []byte) error {
		return inside.Handle(ctx, payload, func(ctx context.Context, name string, input []byte) protocol.Outcome {
			n, _ := c.calls.LoadOrStore(name, new(atomic.Int64))
			n.(*atomic.Int64).Add(1)
			return call(ctx, code, name, input)
		})
	})
	for _, f := range append(app.Functions, &ir.Function{Name: "carrier"}) {
		if err := c.service.Register(f.Name, handler, faas.Settings{OnFailure: "carrier"}); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func functions(t *testing.T) *function.Registry {
	t.Helper()
	code := function.NewRegistry()
	for name, fn := range map[string]function.Invoker{
		"split": function.JSON(Split), "vpxenc": function.JSON(Vpxenc), "xcdec": function.JSON(Xcdec),
		"reencode": function.JSON(Reencode), "rebase": function.JSON(Rebase), "play": function.JSON(Play),
	} {
		if err := code.Register(name, fn, function.Settings{}); err != nil {
			t.Fatal(err)
		}
	}
	return code
}

func call(ctx context.Context, code *function.Registry, name string, input []byte) protocol.Outcome {
	res, err := code.Invoke(ctx, &function.Request{Function: name, ID: name, Input: input, Attempt: 1})
	var raised *function.Error
	switch {
	case err == nil:
		return protocol.Outcome{Kind: protocol.Returned, Output: res.Output}
	case errors.As(err, &raised):
		return protocol.Outcome{Kind: protocol.Raised, Error: raised.Type, Cause: raised.Cause}
	}
	return protocol.Outcome{Kind: protocol.Broken, Error: "Lambda.Unknown", Cause: err.Error()}
}

func (c *cloud) called(name string) int64 {
	n, ok := c.calls.Load(name)
	if !ok {
		return 0
	}
	return n.(*atomic.Int64).Load()
}

// run makes a film, and checks that it is the one, and that nothing is left but the result.
func (c *cloud) run(t *testing.T, f Film) {
	t.Helper()
	input, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	starts := 1
	if c.rate > 0 {
		starts = 2 // as who started it may
	}
	for range starts {
		if _, err := c.client.Start(t.Context(), "film", input, 0); err != nil {
			t.Fatal(err)
		}
	}
	d, err := c.client.Wait(t.Context(), "film", time.Second)
	if err == nil {
		err = c.service.Wait(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	var r Result
	if err := json.Unmarshal(d.Output, &r); err != nil || d.Status != unum.Succeeded {
		t.Fatalf("%d chunks: %s %s, %v, %v", f.Chunks, d.Status, d.Output, value(d.Error), value(d.Cause))
	}
	if want := direct(f); r.Digest != want || r.Chunks != f.Chunks {
		t.Errorf("%d chunks: the film is %s, and %s if it is computed directly", f.Chunks, r.Digest, want)
	}
	var keys []string
	err = c.store.Keys(t.Context(), "", func(key string) bool {
		if c.rate == 0 || !strings.Contains(key, "~") { // who crashes between a blob and the record that names it leaves it to its time-to-live
			keys = append(keys, key)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 1 || keys[0] != "film" {
		t.Errorf("%d chunks: left are %q", f.Chunks, keys)
	}
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// TestFilms makes films of 1 to 12 chunks by both graphs: in peace, and where everything goes wrong.
func TestFilms(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"app.yaml", "machine.asl.json"} {
		for _, rate := range []float64{0, 0.05} {
			t.Run(fmt.Sprint(file, rate), func(t *testing.T) {
				t.Parallel()
				app, crashes := app(t, file), int64(0)
				for n := 1; n <= 12; n++ {
					f := small
					f.Chunks, f.Dir = n, t.TempDir()
					synctest.Test(t, func(t *testing.T) {
						c := open(t, app, uint64(n), rate)
						c.run(t, f)
						if rate == 0 {
							c.checkCalls(t, file, int64(n))
						}
						crashes += c.crashes.Load()
						if err := c.service.Close(t.Context()); err != nil {
							t.Error(err)
						}
					})
				}
				if rate > 0 && crashes == 0 {
					t.Error("nothing has gone wrong: the test shows nothing")
				}
			})
		}
	}
}

// checkCalls holds that every function is called as often as the graph says.
func (c *cloud) checkCalls(t *testing.T, file string, n int64) {
	t.Helper()
	want := map[string]int64{"split": 1, "vpxenc": n, "xcdec": n - 1, "reencode": max(0, n-2), "rebase": n - 1, "play": 1}
	if file != "app.yaml" {
		want["xcdec"], want["rebase"] = n, 1
	}
	for name, times := range want {
		if got := c.called(name); got != times {
			t.Errorf("%d chunks: %s was called %d times, not %d", n, name, got, times)
		}
	}
}
