package durable

import (
	"fmt"
	"maps"
	"slices"

	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/limits"
)

// CheckTags returns why tags cannot be a run's: there are too many, or one has no name or is too long.
func CheckTags(tags map[string]string) error {
	if len(tags) > limits.Tags {
		return fmt.Errorf("a run has %d tags at most, not %d", limits.Tags, len(tags))
	}
	for k, v := range tags {
		if k == "" || max(len(k), len(v)) > limits.TagBytes {
			return fmt.Errorf("the name of a tag has 1 to %d bytes and its value %[1]d at most; %.60q = %.60q has %d and %d", limits.TagBytes, k, v, len(k), len(v))
		}
	}
	return nil
}

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
