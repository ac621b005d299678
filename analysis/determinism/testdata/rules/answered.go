package rules

import (
	"time"

	"github.com/weftworks/weft"
)

func answers(w *weft.Flow, in order) (time.Time, error) {
	_ = time.Now() //weft:deterministic only its zone is used
	_ = time.Now() // want `time\.Now reads`
	//weft:deterministic only its zone is used
	_ = time.Now()
	_ = time.Now() // want `time\.Now reads`
	_ = time.Now() //weft:deterministic // want `//weft:deterministic does not say why; write //weft:deterministic and the reason`
	_ = time.Now() //weft:deterministically is another word // want `time\.Now reads`
	unreached()    //weft:deterministic it is off in production
	return zone(), nil
}

func unreached() time.Time { return time.Now() }

// zone is told apart from its reason by an empty line.
//
//weft:deterministic only its zone is used
//nolint:gocritic
func zone() time.Time {
	now := func() time.Time { return time.Now() }
	return now()
}

//weft:deterministic it is a benchmark
var bench = weft.Workflow("bench", func(w *weft.Flow, in order) (time.Duration, error) {
	start := time.Now()
	return time.Since(start), nil
})
