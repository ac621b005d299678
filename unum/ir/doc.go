// Package ir is the language of workflows without an orchestrator: what each function does when its code has
// answered. An App has Functions; each Function has Continuations: invoke another, map over the output, fan in over
// what others have made, catch an error. Continuations have guards, and fan-ins name values by indices; both are
// expressions of a small language that is parsed, typed and bounded, and never evaluated as code.
//
// The language is that of Unum (Liu et al., NSDI 2023, Table 1) with names whose indices are written outermost first. A
// workflow is written in YAML or JSON, a file for each function or one for all; docs/unum-ir.md has every field.
//
//	app, err := ir.Parse([]ir.File{{Name: "app.yaml", Text: text}})
//	err = app.Validate().Err() // all that is wrong, each with its place and what to do
package ir
