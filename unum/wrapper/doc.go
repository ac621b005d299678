// Package wrapper puts the runtime around a function whose code knows nothing of it.
//
// The wrapper takes what a platform delivers, hands it to a Runtime, and lets the function's code run when the Runtime
// asks for it: with its plain input, once for each execution of an instance that has no checkpoint yet. It has two sides
// that go with each other in every way:
//
//	front: where deliveries come from        code: what runs the function (a function.Invoker)
//	Lambda  the Lambda Runtime API           Process   a language runtime that speaks the Lambda Runtime API
//	HTTP    POST requests, as Google's       command.Command, endpoint.Endpoint, function.Go: as on the engine
//	Go      a handler of aws-lambda-go       nil: none; the function is glue alone
//
// Lambda and Process together are what an exec wrapper on AWS is: the process stands between the platform and the
// language's runtime.
//
//	platform's Runtime API ◀── GET next ── wrapper ◀── GET next ── language runtime ── handler
//	                        ── request ─▶  Runtime ── plain input ─▶
//	                       ◀─ response ──  egress ◀── response, error ──
//
// A delivery is one of these:
//
//   - a request of a workflow, alone or in an envelope that Config.Open knows: Runtime.Handle. Its answer is null, or what
//     Open says; a failure of the datastore or the platform is answered as an error, so that the platform delivers again.
//   - anything else at the function that the workflow begins with (Config.Entry): a new run, whose id is the platform's
//     id of the delivery, which stays the same when the platform tries again. Its answer is {"run": id}.
//   - anything else at another function: a plain invocation, past the Runtime, answered with what the code answers.
//
// The code gets less time than the platform gives the wrapper: a reserve is kept in which a checkpoint can be made and
// the next functions invoked. Code that runs longer is killed with its process, and its outcome is Sandbox.Timedout, as
// on Lambda; one that dies is Runtime.ExitError; one that cannot start has the error it reported. All of them reach Retry
// and Catch by these names at once, without deliveries that are bound to fail again.
package wrapper
