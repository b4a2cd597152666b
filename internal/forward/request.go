package forward

import (
	"bytes"
	"net/netip"

	"sluice/internal/exchange"
)

// listBytesMax is the largest list of hops, in bytes, that is handed on and appended to; a longer one is written anew from what was believed of it.
const listBytesMax = 4 << 10

// Of the known names, Connection does not decide: each of them is hop-by-hop or it isn't, and to name one that isn't is a fault of the sender (RFC 9110,
// section 7.6.1: "MUST NOT"). Who honours it lets a client take Cookie, Authorization, Via or X-Forwarded-For from a message after a proxy in front of us has
// judged it by that field. Names that we don't know are dropped as the section says.

// requestDropped are the known fields that end here: hop-by-hop ones (RFC 9110, section 7.6.1; HTTP2-Settings: RFC 7540, section 3.2.1), credentials for us as
// a proxy (section 11.7.2), what CGI takes for the setting HTTP_PROXY, what only we may say, and what Request holds in other members (Host, framing).
var requestDropped = setOf(
	exchange.FieldConnection, exchange.FieldKeepAlive, exchange.FieldProxyConnection, exchange.FieldTransferEncoding, exchange.FieldHTTP2Settings,
	exchange.FieldProxyAuthenticate, exchange.FieldProxyAuthorization, exchange.FieldProxyAuthenticationInfo,
	exchange.FieldProxy, exchange.FieldXRealIP, exchange.FieldHost, exchange.FieldContentLength,
)

// xForwarded are the known names that begin with X-Forwarded.
var xForwarded = setOf(
	exchange.FieldXForwardedFor, exchange.FieldXForwardedHost, exchange.FieldXForwardedPort, exchange.FieldXForwardedPrefix,
	exchange.FieldXForwardedProto, exchange.FieldXForwardedServer,
)

// Receive makes of a request that has just been read what the rest of the proxy may believe. It is called once for each exchange, before routing: what a
// field's absence means to a rule and to the origin must be the same, so no field may vanish after a rule has seen it, but by what the rule's route says of it.
//
//   - x.Client.Addr becomes the client's address and x.Request.Scheme the scheme it used: those of the connection, or what trusted proxies report.
//   - Fields that are for this hop only are dropped: the hop-by-hop ones and the unknown ones that Connection names, Proxy, and Host and Content-Length,
//     whose meaning is in x.Request. TE keeps "trailers" alone, Expect goes if the client does not wait. Upgrade stays only if Connection names it and the client does not speak HTTP/1.0.
//   - Fields by which a client could forge its address are dropped: X-Real-IP; Forwarded and everything that begins with X-Forwarded, unless a trusted
//     proxy sent them and they are of the family that counts.
//   - Look-alike spellings of known names are dropped (X_Forwarded_For, User.Agent): CGI and its heirs make one variable of them. Those of names that a route sets
//     or removes are RequestFields' matter.
func (t *Trust) Receive(x *exchange.Exchange) {
	f := &x.Request.Fields
	peer := plain(x.Client.Peer.Addr())
	drop := requestDropped
	trusted := t.Trusts(peer)
	family := reportsNone
	if trusted {
		family = t.believed(f)
	}
	if family != ReportsForwarded {
		drop.add(exchange.FieldForwarded)
	}
	if family != ReportsXForwarded {
		drop.join(xForwarded)
	}
	keepTrailersOnly(f, &drop)
	if !x.Request.ExpectContinue && f.HasToken(exchange.FieldExpect, "100-continue") {
		drop.add(exchange.FieldExpect) // of an HTTP/1.0 client, or without content: nobody waits (RFC 9110, section 10.1.1)
	}
	if f.Has(exchange.FieldUpgrade) && (x.Request.Received.Version == "HTTP/1.0" || !f.HasToken(exchange.FieldConnection, "upgrade")) {
		drop.add(exchange.FieldUpgrade)
	}
	x.Request.HopByHop = dropNamed(&x.Scratch, f)
	f.DelFunc(func(l *exchange.Field) bool {
		return drop.has(l.ID) || l.ID == exchange.FieldOther && drops(l.Name, family)
	})
	x.Client.Addr = peer
	if trusted {
		t.clientAddress(x, family)
	}
}

