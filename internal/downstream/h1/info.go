package h1

import (
	"net/netip"
	"time"

	"sluice/internal/loop"
)

// An Info tells about a connection.
type Info struct {
	Peer      netip.AddrPort // not valid over a Unix socket
	Listener  string
	Age       time.Duration // in whole seconds
	Exchanges int           // so far, the one under way too
	Active    bool          // an exchange is under way
	Tunnel    bool          // it has been upgraded
}

// Describe tells about the connection that h serves; ok is false if that is none of this package. It must be called on the connection's loop, outside its task.
func Describe(h loop.Handler) (i Info, ok bool) {
	c, ok := h.(*conn)
	if !ok || c.closed && !c.tunnel {
		return Info{}, false
	}
	age := c.raw.Driver().Now() - time.Duration(c.since)*time.Second
	return Info{Peer: c.raw.Peer(), Listener: c.listener, Age: age.Truncate(time.Second), Exchanges: int(c.count), Active: c.busy, Tunnel: c.tunnel}, true
}
