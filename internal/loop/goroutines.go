package loop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sluice/internal/buf"
)

// Goroutines is the driver of plain goroutines over net.Conn: for systems without epoll, for tests, and where something else makes the streams.
type Goroutines struct {
	// Log is where panics of tasks go; nil is slog.Default. Set it before the first task.
	Log *slog.Logger

	start    time.Time
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	buffers  buf.Pool
	draining atomic.Bool     // since Quiesce
	ending   atomic.Bool     // since Drain: quiet connections end
	stopping context.Context // done once Stop is called
	stop     context.CancelFunc

	mu        sync.Mutex
	conns     map[*netConn]struct{} // guarded by mu; all that are open
	listeners []net.Listener        // guarded by mu
	tasks     sync.WaitGroup        // grows from zero only while mu is held and before Stop
}

// NewGoroutines returns a driver that connects with dial; nil means net.Dialer.
func NewGoroutines(dial func(ctx context.Context, network, address string) (net.Conn, error)) *Goroutines {
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	g := &Goroutines{start: time.Now(), dial: dial, conns: map[*netConn]struct{}{}}
	g.stopping, g.stop = context.WithCancel(context.Background())
	return g
}

// Serve runs the handler that accept makes for c on a goroutine of its own, until the connection ends.
func (g *Goroutines) Serve(nc net.Conn, accept *Accept) {
	c := g.newConn(nc)
	if c == nil {
		return
	}
	defer g.tasks.Done()
	c.handler = accept.Handler(c)
	if c.handler == nil {
		c.Reset()
		return
	}
	g.tasks.Go(func() { g.run(c, c.handler.Serve) })
}

// lastAccept is how long a listener that ends looks for connections that wait to be accepted.
const lastAccept = 10 * time.Millisecond

// Listen accepts from ln until Stop, which closes it, or until it is closed. The returned function ends that, takes what still waits to be accepted (closing would
// reset it), and closes ln.
func (g *Goroutines) Listen(ln net.Listener, accept *Accept) (stop func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped() {
		_ = ln.Close()
		return func() {}
	}
	g.listeners = append(g.listeners, ln)
	ended := make(chan struct{})
	g.tasks.Go(func() {
		defer close(ended)
		g.accept(ln, accept)
	})
	return func() {
		if l, ok := ln.(interface{ SetDeadline(time.Time) error }); ok && l.SetDeadline(time.Now().Add(lastAccept)) == nil {
			<-ended
		}
		_ = ln.Close()
	}
}

func (g *Goroutines) accept(ln net.Listener, accept *Accept) {
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			g.Serve(nc, accept)
			continue
		case errors.Is(err, net.ErrClosed) || IsTimeout(err) || g.stopped():
			return
		}
		accept.Paused(err)
		select {
		case <-g.stopping.Done():
		case <-time.After(acceptPause):
		}
	}
}

// newConn makes nc a connection of the driver, and counts a task that the caller must end; nil once the driver stops.
func (g *Goroutines) newConn(nc net.Conn) *netConn {
	c := &netConn{Conn: nc, driver: g}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped() {
		_ = nc.Close()
		return nil
	}
	g.conns[c] = struct{}{}
	g.tasks.Add(1)
	return c
}

// run does a job, for c if it is not nil. As on a Loop, a panic costs the connection and not the process.
func (g *Goroutines) run(c *netConn, job func()) {
	returned := false
	defer func() {
		if !returned {
			g.failed(c, recover())
		}
		if c != nil {
			_ = c.Close()
		}
	}()
	job()
	returned = true
}

func (g *Goroutines) failed(c *netConn, reason any) {
	log := g.Log
	if log == nil {
		log = slog.Default()
	}
	if reason == nil { // panic(nil) is an error of its own
		reason = "runtime.Goexit was called"
	}
	log.Error("panic in a task; its connection is closed", "panic", fmt.Sprint(reason), "stack", string(debug.Stack()))
	if c != nil {
		c.Reset()
	}
}

// Stop closes all listeners and connections and waits for the tasks.
func (g *Goroutines) Stop() {
	g.mu.Lock()
	g.stop()
	for _, ln := range g.listeners {
		_ = ln.Close()
	}
	g.mu.Unlock()
	g.each(func(c *netConn) { _ = c.Conn.Close() })
	g.tasks.Wait()
}

func (g *Goroutines) stopped() bool { return g.stopping.Err() != nil }

// Quiesce makes Draining true, so that responses end their connections; those that are or become quiet stay.
func (g *Goroutines) Quiesce() { g.draining.Store(true) }

