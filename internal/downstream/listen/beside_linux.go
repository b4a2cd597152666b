package listen

import (
	"net"
	"syscall"
)

// reusePort is SO_REUSEPORT, which package syscall does not name on every architecture.
const reusePort = 15

// OpenBeside is Open for a port on which this process listens at a wider or narrower address, which is about to be given up. The kernel allows that to sockets that
// share the port (Share), and gives connections to the one with the narrower address.
func OpenBeside(address string) (*Socket, error) {
	s, err := openWith(address, net.ListenConfig{KeepAlive: -1, Control: func(network, address string, c syscall.RawConn) error {
		if err := c.Control(func(fd uintptr) { Share(int(fd), true) }); err != nil {
			return err
		}
		return prepare(network, address, c)
	}})
	if err == nil {
		Control(s.ln, func(fd int) { Share(fd, false) })
	}
	return s, err
}

// Share says whether others may listen on the port of a socket, too. It is on only for the moment of OpenBeside: else a second process would start unnoticed, and get
// a part of the connections.
func Share(fd int, on bool) {
	value := 0
	if on {
		value = 1
	}
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, reusePort, value) // OpenBeside says what comes of a failure
}

// Hush makes a listening socket deaf to connections that begin from now on: the kernel drops their SYN, and the client sends another one a second later. Those that
// are being made come to their end and can be accepted.
func Hush(fd int) {
	const flags, syn = 13, 2 // of a TCP header
	filter := []syscall.SockFilter{
		{Code: syscall.BPF_LD | syscall.BPF_B | syscall.BPF_ABS, K: flags},
		{Code: syscall.BPF_JMP | syscall.BPF_JSET | syscall.BPF_K, Jf: 1, K: syn},
		{Code: syscall.BPF_RET | syscall.BPF_K},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: 1<<32 - 1},
	}
	_ = syscall.AttachLsf(fd, filter) //lint:ignore SA1019 what it names instead makes filters and attaches none
}

// unhush undoes Hush.
func unhush(fd int) {
	_ = syscall.DetachLsf(fd) //lint:ignore SA1019 as above; an error says that there is no filter
}
