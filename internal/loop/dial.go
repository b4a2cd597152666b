package loop

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// Dial implements Driver.
func (l *Loop) Dial(network, address string, by time.Duration, watched Conn) (Conn, error) {
	if client, _ := watched.(*conn); client != nil && client.ready&Broken != 0 {
		return nil, ErrPeerGone
	}
	fd, errno := l.sys.Connect(network, address)
	if errno != 0 {
		return nil, os.NewSyscallError("connect", errno)
	}
	peer, _ := netip.ParseAddrPort(address) // zero for Unix sockets
	c, errno := l.newConn(fd, peer)
	if errno != 0 {
		l.sys.Close(fd, false)
		return nil, os.NewSyscallError("epoll_ctl", errno)
	}
	c.Watch(watched)
	if err := c.connected(by); err != nil {
		c.close(false)
		return nil, err
	}
	return c, nil
}

// connected waits until a connection that is being made is there.
func (c *conn) connected(by time.Duration) error {
	c.writeBy = by
	for c.ready&(Out|Broken) == 0 {
		if passed(by, c.loop.now) {
			return os.ErrDeadlineExceeded
		}
		if c.watch.gone() {
			return ErrPeerGone
		}
		if err := c.waitWrite(c.loop.now); err != nil {
			return err
		}
	}
	if c.ready&Broken != 0 {
		if errno := c.loop.sys.ConnectError(int(c.fd)); errno != 0 {
			return os.NewSyscallError("connect", errno)
		}
	}
	if c.watch.gone() {
		return ErrPeerGone
	}
	c.writeBy = 0
	return nil
}

// A pipe is what Splice moves bytes through.
type pipe struct{ r, w int }

// pipeBytes is the size of a pipe for Splice: the most that one system call moves.
const pipeBytes = 512 << 10

// pipesMax is how many empty pipes a loop keeps.
const pipesMax = 64

func (l *Loop) takePipe() (pipe, syscall.Errno) {
	if n := len(l.pipes); n > 0 {
		p := l.pipes[n-1]
		l.pipes = l.pipes[:n-1]
		return p, 0
	}
	r, w, errno := l.sys.Pipe()
	return pipe{r, w}, errno
}

// putPipe keeps an empty pipe and closes one that holds bytes of a broken exchange.
func (l *Loop) putPipe(p pipe, empty bool) {
	if empty && len(l.pipes) < pipesMax && !l.stopping.Load() {
		l.pipes = append(l.pipes, p)
		return
	}
	l.sys.Close(p.r, false)
	l.sys.Close(p.w, false)
}

// Splice implements Conn. make bench, workloads 10m and upload, has the figures against read and write.
func (c *conn) Splice(from Conn, n int64) (moved int64, fromSrc bool, err error) {
	src, ok := from.(*conn)
	if !ok || src.loop != c.loop {
		return 0, false, errors.ErrUnsupported
	}
	p, held, err := src.fillPipe(n)
	if held == 0 {
		return 0, err != nil, err
	}
	defer func() { c.loop.putPipe(p, held == 0) }()
	for held > 0 {
		k, err := c.drainPipe(p, held)
		if err != nil {
			return moved, false, err
		}
		held -= k
		moved += int64(k)
	}
	return moved, false, nil
}

// fillPipe moves what has come, at most n bytes, into a pipe. If that is nothing it waits for the first byte, without a pipe, and moves nothing.
func (c *conn) fillPipe(n int64) (pipe, int, error) {
	if c.closed {
		return pipe{}, 0, net.ErrClosed
	}
	if c.ready&In == 0 {
		return pipe{}, 0, c.Await()
	}
	p, errno := c.loop.takePipe()
	if errno != 0 {
		return pipe{}, 0, errors.ErrUnsupported
	}
	k, errno := c.loop.sys.Splice(int(c.fd), p.w, int(min(n, pipeBytes)))
	if errno == 0 && k > 0 {
		c.loop.share()
		return p, k, nil
	}
	c.loop.putPipe(p, true)
	switch {
	case errno == 0:
		return pipe{}, 0, io.EOF
	case errno != errAgain:
		return pipe{}, 0, os.NewSyscallError("splice", errno)
	}
	c.ready &^= In // the pipe was empty: it is the socket that has nothing
	return pipe{}, 0, c.Await()
}

// drainPipe moves up to n bytes from the pipe to the socket; it waits for room.
func (c *conn) drainPipe(p pipe, n int) (int, error) {
	for since := c.loop.now; ; {
		if c.closed {
			return 0, net.ErrClosed
		}
		if passed(c.writeBy, c.loop.now) {
			return 0, os.ErrDeadlineExceeded
		}
		k, errno := c.loop.sys.Splice(p.r, int(c.fd), n)
		if errno == 0 {
			c.loop.share()
			return k, nil
		}
		if errno != errAgain {
			return 0, os.NewSyscallError("splice", errno)
		}
		c.ready &^= Out
		if err := c.waitWrite(since); err != nil {
			return 0, err
		}
	}
}
