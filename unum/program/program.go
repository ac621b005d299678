package program

import (
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/ir"
	"github.com/weftworks/weft/unum/protocol"
)

// New returns the program of an app: of a compiled machine if it has one.
func New(app *ir.App) (protocol.Program, error) {
	if app.Machine != nil {
		return NewCompiled(app, Identity{})
	}
	return nil, fault.New("unum.program", fault.Unsupported, app.Name, "apps that are written by hand are not run yet")
}
