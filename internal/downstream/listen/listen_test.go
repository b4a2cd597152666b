package listen

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func open(t *testing.T, address string) *Socket {
	t.Helper()
	s, err := Open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// connects reports whether somebody accepts there.
func connects(network, address string) bool {
	c, err := net.Dial(network, address)
	if err == nil {
		c.Close()
	}
	return err == nil
}

func TestListensOnEachFormOfAddress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for _, address := range []string{"127.0.0.1:0", ":0", "[::1]:0", "unix:" + path} {
		if strings.HasPrefix(address, "[") && !connectsIPv6(t) {
			continue
		}
		s := open(t, address)
		if s.Address != address || !connects(s.Addr().Network(), s.Addr().String()) {
			t.Errorf("%s: nobody listens on %v", address, s.Addr())
		}
	}
}

func connectsIPv6(t *testing.T) bool {
	t.Helper()
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Log("no IPv6 here")
		return false
	}
	ln.Close()
	return true
}

func TestErrorsSayWhatCanBeDone(t *testing.T) {
	taken := open(t, "127.0.0.1:0").Addr().String()
	dir := t.TempDir()
	f := map[string]string{
		taken:                              "listen on " + taken + ": another process listens there already",
		"127.0.0.1:99999":                  "listen on 127.0.0.1:99999: ",
		"no-port":                          "listen on no-port: ",
		"unix:" + dir + "/none/s":          "listen on unix:" + dir + "/none/s: ",
		"192.0.2.1:80":                     "listen on 192.0.2.1:80: ",
		"unix:" + strings.Repeat("x", 200): "listen on unix:x",
	}
	if os.Geteuid() != 0 {
		f["127.0.0.1:1"] = "ports below 1024 need root or CAP_NET_BIND_SERVICE"
	}
	for address, want := range f {
		s, err := Open(address)
		if err == nil {
			s.Close()
			t.Errorf("%s: no error", address)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", address, err, want)
		}
	}
}

func TestASocketThatIsTakenGoesOnListening(t *testing.T) {
	s := open(t, "127.0.0.1:0")
	addr := s.Addr().String()
	fd, err := s.Take()
	if err != nil {
		t.Fatal(err)
	}
	if !connects("tcp", addr) {
		t.Error("nobody listens after Take")
	}
	if err := syscall.Close(fd); err != nil {
		t.Error(err)
	}
	if connects("tcp", addr) {
		t.Error("somebody listens after the descriptor was closed")
	}
}

func TestAUnixSocketThatIsTakenKeepsItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := open(t, "unix:"+path)
	fd, err := s.Take()
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if !connects("unix", path) {
		t.Error("nobody listens after Take")
	}
}

func TestASocketThatWasClosedCanNotBeTaken(t *testing.T) {
	s := open(t, "127.0.0.1:0")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Take(); err == nil {
		t.Error("a closed socket was taken")
	}
}
