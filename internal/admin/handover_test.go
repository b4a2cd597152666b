package admin

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// fileOf is a descriptor of its own for a listener, as app makes it.
func fileOf(ln net.Listener) (file *os.File, err error) {
	raw, err := ln.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	failed := raw.Control(func(fd uintptr) {
		var dup int
		if dup, err = syscall.Dup(int(fd)); err == nil {
			file = os.NewFile(uintptr(dup), "socket")
		}
	})
	return file, errors.Join(err, failed)
}

// heir starts a server with the sockets of another one.
func heir(t *testing.T, srv *Server, s Settings) *Server {
	t.Helper()
	addresses, files, err := srv.Sockets(fileOf)
	if err != nil {
		t.Fatal(err)
	}
	given := sources()
	given.Inherited = func(address string) (net.Listener, error) {
		for i, a := range addresses {
			if a == address {
				return net.FileListener(files[i])
			}
		}
		return nil, nil
	}
	next, err := New(s, given)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { next.Close() })
	for _, file := range files {
		file.Close()
	}
	return next
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestSocketsAreHandedToAnotherServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	for _, listen := range []string{path, "127.0.0.1:0"} {
		old := start(t, Settings{Listen: listen})
		next := heir(t, old, Settings{Listen: listen})
		address := old.Address()
		if next.Address() != address {
			t.Errorf("the other one listens on %s, not on %s", next.Address(), address)
		}
		old.Disown()
		if err := old.Apply(Settings{Listen: Off}); err != nil {
			t.Fatal(err)
		}
		if err := old.Close(); err != nil {
			t.Error(err)
		}
		if code, _, _ := ask(t, client(t, address), "GET", "http://localhost/v1/status"); code != 200 {
			t.Errorf("%s: status %d", listen, code)
		}
		if err := next.Close(); err != nil || isThere(path) {
			t.Errorf("%s: %v; the file is there: %v", listen, err, isThere(path))
		}
	}
}

// A server that gets sockets and gives up leaves them to the one that has handed them over.
func TestWhoGivesUpLeavesTheFileThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	old := start(t, Settings{Listen: path})
	next := heir(t, old, Settings{Listen: path})
	next.Disown()
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
	if code, _, _ := ask(t, client(t, path), "GET", "http://sluice/v1/status"); code != 200 {
		t.Errorf("status %d", code)
	}
	start(t, Settings{Listen: Off}).Disown() // there is nothing to disown
}

func TestASocketWhoseFileIsGoneIsOpenedAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	old := start(t, Settings{Listen: path})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	heir(t, old, Settings{Listen: path})
	if code, _, _ := ask(t, client(t, path), "GET", "http://sluice/v1/status"); code != 200 {
		t.Errorf("status %d", code)
	}
}
