// Package weft lets a Go program run durable workflows: ordinary Go functions whose every step is on the disk before
// anybody sees it, and which go on where they were after a crash, a power cut or a deployment.
//
// # Declare
//
// Functions do the work: they may call the world and fail. Workflows say how functions connect: they must be
// deterministic, and do everything through their Flow. Entities hold state under a key and do one operation at a time.
//
//	var charge = weft.Function("charge", func(ctx context.Context, o Order) (Receipt, error) { ... })
//
//	var approval = weft.Event[bool]("approval")
//
//	var order = weft.Workflow("order", func(w *weft.Flow, o Order) (Receipt, error) {
//		if ok, err := approval.WaitFor(w, 24*time.Hour); err != nil || !ok {
//			return Receipt{}, errors.New("nobody approved")
//		}
//		return charge.Call(w, o)
//	})
//
// # Open, start, wait
//
//	app, err := weft.Open(weft.Options{Dir: "data"}, order, charge)
//	defer app.Close()
//	run, err := order.Run(ctx, app, Order{...}, weft.WithID("order-7"))
//	err = approval.Raise(ctx, app, "order-7", true)
//	receipt, err := run.Wait(ctx)
//
// Open goes on with everything that was open in the directory. Start is idempotent: the same id with the same
// input is the same run.
//
// # Look from outside, and test what was
//
// ListenAndServe lets the weft command and other programs list, show, start and control what the App runs
// (docs/rest.md). A history that `weft runs history order-7 --json` has printed is a test of later code:
//
//	history, err := weft.ReadHistory(file)
//	weft.Replay(t, history, order)
//
// # What is exactly once, and what is not
//
// Steps of workflows and operations of entities take effect exactly once. A function may be called again when the process
// dies while it runs; the first answer that is recorded counts, and FunctionKey gives the function something to recognise
// the repetition by. Functions marked Idempotent are called before their cause is durable, which is faster.
package weft
