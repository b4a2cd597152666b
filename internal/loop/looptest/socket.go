package looptest

import (
	"net/netip"
	"slices"
	"syscall" //style:allow import a simulation of system calls answers with their errors
	"time"

	"sluice/internal/loop"
)

// A file is what a descriptor stands for.
type file interface {
	// ready is what an event would tell now.
	ready() loop.Ready
	// close is called when the descriptor is closed.
	close(reset bool)
}

// firstFile is the lowest descriptor of a world: those below are left for the real ones of the process, which nobody may confuse with them.
const firstFile = 1000

// open gives f the lowest free descriptor, as the kernel does.
func (w *World) open(f file) (int, syscall.Errno) {
	if w.used() >= w.limit {
		return -1, syscall.EMFILE
	}
	i := slices.Index(w.files, nil)
	if i < 0 {
		i = len(w.files)
		w.files = append(w.files, nil)
	}
	w.files[i] = f
	return firstFile + i, 0
}

func (w *World) used() (n int) {
	for _, f := range w.files {
		if f != nil {
			n++
		}
	}
	return n
}

// file returns what fd stands for; a descriptor that is not open is a mistake of the caller's.
func (w *World) file(call string, fd int) file {
	if i := fd - firstFile; i >= 0 && i < len(w.files) && w.files[i] != nil {
		return w.files[i]
	}
	misuse(call + " on a descriptor that is not open")
	return nil
}

// Limit sets how many descriptors there may be.
func (w *World) Limit(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limit = n
}

// Open is how many descriptors are open: loops' and actors'.
func (w *World) Open() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.used()
}

// A watch is a file's place in a System's epoll.
type watch struct {
	system *System
	fd     int
	tag    uint32
	level  bool // an acceptor: it stays in the queue while it is ready
	queued bool
}

// A watched is the part of a file that tells its watches about edges.
type watched struct {
	world   *World
	watches []*watch
}

// edge puts the file into the queue of those who watch it: of one of them, if they are acceptors.
func (f *watched) edge() {
	for i, at := range f.world.rand.Perm(len(f.watches)) {
		s := f.watches[at]
		if s.level && i > 0 {
			return
		}
		s.enqueue()
	}
}

// A socket is one end of a connection.
type socket struct {
	watched
	local, remote netip.AddrPort
	peer          *socket
	in            []byte
	room          int           // bytes that may be on the way or unread by the peer
	sent          int           // bytes that are
	last          time.Duration // when the last of them arrives
	pending       syscall.Errno // what the next call answers
	connecting    bool
	full          bool // a write has found no room: its return is an edge
	inEnd, outEnd bool // FIN received, sent
	dead          bool // reset
	closed        bool // no descriptor stands for it any more
}

func (s *socket) ready() loop.Ready {
	if s.connecting {
		return 0
	}
	r := loop.Ready(0)
	if len(s.in) > 0 {
		r |= loop.In
	}
	if s.writable() {
		r |= loop.Out
	} else {
		s.full = true
	}
	if s.inEnd {
		r |= loop.In | loop.InEnd
	}
	if s.dead || s.inEnd && s.outEnd {
		r |= loop.In | loop.Out | loop.InEnd | loop.Broken
	}
	if s.dead {
		r |= loop.Failed
	}
	return r
}

// writable is true when so much room has come back that it is worth an event.
func (s *socket) writable() bool { return s.room-s.sent >= max(s.room/3, 1) }

func (s *socket) recv(p []byte) (int, syscall.Errno) {
	switch {
	case len(s.in) > 0:
		n := copy(p, s.in)
		s.take(n)
		return n, 0
	case s.pending != 0:
		return -1, s.takePending()
	case s.inEnd || s.dead:
		return 0, 0
	}
	return -1, syscall.EAGAIN
}

// take removes n bytes that have been read, which gives the peer room.
func (s *socket) take(n int) {
	s.in = s.in[n:]
	p := s.peer
	p.sent -= n
	if p.full && p.writable() {
		p.full = false
		p.edge()
	}
}

func (s *socket) takePending() syscall.Errno {
	e := s.pending
	s.pending = 0
	return e
}

func (s *socket) send(p []byte) (int, syscall.Errno) {
	switch {
	case s.pending != 0:
		return -1, s.takePending()
	case s.dead || s.outEnd:
		return -1, syscall.EPIPE
	case s.connecting || s.sent >= s.room:
		s.full = true
		return -1, syscall.EAGAIN
	}
	n := min(len(p), s.room-s.sent)
	s.full = n < len(p)
	s.sent += n
	for rest := p[:n]; len(rest) > 0; {
		k := min(len(rest), n/pieces+1+s.world.rand.IntN(s.world.segment()))
		s.fly(flight{bytes: append([]byte(nil), rest[:k]...)})
		rest = rest[k:]
	}
	return n, 0
}

// pieces is how many a write travels in at most.
const pieces = 40

// segment returns the largest size of the pieces that the next write travels in: small ones now and then.
func (w *World) segment() int {
	return []int{3, 100, 1460, 1 << 16}[w.rand.IntN(4)]
}

func (s *socket) shutdown() {
	if !s.outEnd && !s.dead {
		s.outEnd = true
		s.fly(flight{end: true})
	}
}

func (s *socket) close(reset bool) {
	s.closed = true
	switch {
	case s.dead || s.peer == nil:
	case reset || len(s.in) > 0: // unread bytes: the kernel resets
		s.dead = true
		s.fly(flight{reset: true})
	default:
		s.shutdown()
	}
}

