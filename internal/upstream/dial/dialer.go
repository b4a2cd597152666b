// Package dial opens connections to endpoints: TCP, Unix sockets, and names whose addresses change.
//
// A Dialer belongs to one endpoint and is asked by upstream/client in a task of a loop. Names are looked up by the Resolver of upstream/resolve, so that a
// task waits for a look-up only once. TLS, PROXY headers and tunnels will be dialers around this one.
package dial

import (
	"cmp"
	"errors"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/loop"
	"sluice/internal/upstream/resolve"
)

const (
	// attemptMax is how long one of several addresses may take while there are others.
	attemptMax = time.Second
	// avoidFor is how long an address that has failed is tried last.
	avoidFor = 10 * time.Second
	// A Unix socket whose queue is full is tried again after pauses that double.
	pauseLeast, pauseMost = time.Millisecond, 100 * time.Millisecond
)

// A Dialer connects to one endpoint: a Unix socket, an IP address, or a name that is looked up.
type Dialer struct {
	network, address string // what the driver dials; address is empty for a name
	name             string
	port             uint16
	resolver         *resolve.Resolver
	turn             atomic.Uint32

	mu      sync.Mutex
	avoided map[netip.Addr]time.Time // guarded by mu; until when an address of the name is tried last
}

// New returns a dialer for an address: network is "tcp" or "unix". The resolver is needed for names only.
func New(network, address string, r *resolve.Resolver) *Dialer {
	if network == "tcp" {
		if _, err := netip.ParseAddrPort(address); err != nil {
			host, port, _ := net.SplitHostPort(address)
			n, _ := strconv.ParseUint(port, 10, 16) // the config has checked it
			return &Dialer{network: network, name: host, port: uint16(n), resolver: r, avoided: map[netip.Addr]time.Time{}}
		}
	}
	return &Dialer{network: network, address: address}
}

// Dial implements client.Dialer. A name's addresses are tried in turn until one takes the connection: the first one varies, so that all get their share, and one that
// does not answer leaves time for the others.
func (e *Dialer) Dial(d loop.Driver, by time.Duration, client loop.Conn) (loop.Conn, error) {
	switch {
	case e.network == "unix":
		return e.dialUnix(d, by, client)
	case e.address != "":
		return d.Dial(e.network, e.address, by, client)
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
	addrs = e.order(addrs, d.Time())
	for i, addr := range addrs {
		var c loop.Conn
		c, err = d.Dial(e.network, netip.AddrPortFrom(addr, e.port).String(), share(d.Now(), by, len(addrs)-i), client)
		if errors.Is(err, loop.ErrPeerGone) || errors.Is(err, loop.ErrStopped) || loop.IsExhausted(err) {
			return nil, err // no fault of the address
		}
		e.note(addrs, addr, d.Time(), err)
		if err == nil || by != 0 && d.Now() >= by {
			return c, err
		}
	}
	return nil, err
}

// share returns until when an attempt may last if as many are left, this one included, until by.
func share(now, by time.Duration, left int) time.Duration {
	switch {
	case left == 1:
		return by
	case by == 0:
		return now + attemptMax
	}
	return now + min(max(by-now, 0)/time.Duration(left), attemptMax)
}

// order returns addresses as they are to be tried: another one first each time, those that have failed last. When such a one is due again, a single dial finds out how
// it is while others still avoid it.
func (e *Dialer) order(addrs []netip.Addr, now time.Time) []netip.Addr {
	first := int(e.turn.Add(1) % uint32(len(addrs)))
	order := slices.Concat(addrs[first:], addrs[:first])
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.avoided) == 0 {
		return order
	}
	rank := func(a netip.Addr) int {
		if now.Before(e.avoided[a]) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(order, func(a, b netip.Addr) int { return cmp.Compare(rank(a), rank(b)) })
	if _, failed := e.avoided[order[0]]; failed {
		e.avoided[order[0]] = now.Add(avoidFor)
	}
	return order
}

// note remembers how it went with one of the name's addresses.
func (e *Dialer) note(addrs []netip.Addr, addr netip.Addr, now time.Time, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil {
		delete(e.avoided, addr)
		return
	}
	maps.DeleteFunc(e.avoided, func(a netip.Addr, _ time.Time) bool { return !slices.Contains(addrs, a) })
	e.avoided[addr] = now.Add(avoidFor)
}

// dialUnix connects to a Unix socket. Where its queue is full the kernel refuses at once, and no event tells when there is room: try again until then.
func (e *Dialer) dialUnix(d loop.Driver, by time.Duration, client loop.Conn) (loop.Conn, error) {
	for pause := pauseLeast; ; pause = min(2*pause, pauseMost) {
		c, err := d.Dial(e.network, e.address, by, client)
		if !loop.IsQueueFull(err) {
			return c, err
		}
		until := d.Now() + pause
		if by != 0 {
			until = min(until, by)
		}
		if err := d.NewSignal().WaitFor(client, until); !loop.IsTimeout(err) {
			return nil, err // the client has gone, or the driver stops; nobody notifies
		}
		if by != 0 && d.Now() >= by {
			return nil, os.ErrDeadlineExceeded
		}
	}
}
