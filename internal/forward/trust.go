package forward

import (
	"net/netip"
	"slices"

	"sluice/internal/exchange"
)

// Reports says which of the two families of fields tells where a request came from, if a trusted proxy sent it.
type Reports uint8

const (
	// ReportsEither takes X-Forwarded-* if there is an X-Forwarded-For, else Forwarded. Most proxies write X-Forwarded-For and hand a client's own
	// Forwarded on as they got it, and few do the reverse; so the first of the two is the harder one to forge.
	ReportsEither Reports = iota
	// ReportsXForwarded takes X-Forwarded-For, -Proto and -Host.
	ReportsXForwarded
	// ReportsForwarded takes Forwarded (RFC 7239).
	ReportsForwarded

	reportsNone // of an untrusted peer, and in trailers
)

// TrustSettings are what a Trust is made of.
type TrustSettings struct {
	// Networks are the addresses of the proxies in front of us. Each of them must write the fields that Reports names, or remove a client's.
	Networks []netip.Prefix
	// Unix trusts every peer on a Unix socket.
	Unix bool
	// Reports is the family of fields that those proxies write.
	Reports Reports
}

// A Trust knows which proxies are trusted and what may be believed of a request's fields. It never changes. A nil Trust trusts nobody.
type Trust struct {
	spans   []span // sorted, disjoint
	unix    bool
	reports Reports
}

// span is all addresses from first to last.
type span struct{ first, last netip.Addr }

// NewTrust compiles s. Networks may overlap; an IPv4-mapped one means its IPv4 network.
func NewTrust(s TrustSettings) *Trust {
	t := &Trust{unix: s.Unix, reports: s.Reports}
	for _, p := range s.Networks {
		if p.IsValid() {
			t.spans = append(t.spans, spanOf(p))
		}
	}
	slices.SortFunc(t.spans, func(a, b span) int { return a.first.Compare(b.first) })
	t.spans = merge(t.spans)
	return t
}

// spanOf returns the addresses of p.
func spanOf(p netip.Prefix) span {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	first := p.Masked().Addr()
	last := first.AsSlice()
	for i := p.Bits(); i < len(last)*8; i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	end, _ := netip.AddrFromSlice(last)
	return span{first, end}
}

// merge joins spans that overlap; they are sorted by first.
func merge(spans []span) []span {
	var kept []span
	for _, s := range spans {
		if n := len(kept); n > 0 && s.first.Compare(kept[n-1].last) <= 0 {
			if kept[n-1].last.Less(s.last) {
				kept[n-1].last = s.last
			}
			continue
		}
		kept = append(kept, s)
	}
	return kept
}

// Trusts reports whether addr, the other end of a connection or a hop that was reported, is a trusted proxy. An invalid addr is a Unix socket.
// BenchmarkTrusts.
func (t *Trust) Trusts(addr netip.Addr) bool {
	if t == nil {
		return false
	}
	if !addr.IsValid() {
		return t.unix
	}
	if len(t.spans) == 0 {
		return false
	}
	addr = plain(addr)
	low, high := 0, len(t.spans) // the last span with first <= addr is below high
	for low < high {
		if mid := (low + high) / 2; t.spans[mid].first.Compare(addr) <= 0 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low > 0 && addr.Compare(t.spans[low-1].last) <= 0
}

// plain returns addr as networks and fields name it: without a zone, and IPv4 as such.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// believed returns the family of fields that counts in f, all of which a trusted proxy has sent.
func (t *Trust) believed(f *exchange.Fields) Reports {
	if t.reports != ReportsEither {
		return t.reports
	}
	if f.Has(exchange.FieldForwarded) && !f.Has(exchange.FieldXForwardedFor) {
		return ReportsForwarded
	}
	return ReportsXForwarded
}
