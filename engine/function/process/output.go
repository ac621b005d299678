package process

import (
	"bytes"
	"os"
	"sync"
	"unicode/utf8"
)

// LineBytes bounds one line given to a sink; longer ones come in pieces.
const LineBytes = 64 << 10

// Output captures what processes write to one pipe: whole lines go to a sink, and the end of what was written
// since the last Cut is kept as a tail. Because a process writes its lines before it reports a result,
// Drain, called when the result arrives, finds all of them in the pipe.
type Output struct {
	r, w *os.File
	tail int // bytes kept
	sink func(line string)
	done chan struct{} // the reader has stopped; nil before it runs

	mu     sync.Mutex // held while reading the pipe and while calling sink
	ended  bool
	recent []byte // at most 2*tail
	line   []byte // an unfinished line
	buffer []byte
}

// NewOutput makes a capture that keeps tail bytes and gives lines to sink, which may be nil. sink must not
// block: the process waits for it.
func NewOutput(tail int, sink func(line string)) (*Output, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &Output{r: r, w: w, tail: tail, sink: sink, buffer: make([]byte, 16<<10)}, nil
}

// started gives up our writing end, so that the pipe ends with the last process that holds it, and starts
// to read.
func (o *Output) started() {
	_ = o.w.Close()
	o.done = make(chan struct{})
	go o.follow()
}

// follow reads as output comes, until the pipe ends or is closed.
func (o *Output) follow() {
	defer close(o.done)
	raw, err := o.r.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(fd uintptr) bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.read(fd)
	})
}

// read takes in everything there is and reports whether the pipe ended.
func (o *Output) read(fd uintptr) bool {
	for !o.ended {
		n, again := readNow(fd, o.buffer)
		if again {
			return false
		}
		if n <= 0 {
			o.ended = true
			o.endLine()
			break
		}
		o.take(o.buffer[:n])
	}
	return true
}

// take adds b to the tail and gives the lines it completes to the sink.
func (o *Output) take(b []byte) {
	if len(b) > o.tail {
		o.recent = append(o.recent[:0], b[len(b)-o.tail:]...)
	} else {
		if len(o.recent)+len(b) > 2*o.tail {
			o.recent = append(o.recent[:0], o.recent[len(o.recent)-o.tail:]...)
		}
		o.recent = append(o.recent, b...)
	}
	if o.sink == nil {
		return
	}
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		o.line = append(o.line, b[:i]...)
		o.sink(string(bytes.TrimSuffix(o.line, []byte("\r"))))
		o.line, b = o.line[:0], b[i+1:]
	}
	for len(o.line)+len(b) >= LineBytes {
		n := LineBytes - len(o.line)
		o.sink(string(append(o.line, b[:n]...)))
		o.line, b = o.line[:0], b[n:]
	}
	o.line = append(o.line, b...)
}

func (o *Output) endLine() {
	if o.sink != nil && len(o.line) > 0 {
		o.sink(string(o.line))
	}
	o.line = nil
}

// Drain takes in everything written so far.
func (o *Output) Drain() {
	raw, err := o.r.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.read(fd)
	})
}

// Cut returns the end of what was written since the last Cut, at most tail bytes of whole characters, and
// starts afresh.
func (o *Output) Cut() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.recent
	if len(b) > o.tail {
		b = b[len(b)-o.tail:]
	}
	for i := 0; i < utf8.UTFMax && len(b) > 0 && !utf8.RuneStart(b[0]); i++ {
		b = b[1:] // the rest of a character that was cut
	}
	s := string(bytes.ToValidUTF8(b, []byte("\uFFFD")))
	o.recent = o.recent[:0]
	return s
}

// Close takes in what is left, gives the last unfinished line to the sink and releases the pipe. Processes
// that still hold the other end get errors for what they write.
func (o *Output) Close() {
	o.Drain()
	_ = o.w.Close()
	_ = o.r.Close()
	if o.done != nil {
		<-o.done
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ended {
		o.ended = true
		o.endLine()
	}
}
