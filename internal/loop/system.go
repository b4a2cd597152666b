package loop

import (
	"net/netip"
	"syscall"
	"time"
)

// Waiting says how an idle loop waits for events; docs/adr/0004-how-a-loop-waits.md has the figures.
type Waiting uint8

const (
	// WaitNetpoller parks the loop's goroutine on Go's netpoller, which watches the epoll descriptor: no thread blocks.
	WaitNetpoller Waiting = iota
	// WaitBlocking blocks a thread in epoll_pwait.
	WaitBlocking
)

// WaitingOf is how each of that many loops of one process should wait.
func WaitingOf(loops int) Waiting {
	if loops > 1 {
		return WaitBlocking
	}
	return WaitNetpoller
}

// pollEvents is how many events one Poll takes at most.
const pollEvents = 256

// A System is what a Loop asks of the operating system: epoll and non-blocking sockets, or a simulated network in tests. No call of it blocks, but Poll.
//
//style:allow interface-size one method for each system call; a simulation replaces all of them
type System interface {
	// Poll waits until events come, Wake is called, or timeout (negative: none; 0: do not wait) is over, and fills events. It may return early with none.
	Poll(events []Event, timeout time.Duration) int
	// Wake ends a Poll that waits, or the next one. Any goroutine may call it.
	Wake()
	// Start runs fn on a goroutine of its own.
	Start(fn func())
	// Watch reports events of fd, edge triggered, with tag, until fd is closed. An acceptor's are level triggered and wake one loop only; it is made non-blocking.
	Watch(fd int, tag uint32, acceptor bool) syscall.Errno
	// Unwatch ends Watch.
	Unwatch(fd int)

	// Recv, Send and SendTwo move bytes; EAGAIN means that it would block, n == 0 of Recv that the peer has ended.
	Recv(fd int, p []byte) (n int, errno syscall.Errno)
	Send(fd int, p []byte) (n int, errno syscall.Errno)
	SendTwo(fd int, a, b []byte) (n int, errno syscall.Errno)
	// Pending reports whether a Recv would find something, without taking it.
	Pending(fd int) bool
	// Accept takes a connection from a listening socket.
	Accept(fd int) (conn int, peer netip.AddrPort, errno syscall.Errno)
	// Connect begins a connection ("tcp" or "unix"). An event tells that it has ended (Out, or Broken), and ConnectError how; errno is for what fails at once.
	Connect(network, address string) (fd int, errno syscall.Errno)
	ConnectError(fd int) syscall.Errno
	// LocalAddr is our end of a connection.
	LocalAddr(fd int) netip.AddrPort
	// Shutdown ends our direction. Close closes; with reset it sends RST.
	Shutdown(fd int)
	Close(fd int, reset bool)
	// Pipe opens a pipe for Splice, which moves up to n bytes between a socket and a pipe without copying them through user space.
	Pipe() (r, w int, errno syscall.Errno)
	Splice(from, to, n int) (moved int, errno syscall.Errno)
	// Shut gives the poller's own descriptors back.
	Shut()
}

// An Event is what Poll found out about a descriptor.
type Event struct {
	Fd    int
	Tag   uint32 // as given to Watch: events of a descriptor that has been closed and used again carry another tag
	Ready Ready
}

// Ready is a set of conditions of a descriptor.
type Ready uint8

// The conditions. In and Out stay set until a call would have blocked.
const (
	In     Ready = 1 << iota // bytes, a connection to accept, or an end
	Out                      // room to write
	InEnd                    // the peer will send no more (FIN)
	Broken                   // reset, or closed in both directions
	Failed                   // an error is pending: reset, or timed out
)
