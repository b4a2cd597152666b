package listen

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// handOver makes descriptors in a row, from the returned one on, of listeners.
func handOver(t *testing.T, listeners ...net.Listener) (first int) {
	t.Helper()
	const far = 700 // nobody else's descriptors are there
	for i, ln := range listeners {
		file, err := DuplicateOf(ln)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Dup2(int(file.Fd()), far+i); err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
	return far
}

func listenOn(t *testing.T, network, address string) net.Listener {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func inherit(t *testing.T, sockets []Legacy, listeners ...net.Listener) *Inheritance {
	t.Helper()
	h, err := Inherit(handOver(t, listeners...), sockets)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.closeAll)
	return h
}

// isBlocking reports whether accepting from a listener would wait.
func isBlocking(t *testing.T, ln net.Listener) (blocking bool) {
	t.Helper()
	err := within(ln, func(fd int) error {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
		blocking = flags&syscall.O_NONBLOCK == 0
		if errno != 0 {
			return errno
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return blocking
}

func TestAnInheritedSocketIsTheFormerOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	tcp, unix := listenOn(t, "tcp", "127.0.0.1:0"), listenOn(t, "unix", path)
	h := inherit(t, make([]Legacy, 2), tcp, unix)
	for _, ln := range []net.Listener{tcp, unix} {
		address := strings.TrimPrefix(ln.Addr().Network()+":"+ln.Addr().String(), "tcp:")
		s, err := h.Open(address)
		if err != nil {
			t.Fatal(err)
		}
		fd, err := s.Take()
		if err != nil {
			t.Fatal(err)
		}
		// Whoever accepts, a client finds no gap: the former owner may go at any time.
		if isBlocking(t, ln) {
			t.Errorf("%s: taking it made the socket a blocking one, for its former owner, too", address)
		}
		if err := syscall.Close(fd); err != nil {
			t.Error(err)
		}
		if !connects(ln.Addr().Network(), ln.Addr().String()) {
			t.Errorf("%s: the former owner's descriptor is of no use any more", address)
		}
	}
	if unused := h.Settle(); len(unused) != 0 {
		t.Errorf("%v are not in use", unused)
	}
	if s, err := h.Open(tcp.Addr().String()); err == nil {
		s.Close()
		t.Error("a socket was used after Settle")
	}
}

func TestASocketServesTheNamesOfItsAddress(t *testing.T) {
	for _, c := range []struct {
		config, bound string
		serves        bool
	}{
		{":80", "[::]:80", true}, {":80", "0.0.0.0:80", true}, {":80", "127.0.0.1:80", false}, {":80", "[::]:81", false},
		{"127.0.0.1:80", "127.0.0.1:80", true}, {"127.0.0.1:80", "0.0.0.0:80", false}, {"127.0.0.1:80", "127.0.0.2:80", false},
		{"[::1]:80", "[::1]:80", true}, {"[0:0::1]:80", "[::1]:80", true}, {"[::]:80", "0.0.0.0:80", false}, {"0.0.0.0:80", "[::]:80", false},
		{"[fe80::1%eth0]:80", "[fe80::1%eth0]:80", true}, {"[fe80::1%eth0]:80", "[fe80::1%eth1]:80", false},
		{"localhost:80", "[::1]:80", true}, {"unix:/run/a//b", "unix:/run/a/b", true}, {"unix:/run/a", "unix:/run/b", false}, {"nonsense", "[::]:80", false},
	} {
		if got := slices.ContainsFunc(namesOf(c.config), func(name string) bool { return slices.Contains(namesOf(c.bound), name) }); got != c.serves {
			t.Errorf("a socket of %s serves %s: %v", c.bound, c.config, got)
		}
	}
}

func TestWhatNobodyUsesIsClosedUnlessTheManagerHasIt(t *testing.T) {
	used, unused, activated := listenOn(t, "tcp", "127.0.0.1:0"), listenOn(t, "tcp", "127.0.0.1:0"), listenOn(t, "tcp", "127.0.0.1:0")
	h := inherit(t, []Legacy{{}, {}, {Activated: true}}, used, unused, activated)
	s, err := h.Open(used.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	left := h.Settle()
	if len(left) != 2 || left[0].Address != unused.Addr().String() || left[0].Activated || left[1].Address != activated.Addr().String() || !left[1].Activated {
		t.Errorf("got %+v", left)
	}
	unused.Close()
	activated.Close() // as if the manager's own were the only other one
	if connects("tcp", unused.Addr().String()) || !connects("tcp", activated.Addr().String()) {
		t.Error("the wrong sockets were closed")
	}
	addresses, files, err := h.Activated()
	if err != nil || len(files) != 1 || addresses[0] != activated.Addr().String() {
		t.Fatalf("%v, %v", addresses, err)
	}
	files[0].Close()
	for range 2 { // a reload may open it, close it, and open it again
		again, err := h.Open(activated.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		again.Close()
	}
	if left := h.Settle(); len(left) != 0 {
		t.Errorf("%v are not in use", left)
	}
}

func TestTheFormerOwnersNameCounts(t *testing.T) {
	ln := listenOn(t, "unix", filepath.Join(t.TempDir(), "hidden"))
	h := inherit(t, []Legacy{{Address: "unix:/run/sluice/admin.sock"}}, ln)
	got, err := h.Listener("unix:/run/sluice/admin.sock")
	if err != nil || got == nil {
		t.Fatalf("%v, %v", got, err)
	}
	got.Close()
	if !connects("unix", ln.Addr().String()) {
		t.Error("the file is gone")
	}
}

func TestRefusesWhatDoesNotListen(t *testing.T) {
	ln := listenOn(t, "tcp", "127.0.0.1:0")
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	file, err := conn.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	first := handOver(t, ln)
	if err := syscall.Dup2(int(file.Fd()), first+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Inherit(first, make([]Legacy, 2)); err == nil || !strings.Contains(err.Error(), "descriptor 701") || !strings.Contains(err.Error(), "it does not listen") {
		t.Errorf("got %v", err)
	}
	if _, err := Inherit(first, make([]Legacy, 1)); err == nil {
		t.Error("a descriptor is open that was refused before")
	}
}

func TestWithoutAnInheritanceSocketsAreNew(t *testing.T) {
	var h *Inheritance
	s, err := h.Open("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if addresses, files, err := h.Activated(); addresses != nil || files != nil || err != nil || h.Settle() != nil {
		t.Error("there is something")
	}
}
