package asl

import (
	"fmt"
	"strings"
	"time"
)

// ParseTimestamp reads a timestamp of the States Language: RFC 3339 with a capital T, and a capital Z or an
// offset ("2026-03-14T01:59:00Z"). Source: Amazon States Language, Timestamps.
func ParseTimestamp(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || strings.ContainsAny(text, ",tz") {
		return time.Time{}, fmt.Errorf("%q is no RFC 3339 timestamp such as 2026-03-14T01:59:00Z", text)
	}
	return t, nil
}
