package function

import (
	"math"
	"time"
)

// bucket is a token bucket, kept as the one time at which it is full again when nobody takes from it (the generic
// cell rate algorithm of ITU-T I.371 in another dress). So it is exact in nanoseconds and tells when the next
// token comes. The zero bucket limits nothing: nobody is to ask it.
type bucket struct {
	each  time.Duration // from one token to the next; 0: no limit
	depth time.Duration // how long an empty bucket with one token takes to fill
	full  time.Time
}

// newBucket makes a full bucket for rate calls a second with burst tokens. It rounds to the slower nanosecond.
func newBucket(rate float64, burst int) bucket {
	if rate == 0 {
		return bucket{}
	}
	each := time.Duration(math.Ceil(float64(time.Second) / rate))
	return bucket{each: each, depth: time.Duration(burst-1) * each}
}

// next returns since when, or from when on, there is a token.
func (b *bucket) next() time.Time { return b.full.Add(-b.depth) }

func (b *bucket) limits() bool { return b.each > 0 }

func (b *bucket) ready(now time.Time) bool { return !now.Before(b.next()) }

// take takes a token, which must be there.
func (b *bucket) take(now time.Time) {
	if now.After(b.full) {
		b.full = now
	}
	b.full = b.full.Add(b.each)
}
