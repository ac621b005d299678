package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// gate admits a bounded number of holders and turns the rest away at once: a queue here would only hide
// that the node is full from clients that know how to back off.
type gate chan struct{}

func (g gate) enter() bool {
	select {
	case g <- struct{}{}:
		return true
	default:
		return false
	}
}

func (g gate) leave() { <-g }

// smallBody is what a request may hold without being counted: at most Requests of them are in flight.
const smallBody = 64 << 10

// bodies reads request bodies within a bound for one and a bound for all that are in flight.
type bodies struct {
	one   int64
	all   int64
	inUse atomic.Int64
}

// read returns the body of r and what to give back to release once it is no longer in use.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) (body []byte, held int64, fail *apiError) {
	size := r.ContentLength
	if size > b.one {
		return nil, 0, b.tooLarge()
	}
	if size < 0 {
		size = b.one
	}
	if size > smallBody {
		if b.inUse.Add(size) > b.all {
			b.inUse.Add(-size)
			return nil, 0, throttled("the memory for request bodies is used up")
		}
		held = size
	}
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	_, err := io.Copy(&buf, http.MaxBytesReader(w, r.Body, b.one))
	if err != nil {
		b.release(held)
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, 0, b.tooLarge()
		}
		return nil, 0, refuse("SerializationException", "the request body ended early: %s", err)
	}
	return buf.Bytes(), held, nil
}

func (b *bodies) release(held int64) { b.inUse.Add(-held) }

func (b *bodies) tooLarge() *apiError {
	e := refuse("RequestEntityTooLargeException", "the request body is larger than %d bytes", b.one)
	e.Status = http.StatusRequestEntityTooLarge
	return e
}

func throttled(why string) *apiError {
	return refuse("ThrottlingException", "Rate exceeded: %s; try again", why)
}

// limitListener accepts at most cap(slots) connections at a time; more wait in the kernel's queue.
type limitListener struct {
	net.Listener
	slots gate
	done  chan struct{}
	once  sync.Once
}

func newLimitListener(l net.Listener, n int) *limitListener {
	return &limitListener{Listener: l, slots: make(gate, n), done: make(chan struct{})}
}

// Accept waits for a slot, then for a connection.
func (l *limitListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		l.slots.leave()
		return nil, err
	}
	return &limitConn{Conn: c, leave: sync.OnceFunc(l.slots.leave)}, nil
}

// Close stops Accept, also while it waits for a slot.
func (l *limitListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

type limitConn struct {
	net.Conn
	leave func()
}

func (c *limitConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
