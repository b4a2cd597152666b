package loop_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A fakeNet is a network in memory whose waits testing/synctest understands.
type fakeNet struct {
	mu        sync.Mutex
	listeners map[string]*fakeListener
	count     int
}

type fakeListener struct {
	net     *fakeNet
	address string
	queue   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (n *fakeNet) listen() *fakeListener {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count++
	ln := &fakeListener{net: n, address: fmt.Sprintf("fake:%d", n.count), queue: make(chan net.Conn, 64), closed: make(chan struct{})}
	n.listeners[ln.address] = ln
	return ln
}

func (n *fakeNet) dial(ctx context.Context, _, address string) (net.Conn, error) {
	if address == "dark" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	ln := n.listeners[address]
	if ln == nil {
		return nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	a, b := fakePair()
	ln.queue <- b
	return a, nil
}

func (ln *fakeListener) Accept() (net.Conn, error) {
	select {
	case c := <-ln.queue:
		return c, nil
	case <-ln.closed:
		return nil, net.ErrClosed
	}
}

func (ln *fakeListener) Close() error {
	ln.once.Do(func() {
		close(ln.closed)
		ln.net.mu.Lock()
		defer ln.net.mu.Unlock()
		delete(ln.net.listeners, ln.address)
	})
	return nil
}

func (ln *fakeListener) Addr() net.Addr { return fakeAddr(ln.address) }

type fakeAddr string

func (fakeAddr) Network() string  { return "fake" }
func (a fakeAddr) String() string { return string(a) }

// fakeRoom is how many bytes wait in one direction of a fake connection.
const fakeRoom = 8 << 10

// A fakeHalf is one direction of a connection.
type fakeHalf struct {
	bytes  []byte
	end    bool // the writer has sent FIN
	closed bool // the reader has gone
	reset  bool
}

// A fakeConn is one end of a connection.
type fakeConn struct {
	mu              *sync.Mutex
	cond            *sync.Cond
	in, out         *fakeHalf
	readBy, writeBy time.Time
	closed          bool
}

func fakePair() (a, b *fakeConn) {
	mu := &sync.Mutex{}
	cond := sync.NewCond(mu)
	x, y := &fakeHalf{}, &fakeHalf{}
	return &fakeConn{mu: mu, cond: cond, in: x, out: y}, &fakeConn{mu: mu, cond: cond, in: y, out: x}
}

// wait waits until done says yes, and returns its error.
func (c *fakeConn) wait(by *time.Time, done func() (bool, error)) error {
	for {
		if c.closed {
			return net.ErrClosed
		}
		if !by.IsZero() && !by.After(time.Now()) {
			return os.ErrDeadlineExceeded
		}
		if ok, err := done(); ok {
			return err
		}
		c.cond.Wait()
	}
}

func (c *fakeConn) Read(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err = c.wait(&c.readBy, func() (bool, error) {
		switch {
		case len(c.in.bytes) > 0:
			n = copy(p, c.in.bytes)
			c.in.bytes = c.in.bytes[n:]
			c.cond.Broadcast()
			return true, nil
		case c.in.reset:
			return true, os.NewSyscallError("read", syscall.ECONNRESET)
		case c.in.end:
			return true, io.EOF
		}
		return false, nil
	})
	return n, err
}

func (c *fakeConn) Write(p []byte) (written int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for written < len(p) && err == nil {
		err = c.wait(&c.writeBy, func() (bool, error) {
			if c.out.end || c.out.closed || c.out.reset {
				return true, os.NewSyscallError("write", syscall.EPIPE)
			}
			n := min(fakeRoom-len(c.out.bytes), len(p)-written)
			c.out.bytes = append(c.out.bytes, p[written:written+n]...)
			written += n
			c.cond.Broadcast()
			return n > 0, nil
		})
	}
	return written, err
}

func (c *fakeConn) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.end = true
	c.cond.Broadcast()
	return nil
}

func (c *fakeConn) Close() error { return c.close(false) }
func (c *fakeConn) Reset()       { _ = c.close(true) }

// SetLinger is how a netConn resets.
func (c *fakeConn) SetLinger(int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.reset, c.in.reset = true, true
	return nil
}

func (c *fakeConn) close(reset bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed, c.out.end, c.in.closed = true, true, true
	if reset {
		c.out.reset, c.in.reset = true, true
	}
	c.cond.Broadcast()
	return nil
}

func (c *fakeConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *fakeConn) SetReadDeadline(t time.Time) error  { return c.deadline(&c.readBy, t) }
func (c *fakeConn) SetWriteDeadline(t time.Time) error { return c.deadline(&c.writeBy, t) }

func (c *fakeConn) deadline(by *time.Time, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	*by = t
	if d := time.Until(t); !t.IsZero() && d > 0 {
		time.AfterFunc(d, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.cond.Broadcast()
		})
	}
	c.cond.Broadcast()
	return nil
}

func (c *fakeConn) LocalAddr() net.Addr  { return fakeAddr("here") }
func (c *fakeConn) RemoteAddr() net.Addr { return fakeAddr("there") }
