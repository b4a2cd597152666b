package loop

import (
	"encoding/binary"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// linux is System by raw system calls. They skip the scheduler's bookkeeping (RawSyscall), which is right only because none of them blocks.
type linux struct {
	epoll   int
	waiting Waiting
	raw     [pollEvents]syscall.EpollEvent
	found   int // events in raw after a poll; owned by Poll

	// WaitNetpoller: file is the epoll descriptor in Go's netpoller. armed is the read deadline that is set on it (zero: none); owned by Poll.
	file  *os.File
	conn  syscall.RawConn
	poll  func(uintptr) bool
	armed time.Time

	woken atomic.Bool // WaitNetpoller: Wake was called

	wake   *os.File // WaitBlocking: an eventfd; a File, so that a late Wake can't write into a descriptor that has been closed and opened again
	wakeFd int
}

// NewSystem opens an epoll instance.
func NewSystem(w Waiting) (System, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	s := &linux{epoll: fd, waiting: w, wakeFd: -1}
	if w == WaitBlocking {
		return s, s.openEventFd()
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	s.file = os.NewFile(uintptr(fd), "epoll")
	if s.conn, err = s.file.SyscallConn(); err != nil {
		return nil, err
	}
	s.poll = func(uintptr) bool { s.found = s.epollWait(0); return s.found > 0 }
	return s, nil
}

func (s *linux) openEventFd() error {
	fd, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return os.NewSyscallError("eventfd2", errno)
	}
	s.wakeFd = int(fd)
	s.wake = os.NewFile(fd, "eventfd")
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(s.epoll, syscall.EPOLL_CTL_ADD, int(fd), &ev))
}

// Poll implements System.
func (s *linux) Poll(events []Event, timeout time.Duration) int {
	switch {
	case timeout == 0:
		s.found = s.epollWait(0)
	case s.waiting == WaitBlocking:
		s.found = s.block(timeout)
	default:
		s.park(timeout)
	}
	return s.translate(events)
}

// park waits on Go's netpoller, which calls s.poll before it waits and again when it is told of an event. BenchmarkEcho.
func (s *linux) park(timeout time.Duration) {
	s.arm(timeout)
	if !s.woken.Load() && s.conn.Read(s.poll) == nil { // woken: Wake may have come before the deadline was set, which undid it
		return
	}
	s.woken.Store(false)
	s.armed = time.Unix(1, 0)
	s.found = s.epollWait(0)
}

// arm sets the deadline of a park if it has to move to an earlier time, or has passed: setting one costs more than parking in vain now and then.
func (s *linux) arm(timeout time.Duration) {
	now := time.Now()
	unset, over := s.armed.IsZero(), s.armed.Before(now)
	at := now.Add(timeout)
	switch {
	case timeout < 0 && !unset && over:
		at = time.Time{}
	case timeout < 0 || !unset && !over && !at.Before(s.armed):
		return
	}
	s.armed = at
	_ = s.file.SetReadDeadline(at)
}

// block waits in the system call, as a thread.
func (s *linux) block(timeout time.Duration) int {
	ms := -1
	if timeout > 0 {
		ms = int((timeout + time.Millisecond - 1) / time.Millisecond)
	}
	n, _, errno := syscall.Syscall6(syscall.SYS_EPOLL_PWAIT, uintptr(s.epoll), uintptr(unsafe.Pointer(&s.raw[0])), pollEvents, uintptr(ms), 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

func (s *linux) epollWait(ms int) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(s.epoll), uintptr(unsafe.Pointer(&s.raw[0])), pollEvents, uintptr(ms), 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

func (s *linux) translate(events []Event) int {
	out := 0
	for i := range s.raw[:s.found] {
		raw := &s.raw[i]
		if int(raw.Fd) == s.wakeFd {
			var count [8]byte
			_, _ = syscall.Read(s.wakeFd, count[:])
			continue
		}
		var r Ready
		if raw.Events&syscall.EPOLLIN != 0 {
			r |= In
		}
		if raw.Events&syscall.EPOLLOUT != 0 {
			r |= Out
		}
		if raw.Events&syscall.EPOLLRDHUP != 0 {
			r |= In | InEnd
		}
		if raw.Events&(syscall.EPOLLERR|syscall.EPOLLHUP) != 0 {
			r |= In | Out | Broken
		}
		if raw.Events&syscall.EPOLLERR != 0 {
			r |= Failed
		}
		events[out] = Event{Fd: int(raw.Fd), Tag: uint32(raw.Pad), Ready: r}
		out++
	}
	return out
}

// Wake implements System.
func (s *linux) Wake() {
	if s.waiting == WaitBlocking {
		one := binary.NativeEndian.AppendUint64(nil, 1)
		_, _ = s.wake.Write(one)
		return
	}
	s.woken.Store(true)
	_ = s.file.SetReadDeadline(time.Unix(1, 0)) // no system call: Go's poller readies the parked goroutine
}

// Start implements System.
func (s *linux) Start(fn func()) { go fn() }

// Watch implements System.
func (s *linux) Watch(fd int, tag uint32, acceptor bool) syscall.Errno {
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | (1 << 31), Fd: int32(fd), Pad: int32(tag)} // 1<<31 is EPOLLET
	if acceptor {
		_ = syscall.SetNonblock(fd, true)   // a raw system call that blocks would stop the loop for good
		ev.Events = syscall.EPOLLIN | 1<<28 // EPOLLEXCLUSIVE
	}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_CTL, uintptr(s.epoll), syscall.EPOLL_CTL_ADD, uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	return errno
}

// Unwatch implements System.
func (s *linux) Unwatch(fd int) {
	var ev syscall.EpollEvent
	_, _, _ = syscall.RawSyscall6(syscall.SYS_EPOLL_CTL, uintptr(s.epoll), syscall.EPOLL_CTL_DEL, uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
}

// Recv implements System.
func (s *linux) Recv(fd int, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), syscall.MSG_DONTWAIT, 0, 0)
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}

// Send implements System.
func (s *linux) Send(fd int, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}

// SendTwo implements System.
func (s *linux) SendTwo(fd int, a, b []byte) (int, syscall.Errno) {
	var vec [2]syscall.Iovec
	vec[0].Base, vec[1].Base = unsafe.SliceData(a), unsafe.SliceData(b)
	vec[0].SetLen(len(a))
	vec[1].SetLen(len(b))
	var msg syscall.Msghdr
	msg.Iov = &vec[0]
	msg.Iovlen = 2
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
		if errno != syscall.EINTR {
			runtime.KeepAlive(a)
			runtime.KeepAlive(b)
			return int(n), errno
		}
	}
}

// Pending implements System.
func (s *linux) Pending(fd int) bool {
	var b [1]byte
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), 1, syscall.MSG_DONTWAIT|syscall.MSG_PEEK, 0, 0)
	return errno != syscall.EAGAIN
}
