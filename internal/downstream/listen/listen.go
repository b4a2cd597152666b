// Package listen opens listening sockets and decides about connections before there is an exchange: how many there may be, in all and from one address.
//
// A listening socket is opened here and shared by all loops (loop.Group.Listen). What an accepted connection speaks is the business of a codec.
package listen

import (
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// A Socket is a listening socket, before it is given to the loops or to goroutines.
type Socket struct {
	Address string // as asked for
	ln      net.Listener
}

// Open listens on a TCP address (":80", "127.0.0.1:8080", "[::1]:80") or a Unix socket ("unix:/run/x.sock"). A host of "" is all addresses, of IPv6 and IPv4.
func Open(address string) (*Socket, error) {
	return openWith(address, net.ListenConfig{KeepAlive: -1, Control: prepare})
}

func openWith(address string, config net.ListenConfig) (*Socket, error) {
	config.SetMultipathTCP(false) // its sockets take no filter, which Hush needs
	network := "tcp"
	name := address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, name = "unix", path
	}
	ln, err := config.Listen(context.Background(), network, name)
	if err != nil {
		return nil, explain(address, err)
	}
	return &Socket{Address: address, ln: ln}, nil
}

// explain adds what can be done about the usual reasons.
func explain(address string, err error) error {
	switch {
	case strings.Contains(err.Error(), syscall.EADDRINUSE.Error()):
		return fmt.Errorf("listen on %s: another process listens there already: %w", address, err)
	case strings.Contains(err.Error(), syscall.EACCES.Error()):
		return fmt.Errorf("listen on %s: ports below 1024 need root or CAP_NET_BIND_SERVICE: %w", address, err)
	}
	return fmt.Errorf("listen on %s: %w", address, err)
}

// Addr is the address in use: with the port that the kernel chose, if 0 was asked for.
func (s *Socket) Addr() net.Addr { return s.ln.Addr() }

// Listener gives the socket away to who accepts with goroutines.
func (s *Socket) Listener() net.Listener { return s.ln }

// Control calls do with the descriptor of a listener, if it has one.
func Control(ln net.Listener, do func(fd int)) {
	_ = within(ln, func(fd int) error { do(fd); return nil })
}

// Take gives the socket away as a descriptor of its own. The Socket is closed, and its file, if it has one, stays.
func (s *Socket) Take() (fd int, err error) {
	defer s.Close()
	fd = -1
	err = within(s.ln, func(own int) error { fd, err = duplicate(own); return err })
	if err != nil {
		return -1, fmt.Errorf("listen on %s: %w", s.Address, err)
	}
	if ul, ok := s.ln.(*net.UnixListener); ok {
		ul.SetUnlinkOnClose(false)
	}
	return fd, nil
}

// Close closes the socket, unless it was given away.
func (s *Socket) Close() error { return s.ln.Close() }
