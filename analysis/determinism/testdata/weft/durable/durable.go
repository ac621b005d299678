// Package durable stands in for Weft's: types without behaviour.
package durable

import (
	"log/slog"
	"math/rand/v2"
	"time"
)

type Flow struct{}

func (w *Flow) ID() string                              { return "" }
func (w *Flow) Now() time.Time                          { return time.Time{} }
func (w *Flow) Sleep(d time.Duration)                   {}
func (w *Flow) Rand() *rand.Rand                        { return nil }
func (w *Flow) UUID() string                            { return "" }
func (w *Flow) Log() *slog.Logger                       { return nil }
func (w *Flow) Version(change string, from, to int) int { return to }

type EntityContext struct{}

type Section struct{}

func (s *Section) Leave() {}
