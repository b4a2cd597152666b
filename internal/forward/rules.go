// Package forward does to messages what an intermediary must (RFC 9110, section 7.6) and carries them to an origin and back.
//
// On the way of a request: Trust.Receive makes of a request what may be believed, before routing; Rules.CheckHops and Rules.RequestFields add what the
// origin is told, after routing and before the filters; Rules.ResponseFields cleans the origin's response and maps its names back to the client's. The rules
// never change once made and serve all loops at once. What they write for one exchange lies in its Scratch.
//
// Framing is not their matter: codecs write Host, Content-Length, Transfer-Encoding, Connection, Upgrade and Expect by themselves, from the members of Request
// and Response.
package forward

import (
	"net/netip"
	"strconv"

	"sluice/internal/buf"
	"sluice/internal/exchange"
)

// HostMode says which Host an origin gets.
type HostMode uint8

const (
	HostKeep   HostMode = iota // the one that the client asked for; the endpoint's if it asked for none
	HostOrigin                 // the endpoint's own host and port
	HostFixed                  // Settings.HostValue
)

// Settings say what messages are told and what they hide. Use DefaultSettings: the zero value tells origins nothing.
type Settings struct {
	// XForwardedFor, XForwardedProto, XForwardedHost, XRealIP and Forwarded set the fields of these names on requests. A field that is not set is removed.
	XForwardedFor, XForwardedProto, XForwardedHost, XRealIP, Forwarded bool
	// Via is our name in Via, a token; "" leaves Via alone and finds no loops. A gateway must add Via to requests (RFC 9110, section 7.6.3), so it is on by
	// default. A known price: an nginx with gzip_proxied off (its default) does not compress for requests with Via.
	Via string
	// PassesMax is how often a request may come with Via naming us before it is a loop. It is more than one, because proxies of the same name in a chain
	// are no loop, and because every proxy would need a name of its own otherwise.
	PassesMax int
	// ResponseVia keeps an origin's Via and adds ours. A gateway may add it (section 7.6.3), and should not tell the names of hosts behind it: off by default.
	ResponseVia bool
	// Host is which Host the origin gets; HostValue is the one of HostFixed, "host" or "host:port" in lower case.
	Host      HostMode
	HostValue string
	// Hide names fields of origins' responses that are dropped. By default those that tell which software runs there: that helps who looks for known faults.
	Hide []string
	// MapBack replaces an origin's name or address in Location, Content-Location, Refresh, Link and Set-Cookie by what the client asked for.
	MapBack bool
	// Origins are the hosts of all endpoints of the pool, names or addresses without ports: an endpoint may name another one.
	Origins []string
	// PathStripped and PathAdded are the prefixes that the route takes off a path and puts before it, in this order: "/app" and "/v1" make "/v1/x" of
	// "/app/x". MapBack undoes them. Both begin with a slash and end without one, or are empty.
	PathStripped, PathAdded string
	// Protect names the fields of requests that the route sets or removes; a "*" at the end takes all that begin so. Look-alike spellings of them are removed from
	// requests, and they themselves from trailers, too.
	Protect []string
	// Dates makes the text of Date. It is shared by all rules; nil makes one.
	Dates *Dates
}

// DefaultSettings returns the settings of a route that says nothing about them.
func DefaultSettings() Settings {
	return Settings{
		XForwardedFor: true, XForwardedProto: true, XForwardedHost: true, XRealIP: true, Forwarded: true,
		Via: "sluice", PassesMax: 4, MapBack: true, Hide: []string{"Server", "X-Powered-By"},
	}
}

// Rules are Settings made ready for use. They never change and may be used by all loops at once.
type Rules struct {
	settings        Settings
	via             [len(versions)][]byte // by versionIndex
	responseDropped nameSet
	protected       protection
	hidden          []string // names in Settings.Hide that are not known ones
	hostValue       []byte
	stripped, added []byte // PathStripped and PathAdded
	originNames     map[string]struct{}
	originAddrs     map[netip.Addr]struct{}
}

// versions are the received-protocols that Via tells (RFC 9110, section 7.6.3).
var versions = [...]string{"1.1", "1.0", "2", "3"}

// NewRules compiles s.
func NewRules(s Settings) *Rules {
	r := &Rules{
		settings: s, hostValue: []byte(s.HostValue), responseDropped: responseDropped, stripped: []byte(s.PathStripped), added: []byte(s.PathAdded),
		originNames: map[string]struct{}{}, originAddrs: map[netip.Addr]struct{}{}, protected: newProtection(s.Protect),
	}
	r.settings.PassesMax = max(r.settings.PassesMax, 1)
	if r.settings.Dates == nil {
		r.settings.Dates = new(Dates)
	}
	for i, version := range versions {
		r.via[i] = []byte(version + " " + s.Via)
	}
	if !s.ResponseVia {
		r.responseDropped.add(exchange.FieldVia)
	}
	for _, name := range s.Hide {
		if id := exchange.LookupName([]byte(name)); id != exchange.FieldOther {
			r.responseDropped.add(id)
		} else {
			r.hidden = append(r.hidden, name)
		}
	}
	for _, host := range s.Origins {
		r.addOrigin(host)
	}
	return r
}

