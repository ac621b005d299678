package crash

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/engine"
)

// bankDir makes the test binary a bank on that directory instead of a test.
const bankDir = "WEFT_CRASH_BANK"

const (
	accounts  = 16
	opening   = 1_000_000
	transfers = 400 // a life
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(bankDir); dir != "" {
		if err := serveBank(dir, os.Getenv("WEFT_CRASH_LIFE")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// account is the state of one.
type account struct {
	Open  bool
	Cents int
	Done  int // operations that changed it
}

// order is a transfer.
type order struct{ From, To, Cents int }

var (
	vaults = weft.Entity[account]("account")
	move   = weft.Operation(vaults, "move", func(_ *weft.EntityContext, a *account, cents int) (int, error) {
		if !a.Open {
			a.Open, a.Cents = true, opening
		}
		if a.Cents+cents < 0 {
			return a.Cents, errors.New("not enough")
		}
		a.Cents += cents
		a.Done++
		return a.Cents, nil
	})
	check = weft.Function("check", func(_ context.Context, o order) (order, error) { return o, nil })
	bank  = weft.Workflow("transfer", func(w *weft.Flow, o order) (order, error) {
		o, err := check.Call(w, o)
		if err != nil {
			return o, err
		}
		from, to := fmt.Sprint(o.From), fmt.Sprint(o.To)
		section, err := weft.Lock(w, vaults.ID(from), vaults.ID(to))
		if err != nil {
			return o, err
		}
		defer section.Leave()
		if _, err := move.Call(w, from, -o.Cents); err != nil {
			return o, err
		}
		w.Sleep(time.Millisecond)
		_, err = move.Call(w, to, o.Cents)
		return o, err
	})
)

func openBank(dir string) (*weft.App, error) {
	return weft.Open(weft.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)}, vaults, check, bank)
}

func orderOf(life string, i int) order {
	h := 0
	for _, c := range life {
		h = h*31 + int(c)
	}
	from := (h + i) % accounts
	return order{From: from, To: (from + 1 + i%(accounts-1)) % accounts, Cents: 1 + i%7}
}

// serveBank starts transfers and says on standard output which of them are on the disk, and which have ended.
func serveBank(dir, life string) error {
	app, err := openBank(dir)
	if err != nil {
		return err
	}
	fmt.Println("open")
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	var wg sync.WaitGroup
	for client := range 16 {
		wg.Go(func() {
			for i := client; i < transfers; i += 16 {
				id := fmt.Sprintf("%s-%d", life, i)
				run, err := bank.Run(context.Background(), app, orderOf(life, i), weft.WithID(id))
				if err != nil {
					say("error %s", err)
					return
				}
				say("started %s", id)
				if i%2 == 0 {
					if _, err := run.Wait(context.Background()); err != nil {
						say("error %s: %v", id, err)
						return
					}
					say("ended %s", id)
				}
			}
		})
	}
	wg.Wait()
	say("all")
	return app.Close()
}

// TestBankSurvivesKills kills a program with a bank of durable Go code in the middle of transfers, again and again. In the
// end every transfer that was acknowledged has ended once, no money was made or lost, and no account is locked.
func TestBankSurvivesKills(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("kills processes for seconds; run without -short")
	}
	dir := t.TempDir()
	acknowledged, ended := map[string]bool{}, 0
	for life := range rounds() {
		ended += oneLife(t, dir, fmt.Sprintf("life%d", life), acknowledged)
	}
	app, err := openBank(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	runs := 0
	for cursor := ""; ; {
		page, next, err := app.Runs(ctx, weft.Query{Limit: 1000, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range page {
			delete(acknowledged, info.ID)
			life, i := info.ID, 0
			if at := strings.LastIndexByte(info.ID, '-'); at > 0 {
				life = info.ID[:at]
				_, _ = fmt.Sscan(info.ID[at+1:], &i)
			}
			if out, err := bank.Find(app, info.ID).Wait(ctx); err != nil || out != orderOf(life, i) {
				t.Errorf("transfer %s gives %+v, %v", info.ID, out, err)
			}
			runs++
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	for id := range acknowledged {
		t.Errorf("transfer %s was acknowledged and does not exist", id)
	}
	balance(t, ctx, app, runs)
	t.Logf("%d lives, %d transfers, %d seen to end before a kill", rounds(), runs, ended)
}

// oneLife lets the bank live until a random moment and notes what it says.
func oneLife(t *testing.T, dir, life string, acknowledged map[string]bool) (ended int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), bankDir+"="+dir, "WEFT_CRASH_LIFE="+life)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	kill := rand.IntN(2 * transfers) // after so many words; the last life may live to its end
	for said := 0; lines.Scan(); said++ {
		word, id, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "started":
			acknowledged[id] = true
		case "ended":
			ended++
		case "error":
			t.Errorf("%s: %s", life, id)
		}
		if said == kill {
			_ = cmd.Process.Kill()
		}
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	return ended
}

// balance counts the money. An operation that was lost or done twice shows in Done.
func balance(t *testing.T, ctx context.Context, app *weft.App, runs int) {
	t.Helper()
	cents, done, open := 0, 0, 0
	for i := range accounts {
		a, err := vaults.State(ctx, app, fmt.Sprint(i))
		if errors.Is(err, weft.ErrNoEntity) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		cents, done, open = cents+a.Cents, done+a.Done, open+1
	}
	if cents != open*opening || done != 2*runs {
		t.Errorf("%d accounts have %d cents after %d operations; want %d cents and %d operations", open, cents, done, open*opening, 2*runs)
	}
	for { // until what gives the last locks back has arrived; ctx bounds it
		entities, _, err := app.Engine().ListEntities(ctx, "account", "", 0, "")
		if err != nil {
			t.Fatalf("accounts stay locked: %v", err)
		}
		if !slices.ContainsFunc(entities, func(e engine.Entity) bool { return e.LockedBy != "" || e.Waiting != 0 }) {
			return
		}
	}
}
