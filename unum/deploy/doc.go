// Package deploy brings an application without an orchestrator to where it runs, and takes it away again.
//
// What is wanted is a list of Resources. A Target says what there is and changes it. The difference is a Plan of
// Actions, which Apply carries out one after the other, in the order in which resources need each other:
//
//	state, err := deploy.Load(path)
//	plan, err := deploy.NewPlan(ctx, target, resources, state)
//	plan.Text(os.Stdout)                                // what --dry-run prints
//	err = deploy.Apply(ctx, target, plan, state, report)  // state is saved around every step
//
// A plan is made of what is really there, and not of what a file remembers: applying twice does nothing the second
// time, and an application that broke off in the middle goes on where it stopped. The State remembers what is ours, so that
// what is no longer wanted is deleted, and what has our name and is not ours is left alone.
//
// Texts in a Spec may have placeholders for what is not known before another resource is there: "${role/functions.arn}" is
// the attribute arn of the resource role/functions. They also say what needs what. Exports for other tools turn
// them into references of theirs.
//
// Package build packages applications; local runs them in a process of this machine; aws and gcp deploy them, and write templates.
package deploy
