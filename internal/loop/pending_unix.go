//go:build unix

package loop

import "syscall"

// nothingPending reports whether a read would block: no byte and no end is waiting.
func nothingPending(fd int) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err == syscall.EAGAIN
}

// failedPending reports whether the peer has reset the connection, or it has failed otherwise: once, since the kernel tells it once.
func failedPending(fd int) bool {
	errno, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	return err == nil && errno != 0
}
