// Package values keeps payloads that are too large to travel through the engine by themselves. Such a payload
// is a value: it lies in a file of its own, and what passes through events, states and messages is a
// reference to it, of 22 to 26 bytes.
//
// A payload is one JSON text or an encoded Ref. JSON never begins with byte 0x01 and a reference always does,
// so Parse tells them apart by the first byte. Whoever takes payloads from outside must not let one in that
// begins so: it would be taken for a reference.
//
// # Store
//
// Store keeps values by id. Each Put makes a new one, even of the same content. The content is in the file as it
// came; its size and checksum are in the reference.
//
//	DIR/LOCK                  held while a Store has the directory open
//	DIR/put-ID                a Put under way; Open removes what a crash left
//	DIR/XX/ID                 a value, whole and durable; ID in hexadecimal, XX its last two digits
//
// A Put writes the temporary file, syncs it, renames it and syncs the directory, in this order, and then
// returns. So a value has its name only when it is whole, and a reference exists only when a crash cannot
// take its value back. Deleting syncs nothing: a file that comes back after a crash is an orphan.
//
// # Keeper
//
// Keeper decides when a value goes. Its users have these duties:
//
//  1. Every place that can bring a reference back after a crash pins it: a partition for its state, its outbox
//     and what it has logged since its snapshot.
//  2. A reference that goes from one place to another is pinned there before it is unpinned here.
//  3. Pin early: before OrphanAge has passed since Put. Until then nobody needs to pin it, which covers the
//     way from Put into a partition; a call that gives up on that way leaves an orphan.
//  4. Unpin late: not when the last use is over, but when no recovery can need the value, that is when a
//     snapshot without the reference is durable. Replaying the log reads values again.
//  5. After a start, partitions pin what they have loaded and replayed; then Ready is called, once for all.
//     Nothing is deleted before.
//
// When the pins of a value come down to none, it is deleted in the background. What crashes, failures and a full
// queue leave behind is found by Sweep, which compares the directory with the pins.
//
// # Time
//
// An id begins with the time of its Put, so Sweep knows ages from names. The clock behind it is read once, at
// Open, and then only moves on by the time that passes: setting the machine's clock makes no young value old.
package values
