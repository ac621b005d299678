// Package build makes what is deployed out of a compiled application and its functions: one archive for each function's
// code, a layer with the runtime, and a manifest.
//
//	m, err := build.Build(ctx, build.Options{
//		App: app, Functions: functions, Archs: []build.Arch{build.ARM64}, Out: "build",
//	})
//
// What is in the directory afterwards:
//
//	build.json                      the manifest: what is deployed, of which files, with their hashes
//	app/…                           the application's instructions, for people to read
//	layer-arm64.zip                 /opt/bootstrap (the runtime) and /opt/weft-wrapper (the exec wrapper)
//	functions/resize.zip            code, and the application in weft/; of any architecture
//	functions/count-arm64.zip       the same where the code is of one architecture
//	functions/weft.zip              no code: for functions that are glue alone
//
// The same inputs give the same bytes: names are in order, times are those of the format's beginning, modes are 644 or
// 755. So a hash says whether something is to be deployed again, and files that stay the same are not written again.
//
// A function in Python or Node runs in Lambda's own runtime for the language, which the exec wrapper starts behind the
// runtime. Go binaries, commands and functions without code run on provided.al2023, where the layer's bootstrap is what
// is executed, for the archives have none.
package build
