package loop

import (
	"net/netip"
	"syscall"
	"time"
)

const (
	// acceptMax is how many connections one event takes, so that a flood of them leaves time for those that are there.
	acceptMax = 64
	// acceptPause is how long a loop does not accept after it ran out of descriptors or memory.
	acceptPause = 100 * time.Millisecond
	// imbalance is how many connections more than the emptiest loop a loop may have before it hands new ones over.
	imbalance = 2
)

// An Accept says what to do with the connections of one listening socket. Its functions are called on any loop and must not wait.
type Accept struct {
	// Handler returns who serves c, which is quiet; it sets c's first deadline. Nil closes c.
	Handler func(c Conn) Handler
	// Paused is told when accepting stops for a moment because the process or the machine is out of descriptors or memory.
	Paused func(error)
}

// A Group is the loops of a process. They share listening sockets and keep the number of their connections even.
type Group struct {
	Loops []*Loop
}

// An acceptor takes connections from a listening socket for one loop of a group.
type acceptor struct {
	loop   *Loop
	group  *Group
	fd     int
	tag    uint32
	accept *Accept
	timer  timer
	closed bool
}

// Listen makes all loops of the group accept from a listening socket, which it makes non-blocking. The returned function ends that, takes what still waits
// to be accepted (closing would reset it), and closes the descriptor. Any goroutine but a loop's may call it.
func (g *Group) Listen(fd int, accept *Accept) (stop func()) {
	acceptors := make([]*acceptor, len(g.Loops))
	for i, l := range g.Loops {
		a := &acceptor{loop: l, group: g, fd: fd, accept: accept}
		a.timer.owner = a
		acceptors[i] = a
		l.Post(a.watch)
	}
	return func() {
		left := make(chan struct{}, len(acceptors))
		for _, a := range acceptors {
			if !a.loop.Post(func() { a.end(); left <- struct{}{} }) {
				left <- struct{}{}
			}
		}
		for range acceptors {
			<-left
		}
		g.Loops[0].sys.Close(fd, false)
	}
}

func (a *acceptor) watch() {
	if a.closed {
		return
	}
	a.tag = a.loop.add(a.fd, a)
	if errno := a.loop.sys.Watch(a.fd, a.tag, true); errno != 0 {
		a.accept.Paused(errno)
		a.pause()
	}
}

func (a *acceptor) unwatch() {
	a.closed = true
	a.loop.timers.clear(&a.timer)
	if a.loop.sources[a.fd] == source(a) {
		a.loop.sources[a.fd] = nil
		a.loop.sys.Unwatch(a.fd)
	}
}

// closeNow implements source. The descriptor belongs to the group.
func (a *acceptor) closeNow() { a.unwatch() }

// end accepts what waits, for the last time.
func (a *acceptor) end() {
	for !a.closed && a.take() {
	}
	a.unwatch()
}

// onEvent accepts what waits.
func (a *acceptor) onEvent(tag uint32, _ Ready) {
	for n := 0; n < acceptMax && tag == a.tag && a.take(); n++ {
	}
}

// take accepts one connection. It is false if there is none, or none can be taken now.
func (a *acceptor) take() bool {
	fd, peer, errno := a.loop.sys.Accept(a.fd)
	switch errno {
	case 0:
		a.place(fd, peer)
	case syscall.EAGAIN:
		return false
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK:
		a.accept.Paused(errno)
		a.pause()
		return false
	default: // the connection that waited has gone (ECONNABORTED and network errors; accept(2)): take the next
	}
	return true
}

// pause stops accepting for a moment: the event would come again at once.
func (a *acceptor) pause() {
	if a.loop.sources[a.fd] == source(a) {
		a.loop.sources[a.fd] = nil
		a.loop.sys.Unwatch(a.fd)
	}
	a.loop.timers.set(&a.timer, a.loop.now+acceptPause)
}

// expire implements expirer: the pause is over.
func (a *acceptor) expire(time.Duration) { a.watch() }

// place gives a new connection to this loop, or to the one with the fewest if this one has clearly more.
func (a *acceptor) place(fd int, peer netip.AddrPort) {
	best := a.loop
	for _, l := range a.group.Loops {
		if l.conns.Load() < best.conns.Load() {
			best = l
		}
	}
	if a.loop.conns.Load() <= best.conns.Load()+imbalance {
		best = a.loop
	}
	best.conns.Add(1) // before it arrives, so that a burst is spread
	if best == a.loop {
		best.adopt(fd, peer, a.accept)
	} else if !best.Post(func() { best.adopt(fd, peer, a.accept) }) {
		best.conns.Add(-1)
		a.loop.sys.Close(fd, true)
	}
}

// adopt makes an accepted descriptor a connection of l.
func (l *Loop) adopt(fd int, peer netip.AddrPort, accept *Accept) {
	c, errno := l.newConn(fd, peer)
	if errno != 0 {
		l.conns.Add(-1)
		l.sys.Close(fd, true)
		return
	}
	c.counted = true
	c.quiet = true // the handler runs when the first byte is there
	c.handler = accept.Handler(c)
	if c.handler == nil {
		c.close(true)
		return
	}
	c.rest()
}
