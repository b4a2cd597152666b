package dial

import (
	"net/netip"
	"strings"
	"time"

	"sluice/internal/loop"
)

// A Dialer connects to one endpoint: a Unix socket, an IP address, or a name that is looked up.
type Dialer struct {
	network, address string // what the driver dials; address is empty for a name
	name, port       string
	resolver         *Resolver
}

// New returns a dialer for an address: network is "tcp" or "unix". The resolver is needed for names only.
func New(network, address string, r *Resolver) *Dialer {
	if network == "tcp" {
		if _, err := netip.ParseAddrPort(address); err != nil {
			i := strings.LastIndexByte(address, ':')
			return &Dialer{network: network, name: address[:i], port: address[i+1:], resolver: r}
		}
	}
	return &Dialer{network: network, address: address}
}

// Dial implements client.Dialer.
func (e *Dialer) Dial(d loop.Driver, by time.Duration) (loop.Conn, error) {
	return d.Dial(e.network, e.address, by)
}
