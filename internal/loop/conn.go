package loop

import (
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// A conn is a socket of the loop, edge triggered. All of it belongs to the loop; at most one task reads and one writes.
type conn struct {
	loop    *Loop
	fd      int32
	tag     uint32
	ready   Ready // edges seen and not yet used up
	quiet   bool  // Read answers ErrQuiet instead of waiting; the next byte starts a task
	serving bool  // handler.Serve is running
	closed  bool
	counted bool // accepted: it counts in Loop.conns; others we opened ourselves

	peerPort uint16 // apart from peerAddr, so that it fills a gap: a connection is small
	peerAddr netip.Addr

	reader, writer  *task // who waits for In or an end, who for Out
	readBy, writeBy time.Duration
	stall           time.Duration // how long writes may wait without a byte taken; 0 is no bound
	timer           timer
	handler         Handler
	relay           *relay // moves what comes and goes, instead of a reader and a writer
	watch           *watch // what Read watches; nil until it first does
	watcher         *watch // who watches this one
}

// A watch is somebody who waits for something else than the connection that it watches. One watches at a time.
type watch struct {
	on  *conn // nil: none
	who waker
}

// A waker can make the task due that waits for it, if one does.
type waker interface{ wake() }

// begin watches c, which may be nil, instead of what it watched.
func (w *watch) begin(c *conn) {
	if w.on != nil && w.on.watcher == w {
		w.on.watcher = nil
	}
	w.on = c
	if c != nil {
		c.watcher = w
	}
}

// gone reports whether the watched connection has been reset by its peer. w may be nil.
func (w *watch) gone() bool { return w != nil && w.on != nil && w.on.ready&Broken != 0 }

func (l *Loop) newConn(fd int, peer netip.AddrPort) (*conn, syscall.Errno) {
	c := &conn{loop: l, fd: int32(fd), peerAddr: peer.Addr(), peerPort: peer.Port()}
	c.timer.owner = c
	c.tag = l.add(fd, c)
	errno := l.sys.Watch(fd, c.tag, false)
	if errno != 0 {
		l.sources[fd] = nil
	}
	return c, errno
}

// onEvent notes what the descriptor is ready for and makes due who waits for it, or a new task if nobody does and the connection is quiet. Tasks run when
// all events of a turn have been noted: none sees a connection as alive that has ended already, and none closes one that has an event to come.
func (c *conn) onEvent(tag uint32, r Ready) {
	if tag != c.tag {
		return // the event was of an earlier connection with the same descriptor
	}
	c.ready |= r
	if c.relay != nil {
		c.relay.schedule()
		return
	}
	if r&In != 0 {
		if c.reader != nil {
			c.loop.schedule(c.reader)
		} else if c.quiet {
			c.serve()
		}
	}
	if r&Out != 0 && c.writer != nil {
		c.loop.schedule(c.writer)
	}
	if r&Broken != 0 && c.watcher != nil {
		c.watcher.who.wake()
	}
}

// wake implements waker. A connection that is being made waits for room to write.
func (c *conn) wake() {
	if c.reader != nil {
		c.loop.schedule(c.reader)
	}
	if c.writer != nil {
		c.loop.schedule(c.writer)
	}
}

// serve has a task run the handler, if there is none.
func (c *conn) serve() {
	if c.handler == nil || c.serving || c.closed {
		return
	}
	c.serving = true
	c.loop.runq = append(c.loop.runq, work{conn: c})
}

// served is called when the handler has returned.
func (c *conn) served() {
	c.serving = false
	if c.quiet {
		c.rest()
	}
}

// rest leaves a quiet connection to the loop until its next event or deadline, or has it served at once if there is something already.
func (c *conn) rest() {
	if c.closed {
		return
	}
	if c.hasInput() || passed(c.readBy, c.loop.now) || c.loop.ending.Load() {
		c.serve()
		return
	}
	c.arm()
}

// hasInput reports whether bytes or an end are waiting. A read that filled its buffer to the brim leaves In behind, with or without more to come.
func (c *conn) hasInput() bool {
	if c.ready&In != 0 && c.ready&(InEnd|Broken) == 0 && !c.loop.sys.Pending(int(c.fd)) {
		c.ready &^= In
	}
	return c.ready&In != 0
}

// expire implements expirer: the deadline that the timer was set for has come, or has moved since.
func (c *conn) expire(now time.Duration) {
	if c.writer != nil && (passed(c.writeBy, now) || passed(c.writer.lookAt, now)) {
		c.loop.schedule(c.writer)
	}
	if passed(c.readBy, now) {
		if c.reader != nil {
			c.loop.schedule(c.reader)
		} else if c.quiet {
			c.serve()
		}
	}
	c.arm()
}

func passed(by, now time.Duration) bool { return by != 0 && by <= now }

// arm sets the timer for the nearest deadline to come. An entry that comes too early is left: expire looks again.
func (c *conn) arm() {
	if c.closed {
		return // it must not be reachable from the wheel
	}
	at := c.timer.at
	if c.writer != nil {
		at = c.sooner(c.sooner(at, c.writeBy), c.writer.lookAt)
	}
	if c.reader != nil || c.quiet {
		at = c.sooner(at, c.readBy)
	}
	if at != c.timer.at {
		c.loop.timers.set(&c.timer, at)
	}
}

// sooner returns by if that is to come and sooner than at, else at. An instant of 0 is never.
func (c *conn) sooner(at, by time.Duration) time.Duration {
	if by > c.loop.now && (at == 0 || by < at) {
		return by
	}
	return at
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	for {
		n, err := c.tryRead(p)
		if err != errAgain {
			return n, err
		}
		if c.quiet {
			return 0, c.quietError()
		}
		if err := c.waitRead(); err != nil {
			return 0, err
		}
	}
}

// quietError says why Read of a quiet connection has no byte.
func (c *conn) quietError() error {
	switch {
	case c.loop.stopping.Load():
		return ErrStopped
	case c.loop.ending.Load():
		return ErrDraining
	case passed(c.readBy, c.loop.now):
		return os.ErrDeadlineExceeded
	}
	return ErrQuiet
}

// errAgain says that a call would have blocked.
const errAgain = syscall.EAGAIN

// tryRead receives if the descriptor may have something. A read that does not fill p has drained it, unless an end follows.
func (c *conn) tryRead(p []byte) (int, error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	if c.ready&In == 0 {
		return 0, errAgain
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, errno := c.loop.sys.Recv(int(c.fd), p)
	switch {
	case errno == errAgain:
		c.ready &^= In
		return 0, errAgain
	case errno != 0:
		return 0, os.NewSyscallError("recv", errno)
	case n == 0:
		return 0, io.EOF
	}
	if n < len(p) && c.ready&(InEnd|Broken) == 0 {
		c.ready &^= In
	}
	c.loop.share()
	return n, nil
}

// waitRead suspends the running task until the connection may be readable.
func (c *conn) waitRead() error {
	if c.loop.current.stopped {
		return ErrStopped // another task, which has not heard of it yet, may still be the reader
	}
	if c.reader != nil {
		panic("loop: two tasks read from one connection")
	}
	if err := c.readEnds(); err != nil {
		return err
	}
	t := c.loop.current
	c.reader = t
	c.arm()
	err := t.suspend()
	c.reader = nil
	if err != nil {
		return err
	}
	if c.closed {
		return net.ErrClosed
	}
	if c.ready&In == 0 {
		return c.readEnds()
	}
	return nil
}

// readEnds says why a read must not wait, if so.
func (c *conn) readEnds() error {
	if passed(c.readBy, c.loop.now) {
		return os.ErrDeadlineExceeded
	}
	if c.watch.gone() {
		return ErrPeerGone
	}
	return nil
}

// Await implements Conn.
func (c *conn) Await() error {
	for c.ready&In == 0 && !c.closed {
		if c.quiet {
			return c.quietError()
		}
		if err := c.waitRead(); err != nil {
			return err
		}
	}
	return nil
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Writev(p, nil)
	return int(n), err
}

// Writev implements Conn.
func (c *conn) Writev(a, b []byte) (int64, error) {
	written, since := int64(0), c.loop.now
	for len(a)+len(b) > 0 {
		if len(a) == 0 {
			a, b = b, nil
		}
		n, err := c.tryWrite(a, b)
		switch err {
		case nil:
			written, since = written+int64(n), c.loop.now
		case errAgain:
			if err := c.waitWrite(since); err != nil {
				return written, err
			}
			continue
		default:
			return written, err
		}
		if n < len(a) {
			a = a[n:]
		} else {
			a, b = b[n-len(a):], nil
		}
	}
	return written, nil
}

func (c *conn) tryWrite(a, b []byte) (n int, err error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	if passed(c.writeBy, c.loop.now) {
		return 0, os.ErrDeadlineExceeded
	}
	var errno syscall.Errno
	if len(b) == 0 {
		n, errno = c.loop.sys.Send(int(c.fd), a)
	} else {
		n, errno = c.loop.sys.SendTwo(int(c.fd), a, b)
	}
	switch {
	case errno == errAgain:
		c.ready &^= Out
		return 0, errAgain
	case errno != 0:
		return 0, os.NewSyscallError("send", errno)
	}
	c.loop.share()
	return n, nil
}

// stallLooks is how often a write that waits looks whether its peer has taken something, in the time that it may last without. The kernel tells of room only when
// there is a good deal of it, and a net.Conn of nothing before its end: who has taken less has not taken nothing.
const stallLooks = 8

// waitWrite suspends the running task until there may be room to write, or it is time to look; nothing has been taken since that instant.
func (c *conn) waitWrite(since time.Duration) error {
	if c.loop.current.stopped {
		return ErrStopped
	}
	if c.writer != nil {
		panic("loop: two tasks write to one connection")
	}
	t := c.loop.current
	t.lookAt = 0
	if c.stall != 0 {
		if passed(since+c.stall, c.loop.now) {
			return os.ErrDeadlineExceeded
		}
		t.lookAt = min(since+c.stall, c.loop.now+c.stall/stallLooks)
	}
	c.writer = t
	c.arm()
	err := t.suspend()
	c.writer = nil
	if err == nil && c.ready&Out == 0 && passed(c.writeBy, c.loop.now) {
		return os.ErrDeadlineExceeded
	}
	return err
}

// ReadBy implements Conn.
func (c *conn) ReadBy(at time.Duration) {
	c.readBy = at
	if c.reader == nil && !c.quiet {
		return
	}
	if passed(at, c.loop.now) {
		c.expire(c.loop.now)
	} else {
		c.arm()
	}
}

// WriteBy implements Conn.
func (c *conn) WriteBy(at time.Duration) {
	c.writeBy = at
	if c.writer == nil {
		return
	}
	if passed(at, c.loop.now) {
		c.loop.schedule(c.writer)
	} else {
		c.arm()
	}
}

// WriteStall implements Conn.
func (c *conn) WriteStall(after time.Duration) { c.stall = after }

// Quiet implements Conn.
func (c *conn) Quiet(on bool) {
	c.quiet = on
	if on && !c.serving { // a handler's own Read says what has come
		c.rest()
	}
}

// Handle implements Conn.
func (c *conn) Handle(h Handler) { c.handler = h }

// Watch implements Conn.
func (c *conn) Watch(other Conn) {
	client, _ := other.(*conn)
	if c.watch == nil && client == nil {
		return
	}
	if c.watch == nil {
		c.watch = &watch{who: c}
	}
	c.watch.begin(client)
}

// failure is why a connection with Failed can't be used any more.
func (c *conn) failure() error {
	errno := c.loop.sys.ConnectError(int(c.fd))
	if errno == 0 {
		errno = syscall.ECONNRESET
	}
	return os.NewSyscallError("recv", errno)
}

// Alive implements Conn. Events tell of an end as soon as the loop has turned, so that no system call is needed but where the last read filled its buffer.
func (c *conn) Alive() bool { return !c.closed && !c.hasInput() }

// CloseWrite implements Conn.
func (c *conn) CloseWrite() error {
	if c.closed {
		return net.ErrClosed
	}
	c.loop.sys.Shutdown(int(c.fd))
	return nil
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.close(false)
	return nil
}

// Reset implements Conn.
func (c *conn) Reset() { c.close(true) }

func (c *conn) closeNow() { c.close(false) }

func (c *conn) close(reset bool) {
	if c.closed {
		return
	}
	c.closed = true
	l := c.loop
	l.timers.clear(&c.timer)
	l.sources[c.fd] = nil
	l.sys.Close(int(c.fd), reset)
	c.fd = -1 // it is the next connection's
	if c.counted {
		l.conns.Add(-1)
	}
	c.Watch(nil)
	if c.watcher != nil {
		c.watcher.begin(nil)
	}
	if c.reader != nil {
		l.schedule(c.reader)
	}
	if c.writer != nil {
		l.schedule(c.writer)
	}
	if c.relay != nil {
		c.relay.stop(net.ErrClosed)
	}
}

// SetDeadline implements net.Conn, for crypto/tls.
func (c *conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.ReadBy(c.loop.instant(t))
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.WriteBy(c.loop.instant(t))
	return nil
}

// instant turns a time into an instant of Now; the zero time into never.
func (l *Loop) instant(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(t.Sub(l.epoch)+time.Second, 1)
}

// Peer implements Conn.
func (c *conn) Peer() netip.AddrPort { return netip.AddrPortFrom(c.peerAddr, c.peerPort) }

// Local implements Conn. It asks the kernel: not on the way of every request.
func (c *conn) Local() netip.AddrPort { return c.loop.sys.LocalAddr(int(c.fd)) }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.Peer()) }

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.Local()) }

// Driver implements Conn.
func (c *conn) Driver() Driver { return c.loop }
