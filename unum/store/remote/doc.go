// Package remote lets other processes use a datastore that one process has: Handler serves it over HTTP, and a Client is
// the datastore again. Functions on the local platform reach the embedded store so; any store can be served.
//
// It is for one machine: every request carries a token, and nothing is encrypted. Serve on a loopback address or a Unix
// socket.
//
// An operation is a POST to its name in lower case, with and answered by JSON in which records are ratchet's bytes; blobs
// are bodies, keys lines. Errors keep their kind. What fails because the server is away or busy is repeated.
//
//	http.Serve(listener, remote.Handler(store, token))      // the process that has it
//	s, err := remote.Open("unix:///tmp/weft/store.sock", token) // another
package remote
