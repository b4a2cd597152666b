package listen

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
)

// enter has n connections come from an address and returns how many were let in, and their tickets.
func enter(g *Gate, address string, n int) (in []Ticket) {
	for range n {
		peer := netip.Addr{}
		if address != "" {
			peer = netip.MustParseAddr(address)
		}
		if t, ok := g.Enter(peer, new(atomic.Int64)); ok {
			in = append(in, t)
		}
	}
	return in
}

func TestAGateWithoutLimitsLetsAllIn(t *testing.T) {
	var g Gate
	if in := enter(&g, "192.0.2.1", 1000); len(in) != 1000 || g.Open() != 1000 {
		t.Errorf("%d are in, %d open", len(in), g.Open())
	}
}

func TestTheLimitOfAllConnections(t *testing.T) {
	var g Gate
	g.Limit(3, 0)
	in := enter(&g, "192.0.2.1", 2)
	in = append(in, enter(&g, "192.0.2.2", 5)...)
	if len(in) != 3 || g.Open() != 3 || g.RefusedAll.Load() != 4 || g.RefusedAddress.Load() != 0 {
		t.Errorf("%d are in, %d open, %d refused", len(in), g.Open(), g.RefusedAll.Load())
	}
	in[0].Leave()
	if len(enter(&g, "192.0.2.3", 2)) != 1 {
		t.Error("one left, so one may come")
	}
	g.Limit(0, 0)
	if len(enter(&g, "192.0.2.3", 10)) != 10 {
		t.Error("the limit is off")
	}
	g.Limit(2, 0) // below what is open: nobody is thrown out
	if len(enter(&g, "192.0.2.3", 1)) != 0 || g.Open() != 13 {
		t.Errorf("%d open", g.Open())
	}
}

func TestTheLimitOfAnAddress(t *testing.T) {
	var g Gate
	g.Limit(0, 2)
	for _, c := range []struct {
		address string
		in      int
	}{
		{"192.0.2.1", 2}, {"192.0.2.2", 2}, {"::ffff:192.0.2.1", 0}, // an IPv4 client over an IPv6 socket is the same one
		{"2001:db8:0:1::1", 2}, {"2001:db8:0:1:ffff::2", 0}, {"2001:db8:0:2::1", 2}, // a client has a whole /64
		{"fe80::1%eth0", 2}, {"fe80::2%eth1", 0},
		{"", 4}, // over a Unix socket
	} {
		if in := enter(&g, c.address, 4); len(in) != c.in {
			t.Errorf("%s: %d of 4 are in, want %d", c.address, len(in), c.in)
		}
	}
	if g.RefusedAll.Load() != 0 || g.RefusedAddress.Load() != 2+2+4+2+4+2+2+4 {
		t.Errorf("refused %d and %d", g.RefusedAll.Load(), g.RefusedAddress.Load())
	}
}

func TestWhoIsRefusedByAddressDoesNotCount(t *testing.T) {
	var g Gate
	g.Limit(3, 1)
	in := enter(&g, "192.0.2.1", 10)
	in = append(in, enter(&g, "192.0.2.2", 1)...)
	in = append(in, enter(&g, "192.0.2.3", 1)...)
	if len(in) != 3 || g.Open() != 3 {
		t.Errorf("%d are in, %d open", len(in), g.Open())
	}
	for _, ticket := range in {
		ticket.Leave()
	}
	if g.Open() != 0 || len(g.addresses) != 0 {
		t.Errorf("%d open, %d addresses are remembered", g.Open(), len(g.addresses))
	}
}

// Who came before the limit was set was not counted by address, and must not be taken off either.
func TestALimitThatIsSetLaterCountsFromThenOn(t *testing.T) {
	var g Gate
	before := enter(&g, "192.0.2.1", 3)
	g.Limit(0, 1)
	after := enter(&g, "192.0.2.1", 2)
	if len(after) != 1 {
		t.Fatalf("%d are in", len(after))
	}
	for _, ticket := range before {
		ticket.Leave()
	}
	if len(enter(&g, "192.0.2.1", 1)) != 0 {
		t.Error("those who were not counted made room")
	}
	g.Limit(0, 0)
	after[0].Leave()
	if g.Open() != 0 || len(g.addresses) != 0 {
		t.Errorf("%d open, %d addresses", g.Open(), len(g.addresses))
	}
}

func TestAGateIsForAllLoops(t *testing.T) {
	var g Gate
	g.Limit(20, 3)
	var all sync.WaitGroup
	var connections atomic.Int64 // of the one listener
	for id := range uint64(8) {
		all.Go(func() {
			r := rand.New(rand.NewPCG(id, 0))
			for range 2000 {
				ticket, ok := g.Enter(netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(5))}), &connections)
				if n := g.Open(); n > 20+8 { // each of the others may be about to be refused
					t.Errorf("%d are open", n)
				}
				if ok {
					ticket.Leave()
				}
			}
		})
	}
	all.Wait()
	if g.Open() != 0 || len(g.addresses) != 0 || connections.Load() != 0 {
		t.Errorf("%d open, %d addresses", g.Open(), len(g.addresses))
	}
}

func TestTheGateAllocatesNothing(t *testing.T) {
	var g Gate
	g.Limit(10, 5)
	peer := netip.MustParseAddr("2001:db8::1")
	var connections atomic.Int64
	keeps, _ := g.Enter(peer, &connections)
	defer keeps.Leave()
	if n := testing.AllocsPerRun(100, func() {
		if ticket, ok := g.Enter(peer, &connections); ok {
			ticket.Leave()
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
