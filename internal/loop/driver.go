// Package loop is who waits: it runs protocol code, written as straight-line blocking Go, on one of two drivers.
//
// A Loop is an epoll loop (Linux), one for each core. Each active exchange is a task, a pooled coroutine (iter.Pull): when its socket would block, the
// task notes what it waits for and yields to the loop, which resumes it at the event or at the deadline. A connection between exchanges is quiet: it
// holds no task and no buffer. Goroutines is the same over ordinary goroutines and net.Conn, for other systems, tests and HTTP/3's streams.
//
// A Loop owns its connections, timers and tasks; nothing of it is touched by others but its mail. The package knows no protocol.
package loop

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"sluice/internal/buf"
)

// Errors of waits. A deadline that passed is os.ErrDeadlineExceeded.
var (
	// ErrQuiet is answered by Read of a quiet connection that has no byte: return from Serve, which is called again at the next byte.
	ErrQuiet error = quietError{}
	// ErrStopped is answered by all waits once the driver stops.
	ErrStopped = errors.New("the loop has stopped")
	// ErrDraining is answered by Read of a quiet connection that has no byte, when the driver drains: close it.
	ErrDraining = errors.New("the loop drains: no further exchange on this connection")
	// ErrPeerGone is answered by Read, Dial and WaitFor when the connection that they watch has been reset.
	ErrPeerGone = errors.New("the watched connection has been reset")
)

// IsTimeout reports whether err says that a deadline has passed.
func IsTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// IsExhausted reports whether err says that the process or the machine is out of descriptors, ports or memory.
func IsExhausted(err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return false
	}
	switch errno {
	case syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM:
		return true
	}
	return false
}

// IsQueueFull reports whether err says that a Unix socket has as many connections waiting as it may have. Nothing tells when there is room.
func IsQueueFull(err error) bool { return errors.Is(err, syscall.EAGAIN) }

// quietError is temporary, so that crypto/tls keeps its state for it.
type quietError struct{}

func (quietError) Error() string   { return "no byte yet; the connection is quiet" }
func (quietError) Temporary() bool { return true }
func (quietError) Timeout() bool   { return true }

// A Driver runs tasks and makes them wait. There are two: Loop (coroutines on epoll) and Goroutines (plain goroutines over net.Conn).
// All tasks of a Loop run one at a time; those of Goroutines run in parallel.
//
// Two rules for code in tasks: never hold a lock across a wait (Read, Write, Signal.Wait, Offload), and offload what may block or
// burn more than about 100 µs.
//
//style:allow interface-size it is the whole of what an engine offers; a task needs all of it
type Driver interface {
	// ID is the driver's number among those of the process, from 0: which shard of per-loop state is its own.
	ID() int
	// Now is a monotonic clock, read once per turn of a loop. It starts above zero, so that zero can mean never.
	Now() time.Duration
	// Time is the wall clock of Now.
	Time() time.Time
	// Go starts a second task on the same driver. It runs when the caller waits.
	Go(task func())
	// Offload runs fn on an ordinary goroutine, where it may block; the task waits, others go on. fn must not touch what belongs to the loop.
	// It answers ErrStopped if the driver stops first; fn may still be running then. A panic of fn is one of the task.
	Offload(fn func()) error
	// Dial connects to an address ("tcp" or "unix"; TCP addresses are literal IP:port) by the deadline, an instant of Now. The connection watches the one that it is
	// made for, which may be nil: ErrPeerGone says that it has been reset meanwhile.
	Dial(network, address string, by time.Duration, watched Conn) (Conn, error)
	// NewSignal returns a Signal for tasks of this driver.
	NewSignal() *Signal
	// Buffers is where tasks take blocks from.
	Buffers() *buf.Pool
	// Draining is true once no further exchange should begin on a connection after the present one.
	Draining() bool
}

// A Conn is a connection as protocol code sees it, on either driver. Only tasks of its driver use it; one may read while another one writes.
//
//style:allow interface-size a connection is one thing; splitting it would make type assertions on the hot path
type Conn interface {
	net.Conn // deadlines by wall clock are for crypto/tls; protocol code uses ReadBy and WriteBy

	// ReadBy and WriteBy set until when a wait may last, an instant of Driver.Now; 0 means for ever. An instant in the past ends a wait that is under way.
	ReadBy(at time.Duration)
	WriteBy(at time.Duration)
	// WriteStall bounds how long a wait of a write may last without the peer taking a byte, whatever is left to be written; 0 is no bound. It holds until the next
	// call. WriteBy bounds the wait as a whole.
	WriteStall(after time.Duration)
	// Quiet says whether the connection is between exchanges: then Read answers ErrQuiet (Loop only) or ErrDraining instead of waiting on.
	Quiet(on bool)
	// Await waits until Read would not wait, without holding a buffer; on a quiet connection it answers what Read would. Goroutines returns at once: its Read
	// waits.
	Await() error
	// Writev writes a, then b, as one. Like Write it returns when all is written or an error came.
	Writev(a, b []byte) (int64, error)
	// CloseWrite sends FIN; reading goes on.
	CloseWrite() error
	// Reset closes the connection with RST, so that the peer can see that something is missing.
	Reset()
	// Watch makes this connection's Read answer ErrPeerGone once other has been reset by its peer (not when it was half-closed). Nil ends it.
	Watch(other Conn)
	// Handle names who serves the connection when it is quiet and a byte, its end or its deadline comes: an idle origin connection is dropped that way.
	Handle(h Handler)
	// Alive reports whether an idle connection can be used again: not closed by the peer, and no byte unasked for.
	Alive() bool
	// Splice moves what src has, at most n bytes, to this connection within the kernel, and waits until all of it is written. If src has nothing it waits for the
	// first byte and moves nothing: so the caller can set WriteBy for the bytes when they are there. errors.ErrUnsupported says that nothing has moved and that
	// it can't be done between these two; fromSrc tells a read error from a write error.
	Splice(src Conn, n int64) (moved int64, fromSrc bool, err error)
	// Peer and Local are the connection's addresses; zero for Unix sockets.
	Peer() netip.AddrPort
	Local() netip.AddrPort
	// Driver is who runs the connection's tasks.
	Driver() Driver
}

// A Handler serves one connection. Serve runs in a task when the first byte has come and, after Read has answered ErrQuiet, at each next byte, end, deadline,
// drain or stop. Before it returns it closes the connection or leaves it quiet, with a deadline to come and all read that was there: else it runs again at once.
// When it panics the connection is reset; what must be undone then is in its own defers, and so is what another task waits for.
type Handler interface {
	Serve()
}

// Run has fn run on the driver, soon, outside any task: it must not wait. Any goroutine may call it.
func Run(d Driver, fn func()) {
	if l, ok := d.(*Loop); ok {
		l.Post(fn)
		return
	}
	fn()
}