// keepTrailersOnly reduces TE to the one member that is not about the next hop's framing (RFC 9110, section 10.1.4).
func keepTrailersOnly(f *exchange.Fields, drop *nameSet) {
	if !f.Has(exchange.FieldTE) {
		return
	}
	if f.HasToken(exchange.FieldTE, "trailers") {
		f.Set(exchange.FieldTE, trailersToken)
		return
	}
	drop.add(exchange.FieldTE)
}

// drops reports whether an unknown name is one of the X-Forwarded family, and that doesn't count, or looks like a known one.
func drops(name []byte, family Reports) bool {
	if beginsXForwarded(name) && family != ReportsXForwarded {
		return true
	}
	return isOdd(name) && looksKnown(name)
}

func beginsXForwarded(name []byte) bool {
	const prefix = "x-forwarded"
	return len(name) >= len(prefix) && name[0]|0x20 == 'x' && exchange.EqualFold(name[:len(prefix)], prefix)
}

// CheckHops says whether a request may go on at all: Answered if Max-Forwards ends it here (RFC 9110, section 7.6.2), and an error if it has come through
// proxies of our name too often (section 7.6.3). Otherwise Max-Forwards is counted down. It is called before RequestFields.
func (r *Rules) CheckHops(x *exchange.Exchange) (exchange.Verdict, *exchange.Error) {
	f := &x.Request.Fields
	if r.settings.Via != "" && f.Has(exchange.FieldVia) && r.passes(f) >= r.settings.PassesMax {
		return exchange.Continue, &exchange.Error{
			Source: exchange.Downstream, Kind: exchange.KindProxyLoopDetected, Status: 508, Op: "forward request",
		}
	}
	if !f.Has(exchange.FieldMaxForwards) || x.Request.Method != "TRACE" && x.Request.Method != "OPTIONS" {
		return exchange.Continue, nil
	}
	left := forwardsLeft(f)
	switch {
	case left < 0:
		f.Del(exchange.FieldMaxForwards) // no number: it can't be counted down, and must not go on as it is
	case left > 0:
		f.Set(exchange.FieldMaxForwards, appendInt(&x.Scratch, left-1))
	case x.Request.Method == "OPTIONS":
		x.Respond(204, "", nil)
		return exchange.Answered, nil
	default:
		// An echo of the request would show a page's scripts what they must not see: cookies, and fields that proxies before us have added.
		x.Respond(405, "", nil)
		x.Response.Fields.Add(exchange.FieldAllow, x.Scratch.String("OPTIONS"))
		return exchange.Answered, nil
	}
	return exchange.Continue, nil
}

// maxForwardsMax is the largest Max-Forwards that is handed on: the "recipient's maximum supported value" of RFC 9110, section 7.6.2.
const maxForwardsMax = 255

// forwardsLeft returns the least Max-Forwards in f, maxForwardsMax+1 at most; -1 if none of them is a number.
func forwardsLeft(f *exchange.Fields) int {
	least := -1
	for _, l := range f.Lines() {
		if l.ID != exchange.FieldMaxForwards {
			continue
		}
		if n := forwardsIn(l.Value); n >= 0 && (least < 0 || n < least) {
			least = n
		}
	}
	return least
}

func forwardsIn(digits []byte) int {
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return -1
		}
		n = min(n*10+int(c-'0'), maxForwardsMax+1)
	}
	if len(digits) == 0 {
		return -1
	}
	return n
}

