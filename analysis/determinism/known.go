package determinism

import (
	"go/types"
	"strings"
)

// kind says in which way something breaks replay. Facts carry it.
type kind uint8

const (
	harmless kind = iota
	clock
	wait
	random
	identity
	output
	outside
	environment
	process
	goroutine
	channel
	lock
	mapOrder
	global
	captured
	swallowed
	escaped
	unexplained
)

// trait is what is true of all findings of a kind. Why and instead complete the sentence that the finding begins.
type trait struct {
	name    string // the diagnostic's category
	why     string
	instead string

	near    bool // breaks replay only in code that has the flow in hand; in a helper it is the helper's own matter
	travels bool // believed of functions of other modules too
}

const (
	futures    = "start functions with F.Start(w, in) and wait for them with weft.All or weft.Any"
	inFunction = "do it in a function: weft.Function"
	ownState   = "keep state in variables of the workflow and return it"
)

var traits = [...]trait{
	clock:       {name: "clock", why: "reads the machine's clock, which shows another time at a replay", instead: "use w.Now()", travels: true},
	wait:        {name: "wait", why: "waits by the machine's clock, and so again at every replay", instead: "use w.Sleep(d), or weft.After(w, d) with weft.Any", travels: true},
	random:      {name: "random", why: "draws something else at a replay", instead: "use w.Rand()", travels: true},
	identity:    {name: "identity", why: "makes another id at a replay", instead: "use w.UUID()", travels: true},
	output:      {name: "output", why: "writes again at every replay", instead: "use w.Log()"},
	outside:     {name: "outside", why: "reaches out of the workflow, where a replay does it again and may get another answer", instead: inFunction},
	environment: {name: "environment", why: "depends on the machine and the process, which may be others at a replay", instead: "take it as input, or " + inFunction},
	process:     {name: "process", why: "depends on the process, which is another one at a replay", instead: inFunction, near: true},
	goroutine:   {name: "goroutine", why: "runs code in an order that a replay does not repeat", instead: futures},
	channel:     {name: "channel", why: "depends on other goroutines, whose order a replay does not repeat", instead: futures, near: true},
	lock:        {name: "lock", why: "depends on other goroutines, whose order a replay does not repeat", instead: "a workflow runs alone and needs no lock; " + ownState, near: true},
	mapOrder:    {name: "order"},
	global:      {name: "global"},
	captured:    {name: "captured", why: "changes what other runs share, and changes it again at every replay", instead: ownState},
	swallowed:   {name: "recover", why: "swallows the panic with which the engine unwinds a workflow", instead: "panic again with what it returned, or return errors"},
	escaped:     {name: "escaped", why: "takes the flow out of the workflow that it belongs to, to where a replay does not follow", instead: "pass the values it needs"},
	unexplained: {name: "unexplained", why: "does not say why", instead: "write //weft:deterministic and the reason"},
}

