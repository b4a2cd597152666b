// Package dial opens connections to endpoints: TCP, Unix sockets, and names whose addresses change.
//
// A Dialer belongs to one endpoint and is asked by upstream/client in a task of a loop. Names are looked up by the Resolver of upstream/resolve, so that a
// task waits for a look-up only once. TLS, PROXY headers and tunnels will be dialers around this one.
package dial

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"sluice/internal/loop"
	"sluice/internal/upstream/resolve"
)

// A Dialer connects to one endpoint: a Unix socket, an IP address, or a name that is looked up.
type Dialer struct {
	network, address string // what the driver dials; address is empty for a name
	name             string
	port             uint16
	resolver         *resolve.Resolver
	turn             atomic.Uint32
}

// New returns a dialer for an address: network is "tcp" or "unix". The resolver is needed for names only.
func New(network, address string, r *resolve.Resolver) *Dialer {
	if network == "tcp" {
		if _, err := netip.ParseAddrPort(address); err != nil {
			host, port, _ := net.SplitHostPort(address)
			n, _ := strconv.ParseUint(port, 10, 16) // the config has checked it
			return &Dialer{network: network, name: host, port: uint16(n), resolver: r}
		}
	}
	return &Dialer{network: network, address: address}
}

// Dial implements client.Dialer. A name's addresses are tried in turn until one takes the connection: the first one varies, so that all get their share.
func (e *Dialer) Dial(d loop.Driver, by time.Duration) (loop.Conn, error) {
	if e.address != "" {
		return d.Dial(e.network, e.address, by)
	}
	addrs, err := e.resolver.Lookup(e.name)
	if errors.Is(err, resolve.ErrNotLookedUp) {
		if stopped := d.Offload(func() { addrs, err = e.resolver.Resolve(e.name) }); stopped != nil {
			return nil, stopped
		}
	}
	if err != nil {
		return nil, err
	}
	first := int(e.turn.Add(1))
	for i := range addrs {
		var c loop.Conn
		c, err = d.Dial(e.network, netip.AddrPortFrom(addrs[(first+i)%len(addrs)], e.port).String(), by)
		if err == nil || d.Now() >= by {
			return c, err
		}
	}
	return nil, err
}
