package proxytest

import (
	"context"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"sluice/internal/loop"
)

// slowBytes is how many bytes of a connection are read one by one; further ones are read as they come. Writes are cut as long.
const slowBytes = 2 << 10

// cutBytes is how many bytes a cut write takes.
const cutBytes = 7

// A slowSystem reads one byte at a time and writes a few. It makes up the events that an edge-triggered reader needs for the bytes that it was not given.
type slowSystem struct {
	loop.System
	tags  map[int]uint32 // by descriptor
	read  map[int]int    // bytes so far
	wrote map[int]int
	more  []int // descriptors with bytes that were not given out
}

func newSlowSystem(s loop.System) *slowSystem {
	return &slowSystem{System: s, tags: map[int]uint32{}, read: map[int]int{}, wrote: map[int]int{}}
}

// Watch implements loop.System.
func (s *slowSystem) Watch(fd int, tag uint32, acceptor bool) syscall.Errno {
	s.tags[fd], s.read[fd], s.wrote[fd] = tag, 0, 0
	return s.System.Watch(fd, tag, acceptor)
}

// Recv implements loop.System.
func (s *slowSystem) Recv(fd int, p []byte) (int, syscall.Errno) {
	if s.read[fd] >= slowBytes {
		return s.System.Recv(fd, p)
	}
	n, errno := s.System.Recv(fd, p[:min(len(p), 1)])
	s.read[fd] += n
	if n > 0 && s.System.Pending(fd) {
		s.more = append(s.more, fd)
	}
	return n, errno
}

// Send implements loop.System.
func (s *slowSystem) Send(fd int, p []byte) (int, syscall.Errno) {
	if s.wrote[fd] < slowBytes {
		p = p[:min(len(p), cutBytes)]
	}
	n, errno := s.System.Send(fd, p)
	s.wrote[fd] += n
	return n, errno
}

// SendTwo implements loop.System.
func (s *slowSystem) SendTwo(fd int, a, b []byte) (int, syscall.Errno) {
	if s.wrote[fd] < slowBytes && len(a) > 0 {
		return s.Send(fd, a)
	}
	return s.System.SendTwo(fd, a, b)
}

// Poll implements loop.System.
func (s *slowSystem) Poll(events []loop.Event, timeout time.Duration) int {
	if len(s.more) > 0 {
		timeout = 0
	}
	made := min(len(s.more), len(events)/2)
	n := s.System.Poll(events[:len(events)-made], timeout)
	for _, fd := range s.more[:made] {
		events[n] = loop.Event{Fd: fd, Tag: s.tags[fd], Ready: loop.In}
		n++
	}
	s.more = append(s.more[:0], s.more[made:]...)
	return n
}

// slowDial makes slow connections.
func slowDial(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		return slowly(c), err
	}
}

// A slowListener accepts slow connections.
type slowListener struct{ net.Listener }

// Accept implements net.Listener.
func (l slowListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return slowly(c), err
}

// slowly makes a TCP connection slow.
func slowly(c net.Conn) net.Conn {
	if tcp, ok := c.(*net.TCPConn); ok {
		return &slowConn{TCPConn: tcp}
	}
	return c
}

// A slowConn reads one byte at a time and writes in pieces.
type slowConn struct {
	*net.TCPConn
	read, wrote atomic.Int64
}

// Read implements net.Conn.
func (c *slowConn) Read(p []byte) (int, error) {
	if c.read.Load() < slowBytes {
		p = p[:min(len(p), 1)]
	}
	n, err := c.TCPConn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// Write implements net.Conn.
func (c *slowConn) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		piece := p
		if c.wrote.Load() < slowBytes {
			piece = p[:min(len(p), cutBytes)]
		}
		var k int
		k, err = c.TCPConn.Write(piece)
		c.wrote.Add(int64(k))
		n += k
		p = p[k:]
	}
	return n, err
}
