package facts

import (
	"fmt"
	"slices"

	"example.com/lib"
	"example.com/shop/helper"
	"github.com/weftworks/weft"
)

var greet = weft.Workflow("greet", func(w *weft.Flow, in map[string]int) (string, error) {
	s := helper.Stamp()  // want `^helper\.Stamp → helper\.now → time\.Now reads the machine's clock, which shows another time at a replay; use w\.Now\(\)$`
	s += helper.Region() // want `helper\.Region → os\.Getenv depends on`
	s += helper.ViaLib() // want `helper\.ViaLib → lib\.Token → rand\.Int draws`
	s += lib.Token()     // want `lib\.Token → rand\.Int draws something else at a replay; use w\.Rand\(\)`
	s += local()
	var clock helper.Clock
	_ = clock.Now()         // want `helper\.Clock\.Now → helper\.now → time\.Now reads`
	_ = helper.Both()       // want `helper\.Both → time\.Now reads`
	_ = helper.Rate("EUR")  // want `helper\.Rate → read of package variable Rates, which is assigned after its declaration, may see another`
	_ = helper.Rates["EUR"] // want `read of package variable helper\.Rates, which is assigned`
	helper.Rates = nil      // want `write to helper\.Rates, a package variable, changes`
	keys := helper.Keys(in) // want `helper\.Keys\(in\), in the order of a map, fills keys`
	values := lib.Values(in)
	slices.Sort(values)

	// Of another module only clocks and randomness count.
	s += lib.Debug() + fmt.Sprint(lib.Level)
	s += helper.Locked() + helper.Answered() + helper.Greet(w, s)
	return s + keys[0], nil
})

func local() string {
	return helper.Stamp() // want `helper\.Stamp → helper\.now → time\.Now reads .* \(workflow "greet" → local\)`
}

func Exported() string { return helper.Stamp() } // want Exported:`facts\.Exported → helper\.Stamp → helper\.now → time\.Now`