// die is the arrival of a reset.
func (s *socket) die(why syscall.Errno) {
	if s.dead {
		return
	}
	s.dead, s.inEnd, s.pending = true, true, why
	s.edge()
}

// A flight is something on its way through the network.
type flight struct {
	at    time.Duration
	to    *socket
	bytes []byte
	end   bool   // FIN
	reset bool   // RST
	then  func() // or a step of a handshake
}

// fly sends f to the peer; what one end sends arrives in order.
func (s *socket) fly(f flight) {
	w := s.world
	f.to = s.peer
	f.at = max(s.last, w.now+w.latency())
	s.last = f.at
	w.launch(f)
}

// latency is mostly none, so that several things happen in one turn of a loop.
func (w *World) latency() time.Duration {
	if w.rand.IntN(4) > 0 {
		return 0
	}
	return time.Duration(w.rand.IntN(3000)) * time.Microsecond
}

// launch keeps flights in the order of their arrival.
func (w *World) launch(f flight) {
	i, _ := slices.BinarySearchFunc(w.flights, f.at+1, func(g flight, at time.Duration) int { return int(g.at - at) })
	w.flights = slices.Insert(w.flights, i, f)
}

func (w *World) nextFlight() time.Duration {
	if len(w.flights) == 0 {
		return 0
	}
	return max(w.flights[0].at, 1)
}

// arrive lands what is due.
func (w *World) arrive() {
	for len(w.flights) > 0 && w.flights[0].at <= w.now {
		f := w.flights[0]
		w.flights = w.flights[1:]
		if f.then != nil {
			f.then()
			continue
		}
		f.to.receive(f)
	}
}

func (s *socket) receive(f flight) {
	switch {
	case f.reset:
		s.die(syscall.ECONNRESET)
	case s.dead:
	case f.end:
		s.inEnd = true
		s.edge()
	case s.closed: // nobody will ever read it
		s.dead = true
		s.peer.die(syscall.ECONNRESET)
	default:
		s.in = append(s.in, f.bytes...)
		s.edge()
	}
}

// A listener is a listening socket.
type listener struct {
	watched
	address string
	queue   []*socket
	backlog int
}

func (l *listener) ready() loop.Ready {
	if len(l.queue) > 0 {
		return loop.In
	}
	return 0
}

func (l *listener) close(bool) {
	delete(l.world.listeners, l.address)
	for _, s := range l.queue {
		s.close(true)
	}
}

// listen opens a listening socket.
func (w *World) listen(address string) (int, *listener) {
	if w.listeners[address] != nil {
		misuse(address + " is in use")
	}
	l := &listener{watched: watched{world: w}, address: address, backlog: 128}
	fd, errno := w.open(l)
	if errno != 0 {
		misuse("no descriptor left for a listener")
	}
	w.listeners[address] = l
	return fd, l
}

// Listen opens a listening socket for Group.Listen. address is "ip:port" or the name of a Unix socket.
func (w *World) Listen(address string) (fd int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fd, _ = w.listen(address)
	return fd
}

// Dark makes an address one that answers nothing, or ends that.
func (w *World) Dark(address string, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dark[address] = on
}

// connect begins a connection to address.
func (w *World) connect(network, address string) (int, *socket, syscall.Errno) {
	s := &socket{watched: watched{world: w}, room: w.roomSize(), connecting: true}
	if network == "unix" {
		if errno := w.joinUnix(s, address); errno != 0 {
			return -1, nil, errno
		}
	} else {
		remote, err := netip.ParseAddrPort(address)
		if err != nil {
			return -1, nil, syscall.EINVAL
		}
		w.port++
		s.remote, s.local = remote, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), w.port)
		w.launch(flight{at: w.now + w.latency(), then: func() { w.synArrives(s, address) }})
	}
	fd, errno := w.open(s)
	if errno != 0 {
		s.close(true)
		return -1, nil, errno
	}
	return fd, s, 0
}

func (w *World) joinUnix(s *socket, address string) syscall.Errno {
	l := w.listeners[address]
	switch {
	case l == nil:
		return syscall.ECONNREFUSED
	case len(l.queue) >= l.backlog:
		return syscall.EAGAIN
	}
	l.join(s)
	s.connecting = false
	return 0
}

// roomSize is the size of a socket's buffers: small ones now and then.
func (w *World) roomSize() int {
	return []int{300, 3 << 10, 16 << 10, 200 << 10}[w.rand.IntN(4)]
}

func (w *World) synArrives(s *socket, address string) {
	l := w.listeners[address]
	switch {
	case s.closed || w.dark[address] || l != nil && len(l.queue) >= l.backlog:
		return
	case l == nil:
		w.launch(flight{at: w.now + w.latency(), then: func() { s.connecting = false; s.die(syscall.ECONNREFUSED) }})
		return
	}
	l.join(s)
	w.launch(flight{at: w.now + w.latency(), then: func() {
		s.connecting = false
		s.edge()
	}})
}

// join makes the other end of s and queues it.
func (l *listener) join(s *socket) {
	p := &socket{watched: watched{world: l.world}, room: l.world.roomSize(), local: s.remote, remote: s.local, peer: s}
	s.peer = p
	l.queue = append(l.queue, p)
	l.edge()
}

// A pipe is what Splice moves bytes through.
type pipe struct{ bytes []byte }

// pipeRoom is how many bytes a pipe holds.
const pipeRoom = 64 << 10

// A pipeEnd is one of the two descriptors of a pipe.
type pipeEnd struct{ *pipe }

func (pipeEnd) ready() loop.Ready { return 0 }
func (pipeEnd) close(bool)        {}
