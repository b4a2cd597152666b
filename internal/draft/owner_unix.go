//go:build unix

package draft

import (
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives a file the owner of another one, if it has not got it already.
func keepOwner(file *os.File, of fs.FileInfo) error {
	s, ok := of.Sys().(*syscall.Stat_t)
	if !ok || int(s.Uid) == os.Geteuid() && int(s.Gid) == os.Getegid() {
		return nil
	}
	return file.Chown(int(s.Uid), int(s.Gid))
}