// Drain makes connections between exchanges end.
func (g *Goroutines) Drain() {
	g.draining.Store(true)
	g.ending.Store(true)
	g.each(func(c *netConn) {
		if c.quiet.Load() {
			_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
		}
	})
}

func (g *Goroutines) each(do func(*netConn)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		do(c)
	}
}

// ID implements Driver.
func (g *Goroutines) ID() int { return 0 }

// Now implements Driver.
func (g *Goroutines) Now() time.Duration { return time.Since(g.start) + time.Second }

// Time implements Driver.
func (g *Goroutines) Time() time.Time { return time.Now() }

// Go implements Driver.
func (g *Goroutines) Go(task func()) { g.tasks.Go(func() { g.run(nil, task) }) }

// Offload implements Driver. An ordinary goroutine may block, so fn runs in place, and Stop waits for it.
func (g *Goroutines) Offload(fn func()) error {
	fn()
	if g.stopped() {
		return ErrStopped
	}
	return nil
}

// Dial implements Driver.
func (g *Goroutines) Dial(network, address string, by time.Duration, watched Conn) (Conn, error) {
	ctx := g.stopping
	if by != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, g.wall(by))
		defer cancel()
	}
	client := watchable(watched)
	if client.gone() {
		return nil, ErrPeerGone
	}
	if client != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		g.tasks.Go(func() { client.cancelWhenGone(ctx, cancel) })
	}
	nc, err := g.dial(ctx, network, address)
	if err == nil && client.gone() {
		_ = nc.Close()
	} else if err == nil {
		if c := g.newConn(nc); c != nil {
			g.tasks.Done()
			c.watched = client
			return c, nil
		}
	}
	switch {
	case g.stopped():
		return nil, ErrStopped
	case client.gone():
		return nil, ErrPeerGone
	case ctx.Err() != nil:
		return nil, os.ErrDeadlineExceeded
	}
	return nil, err
}

// wall turns an instant of Now into a time; never into the zero time.
func (g *Goroutines) wall(at time.Duration) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return g.start.Add(at - time.Second)
}

// NewSignal implements Driver.
func (g *Goroutines) NewSignal() *Signal {
	return &Signal{plain: g, raised: make(chan struct{}, 1)}
}

// waitChannel is WaitFor on Goroutines. What has been raised comes before a deadline that has passed, as on a Loop.
func (s *Signal) waitChannel(client Conn, by time.Duration) error {
	watched := watchable(client)
	if watched.gone() {
		return ErrPeerGone
	}
	select {
	case <-s.raised:
		return nil
	default:
	}
	var look <-chan time.Time
	if watched != nil {
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		look = ticker.C
	}
	var late <-chan time.Time
	if by != 0 {
		timer := time.NewTimer(by - s.plain.Now())
		defer timer.Stop()
		late = timer.C
	}
	for {
		select {
		case <-s.raised:
			if watched.gone() {
				return ErrPeerGone
			}
			return nil
		case <-late:
			return os.ErrDeadlineExceeded
		case <-s.plain.stopping.Done():
			return ErrStopped
		case <-look:
			if watched.gone() {
				return ErrPeerGone
			}
		}
	}
}

// Buffers implements Driver.
func (g *Goroutines) Buffers() *buf.Pool { return &g.buffers }

// Draining implements Driver.
func (g *Goroutines) Draining() bool { return g.draining.Load() }

// A netConn is a Conn over a net.Conn.
type netConn struct {
	net.Conn
	driver  *Goroutines
	handler Handler
	handled bool          // handler is to be run when the connection is quiet and its deadline comes: it has no goroutine that would see it
	readBy  atomic.Int64  // an instant of Now
	writeBy atomic.Int64  // an instant of Now
	stall   time.Duration // how long a write may last without a byte taken; 0 is no bound
	quiet   atomic.Bool
	closed  atomic.Bool
	ended   atomic.Bool // the peer was seen to have closed
	reset   atomic.Bool // the peer was seen to have reset it
	watched *netConn    // Read ends when this one has been reset by its peer
	idle    *time.Timer // of a connection with Handle; nil before it is first quiet
}

// Read implements Conn.
func (c *netConn) Read(p []byte) (int, error) {
	if c.drains() {
		return c.lastLook(p)
	}
	n, err := c.readWatching(p)
	if n > 0 {
		return n, nil // the next Read tells why it was the last
	}
	if IsTimeout(err) && c.drains() {
		return c.lastLook(p)
	}
	return 0, c.why(err)
}

func (c *netConn) drains() bool { return c.quiet.Load() && c.driver.ending.Load() }

