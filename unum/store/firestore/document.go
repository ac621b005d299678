package firestore

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/firestore"

	"github.com/weftworks/weft/unum"
)

// Prefixes of the ids of documents, and what separates the parts of one: no character of a key.
const (
	recordPrefix = "r:"
	scopePrefix  = "s:"
	blobPrefix   = "b:"
	separator    = "·"
)

// A scope has a document for each linesPerShard lines, at most shardsMax.
const (
	linesPerShard = 32
	shardsMax     = 16
)

// id makes part of a document's id out of a key: slashes are not allowed there, spaces not in keys.
func id(key string) string { return strings.ReplaceAll(key, "/", " ") }

// key is the other way; what follows a separator is not of the key.
func key(id string) string {
	id, _, _ = strings.Cut(id, separator)
	return strings.ReplaceAll(id, " ", "/")
}

// document is a record as it is stored.
type document struct {
	Nonce   string    `firestore:"nonce"`
	Step    int64     `firestore:"step"`
	Value   []byte    `firestore:"value"`
	Width   int64     `firestore:"width"`
	Members []string  `firestore:"members"`
	Failed  []string  `firestore:"failed"` // the first counts
	Ended   bool      `firestore:"ended"`
	Expires time.Time `firestore:"expires,omitempty"`
}

func encode(r *unum.Record) *document {
	d := &document{Nonce: r.Nonce, Step: r.Step, Value: r.Value, Width: r.Width, Members: r.Members, Ended: r.Ended, Expires: expires(r.Expires)}
	if r.Failed != "" {
		d.Failed = []string{r.Failed}
	}
	return d
}

// updates are all fields of a record, which together replace it.
func updates(r *unum.Record) []firestore.Update {
	d := encode(r)
	until := any(firestore.Delete)
	if r.Expires != 0 {
		until = d.Expires
	}
	return []firestore.Update{
		{Path: "nonce", Value: d.Nonce}, {Path: "step", Value: d.Step}, {Path: "value", Value: d.Value}, {Path: "width", Value: d.Width},
		{Path: "members", Value: d.Members}, {Path: "failed", Value: d.Failed}, {Path: "ended", Value: d.Ended}, {Path: "expires", Value: until},
	}
}

func expires(unix int64) time.Time {
	if unix == 0 {
		return time.Time{}
	}
	return time.Unix(unix, 0).UTC()
}

// shard is a document of a scope.
type shard struct {
	Members []string  `firestore:"members"`
	Failed  []string  `firestore:"failed"` // of the first document of a scope
	Expires time.Time `firestore:"expires,omitempty"`
}

// record puts a record together from its document and those of its scope.
func (d *document) record(shards []shard) *unum.Record {
	r := &unum.Record{Nonce: d.Nonce, Step: d.Step, Value: d.Value, Width: d.Width, Ended: d.Ended}
	if !d.Expires.IsZero() {
		r.Expires = d.Expires.Unix()
	}
	members, failed := slices.Clone(d.Members), slices.Clone(d.Failed)
	for _, s := range shards {
		members, failed = append(members, s.Members...), append(failed, s.Failed...)
	}
	slices.Sort(members)
	r.Members = slices.Compact(members)
	if len(failed) > 0 {
		r.Failed = failed[0]
	}
	return r
}

// version is what is remembered of a record: which scope it has, and what it must still be for that to be so.
type version struct {
	updated time.Time
	nonce   string
	step    int64
	width   int64
	ended   bool
}

func versionOf(r *unum.Record, updated time.Time) version {
	return version{updated: updated, nonce: r.Nonce, step: r.Step, width: r.Width, ended: r.Ended}
}

// at is ratchet.At of a version.
func (v *version) at(nonce string, step int64) bool {
	return v.nonce == nonce && v.step == step && !v.ended
}

// scope returns the ids of the documents with the members.
func (v *version) scope(key string) (ids []string) {
	if v.ended || v.width <= 0 {
		return nil
	}
	for i := range min((v.width+linesPerShard-1)/linesPerShard, shardsMax) {
		ids = append(ids, fmt.Sprint(scopePrefix, id(key), separator, id(v.nonce), separator, v.step, separator, i))
	}
	return ids
}

// pick returns the one of n that a member belongs to.
func pick(member string, n int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(member)) // it never fails
	return int(h.Sum32() % uint32(n))
}
