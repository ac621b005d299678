package machine

// Waits reports whether the task of invocation id waits for an answer: a report by its token still counts.
func (f *Frame) Waits(id uint64) bool {
	b := f.holder(id)
	return b != nil && b.invocation == id
}