// passes counts the members of Via that proxies of our name have added (RFC 9110, section 7.6.3).
func (r *Rules) passes(f *exchange.Fields) (n int) {
	for _, l := range f.Lines() {
		if l.ID != exchange.FieldVia {
			continue
		}
		for rest := l.Value; len(rest) > 0; {
			var member []byte
			member, rest = exchange.NextToken(rest)
			_, by, _ := bytes.Cut(member, space)
			by, _, _ = bytes.Cut(exchange.TrimSpace(by), space)
			if exchange.EqualFold(by, r.settings.Via) {
				n++
			}
		}
	}
	return n
}

// RequestFields adds to a received request what the origin is told of the hop before it: X-Forwarded-*, Forwarded, X-Real-IP and Via, by the settings. It is
// called once for each exchange, after routing and before the filters, so that what a route's settings set or remove has the last word.
//
// Look-alike spellings of fields that the route sets or removes are dropped first. What Receive has left of X-Forwarded-For and Forwarded comes from a trusted proxy and is appended to. BenchmarkRequestFields.
func (r *Rules) RequestFields(x *exchange.Exchange) {
	f := &x.Request.Fields
	if len(r.protected) > 0 {
		f.DelFunc(func(l *exchange.Field) bool { return l.ID == exchange.FieldOther && r.protected.forged(l.Name) })
	}
	f.Del(exchange.FieldUpgrade) // the origin's codec writes x.Request.Upgrade
	peer := plain(x.Client.Peer.Addr())
	addr := x.Scratch.Commit(appendAddr(x.Scratch.Tail(addrBytesMax), x.Client.Addr))
	set(f, exchange.FieldXRealIP, addr, r.settings.XRealIP)
	r.xForwardedFor(x, peer, addr)
	set(f, exchange.FieldXForwardedProto, schemeText(x.Request.Scheme), r.settings.XForwardedProto)
	r.xForwardedHost(x)
	r.forwarded(x, peer, addr)
	if r.settings.Via != "" {
		f.Add(exchange.FieldVia, r.via[versionIndex(x.Request.Received.Version)])
	}
}

// set makes value the only line with that name if it is wanted and not empty, and removes such lines otherwise. The usual cases, no line and one line, move
// no other.
func set(f *exchange.Fields, id exchange.Name, value []byte, wanted bool) {
	switch {
	case !f.Has(id):
		if wanted && len(value) > 0 {
			f.Add(id, value)
		}
	case !wanted || len(value) == 0:
		f.Del(id)
	case f.Count(id) > 1:
		f.Set(id, value)
	default:
		for lines, i := f.Lines(), 0; i < len(lines); i++ {
			if lines[i].ID == id {
				lines[i].Value = value
				return
			}
		}
	}
}

// xForwardedFor appends the peer's address to the list of a trusted peer; else the list is the client's address.
func (r *Rules) xForwardedFor(x *exchange.Exchange, peer netip.Addr, addr []byte) {
	f := &x.Request.Fields
	if !r.settings.XForwardedFor || peer == x.Client.Addr && !f.Has(exchange.FieldXForwardedFor) {
		set(f, exchange.FieldXForwardedFor, addr, r.settings.XForwardedFor)
		return
	}
	length := joinedLength(f, exchange.FieldXForwardedFor)
	if length > listBytesMax {
		length = 0
	}
	list := x.Scratch.Tail(length + 2*addrBytesMax)
	if length > 0 {
		list = appendJoined(list, f, exchange.FieldXForwardedFor)
	} else if len(addr) > 0 && peer != x.Client.Addr {
		list = append(append(list, addr...), ", "...)
	}
	list = x.Scratch.Commit(appendAddr(list, peer))
	set(f, exchange.FieldXForwardedFor, bytes.TrimSuffix(list, listSeparator), true)
}

// xForwardedHost keeps what a trusted peer sent, else sets the authority that the client asked for. One with a comma is left out: readers would see two.
func (r *Rules) xForwardedHost(x *exchange.Exchange) {
	f := &x.Request.Fields
	authority := x.Request.Authority
	if r.settings.XForwardedHost && f.Has(exchange.FieldXForwardedHost) {
		return
	}
	set(f, exchange.FieldXForwardedHost, authority, r.settings.XForwardedHost && bytes.IndexByte(authority, ',') < 0)
}

