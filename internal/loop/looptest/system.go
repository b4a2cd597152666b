package looptest

import (
	"net/netip"
	"slices"
	"syscall" //style:allow import a simulation of system calls answers with their errors
	"time"

	"sluice/internal/loop"
)

// A System is loop.System on a World, for one loop: run that by Start(l.Run).
type System struct {
	world   *World
	id      int
	watches []*watch // by descriptor less firstFile
	queue   []*watch
	woken   bool
	shut    bool
}

var _ loop.System = (*System)(nil)

// System returns an epoll of its own.
func (w *World) System() *System {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.systems++
	return &System{world: w, id: w.systems}
}

// Fail has calls of Systems fail: before each one fn is asked, and what it answers (a syscall.Errno) is the result. Calls are named as the methods of
// loop.System are. fn must not call the world.
func (w *World) Fail(fn func(call string, fd int) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = fn
}

// enter begins a call: it takes the lock and returns the error that Fail's function wants.
func (s *System) enter(call string, fd int) syscall.Errno {
	w := s.world
	w.mu.Lock()
	w.note(call, s.id, fd)
	if s.shut && call != "Close" {
		misuse(call + " after Shut")
	}
	if w.fault == nil {
		return 0
	}
	errno, _ := w.fault(call, fd).(syscall.Errno)
	return errno
}

// leave ends a call.
func (s *System) leave(n int, errno syscall.Errno) (int, syscall.Errno) {
	s.world.note("", n, int(errno))
	s.world.mu.Unlock()
	return n, errno
}

// Poll implements loop.System: it is where loops give way.
func (s *System) Poll(events []loop.Event, timeout time.Duration) int {
	_ = s.enter("Poll", 0)
	w := s.world
	var ready func() bool
	by := time.Duration(0)
	if timeout != 0 {
		ready = func() bool { return s.woken || len(s.queue) > 0 }
	}
	if timeout > 0 {
		by = w.now + timeout
	}
	_ = w.pause(ready, by)
	s.woken = false
	n, _ := s.leave(s.collect(events), 0)
	return n
}

// collect takes some of the queue, in any order, now and then with an event that tells nothing new.
func (s *System) collect(events []loop.Event) (n int) {
	r := s.world.rand
	if r.IntN(50) == 0 && len(s.watches) > 0 {
		if again := s.watches[r.IntN(len(s.watches))]; again != nil && !again.level {
			again.enqueue()
		}
	}
	r.Shuffle(len(s.queue), func(i, j int) { s.queue[i], s.queue[j] = s.queue[j], s.queue[i] })
	batch := s.queue[:min(len(s.queue), len(events), 1+r.IntN(64))]
	s.queue = slices.Clone(s.queue[len(batch):])
	for _, at := range batch {
		at.queued = false
		ready := s.world.file("Poll", at.fd).ready()
		if ready == 0 {
			continue
		}
		events[n] = loop.Event{Fd: at.fd, Tag: at.tag, Ready: ready}
		n++
		if at.level {
			at.enqueue()
		}
	}
	return n
}

// enqueue notes an edge.
func (at *watch) enqueue() {
	if !at.queued {
		at.queued = true
		at.system.queue = append(at.system.queue, at)
	}
}

// Wake implements loop.System.
func (s *System) Wake() {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	s.woken = true
	w.kick()
}

// Start implements loop.System.
func (s *System) Start(fn func()) { s.world.start(fn) }

// Watch implements loop.System.
func (s *System) Watch(fd int, tag uint32, acceptor bool) syscall.Errno {
	errno := s.enter("Watch", fd)
	if errno == 0 {
		at := &watch{system: s, fd: fd, tag: tag, level: acceptor}
		i := fd - firstFile
		s.watches = slices.Grow(s.watches, max(0, i+1-len(s.watches)))[:max(i+1, len(s.watches))]
		if s.watches[i] != nil {
			misuse("Watch of a descriptor that is watched")
		}
		s.watches[i] = at
		f := s.world.watchedOf(fd)
		f.watches = append(f.watches, at)
		at.enqueue() // what is ready already is an edge
	}
	_, errno = s.leave(0, errno)
	return errno
}

func (w *World) watchedOf(fd int) *watched {
	switch f := w.file("Watch", fd).(type) {
	case *socket:
		return &f.watched
	case *listener:
		return &f.watched
	}
	misuse("Watch of a pipe")
	return nil
}

// Unwatch implements loop.System.
func (s *System) Unwatch(fd int) {
	_ = s.enter("Unwatch", fd)
	f := s.world.watchedOf(fd)
	f.watches = slices.DeleteFunc(f.watches, func(at *watch) bool { return at.system == s && at.drop() })
	s.leave(0, 0)
}

// drop takes a watch out of its epoll.
func (at *watch) drop() bool {
	s := at.system
	s.watches[at.fd-firstFile] = nil
	s.queue = slices.DeleteFunc(s.queue, func(q *watch) bool { return q == at })
	return true
}

func (s *System) socket(call string, fd int) *socket {
	f, ok := s.world.file(call, fd).(*socket)
	if !ok {
		misuse(call + " of what is not a socket")
	}
	return f
}

