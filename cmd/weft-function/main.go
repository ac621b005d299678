// Command weft-function is the runtime of a deployed function: it stands between the platform and the language's runtime
// whose command its arguments are. All it does is in package unum/hosted.
package main

import (
	"os"

	"github.com/weftworks/weft/unum/hosted"
)

func main() { os.Exit(hosted.Main(os.Args[1:])) }
