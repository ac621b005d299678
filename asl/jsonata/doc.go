// Package jsonata is JSONata 2.0.6, the query language that Step Functions speaks, with the functions Step
// Functions adds to it: $partition, $range, $hash, $random with a seed, $uuid and $parse.
//
// An expression is compiled once and evaluated as often as wanted, by any number of goroutines. Values are
// jsonvalue trees: they keep the order of keys, and numbers that pass through keep their digits; numbers that are
// computed are IEEE doubles, written as JavaScript writes them. What JSONata calls undefined is defined == false.
//
//	x, err := jsonata.Compile("$sum(items.(price * quantity))")
//	v, defined, err := x.Eval(&jsonata.Env{Input: order, HasInput: true})
//
// Errors are *Error with the codes, tokens and words of the reference (npm jsonata). Evaluation is pure: the time
// and randomness come from Env, nothing is read or written, and no goroutine is started.
//
// No expression can hurt its host: evaluation counts steps, depth and size against Limits and ends with U1001 or
// U1002 where one is passed. Steps count work, not time, so that the same expression over the same data ends at the
// same place everywhere. Regular expressions, which are JavaScript's with back references and look-around, count
// against the same budget.
//
// The package leaves the reference on purpose where
//
//   - $eval is there only for those who ask for it (Options), as Step Functions forbids it;
//   - the parts of an array or object are evaluated one after the other, where the reference lets them interleave, so
//     that of two errors the first one in the text is told;
//   - a result that JSON cannot write (infinity, not a number) is error D1001;
//   - the reference fails with an error of JavaScript's, does not end, or changes its input: there is a JSONata error
//     or the answer that was meant.
package jsonata
