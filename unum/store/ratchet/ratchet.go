// Package ratchet is what a datastore does to one record, pure: the conditions and the effects of unum.Store's operations,
// the bounds of what it takes, and an encoding. Every datastore of ours that is not somebody else's service is this
// behind a lock or a log.
//
//	if cur != nil {
//		return cur, false // Create
//	}
//	if !ratchet.At(cur, nonce, from) {
//		return cur, false // Advance, Add
//	}
//	next := ratchet.With(cur, member, failed)
package ratchet

import (
	"bytes"
	"slices"
	"strings"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/protocol"
)

// Record is what a Store keeps of a line of control.
type Record = protocol.Record

// The bounds of what every store takes, so that what runs on one runs on all. An item of DynamoDB has at most 400 KB, which
// a record with the largest value and the most members stays below; a document of Firestore has 1 MiB.
const (
	// KeyBytes bounds a key, and a member. Past it: InvalidArgument. DynamoDB takes 1,024 in a sort key.
	KeyBytes = 1024
	// ValueBytes bounds Record.Value. Past it: LimitExceeded; what is larger belongs into a blob.
	ValueBytes = 256 << 10
	// MembersBytes bounds the names of a record's members and its nonce together: 10,000 branches by index have 48,890. Past
	// it: LimitExceeded.
	MembersBytes = 96 << 10
	// BlobBytes bounds a blob, which is in memory while it travels. Past it: LimitExceeded.
	BlobBytes = 64 << 20
)

// At reports whether cur, nil for nothing, is the record that Advance and Add are to change: it has the nonce and the
// step, and is not Ended.
func At(cur *Record, nonce string, step int64) bool {
	return cur != nil && cur.Nonce == nonce && cur.Step == step && !cur.Ended
}

// With returns a copy of cur with a member, which is the Failed one if it failed and none is.
func With(cur *Record, member string, failed bool) *Record {
	next := Clone(cur)
	if i, there := slices.BinarySearch(next.Members, member); !there {
		next.Members = slices.Insert(next.Members, i, member)
	}
	if failed && next.Failed == "" {
		next.Failed = member
	}
	return next
}

// Clone returns a copy that shares nothing; nil of nil.
func Clone(r *Record) *Record {
	if r == nil {
		return nil
	}
	c := *r
	c.Value, c.Members = slices.Clone(r.Value), slices.Clone(r.Members)
	return &c
}

// Equal reports whether two records are the same; an empty value and none are.
func Equal(a, b *Record) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Nonce == b.Nonce && a.Step == b.Step && bytes.Equal(a.Value, b.Value) && a.Width == b.Width && slices.Equal(a.Members, b.Members) &&
		a.Failed == b.Failed && a.Ended == b.Ended && a.Expires == b.Expires
}

// Expired reports whether what expires then (Unix seconds; 0: never) may be forgotten at now.
func Expired(expires, now int64) bool { return expires > 0 && expires <= now }

// CheckKeys returns an InvalidArgument for the first key that no store takes.
func CheckKeys(op string, keys ...string) error {
	for _, key := range keys {
		if !valid(key) {
			return fault.New(op, fault.InvalidArgument, key, "a key is 1 to %d bytes of ASCII without spaces and control characters", KeyBytes)
		}
	}
	return nil
}

// CheckMember returns an InvalidArgument for a member that no store takes.
func CheckMember(op, key, member string) error {
	if !valid(member) {
		return fault.New(op, fault.InvalidArgument, key, "%q is no member: it is 1 to %d bytes of ASCII without spaces and control characters", member, KeyBytes)
	}
	return nil
}

func valid(key string) bool {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return false
		}
	}
	return key != "" && len(key) <= KeyBytes
}

// CheckRecord returns a fault for a record that no store takes.
func CheckRecord(op, key string, r *Record) error {
	if err := CheckKeys(op, key); err != nil {
		return err
	}
	if len(r.Value) > ValueBytes {
		return fault.New(op, fault.LimitExceeded, key, "the value has %d bytes, a record takes %d: put it into a blob", len(r.Value), ValueBytes)
	}
	if !slices.IsSortedFunc(r.Members, func(a, b string) int {
		if a == b {
			return -1 // twice is not sorted
		}
		return strings.Compare(a, b)
	}) {
		return fault.New(op, fault.InvalidArgument, key, "the members are not sorted, each once")
	}
	for _, m := range r.Members {
		if err := CheckMember(op, key, m); err != nil {
			return err
		}
	}
	return CheckMembers(op, key, r)
}

// CheckMembers returns a LimitExceeded for a record with more members than stores take.
func CheckMembers(op, key string, r *Record) error {
	n := len(r.Nonce) + len(r.Failed)
	for _, m := range r.Members {
		n += len(m)
	}
	if n > MembersBytes {
		return fault.New(op, fault.LimitExceeded, key, "the members' names have %d bytes, a record takes %d: fan out less at once", n, MembersBytes)
	}
	return nil
}

// CheckBlob returns a fault for a blob that no store takes.
func CheckBlob(op, key string, data []byte) error {
	if len(data) > BlobBytes {
		return fault.New(op, fault.LimitExceeded, key, "a blob of %d bytes: a store takes %d", len(data), BlobBytes)
	}
	return CheckKeys(op, key)
}

// NoBlob is what GetBlob returns for a key under which there is nothing.
func NoBlob(key string) error {
	return fault.New("GetBlob", fault.ResourceNotFound, key, "there is no such blob: it was collected, has expired or was never put")
}
