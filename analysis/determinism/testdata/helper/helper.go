// Package helper has no workflows. What its functions do is known where workflows call them.
package helper

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"example.com/lib"
	"github.com/weftworks/weft"
)

func Stamp() string { return format(now()) } // want Stamp:`helper\.Stamp → helper\.now → time\.Now`

func format(t time.Time) string { return t.Format(time.RFC3339) }

func now() time.Time { return time.Now() }

func Region() string { return os.Getenv("REGION") } // want Region:`helper\.Region → os\.Getenv`

// Both prefers what other modules believe as well.
func Both() time.Time { // want Both:`helper\.Both → time\.Now`
	fmt.Println("both")
	return time.Now()
}

func ViaLib() string { return lib.Token() } // want ViaLib:`helper\.ViaLib → lib\.Token → rand\.Int`

type Clock struct{}

func (Clock) Now() time.Time { return now() } // want Now:`helper\.Clock\.Now → helper\.now → time\.Now`

func Keys(m map[string]int) []string { // want Keys:`returns in the order of a map`
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

var Rates map[string]float64 // want Rates:`is assigned later`

func Load() { Rates = map[string]float64{} } // want Load:`helper\.Load → write to Rates, a package variable,`

func Rate(currency string) float64 { return Rates[currency] } // want Rate:`helper\.Rate → read of package variable Rates, which`

var mu sync.Mutex

// These are the helper's own matter, or answered for.
func Locked() string {
	mu.Lock()
	defer mu.Unlock()
	_, file, _, _ := runtime.Caller(0)
	return file
}

//weft:deterministic the time is thrown away
func Answered() string {
	_ = time.Now()
	return ""
}

// Register does not do what the workflow does that it registers.
func Register() {
	weft.Workflow("late", func(w *weft.Flow, name string) (time.Time, error) {
		return time.Now(), nil // want `time\.Now reads`
	})
}

// A function with a flow is reported where it is.
func Greet(w *weft.Flow, name string) string {
	return name + time.Now().String() // want `time\.Now reads`
}
