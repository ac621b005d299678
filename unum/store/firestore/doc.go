// Package firestore keeps the records of runs without an orchestrator in Cloud Firestore, through Google's own client.
//
//	client, err := firestore.NewClient(ctx, "my-project")      // cloud.google.com/go/firestore
//	store := unumfirestore.New(client, "weft")                 // a collection
//
// # Documents
//
// Everything is in one collection, so that one time-to-live policy (on the field expires) and one set of index exemptions
// (all its fields: nothing is ever searched by content) do. A record is the document "r:KEY". The members of its scope are
// in documents of their own, "s:KEY·NONCE·STEP·SHARD", which exist exactly as long as the record is at that step, not
// ended, and has a width: the commit that makes the record makes them, the commit that replaces or deletes it deletes
// them. A blob is "b:NAME", with more documents where it is larger than one. A slash in a key is a space in a document's id.
//
// # How each operation is exact
//
// Create is a commit with the precondition that there is no such document: one round trip.
//
// Advance is a commit with the precondition that the record is of the version (update time) in which it was last seen to
// have the nonce and the step and not to be ended. Whoever advances has just read the record, so the Store remembers
// versions, and Advance is one round trip as well; if it remembers none, it reads first. Nothing depends on the memory
// being right: versions of a document only grow, over deletion too, so a version that is still current is the very state
// that was looked at (there is no ABA), and one that is not fails the precondition, upon which the record is read.
// Members do not get in the way, as they change other documents.
//
// Add is a commit that unites the member with what is in a document of the scope, with the precondition that there is such
// a document. That document's name says nonce and step, so a late Add finds nothing and changes nothing. Firestore answers
// a union without its result, so that Add reads the record and its members afterwards, at one time: of all that add, the
// last to commit sees all. The line may have moved on between the two; then the scope is gone, and Add says so. Failed is
// first-wins because a union appends: the member that failed first is the first of the array.
//
// Firestore makes commits to one document wait for each other. A scope of more than 32 lines is therefore spread over
// documents, at most 16, by a hash of the member; failures all go to the first. The alternative, a transaction that reads and
// writes, holds its lock for a round trip to the client, and has the others begin again: BenchmarkFanIn, where a commit takes
// 10 ms and a request 5 ms more, has 128 branches that end at once done in 0.4 s so, and in 10 s by transactions; 512 in 0.5 s.
//
// A record of no width has no such documents. What is added to it is added to itself, under its version.
//
// Get reads the record and the documents of its scope at one time. If it does not know which those are, it reads the record
// first. Delete reads what it does not remember, to delete the scope with the record.
//
// # Costs
//
// Get: a read a record and document of its scope. Create, Advance: a write, and one more for each document of a scope that
// is opened, a delete for each that is closed. Add: a write (two if it failed), and a read of the record and each document of
// the scope. Delete: a delete a document, and a read of those that were not remembered. TestBill holds package unum/cost to that.
// In a fan-out of 512 each end of a branch so costs a write and 17 reads, 6.0 dollars a million at 2024's prices, a quarter
// of a state transition of Step Functions.
package firestore