// lastLook takes what is there already: a drain ends connections between exchanges, but not a request that has come.
func (c *netConn) lastLook(p []byte) (int, error) {
	_ = c.Conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	n, err := c.Conn.Read(p)
	c.ReadBy(time.Duration(c.readBy.Load()))
	switch {
	case n > 0:
		return n, nil
	case IsTimeout(err):
		return 0, ErrDraining
	}
	return 0, c.why(err)
}

// why turns errors into those of a Loop.
func (c *netConn) why(err error) error {
	if err == io.EOF || errors.Is(err, syscall.ECONNRESET) {
		c.ended.Store(true)
	}
	if err != nil && c.driver.stopped() {
		return ErrStopped
	}
	return err
}

// Write implements Conn.
func (c *netConn) Write(p []byte) (int, error) {
	written := 0
	err := c.write(func() (int64, error) {
		n, err := c.Conn.Write(p[written:])
		written += n
		return int64(n), err
	})
	return written, err
}

// Writev implements Conn.
func (c *netConn) Writev(a, b []byte) (int64, error) {
	if len(b) == 0 {
		n, err := c.Write(a)
		return int64(n), err
	}
	v, written := net.Buffers{a, b}, int64(0)
	err := c.write(func() (int64, error) {
		n, err := v.WriteTo(c.Conn) // it leaves in v what was not written
		written += n
		return n, err
	})
	return written, err
}

// write calls try, which writes what is left, until that has succeeded, has failed, or has been stalled for too long.
func (c *netConn) write(try func() (int64, error)) error {
	for by := c.driver.Now() + c.stall; ; {
		if c.stall != 0 {
			c.lookBy(c.driver.Now() + c.stall/stallLooks)
		}
		n, err := try()
		if c.stall == 0 || !IsTimeout(err) || passed(time.Duration(c.writeBy.Load()), c.driver.Now()) {
			return c.why(err)
		}
		if n > 0 {
			by = c.driver.Now() + c.stall
		} else if passed(by, c.driver.Now()) {
			return c.why(err)
		}
	}
}

// lookBy makes a write end at an instant, or at WriteBy's if that is sooner: also if another task moves that one now.
func (c *netConn) lookBy(at time.Duration) {
	for {
		by := time.Duration(c.writeBy.Load())
		if by == 0 || at < by {
			_ = c.SetWriteDeadline(c.driver.wall(at))
		} else {
			_ = c.SetWriteDeadline(c.driver.wall(by))
		}
		if by == time.Duration(c.writeBy.Load()) {
			return
		}
	}
}

// ReadBy implements Conn.
func (c *netConn) ReadBy(at time.Duration) {
	c.readBy.Store(int64(at))
	_ = c.Conn.SetReadDeadline(c.driver.wall(at))
}

// WriteBy implements Conn.
func (c *netConn) WriteBy(at time.Duration) {
	c.writeBy.Store(int64(at))
	_ = c.Conn.SetWriteDeadline(c.driver.wall(at))
}

// WriteStall implements Conn.
func (c *netConn) WriteStall(after time.Duration) {
	c.stall = after
	c.WriteBy(time.Duration(c.writeBy.Load())) // what an earlier write has set does not hold any more
}

// Await implements Conn.
func (c *netConn) Await() error { return nil }

// Splice implements Conn.
func (c *netConn) Splice(Conn, int64) (int64, bool, error) {
	return 0, false, errors.ErrUnsupported
}

// Alive implements Conn: it looks into the socket's buffer, where there is one.
func (c *netConn) Alive() bool {
	if c.closed.Load() || c.ended.Load() {
		return false
	}
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	alive := true
	err = raw.Read(func(fd uintptr) bool {
		alive = nothingPending(int(fd))
		return true
	})
	return err == nil && alive
}

// CloseWrite implements Conn.
func (c *netConn) CloseWrite() error {
	if h, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close implements Conn.
func (c *netConn) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return nil
	}
	if c.idle != nil {
		c.idle.Stop()
	}
	c.driver.mu.Lock()
	delete(c.driver.conns, c)
	c.driver.mu.Unlock()
	return c.Conn.Close()
}

// Reset implements Conn.
func (c *netConn) Reset() {
	if l, ok := c.Conn.(interface{ SetLinger(int) error }); ok {
		_ = l.SetLinger(0)
	}
	_ = c.Close()
}

// Peer implements Conn.
func (c *netConn) Peer() netip.AddrPort { return tcpAddrPort(c.Conn.RemoteAddr()) }

// Local implements Conn.
func (c *netConn) Local() netip.AddrPort { return tcpAddrPort(c.Conn.LocalAddr()) }

// Driver implements Conn.
func (c *netConn) Driver() Driver { return c.driver }

func tcpAddrPort(a net.Addr) netip.AddrPort {
	if a, ok := a.(*net.TCPAddr); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
