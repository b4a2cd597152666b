//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"
)

// A poller waits on one thread for many sockets and lets each go on when it can: an origin and a load that cost a few microseconds per message,
// so that the side which is not measured is not what holds the other one up. Events are level triggered.
type poller struct {
	epoll    int
	handlers []handler // by descriptor
	scratch  []byte    // what handlers read into; its bytes are dead when the handler returns
	events   []syscall.EpollEvent
}

// A handler is the state of one socket.
type handler interface {
	// ready reads and writes until the socket would block. After an error the poller closes the socket.
	ready(p *poller) error
}

func newPoller() (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &poller{epoll: fd, scratch: make([]byte, 256<<10), events: make([]syscall.EpollEvent, 256)}, nil
}

// add has the handler called when its descriptor is readable.
func (p *poller) add(fd int, h handler) error {
	for len(p.handlers) <= fd {
		p.handlers = append(p.handlers, nil)
	}
	p.handlers[fd] = h
	return syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
}

// watch changes the events that the handler of a descriptor is called for.
func (p *poller) watch(fd int, events uint32) error {
	return syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_MOD, fd, &syscall.EpollEvent{Events: events, Fd: int32(fd)})
}

// turn waits for events and handles them. It returns after the timeout at the latest (to a millisecond); a negative one means never.
// Faults of single sockets go to failed, which may be nil.
func (p *poller) turn(timeout time.Duration, failed func(error)) error {
	wait := -1
	if timeout >= 0 {
		wait = int((timeout + time.Millisecond - 1) / time.Millisecond)
	}
	n, err := syscall.EpollWait(p.epoll, p.events, wait)
	if err != nil && !errors.Is(err, syscall.EINTR) {
		return fmt.Errorf("epoll_wait: %w", err)
	}
	for i := range max(n, 0) {
		fd := int(p.events[i].Fd)
		h := p.handlers[fd]
		if h == nil {
			continue // closed earlier in this turn
		}
		if err := h.ready(p); err != nil {
			p.handlers[fd] = nil
			_ = syscall.Close(fd)
			if failed != nil {
				failed(err)
			}
		}
	}
	return nil
}

// A socket is a non-blocking descriptor with what is still to be written to it.
type socket struct {
	fd      int
	out     []byte // never changed here: it may be shared
	blocked bool   // waiting until it is writable
}

// read returns what is there, up to the size of the scratch buffer; nil if nothing is, io.EOF at the end.
func (s *socket) read(p *poller) ([]byte, error) {
	for {
		n, err := syscall.Read(s.fd, p.scratch)
		switch {
		case err == nil && n == 0:
			return nil, io.EOF
		case err == nil:
			return p.scratch[:n], nil
		case err == syscall.EAGAIN:
			return nil, nil
		case err != syscall.EINTR:
			return nil, err
		}
	}
}

// flush writes what is still to be written and tells whether that was all.
func (s *socket) flush(p *poller) (bool, error) {
	for len(s.out) > 0 {
		n, err := syscall.Write(s.fd, s.out)
		switch {
		case err == nil:
			s.out = s.out[n:]
		case err == syscall.EAGAIN:
			return false, s.block(p, true)
		case err != syscall.EINTR:
			return false, err
		}
	}
	return true, s.block(p, false)
}

// block changes between waiting for readable and waiting for writable.
func (s *socket) block(p *poller, blocked bool) error {
	if s.blocked == blocked {
		return nil
	}
	s.blocked = blocked
	if blocked {
		return p.watch(s.fd, syscall.EPOLLOUT)
	}
	return p.watch(s.fd, syscall.EPOLLIN)
}

// A byteParser takes what it can off the front of the bytes and returns how many that were; 0 means that it needs more of them.
type byteParser func(b []byte) (int, error)

// takeAll feeds bytes to a parser until it wants more than there are. What is left over is held for the next call.
func takeAll(held *[]byte, b []byte, take byteParser) error {
	if len(*held) > 0 {
		*held = append(*held, b...)
		b = *held
	}
	for len(b) > 0 {
		n, err := take(b)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		b = b[n:]
	}
	*held = append((*held)[:0], b...) // may overlap: append moves
	return nil
}