// Recv implements loop.System.
func (s *System) Recv(fd int, p []byte) (int, syscall.Errno) {
	if errno := s.enter("Recv", fd); errno != 0 {
		return s.leave(-1, errno)
	}
	return s.leave(s.socket("Recv", fd).recv(p))
}

// Send implements loop.System.
func (s *System) Send(fd int, p []byte) (int, syscall.Errno) {
	if errno := s.enter("Send", fd); errno != 0 {
		return s.leave(-1, errno)
	}
	return s.leave(s.socket("Send", fd).send(p))
}

// SendTwo implements loop.System.
func (s *System) SendTwo(fd int, a, b []byte) (int, syscall.Errno) {
	if errno := s.enter("SendTwo", fd); errno != 0 {
		return s.leave(-1, errno)
	}
	f := s.socket("SendTwo", fd)
	n, errno := f.send(a)
	if n == len(a) {
		if more, errno := f.send(b); errno == 0 {
			n += more
		}
	}
	return s.leave(n, errno)
}

// Pending implements loop.System.
func (s *System) Pending(fd int) bool {
	_ = s.enter("Pending", fd)
	f := s.socket("Pending", fd)
	pending := len(f.in) > 0 || f.inEnd || f.dead || f.pending != 0
	s.leave(0, 0)
	return pending
}

// Accept implements loop.System.
func (s *System) Accept(fd int) (int, netip.AddrPort, syscall.Errno) {
	errno := s.enter("Accept", fd)
	l := s.world.file("Accept", fd).(*listener)
	conn := -1
	var peer netip.AddrPort
	if errno == 0 {
		conn, peer, errno = l.accept()
	}
	conn, errno = s.leave(conn, errno)
	return conn, peer, errno
}

func (l *listener) accept() (int, netip.AddrPort, syscall.Errno) {
	if len(l.queue) == 0 {
		return -1, netip.AddrPort{}, syscall.EAGAIN
	}
	fd, errno := l.world.open(l.queue[0])
	if errno != 0 {
		return -1, netip.AddrPort{}, errno
	}
	peer := l.queue[0].remote
	l.queue = l.queue[1:]
	return fd, peer, 0
}

// Connect implements loop.System.
func (s *System) Connect(network, address string) (int, syscall.Errno) {
	if errno := s.enter("Connect", 0); errno != 0 {
		return s.leave(-1, errno)
	}
	fd, _, errno := s.world.connect(network, address)
	return s.leave(fd, errno)
}

// ConnectError implements loop.System.
func (s *System) ConnectError(fd int) syscall.Errno {
	_ = s.enter("ConnectError", fd)
	_, errno := s.leave(0, s.socket("ConnectError", fd).takePending())
	return errno
}

// LocalAddr implements loop.System.
func (s *System) LocalAddr(fd int) netip.AddrPort {
	if fd < 0 {
		return netip.AddrPort{}
	}
	_ = s.enter("LocalAddr", fd)
	defer s.leave(0, 0)
	return s.socket("LocalAddr", fd).local
}

// Shutdown implements loop.System.
func (s *System) Shutdown(fd int) {
	_ = s.enter("Shutdown", fd)
	s.socket("Shutdown", fd).shutdown()
	s.leave(0, 0)
}

// Close implements loop.System.
func (s *System) Close(fd int, reset bool) {
	_ = s.enter("Close", fd)
	s.world.closeFile(fd, reset)
	s.leave(0, 0)
}

// closeFile closes a descriptor, which ends its watches.
func (w *World) closeFile(fd int, reset bool) {
	f := w.file("Close", fd)
	if _, ok := f.(pipeEnd); !ok {
		at := w.watchedOf(fd)
		for _, each := range at.watches {
			each.drop()
		}
		at.watches = nil
	}
	w.files[fd-firstFile] = nil
	f.close(reset)
}

// Pipe implements loop.System.
func (s *System) Pipe() (r, to int, errno syscall.Errno) {
	errno = s.enter("Pipe", 0)
	p := &pipe{}
	if errno == 0 {
		r, errno = s.world.open(pipeEnd{p})
	}
	if errno == 0 {
		if to, errno = s.world.open(pipeEnd{p}); errno != 0 {
			s.world.closeFile(r, false)
		}
	}
	_, errno = s.leave(0, errno)
	return r, to, errno
}

// Splice implements loop.System.
func (s *System) Splice(from, to, n int) (int, syscall.Errno) {
	if errno := s.enter("Splice", from); errno != 0 {
		return s.leave(-1, errno)
	}
	if p, ok := s.world.file("Splice", to).(pipeEnd); ok {
		b := make([]byte, min(n, pipeRoom-len(p.bytes)))
		n, errno := s.socket("Splice", from).recv(b)
		p.bytes = append(p.bytes, b[:max(n, 0)]...)
		return s.leave(n, errno)
	}
	p := s.world.file("Splice", from).(pipeEnd)
	n, errno := s.socket("Splice", to).send(p.bytes[:min(n, len(p.bytes))])
	p.bytes = p.bytes[max(n, 0):]
	return s.leave(n, errno)
}

// Shut implements loop.System.
func (s *System) Shut() {
	_ = s.enter("Shut", 0)
	s.shut = true
	s.leave(0, 0)
}
