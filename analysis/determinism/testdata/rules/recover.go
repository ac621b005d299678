package rules

import (
	"encoding/json"
	"fmt"

	"github.com/weftworks/weft"
)

func swallows(w *weft.Flow, in order) (out string, err error) {
	defer func() {
		if r := recover(); r != nil { // want `recover swallows the panic with which the engine unwinds a workflow; panic again with what it returned, or return errors`
			err = fmt.Errorf("%v", r)
		}
	}()
	return ship.Call(w, in.ID)
}

func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%v", r)
	}
}

func guarded(w *weft.Flow, in order) (out string, err error) {
	defer guard(&err) // want `recover swallows`
	return ship.Call(w, in.ID)
}

func repanics(w *weft.Flow, in order) (out string, err error) {
	defer func() {
		if r := recover(); r != nil {
			w.Log().Error("panic", "value", r)
			panic(r)
		}
	}()
	return ship.Call(w, in.ID)
}

// The engine does not unwind through code that has no flow.
func parses(w *weft.Flow, in string) (n int, err error) {
	func() {
		defer guard(&err)
		err = json.Unmarshal([]byte(in), &n)
	}()
	return n, safely()
}

func safely() (err error) {
	defer func() { _ = recover() }()
	return nil
}
