package resolve

import (
	"context"
	"net/netip"
	"testing"
)

// known returns a resolver that knows a.test.
func known(tb testing.TB) *Resolver {
	lookup := func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{netip.IPv6Loopback()}, nil }
	r := NewResolver(lookup, DefaultResolverSettings(), nil)
	tb.Cleanup(r.Close)
	if _, err := r.Resolve("a.test"); err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestLookupAllocatesNothing(t *testing.T) {
	r := known(t)
	if n := testing.AllocsPerRun(100, func() { r.Lookup("a.test") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	r := known(b)
	for b.Loop() {
		r.Lookup("a.test")
	}
}
