package forward

import (
	"bytes"
	"net/netip"
	"slices"

	"sluice/internal/exchange"
)

// mapback replaces an origin's names by those that the client asked for: the reverse of what the way to the origin did to Host and path.
type mapback struct {
	*Rules
	x   *exchange.Exchange
	hop *Hop
}

// hostBytesMax is the length of the longest host name (RFC 1035, section 2.3.4), with a trailing dot.
const hostBytesMax = 254

// fields maps the values in f that have one of the origin's names.
func (m *mapback) fields(f *exchange.Fields) {
	lines := f.Lines()
	for i := range lines {
		l := &lines[i]
		if !mapped.has(l.ID) {
			continue
		}
		// A mapped value is longer by our scheme, authority and prefix for each reference; Link may have several, and then outgrows the scratch.
		b := m.x.Scratch.Tail(len(l.Value) + len(m.x.Request.Authority) + len(m.stripped) + 16)
		changed := false
		switch l.ID {
		case exchange.FieldLocation, exchange.FieldContentLocation:
			b, changed = m.appendReference(b, l.Value)
		case exchange.FieldRefresh:
			b, changed = m.appendRefresh(b, l.Value)
		case exchange.FieldLink:
			b, changed = m.appendLink(b, l.Value)
		case exchange.FieldSetCookie:
			b, changed = m.appendCookie(b, l.Value)
		}
		if changed {
			l.Value = m.x.Scratch.Commit(b)
		}
	}
}

// reference is a URI reference (RFC 3986, section 4.1) with an authority or an absolute path; others do not name a host and stay as they are.
type reference struct {
	scheme    string // "http", "https"; "" if it has none
	authority []byte // nil if it has none
	rest      []byte // path, query and fragment
}