// known says what objects of other packages do, by import path and pattern. A pattern is a name ("Now"), a method ("Client.Do"), or
// either with a * at its end; "*" stands for everything at package level and ".*" for every method. The longest
// pattern counts. Types, constants and errors are never meant.
var known = map[string]map[string]kind{
	"time": {
		"Now": clock, "Since": clock, "Until": clock,
		"Sleep": wait, "After*": wait, "Tick": wait, "NewTimer": wait, "NewTicker": wait,
	},
	"context": {"WithTimeout*": wait, "WithDeadline*": wait, "AfterFunc": goroutine},

	"math/rand":                {"*": random, "New*": harmless},
	"math/rand/v2":             {"*": random, "New*": harmless},
	"crypto/rand":              {"*": random},
	"hash/maphash":             {"MakeSeed": random},
	"github.com/google/uuid":   {"New*": identity, "NewMD5": harmless, "NewSHA1": harmless, "NewHash": harmless, "NewRandomFrom*": harmless, "NewV7From*": harmless},
	"github.com/gofrs/uuid":    {"NewV*": identity, "NewV3": harmless, "NewV5": harmless},
	"github.com/gofrs/uuid/v5": {"NewV*": identity, "NewV3": harmless, "NewV5": harmless},

	"fmt": {"Print*": output, "Scan": outside, "Scanf": outside, "Scanln": outside},
	"log": {"*": output, "New": harmless, "Logger.*": output},
	"log/slog": {
		"Debug*": output, "Info*": output, "Warn*": output, "Error*": output, "Log": output, "LogAttrs": output,
		"With": output, "Default": output, "SetDefault": output,
	},

	"os": {
		"*": outside, "File.*": outside, "Root.*": outside, "Process.*": outside, "Stdout": output, "Stderr": output,
		"Args": environment, "Environ": environment, "Executable": environment, "ExpandEnv": environment, "Get*": environment,
		"Hostname": environment, "LookupEnv": environment, "TempDir": environment, "User*": environment,
		"Expand": harmless, "Is*": harmless, "NewSyscallError": harmless, "SameFile": harmless,
	},
	"os/exec":               {"*": outside, ".*": outside},
	"os/signal":             {"*": outside},
	"os/user":               {"*": outside},
	"io/ioutil":             {"*": outside, "Discard": harmless, "NopCloser": harmless, "ReadAll": harmless},
	"path/filepath":         {"Abs": outside, "EvalSymlinks": outside, "Glob": outside, "Walk*": outside},
	"syscall":               {"*": outside},
	"golang.org/x/sys/unix": {"*": outside},
	"net": {
		"Dial*": outside, "Listen*": outside, "Lookup*": outside, "Resolve*": outside, "Interface*": outside, "File*": outside,
		"Dialer.*": outside, "Resolver.*": outside, "ListenConfig.*": outside, "Conn.*": outside, "TCPConn.*": outside,
		"UDPConn.*": outside, "UnixConn.*": outside, "PacketConn.*": outside, "Listener.*": outside, "TCPListener.*": outside,
	},
	"net/http": {
		"Get": outside, "Head": outside, "Post*": outside, "Listen*": outside, "Serve*": outside, "Handle*": outside,
		"Client.*": outside, "Server.*": outside, "Transport.*": outside, "RoundTripper.*": outside, "Default*": outside,
	},
	"net/smtp": {"*": outside, "Client.*": outside, "PlainAuth": harmless, "CRAMMD5Auth": harmless},
	"net/rpc":  {"*": outside, "Client.*": outside},
	"database/sql": {
		"Open*": outside, "DB.*": outside, "Tx.*": outside, "Conn.*": outside, "Stmt.*": outside, "Row.*": outside, "Rows.*": outside,
	},

	"runtime":       {"*": process, "KeepAlive": harmless},
	"runtime/debug": {"*": process},
	"sync": {
		"Mutex.*": lock, "RWMutex.*": lock, "Locker.*": lock, "Cond.*": lock, "Map.*": lock,
		"WaitGroup.*": lock, "WaitGroup.Go": goroutine,
	},
	"sync/atomic":                    {"*": lock, ".*": lock},
	"golang.org/x/sync/errgroup":     {"Group.Go": goroutine, "Group.TryGo": goroutine},
	"golang.org/x/sync/semaphore":    {".*": lock},
	"golang.org/x/sync/singleflight": {".*": lock},
}

// kindOf returns what using a function, method or variable of another package does.
func kindOf(obj types.Object) kind {
	if obj.Pkg() == nil {
		return harmless
	}
	patterns := known[obj.Pkg().Path()]
	if patterns == nil {
		return harmless
	}
	if v, ok := obj.(*types.Var); ok && (!isGlobal(v) || types.Implements(v.Type(), errorType)) {
		return harmless
	}
	name, best, found := nameOf(obj), -1, harmless
	for pattern, k := range patterns {
		if matches(pattern, name) && len(pattern) > best {
			best, found = len(pattern), k
		}
	}
	return found
}

var errorType = types.Universe.Lookup("error").Type().Underlying().(*types.Interface)

func matches(pattern, name string) bool {
	prefix, star := strings.CutSuffix(pattern, "*")
	method := strings.Contains(name, ".")
	switch {
	case !star:
		return pattern == name
	case prefix == ".":
		return method
	}
	return strings.HasPrefix(name, prefix) && method == strings.Contains(prefix, ".")
}

// nameOf returns a function's or variable's name without its package: Name, or Type.Name for a method.
func nameOf(obj types.Object) string {
	fn, ok := obj.(*types.Func)
	if !ok {
		return obj.Name()
	}
	recv := fn.Signature().Recv()
	if recv == nil {
		return fn.Name()
	}
	t := types.Unalias(recv.Type())
	if p, ok := t.(*types.Pointer); ok {
		t = types.Unalias(p.Elem())
	}
	if named, ok := t.(*types.Named); ok {
		return named.Obj().Name() + "." + fn.Name()
	}
	return fn.Name() // of an interface without a name
}

// longName returns the name with which the code of another package would say it: pkg.Name or pkg.Type.Name.
func longName(obj types.Object) string {
	if obj.Pkg() == nil {
		return obj.Name()
	}
	return obj.Pkg().Name() + "." + nameOf(obj)
}

// isGlobal reports whether a variable is declared at package level.
func isGlobal(v *types.Var) bool {
	return v.Pkg() != nil && v.Parent() == v.Pkg().Scope()
}
