package loop

import (
	"context"
	"syscall"
	"time"
)

// What a Loop hears of by events, Goroutines must look for: that a watched connection has been reset, that an idle one is too old.

// lookEvery is how often a wait looks at the connection that it watches: there are no events for it here.
const lookEvery = 100 * time.Millisecond

// watchable returns c if it can be seen whether its peer has reset it, or nil.
func watchable(c Conn) *netConn {
	nc, _ := c.(*netConn)
	if nc == nil {
		return nil
	}
	if _, ok := nc.Conn.(syscall.Conn); !ok {
		return nil
	}
	return nc
}

// gone reports whether c, which may be nil, has been reset by its peer.
func (c *netConn) gone() bool {
	if c == nil || c.reset.Load() {
		return c != nil
	}
	raw, err := c.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		if failedPending(int(fd)) {
			c.reset.Store(true)
		}
	})
	return c.reset.Load()
}

// cancelWhenGone looks at c until it is gone or ctx is done.
func (c *netConn) cancelWhenGone(ctx context.Context, cancel func()) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for !c.gone() {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
	cancel()
}

// Watch implements Conn. A reset of the other connection is noticed after a moment, and only where the system can be asked for it.
func (c *netConn) Watch(other Conn) {
	c.watched = watchable(other)
	_ = c.Conn.SetReadDeadline(c.driver.wall(time.Duration(c.readBy.Load())))
}

// readWatching reads; while it waits it looks at the connection that it watches. Another task may call ReadBy meanwhile.
func (c *netConn) readWatching(p []byte) (int, error) {
	for c.watched != nil {
		by, look := time.Duration(c.readBy.Load()), c.driver.Now()+lookEvery
		if by != 0 && by <= look {
			_ = c.Conn.SetReadDeadline(c.driver.wall(by))
			break
		}
		_ = c.Conn.SetReadDeadline(c.driver.wall(look))
		n, err := c.Conn.Read(p)
		if n > 0 || !IsTimeout(err) || c.drains() {
			return n, err
		}
		if c.watched.gone() {
			return 0, ErrPeerGone
		}
	}
	return c.Conn.Read(p)
}

// Quiet implements Conn.
func (c *netConn) Quiet(on bool) {
	c.quiet.Store(on)
	switch {
	case !c.handled:
	case !on:
		if c.idle != nil {
			c.idle.Stop()
		}
	case c.idle == nil:
		c.idle = time.AfterFunc(c.untilIdle(), c.expire)
	default:
		c.idle.Reset(c.untilIdle())
	}
}

// untilIdle is how long it is until ReadBy's instant.
func (c *netConn) untilIdle() time.Duration {
	if by := time.Duration(c.readBy.Load()); by != 0 {
		return by - c.driver.Now()
	}
	return 1<<63 - 1
}

// expire has a quiet connection served whose deadline has come.
func (c *netConn) expire() {
	if c.untilIdle() > 0 || !c.quiet.Load() {
		return // it has been used since
	}
	c.driver.mu.Lock()
	stopped := c.driver.stopped()
	if !stopped {
		c.driver.tasks.Add(1)
	}
	c.driver.mu.Unlock()
	if !stopped {
		defer c.driver.tasks.Done()
		c.driver.run(nil, c.handler.Serve)
	}
}

// Handle implements Conn. Nobody watches an idle connection here but for its deadline: Alive looks at it before it is used.
func (c *netConn) Handle(h Handler) { c.handler, c.handled = h, true }
