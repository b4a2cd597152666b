package forward

import (
	"bytes"
	"net/netip"

	"sluice/internal/exchange"
)

// hopsMax is how many members of a list of hops are looked at, counted from the right. Real chains have fewer than ten.
const hopsMax = 64

// clientAddress sets x.Client.Addr and x.Request.Scheme from what the trusted proxies that the request came through have reported.
//
// Each hop appends who it got the request from, so the list is read from the right, as long as the hop that wrote a member is trusted. What lies further
// left is the client's own invention. A member that cannot be read, is hidden ("unknown", "_x") or has no address ends the walk at the last good hop.
//
// A list is also split from the right: then what a trusted hop has appended is read the same whatever stands before it, an open quote for example.
func (t *Trust) clientAddress(x *exchange.Exchange, family Reports) {
	if family == ReportsForwarded {
		t.walkForwarded(x)
		return
	}
	taken := t.walkXForwardedFor(x)
	if scheme := xForwardedProto(&x.Request.Fields, taken); scheme != "" {
		x.Request.Scheme = scheme
	}
}

// walkXForwardedFor sets x.Client.Addr and returns how many members it has taken.
func (t *Trust) walkXForwardedFor(x *exchange.Exchange) (taken int) {
	hops := hopsIn(&x.Request.Fields, exchange.FieldXForwardedFor)
	for item, ok := hops.last(); ok; item, ok = hops.last() {
		addr, ok := parseNode(item, true)
		if !ok {
			return taken
		}
		taken++
		x.Client.Addr = addr
		if !t.Trusts(addr) {
			return taken
		}
	}
	return taken
}

// xForwardedProto returns the scheme that the hop reported which took the request from the client: as many members from the right as were taken from
// X-Forwarded-For. If there are fewer, the leftmost one: most proxies hand the field on and do not append to it. It is "" if that is not a known one.
func xForwardedProto(f *exchange.Fields, taken int) (scheme string) {
	hops := hopsIn(f, exchange.FieldXForwardedProto)
	for range max(taken, 1) {
		item, ok := hops.last()
		if !ok {
			break
		}
		scheme = schemeOf(item)
	}
	return scheme
}

// walkForwarded sets x.Client.Addr, and x.Request.Scheme by the last element with a known proto.
func (t *Trust) walkForwarded(x *exchange.Exchange) {
	hops := hopsIn(&x.Request.Fields, exchange.FieldForwarded)
	for item, ok := hops.last(); ok; item, ok = hops.last() {
		e, ok := parseElement(item)
		if !ok {
			return
		}
		if e.scheme != "" {
			x.Request.Scheme = e.scheme
		}
		if !e.addr.IsValid() {
			return
		}
		x.Client.Addr = e.addr
		if !t.Trusts(e.addr) {
			return
		}
	}
}

// schemeOf returns the scheme that a proto names, "" if it is not one of ours. Some proxies report WebSocket connections as ws and wss.
func schemeOf(proto []byte) string {
	switch {
	case exchange.EqualFold(proto, "https"), exchange.EqualFold(proto, "wss"):
		return "https"
	case exchange.EqualFold(proto, "http"), exchange.EqualFold(proto, "ws"):
		return "http"
	}
	return ""
}

// hopList takes the members of a list off its right end; the list may be spread over several field lines (RFC 9110, section 5.3).
type hopList struct {
	lines  []exchange.Field // those that were not opened yet
	id     exchange.Name
	rest   []byte // of the line that is open
	open   bool
	looked int
}

// hopsIn returns the list in the lines of f with that name.
func hopsIn(f *exchange.Fields, id exchange.Name) hopList {
	if !f.Has(id) {
		return hopList{}
	}
	return hopList{lines: f.Lines(), id: id}
}

// last takes off the rightmost member that is not empty. It returns false at the list's left end, and after hopsMax members.
func (h *hopList) last() (item []byte, ok bool) {
	for h.looked < hopsMax {
		if !h.open && !h.openLine() {
			return nil, false
		}
		h.looked++
		comma := -1
		if h.id == exchange.FieldForwarded {
			comma = lastComma(h.rest)
		} else {
			comma = bytes.LastIndexByte(h.rest, ',')
		}
		item = exchange.TrimSpace(h.rest[comma+1:])
		h.open = comma >= 0
		h.rest = h.rest[:max(comma, 0)]
		if len(item) > 0 {
			return item, true
		}
	}
	return nil, false
}

