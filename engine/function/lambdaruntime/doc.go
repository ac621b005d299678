// Package lambdaruntime runs functions in processes that speak the Lambda Runtime API (version 2018-06-01):
// ready-made Lambda binaries, Go sources built on first use, and Python and Node handlers through small
// bootstraps that come with the package.
//
// A Pool is one function. It keeps up to Config.Processes processes warm, starts them when calls wait, and
// stops those that had nothing to do for Config.Idle. Every process has a server of its own on a loopback
// port, which is how calls are told apart. One process serves one call at a time: it asks for the next
// invocation, answers it, asks again. A call is never bound to a process before that process asks for work,
// so a process that dies between calls takes no call with it.
//
//	pool, err := lambdaruntime.New(lambdaruntime.Config{
//		Name:   "resize",
//		Launch: lambdaruntime.Python("./fn", "resize.handler"),
//	})
//	defer pool.Close()
//	res, err := pool.Invoke(ctx, &function.Request{Function: "resize", ID: id, Input: input, Timeout: 30 * time.Second})
//
// Life of a process:
//
//	starting ── GET next ──▶ idle ── call ──▶ busy ── response/error ──▶ answered ── GET next ──▶ idle
//
// It is killed, with its group, when a call runs past its time, when it takes longer than Config.Init to ask
// for work first, and when the Pool closes. When it ends in starting, the start failed: the pool waits a
// while that doubles from 100 ms to 5 s before it starts another, and when no other process is left the calls
// that wait get the reason, with StartFailed set. When it ends in busy, its call fails with
// Runtime.ExitError.
//
// What a process finds in its environment: everything this node has in its own, what Lambda sets
// (AWS_LAMBDA_RUNTIME_API, AWS_LAMBDA_FUNCTION_NAME, _HANDLER, LAMBDA_TASK_ROOT, TZ …), and Config.Env, later
// ones winning. What comes with a call: Lambda's headers; the client context holds, under "custom",
// weft_run, weft_attempt and weft_key, with which a function can do its work once.
//
// Source for the protocol: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
package lambdaruntime