// addOrigin notes host, a name or an address, brackets or not.
func (r *Rules) addOrigin(host string) {
	name := []byte(host)
	if addr, ok := hostAddr(name); ok {
		r.originAddrs[addr] = struct{}{}
		return
	}
	var room [hostBytesMax]byte
	if key, ok := foldHost(&room, name); ok {
		r.originNames[string(key)] = struct{}{}
	}
}

// Host returns the Host for an endpoint whose own host and port is endpoint ("10.0.0.1:8080"; without the port if that is the scheme's default).
func (r *Rules) Host(x *exchange.Exchange, endpoint []byte) []byte {
	switch r.settings.Host {
	case HostOrigin:
		return endpoint
	case HostFixed:
		return r.hostValue
	}
	if len(x.Request.Authority) == 0 { // HTTP/1.0 without Host, which HTTP/1.1 must have (RFC 9112, section 3.2)
		return endpoint
	}
	return x.Request.Authority
}

// nameSet is a set of known field names.
type nameSet [2]uint64

func setOf(names ...exchange.Name) (s nameSet) {
	for _, id := range names {
		s.add(id)
	}
	return s
}

func (s *nameSet) add(id exchange.Name)      { s[id>>6&1] |= 1 << (id & 63) }
func (s *nameSet) has(id exchange.Name) bool { return s[id>>6&1]&(1<<(id&63)) != 0 }
func (s *nameSet) join(other nameSet)        { s[0], s[1] = s[0]|other[0], s[1]|other[1] }

// dropNamed drops the unknown fields that Connection names, and returns the list of these names, nil if there are none (RFC 9110, section 7.6.1). Known ones are
// not its matter; see requestDropped. The codec bounds how many there are.
func dropNamed(s *buf.Scratch, f *exchange.Fields) []byte {
	if !f.Has(exchange.FieldConnection) {
		return nil
	}
	for lines, i := f.Lines(), 0; i < len(lines); i++ {
		if l := &lines[i]; l.ID == exchange.FieldConnection && namesUnknown(l.Value) {
			return dropUnknownNamed(s, f)
		}
	}
	return nil
}

// namesUnknown reports whether a member of list is neither a known name nor "close".
func namesUnknown(list []byte) bool {
	if string(list) == "keep-alive" { // most of all requests
		return false
	}
	for len(list) > 0 {
		var name []byte
		name, list = exchange.NextToken(list)
		if isUnknownOption(name) {
			return true
		}
	}
	return false
}

func isUnknownOption(name []byte) bool {
	return len(name) > 0 && !exchange.EqualFold(name, "close") && exchange.LookupName(name) == exchange.FieldOther
}

// dropUnknownNamed is the rare part of dropNamed.
func dropUnknownNamed(s *buf.Scratch, f *exchange.Fields) []byte {
	named := s.Tail(joinedLength(f, exchange.FieldConnection))
	for _, l := range f.Lines() {
		for rest := l.Value; l.ID == exchange.FieldConnection && len(rest) > 0; {
			var name []byte
			if name, rest = exchange.NextToken(rest); isUnknownOption(name) {
				named = append(append(named, name...), ',')
			}
		}
	}
	named = s.Commit(named)
	f.DelFunc(func(l *exchange.Field) bool { return isNamed(l, named) })
	return named
}

// isNamed reports whether l is an unknown field whose name is in the list named.
func isNamed(l *exchange.Field, named []byte) bool {
	for l.ID == exchange.FieldOther && len(named) > 0 {
		var name []byte
		if name, named = exchange.NextToken(named); equalFold(l.Name, name) {
			return true
		}
	}
	return false
}

// equalFold is exchange.EqualFold for two byte slices.
func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if c != b[i] && lower(c) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// addrBytesMax is the room for an IPv6 address with brackets, quotes and a separator.
const addrBytesMax = 48

// appendAddr appends the text of addr, nothing if it is invalid.
func appendAddr(dst []byte, addr netip.Addr) []byte {
	if !addr.IsValid() {
		return dst
	}
	return addr.AppendTo(dst)
}

func appendInt(s *buf.Scratch, n int) []byte {
	return s.Commit(strconv.AppendInt(s.Tail(20), int64(n), 10))
}

// Texts that fields are set to. Nothing writes to them: a Field's Value is replaced and never changed.
var (
	trailersToken = []byte("trailers")
	httpText      = []byte("http")
	httpsText     = []byte("https")
	space         = []byte{' '}
	listSeparator = []byte(", ")
)

func schemeText(scheme string) []byte {
	if scheme == "https" {
		return httpsText
	}
	return httpText
}

// versionIndex returns the index in versions of "HTTP/1.1" and the like.
func versionIndex(version string) int {
	switch version {
	case "HTTP/1.0":
		return 1
	case "HTTP/2", "HTTP/2.0":
		return 2
	case "HTTP/3", "HTTP/3.0":
		return 3
	}
	return 0
}
