package loop

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"
)

// Accept implements System. TCP_NODELAY and keep-alive are inherited from the listening socket, so that a connection costs one system call.
func (s *linux) Accept(fd int) (int, netip.AddrPort, syscall.Errno) {
	var sa syscall.RawSockaddrAny
	size := uint32(syscall.SizeofSockaddrAny)
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)),
			syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0, 0)
		if errno != syscall.EINTR {
			return int(n), addrPort(&sa), errno
		}
	}
}

// LocalAddr implements System.
func (s *linux) LocalAddr(fd int) netip.AddrPort {
	var sa syscall.RawSockaddrAny
	size := uint32(syscall.SizeofSockaddrAny)
	_, _, errno := syscall.RawSyscall(syscall.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return netip.AddrPort{}
	}
	return addrPort(&sa)
}

// addrPort reads a socket address; IPv4 addresses mapped into IPv6 come out as IPv4. Unix sockets have none.
func addrPort(sa *syscall.RawSockaddrAny) netip.AddrPort {
	switch sa.Addr.Family {
	case syscall.AF_INET:
		in := (*syscall.RawSockaddrInet4)(unsafe.Pointer(sa)) // the kernel says by Family which struct it wrote
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), port(&in.Port))
	case syscall.AF_INET6:
		in := (*syscall.RawSockaddrInet6)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom16(in.Addr).Unmap(), port(&in.Port))
	}
	return netip.AddrPort{}
}

// port reads a port that is in network byte order in memory.
func port(p *uint16) uint16 {
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(p))[:])
}

// Connect implements System.
func (s *linux) Connect(network, address string) (int, syscall.Errno) {
	family, sa, errno := sockaddr(network, address)
	if errno != 0 {
		return -1, errno
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, asErrno(err)
	}
	if family != syscall.AF_UNIX {
		_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	}
	if err := syscall.Connect(fd, sa); err != nil && err != syscall.EINPROGRESS {
		_ = syscall.Close(fd)
		return -1, asErrno(err)
	}
	return fd, 0
}

func sockaddr(network, address string) (family int, sa syscall.Sockaddr, errno syscall.Errno) {
	if network == "unix" {
		return syscall.AF_UNIX, &syscall.SockaddrUnix{Name: address}, 0
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return 0, nil, syscall.EINVAL
	}
	if a := ap.Addr().Unmap(); a.Is4() {
		return syscall.AF_INET, &syscall.SockaddrInet4{Port: int(ap.Port()), Addr: a.As4()}, 0
	}
	return syscall.AF_INET6, &syscall.SockaddrInet6{Port: int(ap.Port()), Addr: ap.Addr().As16()}, 0
}

func asErrno(err error) syscall.Errno {
	if e, ok := err.(syscall.Errno); ok {
		return e
	}
	return syscall.EINVAL
}

// ConnectError implements System.
func (s *linux) ConnectError(fd int) syscall.Errno {
	v, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	if err != nil {
		return asErrno(err)
	}
	return syscall.Errno(v)
}

// Shutdown implements System.
func (s *linux) Shutdown(fd int) {
	_, _, _ = syscall.RawSyscall(syscall.SYS_SHUTDOWN, uintptr(fd), syscall.SHUT_WR, 0)
}

// Close implements System.
func (s *linux) Close(fd int, reset bool) {
	if reset {
		_ = syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1, Linger: 0})
	}
	_, _, _ = syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0)
}

// Pipe implements System.
func (s *linux) Pipe() (r, w int, errno syscall.Errno) {
	var p [2]int
	if err := syscall.Pipe2(p[:], syscall.O_NONBLOCK|syscall.O_CLOEXEC); err != nil {
		return 0, 0, asErrno(err)
	}
	// Fails without harm where the user has used up his pages for pipes: the pipe stays at 64 KiB.
	const setPipeSize = 1031 // F_SETPIPE_SZ
	_, _, _ = syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(p[1]), setPipeSize, pipeBytes)
	return p[0], p[1], 0
}

// Splice implements System.
func (s *linux) Splice(from, to, n int) (int, syscall.Errno) {
	const move, nonblock = 1, 2 // SPLICE_F_MOVE, SPLICE_F_NONBLOCK
	for {
		moved, _, errno := syscall.RawSyscall6(syscall.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(n), move|nonblock)
		if errno != syscall.EINTR {
			return int(moved), errno
		}
	}
}

// Shut implements System.
func (s *linux) Shut() {
	if s.file != nil {
		_ = s.file.Close()
		return
	}
	_ = s.wake.Close()
	_ = syscall.Close(s.epoll)
}
