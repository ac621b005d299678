// Package mapreduce is the word count behind examples/wordcount: six functions that a state machine
// connects, and the work directory through which they hand each other large data.
//
//	List ─► Count × mappers ─► Shuffle ─► Reduce × reducers ─► Summarise ─► Cleanup
//
// A word is a maximal run of the bytes A-Z, a-z, 0-9 and _. A file that holds a NUL byte anywhere is
// binary and counts nothing. Both rules are byte rules, so grep, tr, sort and uniq under LC_ALL=C can
// say the same (see coreutils.sh).
//
// What travels between states is paths and totals; words travel through files:
//
//	work/batches/00012   List       paths of one mapper, relative to the root, each ended by NUL
//	work/mapped/00012    Count      a header with the length of each section, then one section per
//	                                reducer: lines "count TAB word", sorted by word
//	work/segments/00007  Shuffle    what one reducer reads: lines "mapper offset bytes"
//	work/reduced/00007   Reduce     lines "count TAB word", highest count first, then by word
//	words.tsv            Summarise  all of them merged: the table
//
// Every function may run again, after a crash or beside a copy of itself that is about to be
// killed: a file appears by rename, complete and synced, or not at all, and what it holds depends
// on the function's input alone.
package mapreduce
