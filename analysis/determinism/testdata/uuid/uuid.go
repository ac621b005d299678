// Package uuid stands in for github.com/google/uuid.
package uuid

import "io"

type UUID [16]byte

func New() UUID                                     { return UUID{} }
func NewString() string                             { return "" }
func NewSHA1(space UUID, data []byte) UUID          { return UUID{} }
func NewRandomFromReader(r io.Reader) (UUID, error) { return UUID{}, nil }
func MustParse(s string) UUID                       { return UUID{} }
func (u UUID) String() string                       { return "" }
