package durable

import (
	"maps"
	"slices"

	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/limits"
)

// AppendTags writes tags in order of their names.
func AppendTags(dst []byte, tags map[string]string) []byte {
	dst = wire.AppendUint(dst, uint64(len(tags)))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		dst = wire.AppendString(wire.AppendString(dst, k), tags[k])
	}
	return dst
}

// ReadTags reads what AppendTags wrote; nil when there are none.
func ReadTags(r *wire.Reader) map[string]string {
	n := r.Count(2)
	if n == 0 {
		return nil
	}
	tags := make(map[string]string, min(n, limits.Tags))
	for range n {
		k := r.String()
		if tags[k] = r.String(); r.Err() != nil {
			return nil
		}
	}
	return tags
}