// parseReference returns false for references that need no mapping: relative paths, other schemes.
func parseReference(b []byte) (ref reference, ok bool) {
	switch {
	case hasPrefixFold(b, "http:") && twoSlashes(b[len("http:"):]):
		ref.scheme, b = "http", b[len("http:"):]
	case hasPrefixFold(b, "https:") && twoSlashes(b[len("https:"):]):
		ref.scheme, b = "https", b[len("https:"):]
	case len(b) == 0 || b[0] != '/' && !twoSlashes(b):
		return reference{}, false
	}
	if !twoSlashes(b) {
		ref.rest = b
		return ref, true
	}
	b = b[2:]
	end := bytes.IndexAny(b, `/?#\`) // a backslash ends it for browsers
	if end < 0 {
		end = len(b)
	}
	ref.authority, ref.rest = b[:end:end], b[end:]
	return ref, true
}

// twoSlashes reports whether b begins with what browsers take for two slashes.
func twoSlashes(b []byte) bool {
	return len(b) >= 2 && (b[0] == '/' || b[0] == '\\') && (b[1] == '/' || b[1] == '\\')
}

// appendReference appends b as the client must see it. changed is false if that is b itself, and then nothing is appended.
func (m *mapback) appendReference(dst, b []byte) (_ []byte, changed bool) {
	ref, ok := parseReference(b)
	if !ok {
		return dst, false
	}
	client := m.x.Request.Authority
	switch {
	case ref.authority == nil && !m.mapsPaths():
		return dst, false
	case ref.authority == nil:
	case !m.isOurs(&ref):
		return dst, false
	case len(client) > 0:
		if ref.scheme != "" {
			dst = append(append(dst, m.x.Request.Scheme...), ':')
		}
		return m.appendPath(append(append(dst, "//"...), client...), ref.rest), true
	}
	start := len(dst)
	return lonePath(m.appendPath(dst, ref.rest), start), true
}

// mapsPaths reports whether the route changes paths.
func (m *mapback) mapsPaths() bool { return len(m.stripped) > 0 || len(m.added) > 0 }

// lonePath makes of the path at the end of b, from index start, a reference of its own. An empty path would mean the present page, and one that begins
// with two slashes (browsers take a backslash for one) another host: what an origin says of a path must not become a redirect to elsewhere.
func lonePath(b []byte, start int) []byte {
	if len(b) == start || b[start] != '/' {
		b = slices.Insert(b, start, '/')
	}
	if next := b[start+1:]; len(next) > 0 && (next[0] == '/' || next[0] == '\\') {
		b = slices.Insert(b, start, '/', '.')
	}
	return b
}

// isOurs reports whether ref is a place that the client reaches through us: its authority is the origin's, or the client's own.
//
// The host that the client asked for needs more care than names that only the origin has: another port of it may be another server, and "https" for a client
// that came by "http" is an origin that wants the client to change over; to map that would send the client in circles.
func (m *mapback) isOurs(ref *reference) bool {
	host, port := splitAuthority(ref.authority)
	clientHost, clientPort := splitAuthority(m.x.Request.Authority)
	if !equalFold(host, clientHost) {
		return m.isOrigin(host)
	}
	clientScheme := m.x.Request.Scheme
	if (ref.scheme == "" || ref.scheme == clientScheme) && portOf(clientScheme, port) == portOf(clientScheme, clientPort) {
		return true
	}
	if ref.scheme == "https" && clientScheme == "http" {
		return false
	}
	_, sentPort := splitAuthority(m.hop.Host)
	if (ref.scheme == "" || ref.scheme == m.hop.Scheme) && portOf(m.hop.Scheme, port) == portOf(m.hop.Scheme, sentPort) {
		return true
	}
	return m.hop.Port != 0 && portNumber(port) == m.hop.Port
}

// isOrigin reports whether host is a name or address of the origin that answered or of another one of its pool.
func (m *mapback) isOrigin(host []byte) bool {
	if addr, ok := hostAddr(host); ok {
		_, known := m.originAddrs[addr]
		return known || addr == plain(m.hop.Address) || m.isNamed(host)
	}
	var room [hostBytesMax]byte
	name, ok := foldHost(&room, host)
	if !ok {
		return false
	}
	_, known := m.originNames[string(name)]
	return known || m.isNamed(name)
}

// isNamed reports whether host is the endpoint's name or the Host that it got.
func (m *mapback) isNamed(host []byte) bool {
	sent, _ := splitAuthority(m.hop.Host)
	return len(host) > 0 && (equalFold(host, m.hop.Name) || equalFold(host, sent))
}

// appendPath appends rest, a path that may be empty with query and fragment, as the client must ask for it.
func (m *mapback) appendPath(dst, rest []byte) []byte {
	path := rest
	if i := bytes.IndexAny(rest, "?#"); i >= 0 {
		path = rest[:i]
	}
	if !isBelow(path, m.added) {
		return append(dst, rest...) // outside of what the route leads to
	}
	if !isBelow(path[len(m.added):], m.stripped) { // else an origin that knows its public prefix has put it there
		dst = append(dst, m.stripped...)
	}
	return append(dst, rest[len(m.added):]...)
}

// isBelow reports whether path begins with all segments of prefix.
func isBelow(path, prefix []byte) bool {
	return bytes.HasPrefix(path, prefix) && (len(prefix) == 0 || len(path) == len(prefix) || path[len(prefix)] == '/')
}

// appendRefresh maps the reference of a Refresh: "5; url=…", the reference maybe in quotes (HTML, "shared declarative refresh steps").
func (m *mapback) appendRefresh(dst, value []byte) (_ []byte, changed bool) {
	at := bytes.IndexAny(value, ";,")
	if at < 0 {
		return dst, false
	}
	at = skipSpace(value, at+1)
	if hasPrefixFold(value[at:], "url") {
		if i := skipSpace(value, at+len("url")); i < len(value) && value[i] == '=' {
			at = skipSpace(value, i+1)
		}
	}
	end := len(value)
	if at < end && (value[at] == '"' || value[at] == '\'') {
		if i := bytes.IndexByte(value[at+1:], value[at]); i >= 0 {
			end = at + 1 + i
		}
		at++
	}
	start := len(dst)
	dst = append(dst, value[:at]...)
	if dst, changed = m.appendReference(dst, value[at:end]); !changed {
		return dst[:start], false
	}
	return append(dst, value[end:]...), true
}

// appendLink maps the targets of a Link: what stands in angle brackets outside of quoted strings (RFC 8288, section 3).
func (m *mapback) appendLink(dst, value []byte) (_ []byte, changed bool) {
	start, done := len(dst), 0 // value[:done] is in dst
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '"':
			i = skipQuoted(value, i)
		case '<':
			end := bytes.IndexByte(value[i:], '>')
			if end < 0 {
				i = len(value)
				break
			}
			before := len(dst)
			dst = append(dst, value[done:i+1]...)
			mappedHere := false
			if dst, mappedHere = m.appendReference(dst, value[i+1:i+end]); mappedHere {
				done, changed = i+end, true
			} else {
				dst = dst[:before]
			}
			i += end
		}
	}
	if !changed {
		return dst[:start], false
	}
	return append(dst, value[done:]...), true
}

// skipQuoted returns the index of the quote that ends the quoted string at b[i], or len(b).
func skipQuoted(b []byte, i int) int {
	for i++; i < len(b) && b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i
}

// appendCookie maps the Domain and Path of a Set-Cookie, split as user agents do it (RFC 6265, section 5.2): at every semicolon, quotes or not.
//
// A Domain that covers the client's host stays. One that covers the origin becomes the client's host; if that is an address, the attribute goes, since a
// cookie for an address has no domain (section 5.1.3).
func (m *mapback) appendCookie(dst, value []byte) (_ []byte, changed bool) {
	start, done := len(dst), 0 // value[:done] is in dst
	for at := bytes.IndexByte(value, ';'); at >= 0 && at < len(value); {
		end := len(value)
		if i := bytes.IndexByte(value[at+1:], ';'); i >= 0 {
			end = at + 1 + i
		}
		name, attribute, _ := bytes.Cut(value[at+1:end], equals)
		name, attribute = exchange.TrimSpace(name), exchange.TrimSpace(attribute)
		switch {
		case exchange.EqualFold(name, "domain") && m.isOriginDomain(attribute):
			dst, done, changed = append(dst, value[done:at]...), end, true
			if _, isAddr := hostAddr(m.x.Request.Host); !isAddr && len(m.x.Request.Host) > 0 {
				dst = append(append(dst, "; Domain="...), m.x.Request.Host...)
			}
		case exchange.EqualFold(name, "path") && m.mapsPath(attribute):
			dst, done, changed = append(dst, value[done:at]...), end, true
			dst = m.appendCookiePath(append(dst, "; Path="...), attribute)
		}
		at = end
	}
	if !changed {
		return dst[:start], false
	}
	return append(dst, value[done:]...), true
}

// isOriginDomain reports whether a cookie's domain covers the origin's host and not the client's (RFC 6265, section 5.1.3).
func (m *mapback) isOriginDomain(domain []byte) bool {
	domain = bytes.TrimPrefix(domain, dot)
	if len(domain) == 0 || covers(domain, m.x.Request.Host) {
		return false
	}
	sent, _ := splitAuthority(m.hop.Host)
	return m.isOrigin(domain) || covers(domain, m.hop.Name) || covers(domain, sent)
}

// mapsPath reports whether a cookie's path is changed by appendCookiePath. A path that does not begin with a slash means the default (section 5.2.4).
func (m *mapback) mapsPath(path []byte) bool {
	return len(path) > 0 && path[0] == '/' && m.mapsPaths()
}

// appendCookiePath appends path as the client must see it. The root of the origin becomes the prefix without a slash at its end, which covers the prefix
// itself, too (RFC 6265, section 5.1.4).
func (m *mapback) appendCookiePath(dst, path []byte) []byte {
	if len(path) < len(m.added) && isBelow(m.added, bytes.TrimSuffix(path, slash)) {
		path = nil // it covers all that the route leads to
	} else if isBelow(path, m.added) {
		path = path[len(m.added):]
	} else {
		return append(dst, path...)
	}
	if len(path) <= 1 {
		if len(m.stripped) == 0 {
			return append(dst, '/')
		}
		return append(dst, m.stripped...)
	}
	if !isBelow(path, m.stripped) {
		dst = append(dst, m.stripped...)
	}
	return append(dst, path...)
}

var (
	dot   = []byte{'.'}
	slash = []byte{'/'}
)

// covers reports whether host is domain or below it.
func covers(domain, host []byte) bool {
	host = bytes.TrimSuffix(host, dot)
	if len(host) <= len(domain) {
		return equalFold(host, domain)
	}
	below := len(host) - len(domain)
	if _, isAddr := hostAddr(host); isAddr {
		return false
	}
	return host[below-1] == '.' && equalFold(host[below:], domain)
}

// splitAuthority returns host, with brackets but without a trailing dot, and port, without user information (RFC 3986, section 3.2). port is empty if there is none.
func splitAuthority(authority []byte) (host, port []byte) {
	host = authority[bytes.LastIndexByte(authority, '@')+1:]
	if colon := bytes.LastIndexByte(host, ':'); colon >= 0 && bytes.IndexByte(host[colon:], ']') < 0 {
		host, port = host[:colon], host[colon+1:]
	}
	return bytes.TrimSuffix(host, dot), port
}

// portOf returns the port of an authority, the scheme's default if it is empty.
func portOf(scheme string, port []byte) uint16 {
	switch {
	case len(port) > 0:
		return portNumber(port)
	case scheme == "https":
		return 443
	}
	return 80
}

// portNumber returns 0 for what is no port.
func portNumber(digits []byte) uint16 {
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' || n > 6553 {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	if n > 65535 {
		return 0
	}
	return uint16(n)
}

// hostAddr returns the address that host is, brackets or not.
func hostAddr(host []byte) (netip.Addr, bool) {
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		return parseIPv6(host[1 : len(host)-1])
	}
	if bytes.IndexByte(host, ':') >= 0 {
		return parseIPv6(host)
	}
	return parseIPv4(host)
}

// foldHost writes host to room in lower case, without a trailing dot.
func foldHost(room *[hostBytesMax]byte, host []byte) ([]byte, bool) {
	host = bytes.TrimSuffix(host, dot)
	if len(host) > len(room) {
		return nil, false
	}
	for i, c := range host {
		room[i] = lower(c)
	}
	return room[:len(host)], true
}

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && exchange.EqualFold(b[:len(prefix)], prefix)
}

// skipSpace returns the index of the first byte from i on that is no white space, or len(b).
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	return i
}
