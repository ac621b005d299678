package program

import (
	"github.com/weftworks/weft/unum/ir"
	"github.com/weftworks/weft/unum/protocol"
)

// New returns the program of an app, compiled or written by hand. An app that is not valid has none.
func New(app *ir.App) (protocol.Program, error) {
	if app.Machine != nil {
		return NewCompiled(app, Identity{})
	}
	g, err := NewGraph(app)
	if err != nil {
		return nil, err
	}
	return g, nil
}
