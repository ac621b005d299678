package durable

import (
	"fmt"

	"github.com/weftworks/weft/internal/wire"
)

// chunkVersion begins every chunk of a history.
const chunkVersion = 1

// AppendChunk adds an event to a chunk of history, which may be empty.
func AppendChunk(chunk []byte, e *Event) []byte { return AppendEvent(BeginChunk(chunk), e) }

// BeginChunk returns a chunk to which encoded events may be added.
func BeginChunk(chunk []byte) []byte {
	if len(chunk) == 0 {
		return append(chunk, chunkVersion)
	}
	return chunk
}

// ReadChunk decodes a chunk and adds its events to dst. They alias chunk.
func ReadChunk(dst []Event, chunk []byte) ([]Event, error) {
	r := wire.NewReader(chunk)
	if v := r.Byte(); v != chunkVersion && r.Err() == nil {
		return dst, fmt.Errorf("durable: a chunk of history has format version %d, which this program does not read", v)
	}
	for r.Err() == nil && r.Len() > 0 {
		var e Event
		ReadEvent(r, &e)
		if r.Err() == nil {
			dst = append(dst, e)
		}
	}
	return dst, r.Err()
}

// ReadChunks decodes a history that was written in chunks. The events alias the chunks.
func ReadChunks(chunks [][]byte) (events []Event, err error) {
	for _, chunk := range chunks {
		if events, err = ReadChunk(events, chunk); err != nil {
			return nil, err
		}
	}
	return events, nil
}
