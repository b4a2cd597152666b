package admin

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Bounds of the socket.
const (
	socketMode  = 0o600
	folderMode  = 0o700
	pathBytes   = 107 // what Linux takes for a socket's path
	dialTimeout = time.Second
)

// DefaultSocket returns where the socket is if no setting says otherwise: in the runtime directory of the system for root, of the user for others; where
// there is none, in a folder of the user's own among the temporary files.
func DefaultSocket() string {
	const name = "admin.sock"
	if os.Getuid() == 0 {
		return filepath.Join("/run/sluice", name)
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "sluice", name)
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("sluice-%d", os.Getuid()), name)
}

// listenUnix listens on a socket at path that only its user can connect to. What is left of a dead process is replaced; a socket that somebody answers, and
// anything that is no socket, is an error. makeFolder allows it to make the folder, which must be the user's own.
func listenUnix(path string, makeFolder bool) (net.Listener, error) {
	folder := filepath.Dir(path)
	if makeFolder {
		if err := ownFolder(folder); err != nil {
			return nil, err
		}
	}
	if err := mustBeFree(path); err != nil {
		return nil, err
	}
	// Bound in a folder that nobody else can enter and moved into place when its mode is right: at no moment can others connect, and whoever looks at path
	// finds the old socket or the new one. Not umask: it belongs to the whole process.
	hidden, err := os.MkdirTemp(folder, ".s")
	if err != nil {
		return nil, err
	}
	defer os.Remove(hidden)
	bound := filepath.Join(hidden, "s")
	if n := max(len(path), len(bound)); n > pathBytes {
		return nil, fmt.Errorf("%s: the path of a Unix socket can't be longer than %d bytes", path, pathBytes-(n-len(path)))
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: bound, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(bound, socketMode), os.Rename(bound, path)); err != nil {
		l.Close()
		os.Remove(bound)
		return nil, err
	}
	mine, err := os.Lstat(path)
	if err != nil {
		l.Close()
		return nil, err
	}
	return &unixListener{Listener: l, path: path, mine: mine}, nil
}

// ownFolder makes the folder or checks that it is nobody else's: in a folder that others can write to they could put a socket of their own in our place.
func ownFolder(folder string) error {
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(folder, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(folder)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", folder)
	case !ownedByUser(info):
		return fmt.Errorf("%s belongs to another user", folder)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s can be written to by other users", folder)
	}
	return nil
}

// mustBeFree returns an error unless path is free or holds the socket of a dead process.
func mustBeFree(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and is not a socket", path)
	}
	conn, err := net.DialTimeout("unix", path, dialTimeout)
	switch {
	case err == nil:
		conn.Close()
		return fmt.Errorf("%s: another process answers on this socket", path)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil // nobody listens
	}
	return fmt.Errorf("%s: can't tell whether another process uses it: %w", path, err)
}

// A unixListener removes its socket when it is closed, unless another one has taken its place. Its address is the path it was moved to.
type unixListener struct {
	net.Listener
	path string
	mine fs.FileInfo
	once sync.Once
}

// Addr implements net.Listener.
func (l *unixListener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// Close implements net.Listener.
func (l *unixListener) Close() error {
	l.once.Do(func() {
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.mine) {
			os.Remove(l.path)
		}
	})
	return l.Listener.Close()
}

// open listens at the address.
func (at address) open() (net.Listener, error) {
	if at.network == "unix" {
		return listenUnix(at.where, at.private)
	}
	if _, _, err := net.SplitHostPort(at.where); err != nil {
		return nil, fmt.Errorf("%q is neither a path nor host:port", at.where)
	}
	return net.Listen("tcp", at.where)
}

// encryption returns the settings of TLS, nil if there is none.
func (at address) encryption() (*tls.Config, error) {
	if at.cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(at.cert, at.key)
	if err != nil {
		return nil, fmt.Errorf("certificate of the admin server: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}}, nil
}

// limited lets only so many connections be open at once; further ones wait in the socket's queue.
type limited struct {
	net.Listener
	free chan struct{} // holds a token for each open connection
	done chan struct{}
	once sync.Once
}

func newLimited(l net.Listener, most int) *limited {
	return &limited{Listener: l, free: make(chan struct{}, most), done: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &counted{Conn: c, free: l.free}, nil
}

// Close implements net.Listener.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// counted gives its token back when it is closed.
type counted struct {
	net.Conn
	free chan struct{}
	once sync.Once
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.once.Do(func() { <-c.free })
	return c.Conn.Close()
}
