// Package firestoreapi is a local Firestore endpoint: the published gRPC API (google.firestore.v1) over documents in
// memory, for development and tests. Unmodified clients talk to it, cloud.google.com/go/firestore through
// FIRESTORE_EMULATOR_HOST among them.
//
//	server, err := firestoreapi.Start(firestoreapi.Config{})
//	defer server.Close()
//	t.Setenv("FIRESTORE_EMULATOR_HOST", server.Addr())
//	client, err := firestore.NewClient(ctx, "any-project")
//
// Documents change only under locks, as in Firestore: a read in a read-write transaction takes a shared lock, a commit an
// exclusive one, and where two transactions want the same the older one wins (wound-wait: it aborts younger ones that are
// in its way, and waits for older ones). With Config.Optimistic reads lock nothing, and a commit aborts when what its
// transaction has read is no longer so. Either way the loser gets ABORTED and is expected to begin again, naming the
// transaction it retries, whose age it then has.
//
// docs/local-firestore.md says what the endpoint lacks.
package firestoreapi
