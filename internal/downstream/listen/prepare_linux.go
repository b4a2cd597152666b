package listen

import "syscall"

// prepare sets what accepted connections inherit, so that a connection needs no system call for it: no delay, and probes that find dead peers after five minutes.
func prepare(network, _ string, c syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	return c.Control(func(fd uintptr) {
		const tcpKeepIdle, tcpKeepIntvl, tcpKeepCnt = 4, 5, 6
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpKeepIdle, 120)
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpKeepIntvl, 30)
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpKeepCnt, 6)
	})
}
