package listen

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// A Legacy is one listening socket that was open when the process began.
type Legacy struct {
	// Address is what its former owner calls it, in the form that Open takes. Empty is the one that it is bound to.
	Address string
	// Activated says that the service manager opened it. It keeps a descriptor of its own, so that nobody else can ever bind the address: such a socket is kept
	// open for as long as the process runs, whether a listener uses it or not.
	Activated bool

	fd   int // owned by the Inheritance; -1 once it is closed
	used bool
}

// An Inheritance is the listening sockets that were open when the process began: from the process whose place it takes, or from the service manager. Nil is none.
// Its methods may be called from any goroutine.
type Inheritance struct {
	mu      sync.Mutex
	sockets []*Legacy // guarded by mu, as is what they point to
}

// Inherit takes over the descriptors from first on, one for each of the sockets. Each must be a stream socket that listens; at an error all are closed.
func Inherit(first int, sockets []Legacy) (*Inheritance, error) {
	h := &Inheritance{}
	for i := range sockets {
		s := sockets[i]
		s.fd = first + i
		syscall.CloseOnExec(s.fd)
		h.sockets = append(h.sockets, &s)
	}
	for _, s := range h.sockets {
		if err := s.check(); err != nil {
			h.closeAll()
			return nil, fmt.Errorf("descriptor %d, which was handed over as a listening socket: %w", s.fd, err)
		}
	}
	return h, nil
}

// check finds out where the socket is bound to, and whether it is one that can be accepted from.
func (s *Legacy) check() error {
	if on, err := syscall.GetsockoptInt(s.fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN); err != nil {
		return os.NewSyscallError("getsockopt", err)
	} else if on == 0 {
		return errors.New("it does not listen")
	}
	ln, err := s.listener()
	if err != nil {
		return err
	}
	defer ln.Close()
	if s.Address == "" {
		s.Address = ln.Addr().String()
		if ln.Addr().Network() == "unix" {
			s.Address = "unix:" + s.Address
		}
	}
	return nil
}

// listener returns a listener over a descriptor of its own.
func (s *Legacy) listener() (net.Listener, error) {
	file, err := Duplicate(s.fd)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return net.FileListener(file)
}

// Open returns the inherited socket of that address, or else a new one.
func (h *Inheritance) Open(address string) (*Socket, error) {
	ln, err := h.Listener(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	if ln == nil {
		return Open(address)
	}
	if conn, ok := ln.(syscall.Conn); ok { // who opened it may not have set what connections are to inherit
		if raw, err := conn.SyscallConn(); err == nil {
			_ = prepare(ln.Addr().Network(), "", raw)
		}
	}
	Control(ln, unhush) // an earlier config may have replaced it while others kept it open
	return &Socket{Address: address, ln: ln}, nil
}

// Listener returns a listener over the inherited socket of that address, nil if there is none. Closing it removes no file.
func (h *Inheritance) Listener(address string) (net.Listener, error) {
	if h == nil {
		return nil, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range namesOf(address) {
		for _, s := range h.sockets {
			if s.fd >= 0 && slices.Contains(namesOf(s.Address), name) {
				s.used = true
				return s.listener()
			}
		}
	}
	return nil, nil
}

// namesOf are the addresses of sockets that serve what the config calls address, the best one first.
func namesOf(address string) []string {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return []string{"unix:" + filepath.Clean(path)}
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return []string{address}
	}
	hosts := []string{host}
	switch ip, err := netip.ParseAddr(host); {
	case host == "": // a machine without IPv6 listens on 0.0.0.0 for it
		hosts = []string{"::", "0.0.0.0"}
	case host == "localhost":
		hosts = []string{"127.0.0.1", "::1"}
	case err == nil:
		hosts = []string{ip.Unmap().String()}
	}
	for i := range hosts {
		hosts[i] = net.JoinHostPort(hosts[i], port)
	}
	return hosts
}

// Settle closes the sockets that no listener uses, but those that were activated: they may be used after a reload. It returns the addresses that are not in use.
func (h *Inheritance) Settle() (unused []Legacy) {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.sockets {
		if s.fd < 0 {
			continue
		}
		if !s.used && !h.servedLocked(s.Address) {
			unused = append(unused, Legacy{Address: s.Address, Activated: s.Activated})
		}
		if !s.Activated {
			_ = syscall.Close(s.fd)
			s.fd = -1
		}
	}
	return unused
}

// servedLocked reports whether a socket of that address is in use. The caller must hold h.mu.
func (h *Inheritance) servedLocked(address string) bool {
	return slices.ContainsFunc(h.sockets, func(s *Legacy) bool { return s.used && s.Address == address })
}

// Activated returns duplicates of the sockets that the service manager opened, with their addresses, for a process that takes over. The caller closes them.
func (h *Inheritance) Activated() (addresses []string, files []*os.File, err error) {
	if h == nil {
		return nil, nil, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.sockets {
		if s.fd < 0 || !s.Activated {
			continue
		}
		file, err := Duplicate(s.fd)
		if err != nil {
			return addresses, files, err
		}
		addresses, files = append(addresses, s.Address), append(files, file)
	}
	return addresses, files, nil
}

func (h *Inheritance) closeAll() {
	for _, s := range h.sockets {
		_ = syscall.Close(s.fd)
	}
}

// Duplicate returns a descriptor of its own for a socket. Unlike the File of a net.Listener it leaves the socket non-blocking: that is a property of the socket, which
// several processes may share, and a loop that accepts from a blocking one would stop for good.
func Duplicate(fd int) (*os.File, error) {
	dup, err := duplicate(fd)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(dup), "socket"), nil
}

// DuplicateOf is Duplicate of what is below a net.Listener.
func DuplicateOf(ln net.Listener) (file *os.File, err error) {
	err = within(ln, func(fd int) error { file, err = Duplicate(fd); return err })
	return file, err
}

// within calls do with the descriptor of a listener, which stays open meanwhile.
func within(ln net.Listener, do func(fd int) error) error {
	conn, ok := ln.(syscall.Conn)
	if !ok {
		return fmt.Errorf("%s is not a socket of the system", ln.Addr())
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return err
	}
	return failed
}

func duplicate(fd int) (int, error) {
	syscall.ForkLock.RLock() // no program may start between the two calls: it would keep the socket open
	defer syscall.ForkLock.RUnlock()
	dup, err := syscall.Dup(fd)
	if err != nil {
		return -1, os.NewSyscallError("dup", err)
	}
	syscall.CloseOnExec(dup)
	return dup, nil
}
