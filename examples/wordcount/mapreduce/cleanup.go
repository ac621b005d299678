package mapreduce

import (
	"context"
	"encoding/json"
	"fmt"
)

// CleanupRequest is Cleanup's event.
type CleanupRequest struct {
	Run string `json:"run"`
	// State is whatever the run held when it ended or failed; only its member "keep" matters.
	State json.RawMessage `json:"state"`
}

// Cleaned is Cleanup's answer: the one path that is not empty says what became of the work files.
type Cleaned struct {
	Removed string `json:"removed,omitempty"`
	Kept    string `json:"kept,omitempty"`
}

// Cleanup removes the run's work files, unless its input said to keep them. It succeeds when there are none.
func Cleanup(_ context.Context, req CleanupRequest) (*Cleaned, error) {
	s, err := openStore(req.Run)
	if err != nil {
		return nil, err
	}
	var state struct {
		Keep bool `json:"keep"`
	}
	if json.Unmarshal(req.State, &state) == nil && state.Keep {
		return &Cleaned{Kept: s.work()}, nil
	}
	if err := s.remove(); err != nil {
		return nil, fmt.Errorf("run %s: %w", req.Run, err)
	}
	return &Cleaned{Removed: s.work()}, nil
}
