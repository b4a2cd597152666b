package systemd

import (
	"syscall"
	"time"
	"unsafe"
)

// monotonic is the clock that systemd compares with its own (CLOCK_MONOTONIC). Go's has no zero that others know.
func monotonic() time.Duration {
	const clockMonotonic = 1
	var now syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0)
	if errno != 0 {
		return 0
	}
	return time.Duration(now.Nano())
}
