package dial

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"sluice/internal/loop"
)

// A Dialer connects to one endpoint: a Unix socket, an IP address, or a name that is looked up.
type Dialer struct {
	network, address string // what the driver dials; address is empty for a name
	name             string
	port             uint16
	resolver         *Resolver
	turn             atomic.Uint32
}

// New returns a dialer for an address: network is "tcp" or "unix". The resolver is needed for names only.
func New(network, address string, r *Resolver) *Dialer {
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
	if errors.Is(err, ErrNotLookedUp) {
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
