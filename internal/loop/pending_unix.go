//go:build unix

package loop

import "syscall"

// nothingPending reports whether a read would block: no byte and no end is waiting.
func nothingPending(fd int) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err == syscall.EAGAIN
}
