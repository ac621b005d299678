package firestore

import "sync"

// remembered is how many versions a Store keeps: some hundred bytes each.
const remembered = 8192

// versions are the records that were seen last.
type versions struct {
	mu   sync.Mutex
	of   map[string]version
	ring []string // keys in the order in which they came
	next int
}

func newVersions() *versions {
	return &versions{of: make(map[string]version), ring: make([]string, remembered)}
}

func (m *versions) get(key string) (version, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.of[key]
	return v, ok
}

// put remembers a version, unless a newer one is known.
func (m *versions) put(key string, v version) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, known := m.of[key]
	if known && old.updated.After(v.updated) {
		return
	}
	if !known {
		delete(m.of, m.ring[m.next])
		m.ring[m.next] = key
		m.next = (m.next + 1) % len(m.ring)
	}
	m.of[key] = v
}

// forget drops what is not so any more.
func (m *versions) forget(keys ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		delete(m.of, key)
	}
}
