package loop

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sluice/internal/buf"
)

// Goroutines is the driver of plain goroutines over net.Conn: for systems without epoll, for tests, and where something else makes the streams.
type Goroutines struct {
	start   time.Time
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	buffers buf.Pool

	mu       sync.Mutex
	conns    map[*netConn]struct{} // guarded by mu; all that are open
	stopped  atomic.Bool
	draining atomic.Bool
	tasks    sync.WaitGroup
}

// NewGoroutines returns a driver that connects with dial; nil means net.Dialer.
func NewGoroutines(dial func(ctx context.Context, network, address string) (net.Conn, error)) *Goroutines {
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return &Goroutines{start: time.Now(), dial: dial, conns: map[*netConn]struct{}{}}
}

// Serve runs the handler that accept makes for c on a goroutine of its own, until the connection ends.
func (g *Goroutines) Serve(nc net.Conn, accept *Accept) {
	c := g.newConn(nc)
	if c == nil {
		return
	}
	c.handler = accept.Handler(c)
	if c.handler == nil {
		c.Reset()
		return
	}
	g.Go(func() {
		defer c.Close()
		c.handler.Serve()
	})
}

// Listen accepts from ln until it is closed.
func (g *Goroutines) Listen(ln net.Listener, accept *Accept) {
	g.Go(func() {
		for {
			nc, err := ln.Accept()
			switch {
			case err == nil:
				g.Serve(nc, accept)
			case errors.Is(err, net.ErrClosed) || g.stopped.Load():
				return
			default:
				accept.Paused(err)
				time.Sleep(acceptPause)
			}
		}
	})
}

func (g *Goroutines) newConn(nc net.Conn) *netConn {
	c := &netConn{Conn: nc, driver: g}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped.Load() {
		_ = nc.Close()
		return nil
	}
	g.conns[c] = struct{}{}
	return c
}

// Stop closes all connections and waits for the tasks.
func (g *Goroutines) Stop() {
	g.stopped.Store(true)
	g.each(func(c *netConn) { _ = c.Conn.Close() })
	g.tasks.Wait()
}

// Drain makes connections between exchanges end.
func (g *Goroutines) Drain() {
	g.draining.Store(true)
	g.each(func(c *netConn) {
		if c.quiet.Load() {
			_ = c.SetReadDeadline(time.Unix(1, 0))
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
func (g *Goroutines) Go(task func()) { g.tasks.Go(task) }

// Offload implements Driver. An ordinary goroutine may block, so fn runs in place.
func (g *Goroutines) Offload(fn func()) error {
	fn()
	if g.stopped.Load() {
		return ErrStopped
	}
	return nil
}

// Dial implements Driver.
func (g *Goroutines) Dial(network, address string, by time.Duration) (Conn, error) {
	ctx := context.Background()
	if by != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, g.wall(by))
		defer cancel()
	}
	nc, err := g.dial(ctx, network, address)
	if err != nil {
		if ctx.Err() != nil {
			err = os.ErrDeadlineExceeded
		}
		return nil, err
	}
	if c := g.newConn(nc); c != nil {
		return c, nil
	}
	return nil, ErrStopped
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
	return &Signal{driver: g, raised: make(chan struct{}, 1)}
}

// waitChannel is Wait on Goroutines.
func (s *Signal) waitChannel(by time.Duration) error {
	if by == 0 {
		<-s.raised
		return nil
	}
	timer := time.NewTimer(by - s.driver.Now())
	defer timer.Stop()
	select {
	case <-s.raised:
		return nil
	case <-timer.C:
		return os.ErrDeadlineExceeded
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
	quiet   atomic.Bool
	closed  atomic.Bool
	ended   atomic.Bool // the peer was seen to have closed
}

// Read implements Conn.
func (c *netConn) Read(p []byte) (int, error) {
	if c.quiet.Load() && c.driver.draining.Load() {
		_ = c.Conn.SetReadDeadline(time.Now().Add(time.Millisecond)) // takes what is there already
	}
	n, err := c.Conn.Read(p)
	if err == nil || n > 0 {
		return n, nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && c.quiet.Load() && c.driver.draining.Load() {
		return 0, ErrDraining
	}
	if c.driver.stopped.Load() {
		return 0, ErrStopped
	}
	if err == io.EOF || errors.Is(err, syscall.ECONNRESET) {
		c.ended.Store(true)
	}
	return n, err
}

// Write implements Conn.
func (c *netConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil && c.driver.stopped.Load() {
		err = ErrStopped
	}
	return n, err
}

// Writev implements Conn.
func (c *netConn) Writev(a, b []byte) (int64, error) {
	if len(b) == 0 {
		n, err := c.Write(a)
		return int64(n), err
	}
	v := net.Buffers{a, b}
	return v.WriteTo(c.Conn)
}

// ReadBy implements Conn.
func (c *netConn) ReadBy(at time.Duration) { _ = c.Conn.SetReadDeadline(c.driver.wall(at)) }

// WriteBy implements Conn.
func (c *netConn) WriteBy(at time.Duration) { _ = c.Conn.SetWriteDeadline(c.driver.wall(at)) }

// Quiet implements Conn.
func (c *netConn) Quiet(on bool) { c.quiet.Store(on) }

// Handle implements Conn. Nobody watches an idle connection here: Alive looks at it before it is used.
func (c *netConn) Handle(h Handler) { c.handler = h }

// Await implements Conn.
func (c *netConn) Await() error { return nil }

// Watch implements Conn. A reset of the other connection is noticed only by those who read from it or write to it.
func (c *netConn) Watch(Conn) {}

// Splice implements Conn.
func (c *netConn) Splice(Conn, int64) (int64, bool, bool, error) { return 0, false, false, nil }

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
