// Package server is Weft's one port: the AWS Step Functions API (awsJson 1.0 on POST /), /healthz and
// /metrics. It owns no state. It decodes, checks and answers requests; what they ask for is done by a
// Backend, which engine.Node is.
//
// A request passes, in this order, and is refused at the first that fails:
//
//  1. the browser guard: an Origin that is not this machine's (or, with credentials, this server's) and a
//     Content-Type that a form can send are refused, so that a page in a browser cannot reach a loopback port;
//  2. authentication, when credentials are configured: a bearer token, or AWS's signature made with that token
//     as secret key, so that unmodified AWS clients work;
//  3. admission: requests, waiting synchronous runs, connections and memory for bodies each have a bound, and
//     past it the answer is ThrottlingException, which AWS clients retry by themselves;
//  4. decoding (package awsjson): sizes, types and constraints, in AWS's words;
//  5. the operation.
//
// Errors are AWS's: an HTTP status and {"__type": …, "message": …}. fault.Kind maps to the type (errors.go).
//
// A minimal server:
//
//	node, err := engine.Open(...)
//	l, err := net.Listen("tcp", "127.0.0.1:8400")
//	err = server.Serve(ctx, l, server.Options{Backend: node})
//
// Serve returns after ctx is done and the requests in flight are answered.
package server
