package looptest

import (
	"io"
	"net"
	"os"
	"syscall" //style:allow import a simulation of system calls answers with their errors
	"time"
)

// A Conn is an actor's end of a connection: a net.Conn whose calls wait in the world's time. Its deadlines can't be moved while another actor waits.
type Conn struct {
	world           *World
	fd              int
	socket          *socket
	readBy, writeBy time.Duration // 0 is none
}

var _ net.Conn = (*Conn)(nil)

// Dial connects an actor to "ip:port".
func (w *World) Dial(address string) (*Conn, error) { return w.dial("tcp", address) }

// DialUnix connects an actor to a Unix socket.
func (w *World) DialUnix(name string) (*Conn, error) { return w.dial("unix", name) }

func (w *World) dial(network, address string) (*Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fd, s, errno := w.connect(network, address)
	if errno != 0 {
		return nil, os.NewSyscallError("connect", errno)
	}
	c := &Conn{world: w, fd: fd, socket: s}
	if err := w.pause(func() bool { return !s.connecting }, 0); err != nil {
		return nil, err
	}
	if s.pending != 0 {
		err := os.NewSyscallError("connect", s.takePending())
		w.closeFile(fd, false)
		return nil, err
	}
	return c, nil
}

// A Listener is an actor's listening socket.
type Listener struct {
	world    *World
	fd       int
	listener *listener
}

// Serve opens a listening socket for an actor.
func (w *World) Serve(address string) *Listener {
	w.mu.Lock()
	defer w.mu.Unlock()
	fd, l := w.listen(address)
	return &Listener{w, fd, l}
}

// Accept waits for a connection. It fails once the listener has been closed.
func (l *Listener) Accept() (*Conn, error) {
	w := l.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.pause(func() bool { return l.fd < 0 || len(l.listener.queue) > 0 }, 0); err != nil {
		return nil, err
	}
	if l.fd < 0 {
		return nil, net.ErrClosed
	}
	s := l.listener.queue[0]
	fd, _, errno := l.listener.accept()
	if errno != 0 {
		return nil, os.NewSyscallError("accept", errno)
	}
	return &Conn{world: w, fd: fd, socket: s}, nil
}

// Close ends Accept.
func (l *Listener) Close() {
	l.world.mu.Lock()
	defer l.world.mu.Unlock()
	if l.fd >= 0 {
		l.world.closeFile(l.fd, false)
		l.fd = -1
	}
}

// try repeats a call until it does not answer EAGAIN, or the deadline has passed.
func (c *Conn) try(op string, by *time.Duration, call func() (int, syscall.Errno)) (int, error) {
	w := c.world
	for {
		if c.fd < 0 {
			return 0, net.ErrClosed
		}
		n, errno := call()
		switch {
		case errno == 0:
			return n, nil
		case errno != syscall.EAGAIN:
			return 0, os.NewSyscallError(op, errno)
		case *by != 0 && *by <= w.now:
			return 0, os.ErrDeadlineExceeded
		}
		s := c.socket
		ready := func() bool { return s.closed || s.dead || s.sent < s.room }
		if op == "read" {
			ready = func() bool { return s.closed || s.dead || len(s.in) > 0 || s.inEnd }
		}
		if err := w.pause(ready, *by); err != nil {
			return 0, err
		}
	}
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	n, err := c.try("read", &c.readBy, func() (int, syscall.Errno) { return c.socket.recv(p) })
	if n == 0 && err == nil && len(p) > 0 {
		err = io.EOF
	}
	return n, err
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (written int, err error) {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	for written < len(p) && err == nil {
		var n int
		n, err = c.try("write", &c.writeBy, func() (int, syscall.Errno) { return c.socket.send(p[written:]) })
		written += n
	}
	return written, err
}

// Close implements net.Conn.
func (c *Conn) Close() error { return c.close(false) }

// Reset closes with RST.
func (c *Conn) Reset() { _ = c.close(true) }

func (c *Conn) close(reset bool) error {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	if c.fd < 0 {
		return net.ErrClosed
	}
	c.world.closeFile(c.fd, reset)
	c.fd = -1
	return nil
}

// CloseWrite sends FIN; reading goes on.
func (c *Conn) CloseWrite() error {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	if c.fd < 0 {
		return net.ErrClosed
	}
	c.socket.shutdown()
	return nil
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.readBy = c.world.instant(t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.writeBy = c.world.instant(t)
	return nil
}

func (w *World) instant(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(t.Sub(w.epoch), 1)
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.socket.local) }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.socket.remote) }