// forwarded appends an element for the peer to the list of a trusted peer. If there is no list, or one that is too long or malformed as a whole (a client
// may have begun it with an open quote), it writes one of what is believed: the client, and the peer if that is another.
func (r *Rules) forwarded(x *exchange.Exchange, peer netip.Addr, addr []byte) {
	f := &x.Request.Fields
	if !r.settings.Forwarded {
		f.Del(exchange.FieldForwarded)
		return
	}
	length := joinedLength(f, exchange.FieldForwarded)
	kept := length > 0 && length <= listBytesMax && isForwarded(f)
	b := x.Scratch.Tail(length + 2*addrBytesMax + len(x.Request.Authority) + 64)
	if kept {
		b = appendJoined(b, f, exchange.FieldForwarded)
		b = append(appendNode(append(b, "for="...), peer), ";proto="...)
		b = append(b, connectionScheme(x)...)
	} else {
		b = appendClient(b, x, addr)
		if peer != x.Client.Addr {
			b = appendNode(append(b, ", for="...), peer)
		}
	}
	set(f, exchange.FieldForwarded, x.Scratch.Commit(b), true)
}

// appendClient appends the element of the hop that took the request from the client (RFC 7239, section 4); addr is the text of x.Client.Addr.
func appendClient(dst []byte, x *exchange.Exchange, addr []byte) []byte {
	dst = append(dst, "for="...)
	if x.Client.Addr.Is4() {
		dst = append(dst, addr...)
	} else {
		dst = appendNode(dst, x.Client.Addr)
	}
	dst = append(dst, ";proto="...)
	dst = append(dst, x.Request.Scheme...)
	if len(x.Request.Authority) == 0 {
		return dst
	}
	return appendValue(append(dst, ";host="...), x.Request.Authority)
}

// isForwarded reports whether all lines of Forwarded are well formed and no longer than hopsMax members in all.
func isForwarded(f *exchange.Fields) bool {
	hops := hopsIn(f, exchange.FieldForwarded)
	for item, ok := hops.last(); ok; item, ok = hops.last() {
		if _, ok := parseElement(item); !ok {
			return false
		}
	}
	return hops.looked < hopsMax
}

// connectionScheme is how the peer speaks to us; x.Request.Scheme is how the client speaks to the first proxy.
func connectionScheme(x *exchange.Exchange) string {
	if x.Client.Secure {
		return "https"
	}
	return "http"
}

// RequestTrailers drops from a request's trailer section what must not be in one (RFC 9110, section 6.5.1): many a reader merges trailers into the header
// section, and there they would pass for fields that were checked, or that the route has set.
func (r *Rules) RequestTrailers(x *exchange.Exchange) {
	trailers(&x.Request.Trailers, x.Request.HopByHop, r.protected)
}

// ResponseTrailers does the same for a response.
func (r *Rules) ResponseTrailers(x *exchange.Exchange) {
	trailers(&x.Response.Trailers, x.Response.HopByHop, nil)
}

func trailers(f *exchange.Fields, hopByHop []byte, p protection) {
	if f.Len() == 0 {
		return
	}
	f.DelFunc(func(l *exchange.Field) bool {
		if l.ID != exchange.FieldOther {
			return !trailerAllowed.has(l.ID) || p.covers(l.Name)
		}
		return drops(l.Name, reportsNone) || isNamed(l, hopByHop) || p.covers(l.Name)
	})
}

// trailerAllowed are the known fields that mean something in a trailer section and nothing to framing, routing or authentication.
var trailerAllowed = setOf(exchange.FieldETag, exchange.FieldLastModified, exchange.FieldServerTiming, exchange.FieldLink, exchange.FieldAcceptRanges,
	exchange.FieldTraceparent, exchange.FieldTracestate, exchange.FieldXRequestID)