// openLine goes on with the last line of the list that was not opened yet.
func (h *hopList) openLine() bool {
	for n := len(h.lines) - 1; n >= 0; n-- {
		if h.lines[n].ID == h.id {
			h.rest, h.open = h.lines[n].Value, true
			h.lines = h.lines[:n]
			return true
		}
	}
	h.lines = nil
	return false
}

// lastComma returns the index of the last comma that is not in a quoted string (RFC 9110, section 5.6.4), seen from the right; -1 if there is none.
func lastComma(list []byte) int {
	quoted := false
	for i := len(list) - 1; i >= 0; i-- {
		switch list[i] {
		case '"':
			if !escaped(list, i) {
				quoted = !quoted
			}
		case ',':
			if !quoted {
				return i
			}
		}
	}
	return -1
}

// escaped reports whether an odd number of backslashes stands before b[i].
func escaped(b []byte, i int) bool {
	odd := false
	for i--; i >= 0 && b[i] == '\\'; i-- {
		odd = !odd
	}
	return odd
}

// element is what we want to know of a forwarded-element (RFC 7239, section 4).
type element struct {
	addr   netip.Addr // invalid if "for" is missing or hides the address
	scheme string     // "http", "https" or ""
}

// parseElement reads one forwarded-element. White space around semicolons is forgiven, as common senders write it. Parameters may come once.
func parseElement(item []byte) (e element, ok bool) {
	var seenFor, seenProto bool
	for len(item) > 0 {
		pair, rest := cutPair(item)
		item = rest
		if len(pair) == 0 {
			continue
		}
		name, raw, found := bytes.Cut(pair, equals)
		if !found || !isToken(name) {
			return element{}, false
		}
		var room [64]byte
		value, ok := unquote(room[:0], raw)
		if !ok {
			return element{}, false
		}
		switch {
		case exchange.EqualFold(name, "for"):
			if seenFor {
				return element{}, false
			}
			seenFor = true
			e.addr, _ = parseNode(value, false)
		case exchange.EqualFold(name, "proto"):
			if seenProto {
				return element{}, false
			}
			seenProto = true
			e.scheme = schemeOf(value)
		}
	}
	return e, true
}

var equals = []byte{'='}

// cutPair returns what stands before the first semicolon outside a quoted string, without white space, and what follows.
func cutPair(b []byte) (pair, rest []byte) {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ';' && !quoted:
			return exchange.TrimSpace(b[:i]), b[i+1:]
		}
	}
	return exchange.TrimSpace(b), nil
}

// unquote returns the value that raw stands for, a token or a quoted string (RFC 9110, section 5.6.4). One with escapes is written to room; if it is longer, the
// value is empty: no address is that long.
func unquote(room, raw []byte) (value []byte, ok bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return raw, isToken(raw)
	}
	inner := raw[1 : len(raw)-1]
	if raw[len(raw)-1] != '"' {
		return nil, false
	}
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, bytes.IndexByte(inner, '"') < 0
	}
	fits := len(inner) <= cap(room)
	for i := 0; i < len(inner); i++ {
		if inner[i] == '"' {
			return nil, false
		}
		if inner[i] == '\\' {
			if i++; i == len(inner) {
				return nil, false
			}
		}
		if fits {
			room = append(room, inner[i])
		}
	}
	return room, true
}

// isToken reports whether b is a token (RFC 9110, section 5.6.2).
func isToken(b []byte) bool {
	for _, c := range b {
		if !tokenBytes[c] {
			return false
		}
	}
	return len(b) > 0
}

var tokenBytes = fillTokenBytes()

func fillTokenBytes() (t [256]bool) {
	for c := range t {
		t[c] = isAlnum(byte(c)) || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), byte(c)) >= 0
	}
	return t
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
