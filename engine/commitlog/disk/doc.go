// Package disk is the commit log in files: one log for all partitions of a node, made durable by one
// fdatasync per frame.
//
// # Writing
//
// Append copies an entry into the fill buffer and returns. One writer goroutine takes the whole buffer
// as one frame, writes it, syncs it, reports it through Options.Durable and takes the next; meanwhile
// the buffer fills again. There is no delay on purpose: a lone entry goes out at once, and while a sync
// is under way everything that arrives shares the next one. A frame is written only after the one
// before it is synced, so a crash finds at most one frame that is not whole.
//
// # Files
//
// A log is a directory of segments, NNNNNNNNNN.log, and of spares, spare-NNNNNNNNNN.log, files without
// meaning that the next segments are made of. A segment file has its full size and all its blocks
// written before it is used (zeros, or the frames of a segment that was trimmed), so that a sync has
// no metadata to write: on ext4 that halves the time of a sync compared to blocks that are only
// allocated.
//
//	segment = header (4096 bytes) frame... rest
//	header  = magic version number prevNumber prevEnd first capacity prevNext 0... crc32c
//	frame   = magic length segment count position payloadCRC headerCRC (32 bytes) payload
//	payload = (partition uvarint, length uvarint, bytes) * count
//
// All fixed-width integers are little-endian. Entry i of a frame has position + i.
//
// # Crash
//
// A segment's header is durable before the file gets its name, and says where the segment before it
// ends. Opening a log never appends to an old segment: it finds the end of the last one, makes sure
// that this end is on the disk, and begins a new segment in a new incarnation. A frame counts only in the
// segment whose number it carries, at the position that is due, and before the end that the next header
// gives; so neither the rest of a torn frame nor what a recycled file held before comes back to life.
//
// A frame that does not check at the end of the last segment, with no valid frame after it, is a torn
// tail: it was never acknowledged, is cut and logged. Anything else that does not check is corruption:
// the log refuses to open (fault.Corrupt) and names the file, the offset and the repair command. Verify
// reports what a directory holds; Repair cuts a damaged log at the damage, keeping a copy.
//
// A sector (512 bytes or more) is taken to be written whole or not at all: two frames may share one.
package disk
