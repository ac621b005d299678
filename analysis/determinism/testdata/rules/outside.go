package rules

import (
	"bufio"
	crand "crypto/rand"
	"database/sql"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand"
	randv2 "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/google/uuid"
	"github.com/weftworks/weft"
)

func draws(w *weft.Flow, in order) (string, error) {
	n := rand.Intn(6)    // want `rand\.Intn draws something else at a replay; use w\.Rand\(\)`
	n += randv2.IntN(6)  // want `rand\.IntN draws`
	n += randv2.N(6)     // want `rand\.N draws`
	rand.Shuffle(n, nil) // want `rand\.Shuffle draws`
	b := make([]byte, 8)
	crand.Read(b)                // want `rand\.Read draws`
	io.ReadFull(crand.Reader, b) // want `rand\.Reader draws`
	id := uuid.New()             // want `uuid\.New makes another id at a replay; use w\.UUID\(\)`
	id2 := uuid.NewString()      // want `uuid\.NewString makes`

	r := rand.New(rand.NewSource(1)) // the same at every replay
	n += r.Intn(6) + w.Rand().IntN(6)
	id3, _ := uuid.NewRandomFromReader(r)
	return fmt.Sprint(n, id, id2, id3, uuid.NewSHA1(id, b)), nil
}

func prints(w *weft.Flow, in order) (string, error) {
	fmt.Println("started", in.ID)      // want `fmt\.Println writes again at every replay; use w\.Log\(\)`
	fmt.Fprintln(os.Stderr, "started") // want `os\.Stderr writes again`
	log.Printf("started %s", in.ID)    // want `log\.Printf writes again`
	slog.Info("started", "id", in.ID)  // want `slog\.Info writes again`
	println("started")                 // want `println writes again`

	w.Log().Info("started", slog.String("id", in.ID))
	logger := w.Log().With("id", in.ID)
	logger.Warn("late")
	return fmt.Sprintf("%s", in.ID), fmt.Errorf("no %s", in.ID)
}

func reaches(w *weft.Flow, db *sql.DB) (int, error) {
	if _, err := os.ReadFile("rates.json"); err == nil || os.IsNotExist(err) || err == os.ErrExist { // want `os\.ReadFile reaches out of the workflow, where a replay does it again and may get another answer; do it in a function: weft\.Function`
		return 0, err
	}
	_ = os.Getenv("REGION")              // want `os\.Getenv depends on the machine and the process, which may be others at a replay; take it as input, or do it in a function: weft\.Function`
	_ = os.Args[1]                       // want `os\.Args depends on the machine`
	_, _ = os.Hostname()                 // want `os\.Hostname depends`
	_ = bufio.NewScanner(os.Stdin)       // want `os\.Stdin reaches`
	_, _ = exec.Command("date").Output() // want `exec\.Command reaches` `exec\.Cmd\.Output reaches`
	_, _ = filepath.Abs("x")             // want `filepath\.Abs reaches`
	_, _ = http.Get("http://x")          // want `http\.Get reaches`
	_, _ = http.DefaultClient.Do(nil)    // want `http\.DefaultClient reaches` `http\.Client\.Do reaches`
	_, _ = net.Dial("tcp", "x:1")        // want `net\.Dial reaches`
	_, _ = net.LookupHost("x")           // want `net\.LookupHost reaches`
	_ = db.QueryRow("select 1")          // want `sql\.DB\.QueryRow reaches`
	_ = syscall.Getpid()                 // want `syscall\.Getpid reaches`
	_ = runtime.NumCPU()                 // want `runtime\.NumCPU depends on the process`

	_ = net.ParseIP("127.0.0.1")
	_ = net.JoinHostPort("x", "1")
	_ = http.StatusText(http.StatusOK)
	_ = filepath.Join("a", "b")
	_ = runtime.GOOS
	_, _ = http.NewRequest("GET", "http://x", nil)
	return 0, sql.ErrNoRows
}

// The process is its own matter in a helper: stack traces in errors do not change what a workflow asks for.
func traced(w *weft.Flow, in int) (int, error) { return in, trace() }

func trace() error {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Errorf("%s:%d", file, line)
}
