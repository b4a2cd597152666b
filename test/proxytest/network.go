package proxytest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"sluice/internal/loop"
)

// An Origin is an origin server that the test plays: it accepts the proxy's connections.
type Origin struct {
	t        testing.TB
	name     string
	listener net.Listener
	ended    chan struct{} // closed when no further connection is accepted

	mu    sync.Mutex
	peers []*Peer // guarded by mu; in the order of their connections
}

// Listen starts an origin. It stands for the host of that name in the config, on any port, or for the Unix socket of that name ("unix:/run/NAME.sock") if unix
// is set.
func Listen(t testing.TB, name string, unix bool) *Origin {
	t.Helper()
	network, address := "tcp", "127.0.0.1:0"
	if unix {
		network, address = "unix", filepath.Join(t.TempDir(), name)
	}
	var config net.ListenConfig
	ln, err := config.Listen(context.Background(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	o := &Origin{t: t, name: name, listener: ln, ended: make(chan struct{})}
	go o.accept()
	t.Cleanup(o.Close)
	return o
}

// Serve starts an origin that net/http plays: a second implementation, which knows nothing of ours.
func Serve(t testing.TB, name string, h http.Handler) *Origin {
	t.Helper()
	var config net.ListenConfig
	ln, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &Origin{t: t, name: name, listener: ln, ended: make(chan struct{})}
	server := &http.Server{Handler: h, ReadHeaderTimeout: Patience, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)} // it complains of requests that break off
	go func() {
		defer close(o.ended)
		_ = server.Serve(ln)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		o.Close()
	})
	return o
}

// accept takes connections as they come, until the listener is closed: a connection that nobody wanted is found at the end.
func (o *Origin) accept() {
	defer close(o.ended)
	for {
		c, err := o.listener.Accept()
		if err != nil {
			return
		}
		o.mu.Lock()
		o.peers = append(o.peers, newPeer(o.t, c))
		o.mu.Unlock()
	}
}

// Accepted are the connections so far.
func (o *Origin) Accepted() []*Peer {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]*Peer(nil), o.peers...)
}

// Peer waits for the n-th connection, from 1, and returns it, or nil if it does not come.
func (o *Origin) Peer(n int) *Peer {
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); <-time.After(time.Millisecond) {
		if all := o.Accepted(); len(all) >= n {
			return all[n-1]
		}
	}
	return nil
}

// Close ends the origin: further connections are refused.
func (o *Origin) Close() {
	_ = o.listener.Close()
	<-o.ended
}

// A network says where the hosts of the config really are.
type network struct {
	origins []*Origin
	stuck   string // where connecting takes for ever
}

// Addresses that the resolver gives to names (RFC 5737): origins have those below nobody.
var (
	originNet = netip.MustParseAddr("192.0.2.0")
	nobody    = netip.MustParseAddr("192.0.2.254")
	stuckAddr = netip.MustParseAddr("192.0.2.253")
)

// refusing is where no one listens: TCP port multiplexer died out long ago.
const refusing = "127.0.0.1:1"

// lookup is the name server: the n-th origin is 192.0.2.n, "nowhere" does not exist, "stuck" neither takes nor refuses connections, and all other names have
// an address where nobody listens.
func (n *network) lookup(_ context.Context, name string) ([]netip.Addr, error) {
	if name == "nowhere" {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	if name == "stuck" {
		return []netip.Addr{stuckAddr}, nil
	}
	addr := originNet
	for _, o := range n.origins {
		if addr = addr.Next(); o.name == name {
			return []netip.Addr{addr}, nil
		}
	}
	return []netip.Addr{nobody}, nil
}

// real returns where an address of the config is.
func (n *network) real(network, address string) (string, string) {
	addr := originNet
	ap, _ := netip.ParseAddrPort(address)
	for _, o := range n.origins {
		addr = addr.Next()
		if network == "tcp" && ap.Addr() == addr || network == "unix" && path.Base(address) == o.name+".sock" {
			return o.listener.Addr().Network(), o.listener.Addr().String()
		}
	}
	if ap.Addr() == stuckAddr {
		return "tcp", n.stuck
	}
	return "tcp", refusing
}

// listenStuck opens a listening socket whose queue is full, and returns its address.
func listenStuck(t testing.TB) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a backlog of 0 is one
		c, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Close(c) })
		_ = syscall.Connect(c, name)
	}
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(name.(*syscall.SockaddrInet4).Port)).String()
}

// dial is for goroutines.
func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	network, address = n.real(network, address)
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// A system is for loops.
type system struct {
	loop.System
	network *network
}

// Connect implements loop.System.
func (s *system) Connect(network, address string) (int, syscall.Errno) {
	return s.System.Connect(s.network.real(network, address))
}
