// Package faas runs functions as AWS Lambda does, in this process: each by name, called and waited for (Invoke), or
// handed an event that is executed later (Send). It is what a workflow without an orchestrator runs on during
// development and in tests; faas/lambdaapi puts Lambda's HTTP API in front of it.
//
//	s := faas.New(faas.Config{})
//	defer s.Close(ctx)
//	err := s.Register("resize", function.Go(resize), faas.Settings{Timeout: 10 * time.Second})
//	...
//	answer, err := s.Invoke(ctx, "resize", []byte(`{"key":"a.png"}`))
//	id, err := s.Send(ctx, "resize", []byte(`{"key":"a.png"}`), time.Time{})
//
// What runs a function is any function.Invoker of engine/function: Go code, or processes behind the Lambda Runtime API.
//
// # Life of an event
//
//	waiting ── due, and room in the concurrency ──▶ executing ── it returned ──▶ OnSuccess, gone
//	   ▲                                               │
//	   ├── no room: after 1 s, doubling to 5 min ──────┤
//	   └── it failed: after 1 min, then after 2 min ───┘
//
// After Settings.MaxRetries retries, or when it is older than Settings.MaxAge, the event is gone and its record goes to
// OnFailure. It is executed at least once before that, unless it grew too old; now and then more than once, as on
// Lambda, where a function has to expect it: Faults makes duplicates, crashes, delays and throttles common.
//
// # Time
//
// Everything is timed by package time, so that in a bubble of testing/synctest hours pass at once. Config.Scale
// shortens the delays between attempts where time is real.
//
// Source: AWS, "How Lambda handles errors and retries with asynchronous invocation", "Capturing records of Lambda
// asynchronous invocations" and "Understanding Lambda function scaling" (Lambda Developer Guide).
package faas
