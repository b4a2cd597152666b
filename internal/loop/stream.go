package loop

import (
	"sync/atomic"
	"time"

	"sluice/internal/buf"
)

// A Stream is a connection that has become one end of a tunnel: after an upgrade, bytes go both ways and each way ends by itself.
// One task reads and one writes. A block is held only while there are bytes in it.
type Stream struct {
	Conn
	rest    []byte // bytes that had been read before it became a tunnel; borrowed
	block   []byte
	size    int // of the next block: larger when the last one was filled
	idle    time.Duration
	active  atomic.Int64 // instant of the last byte in either direction of the tunnel
	other   *Stream
	stopped atomic.Bool
	end     func() // closes the connection; nil: its Close does
}

// NewStream makes c an end of a tunnel. rest, borrowed until it has been read, is what comes before the bytes of c. idle bounds how long the tunnel may be
// without a byte in either direction; 0 is no bound. Deadlines and bounds of before no longer hold.
func NewStream(c Conn, rest []byte, idle time.Duration) *Stream {
	s := &Stream{Conn: c, rest: rest, size: buf.Small, idle: idle}
	s.touch()
	s.stillActive()
	c.WriteBy(0)
	c.WriteStall(0)
	return s
}

// EndWith has Close call end, which closes the connection and what hangs on it.
func (s *Stream) EndWith(end func()) { s.end = end }

func (s *Stream) touch() { s.active.Store(int64(s.Driver().Now())) }

// Next returns the next bytes, borrowed until the call after it, or io.EOF at the end of this direction.
func (s *Stream) Next() ([]byte, error) {
	if len(s.rest) > 0 {
		b := s.rest
		s.rest = nil
		return b, nil
	}
	for {
		s.giveBack()
		err := s.Await()
		if err == nil {
			var b []byte
			if b, err = s.read(); err == nil {
				return b, nil
			}
		}
		if !IsTimeout(err) || !s.stillActive() {
			return nil, err
		}
	}
}

func (s *Stream) read() ([]byte, error) {
	s.block = s.Driver().Buffers().Get(s.size)
	n, err := s.Read(s.block)
	if err != nil {
		s.giveBack()
		return nil, err
	}
	s.size = nextSize(s.size, n)
	s.touch()
	return s.block[:n], nil
}

// nextSize returns the size of a tunnel's next block, after n bytes came into one of that size: larger if they filled it, small again for little.
func nextSize(size, n int) int {
	switch {
	case n == size:
		return buf.Large
	case n < buf.Small:
		return buf.Small
	}
	return size
}

// stillActive sets the deadline of the next wait. It is false if that has passed without a byte in either direction, or after Stop, at which it looks
// last: Stop may set its own deadline at the same moment.
func (s *Stream) stillActive() bool {
	if s.idle == 0 {
		s.ReadBy(0)
		return !s.stopped.Load()
	}
	last := time.Duration(s.active.Load())
	if s.other != nil {
		last = max(last, time.Duration(s.other.active.Load()))
	}
	s.ReadBy(last + s.idle)
	return last+s.idle > s.Driver().Now() && !s.stopped.Load()
}

func (s *Stream) giveBack() {
	if s.block != nil {
		s.Driver().Buffers().Put(s.block)
		s.block = nil
	}
}

// join makes a and b the two ends of one tunnel: bytes of one count as activity of the other.
func join(a, b *Stream) {
	a.other, b.other = b, a
	a.stillActive()
	b.stillActive()
}

// Stop makes Next and Write, waiting in another task, return an error soon.
func (s *Stream) Stop() {
	s.stopped.Store(true)
	s.ReadBy(1)
	s.WriteBy(1)
}

// Close ends both directions. The task that reads must have ended.
func (s *Stream) Close() error {
	s.giveBack()
	if s.end != nil {
		s.end()
		return nil
	}
	return s.Conn.Close()
}
