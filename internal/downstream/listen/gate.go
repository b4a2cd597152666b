package listen

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// A Gate counts connections and says when there are too many. It is shared by all loops; one look costs an atomic addition, and a lock only where connections are
// counted by address.
type Gate struct {
	connections atomic.Int64
	limit       atomic.Int64 // 0: none
	perAddress  atomic.Int64 // 0: none

	mu        sync.Mutex
	addresses map[netip.Addr]int64 // guarded by mu; connections that are counted by address

	Accepted       atomic.Int64 // connections that there was room for
	RefusedAll     atomic.Int64 // connections over the limit of all
	RefusedAddress atomic.Int64 // connections over the limit of an address
}

// Limit sets the limits; 0 is none. It holds for connections that come from now on.
func (g *Gate) Limit(connections, perAddress int) {
	g.limit.Store(int64(connections))
	g.perAddress.Store(int64(perAddress))
}

// Open is how many connections there are.
func (g *Gate) Open() int64 { return g.connections.Load() }

// A Ticket is a connection's place. Leave gives it back.
type Ticket struct {
	gate    *Gate
	at      *atomic.Int64 // counts the connections of a listener, too
	address netip.Addr    // valid if it is counted by address
}

// Enter counts a connection from an address. ok is false, and nothing is counted, if there is no room for it. An IPv6 client is counted by its /64, since it can
// choose freely among those addresses. at counts the connections of the listener that it came to.
func (g *Gate) Enter(peer netip.Addr, at *atomic.Int64) (t Ticket, ok bool) {
	if n, limit := g.connections.Add(1), g.limit.Load(); limit > 0 && n > limit {
		g.connections.Add(-1)
		g.RefusedAll.Add(1)
		return Ticket{}, false
	}
	t = Ticket{gate: g, at: at}
	perAddress := g.perAddress.Load()
	if perAddress == 0 || !peer.IsValid() {
		at.Add(1)
		g.Accepted.Add(1)
		return t, true
	}
	t.address = network(peer)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.addresses[t.address] >= perAddress {
		g.connections.Add(-1)
		g.RefusedAddress.Add(1)
		return Ticket{}, false
	}
	if g.addresses == nil {
		g.addresses = map[netip.Addr]int64{}
	}
	g.addresses[t.address]++
	at.Add(1)
	g.Accepted.Add(1)
	return t, true
}

// Leave gives the place back.
func (t Ticket) Leave() {
	t.gate.connections.Add(-1)
	t.at.Add(-1)
	if !t.address.IsValid() {
		return
	}
	t.gate.mu.Lock()
	defer t.gate.mu.Unlock()
	if t.gate.addresses[t.address]--; t.gate.addresses[t.address] <= 0 {
		delete(t.gate.addresses, t.address)
	}
}

func network(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}
