package determinism

import (
	"go/types"
	"strings"
)

// weftPath is the module and the package that users import; durablePath is where what it exports may be declared.
const (
	weftPath    = "github.com/weftworks/weft"
	durablePath = weftPath + "/durable"
)

// ofWeft reports whether a package is Weft's own API, whose functions are safe to call from a workflow.
func ofWeft(pkg *types.Package) bool {
	return pkg != nil && (pkg.Path() == weftPath || pkg.Path() == durablePath)
}

// weftType returns the name of a type of Weft's API, or of what a pointer to one points to; "" for other types.
func weftType(t types.Type) string {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	if named, ok := types.Unalias(t).(*types.Named); ok && ofWeft(named.Obj().Pkg()) {
		return named.Obj().Name()
	}
	return ""
}

// isFlow reports whether a type is *weft.Flow.
func isFlow(t types.Type) bool {
	if t == nil {
		return false
	}
	_, pointer := types.Unalias(t).(*types.Pointer)
	return pointer && weftType(t) == "Flow"
}

// takesFlow reports whether a function has a parameter of type *weft.Flow, which makes it workflow code.
func takesFlow(sig *types.Signature) bool {
	for v := range sig.Params().Variables() {
		if isFlow(v.Type()) {
			return true
		}
	}
	return false
}

// takesContext reports whether a function looks like one that Weft calls outside of workflows: a function's first
// parameter is a context.Context, an entity operation's a *weft.EntityContext.
func takesContext(sig *types.Signature) bool {
	if sig.Params().Len() == 0 {
		return false
	}
	first := sig.Params().At(0).Type()
	if strings.HasSuffix(weftType(first), "Context") {
		return true
	}
	named, ok := types.Unalias(first).(*types.Named)
	return ok && named.Obj().Name() == "Context" && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == "context"
}

// registersFunction reports whether a function of Weft's API takes code that runs outside of workflows.
func registersFunction(callee types.Object) bool {
	return callee != nil && ofWeft(callee.Pkg()) && (callee.Name() == "Function" || callee.Name() == "Operation")
}

func registersWorkflow(callee types.Object) bool {
	return callee != nil && ofWeft(callee.Pkg()) && callee.Name() == "Workflow"
}

// quiet are the methods of a Flow that ask for nothing and draw nothing, so that their order does not matter.
var quiet = map[string]bool{
	"CodeVersion": true, "Execution": true, "ID": true, "Log": true, "Now": true, "Parent": true, "Replaying": true, "Workflow": true,
}
