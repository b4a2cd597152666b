//go:build !linux

package listen

import "syscall"

func prepare(string, string, syscall.RawConn) error { return nil }
