package route

import (
	"net/netip"
	"regexp"
	"slices"

	"sluice/internal/exchange"
)

// A Match is one condition of a rule: all keys must hold; a list means any of its items; an empty list holds always. The zero Match takes all.
type Match struct {
	Host []Host
	// Path is exact, or with stars (see ParsePath); case counts.
	Path []Path
	// PathRegexp finds RE2 expressions anywhere in the path in normal form: write ^ and $ to anchor them.
	PathRegexp []*regexp.Regexp
	// Method is case-sensitive (RFC 9110, section 9.1); GET does not include HEAD.
	Method []string
	// Header holds if each of the fields does.
	Header []FieldMatch
	// Query holds if each of the parameters does.
	Query []ParamMatch
	// ClientIP holds the networks of the client's address, without IPv4-mapped ones. A client without an address (Unix socket) is in none.
	ClientIP []netip.Prefix
}

// A FieldMatch holds if one of the field lines with that name has a value that one of the patterns takes. Case counts in values.
type FieldMatch struct {
	Name   string
	Values []Pattern
}

// A ParamMatch holds if one of the query's parameters with that name has a value that one of the patterns takes. Case counts.
// Names and values are compared after percent-decoding and with "+" for a space, as an origin reads them (application/x-www-form-urlencoded).
type ParamMatch struct {
	Name   string
	Values []Pattern
}

// isPathOnly reports whether the paths of m's index say all.
func (m *Match) isPathOnly() bool {
	return len(m.Host)+len(m.PathRegexp)+len(m.Method)+len(m.Header)+len(m.Query)+len(m.ClientIP) == 0
}

// index returns the patterns under which m stands in the tree: each request that m takes is taken by one of them.
func (m *Match) index() []*Path {
	var paths []*Path
	for i := range m.Path {
		paths = append(paths, &m.Path[i])
	}
	if len(m.Path) == 0 {
		for _, re := range m.PathRegexp {
			paths = append(paths, below(literalPrefix(re)))
		}
	}
	if len(paths) == 0 {
		paths = append(paths, below(""))
	}
	return paths
}

// holds reports whether all but the path patterns hold. What costs most is asked last.
func (m *Match) holds(x *exchange.Exchange) bool {
	r := &x.Request
	if len(m.Method) > 0 && !slices.Contains(m.Method, r.Method) {
		return false
	}
	if len(m.Host) > 0 && !slices.ContainsFunc(m.Host, func(h Host) bool { return h.matches(r.Host) }) {
		return false
	}
	if len(m.ClientIP) > 0 && !containsAddr(m.ClientIP, x.Client.Addr) {
		return false
	}
	for i := range m.Header {
		if !m.Header[i].holds(&r.Fields) {
			return false
		}
	}
	for i := range m.Query {
		if !m.Query[i].holds(x) {
			return false
		}
	}
	return len(m.PathRegexp) == 0 || matchesRegexp(m.PathRegexp, r.MatchPath)
}

func containsAddr(networks []netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}

func (f *FieldMatch) holds(fields *exchange.Fields) bool {
	lines := fields.Lines()
	for i := range lines {
		if exchange.EqualFold(lines[i].Name, f.Name) && anyMatches(f.Values, lines[i].Value) {
			return true
		}
	}
	return false
}
