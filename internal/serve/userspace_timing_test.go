package serve_test

import (
	"fmt"
	"log/slog"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"sluice/internal/loop"
)

// listenerFd is the only listening socket of a memory; connections have the descriptors after it.
const listenerFd = 0

// A memory is a loop.System without a kernel: each client asks again as soon as it has its response, and each origin answers at once. What is measured over it
// is what the proxy itself adds to the system calls. All but budget's hand-over belongs to the loop.
type memory struct {
	clients  int // still to be accepted
	sockets  []memorySocket
	ready    []loop.Event // for the next Poll
	request  []byte
	response []byte
	message  []byte   // what goes through the tunnel once the response has come; nil: there is no tunnel
	budget   int      // requests that may still be sent
	waiting  []int    // clients that would send one
	sample   string   // share that is traced; "" for no tracing
	grant    chan int // more budget; closed at the end
	idle     chan struct{}
}

type memorySocket struct {
	tag    uint32
	client bool
	tunnel bool
	input  []byte
}

func (m *memory) event(fd int, r loop.Ready) {
	m.ready = append(m.ready, loop.Event{Fd: fd, Tag: m.sockets[fd].tag, Ready: r})
}

func (m *memory) ask(fd int) {
	if m.budget == 0 {
		m.waiting = append(m.waiting, fd)
		return
	}
	m.budget--
	m.arrive(fd, m.request)
}

// arrive has a socket receive its first input, or, once that has made it a tunnel, a message.
func (m *memory) arrive(fd int, first []byte) {
	s := &m.sockets[fd]
	s.input = first
	if s.tunnel {
		s.input = m.message
	}
	s.tunnel = m.message != nil
	m.event(fd, loop.In|loop.Out)
}

func (m *memory) Poll(events []loop.Event, timeout time.Duration) int {
	for len(m.ready) == 0 {
		if timeout == 0 {
			return 0
		}
		m.idle <- struct{}{}
		m.budget = <-m.grant
		waiting := m.waiting
		m.waiting = nil
		for _, fd := range waiting {
			m.ask(fd)
		}
		if m.budget < 0 {
			return 0 // the end
		}
	}
	n := copy(events, m.ready)
	m.ready = m.ready[:copy(m.ready, m.ready[n:])]
	return n
}

func (m *memory) Wake()           {}
func (m *memory) Start(fn func()) { go fn() }

func (m *memory) Watch(fd int, tag uint32, acceptor bool) syscall.Errno {
	m.sockets[fd].tag = tag
	switch {
	case acceptor:
		m.event(fd, loop.In)
	case m.sockets[fd].client:
		m.ask(fd)
	default:
		m.event(fd, loop.Out) // connected
	}
	return 0
}

func (m *memory) Recv(fd int, p []byte) (int, syscall.Errno) {
	s := &m.sockets[fd]
	if len(s.input) == 0 {
		return 0, syscall.EAGAIN
	}
	n := copy(p, s.input)
	s.input = s.input[n:]
	return n, 0
}

func (m *memory) Send(fd int, p []byte) (int, syscall.Errno) {
	if m.sockets[fd].client {
		m.ask(fd)
	} else {
		m.arrive(fd, m.response)
	}
	return len(p), 0
}

func (m *memory) SendTwo(fd int, a, b []byte) (int, syscall.Errno) {
	_, _ = m.Send(fd, a)
	return len(a) + len(b), 0
}

func (m *memory) Accept(int) (int, netip.AddrPort, syscall.Errno) {
	if m.clients == 0 {
		return 0, netip.AddrPort{}, syscall.EAGAIN
	}
	m.clients--
	m.sockets = append(m.sockets, memorySocket{client: true})
	return len(m.sockets) - 1, netip.MustParseAddrPort("192.0.2.7:4711"), 0
}

func (m *memory) Connect(string, string) (int, syscall.Errno) {
	m.sockets = append(m.sockets, memorySocket{})
	return len(m.sockets) - 1, 0
}

func (m *memory) Pending(fd int) bool                       { return len(m.sockets[fd].input) > 0 }
func (m *memory) ConnectError(int) syscall.Errno            { return 0 }
func (m *memory) LocalAddr(int) netip.AddrPort              { return netip.AddrPort{} }
func (m *memory) Pipe() (int, int, syscall.Errno)           { return 0, 0, syscall.ENOSYS }
func (m *memory) Splice(int, int, int) (int, syscall.Errno) { return 0, syscall.ENOSYS }
func (m *memory) Unwatch(int)                               {}
func (m *memory) Shutdown(int)                              {}
func (m *memory) Close(int, bool)                           {}
func (m *memory) Shut()                                     {}

const (
	upgradeRequest  = "GET /echo HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	upgradeResponse = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
)

// BenchmarkUserSpace is what an exchange costs in the proxy itself, without any system call. With a thousand connections the processor's caches hold little
// of what an exchange comes back to. A tunnel's figure is for a message and its echo.
func BenchmarkUserSpace(b *testing.B) {
	response := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n%01024d", 0)
	for _, clients := range []int{1, 64, 1000} {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) {
			benchmarkMemory(b, &memory{clients: clients, request: []byte(getRequest), response: response})
		})
	}
	for _, sample := range []string{"0%", "1%", "100%"} {
		b.Run("traced="+sample, func(b *testing.B) {
			benchmarkMemory(b, &memory{clients: 64, request: []byte(getRequest), response: response, sample: sample})
		})
	}
	b.Run("tunnels=64", func(b *testing.B) {
		benchmarkMemory(b, &memory{clients: 64, request: []byte(upgradeRequest), response: []byte(upgradeResponse), message: make([]byte, 100)})
	})
}

// benchmarkMemory has the clients of m send b.N requests or messages in all.
func benchmarkMemory(b *testing.B, m *memory) {
	clients := m.clients
	m.sockets, m.grant, m.idle = make([]memorySocket, 1, 1+2*clients), make(chan int), make(chan struct{})
	l := loop.New(0, m, loop.SystemClock{}, slog.New(slog.DiscardHandler))
	server := newServer(b, "192.0.2.1:80", m.sample)
	group := loop.Group{Loops: []*loop.Loop{l}}
	group.Listen(listenerFd, &loop.Accept{
		Handler: func(c loop.Conn) loop.Handler { return server.Handler(c, ":80", nil) }, Paused: func(err error) { b.Error(err) },
	})
	go l.Run()
	<-m.idle
	m.grant <- 10 * clients // connections to the origin, and warm pools
	<-m.idle
	b.ReportAllocs()
	b.ResetTimer()
	m.grant <- b.N
	<-m.idle
	b.StopTimer()
	go l.Stop()
	m.grant <- -1
}
