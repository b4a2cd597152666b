//go:build linux || darwin

package app

import (
	"math"
	"syscall"
)

// descriptorsMax is how many descriptors the process may have open; 0 if that is not known. Go has raised the limit to one
// below its hard maximum before main (package syscall).
func descriptorsMax() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(min(limit.Cur, math.MaxInt32))
}
