package workflow

import "github.com/weftworks/weft/internal/wire"

// ReadLock decodes the body of an OpLock or OpCancel message, for tests.
func ReadLock(body []byte) (Lock, error) {
	r := wire.NewReader(body)
	m := readLock(r)
	return m, r.Err()
}
