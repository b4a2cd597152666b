package route

import (
	"fmt"
	"slices"
	"strings"

	"sluice/internal/exchange"
)

// An Explanation is how Match finds a route, for people.
type Explanation struct {
	Site  int    // of those given to Build; -1 if none has the host
	Host  string // the pattern that took the host
	Steps []Step // the rules that were tried, in written order; the last one took the request, unless the site did
	Rule  int    // that took the request; -1 if none did, and the site's own route has it
	Route *Route
}

// A Step is one match of a rule that was tried.
type Step struct {
	Rule, Match int
	Against     string // the first key that does not hold, and why: "method: POST is not GET"; "" if the match took the request
}

// Explain does what Match does, step by step. It is slow and allocates.
func (t *Table) Explain(x *exchange.Exchange) Explanation {
	e := Explanation{Site: -1, Rule: -1, Route: t.Match(x)}
	h := t.listeners[x.Client.Listener]
	if h == nil {
		return e
	}
	s := h.find(x.Request.Host)
	if s == nil {
		return e
	}
	e.Site, e.Host = s.index, s.host.String()
	for i := range s.rules {
		for k := range s.rules[i].Matches {
			why := s.rules[i].Matches[k].against(x)
			e.Steps = append(e.Steps, Step{i, k, why})
			if why == "" {
				e.Rule = i
				return e
			}
		}
	}
	return e
}

// against says why m does not take x, "" if it does.
func (m *Match) against(x *exchange.Exchange) string {
	r := &x.Request
	if len(m.Path) > 0 && !slices.ContainsFunc(m.Path, func(p Path) bool { return p.matches(r.MatchPath) }) {
		return fmt.Sprintf("path: %s is not %s", r.MatchPath, either(m.Path))
	}
	if len(m.Method) > 0 && !slices.Contains(m.Method, r.Method) {
		return fmt.Sprintf("method: %s is not %s", r.Method, strings.Join(m.Method, " or "))
	}
	if len(m.Host) > 0 && !slices.ContainsFunc(m.Host, func(h Host) bool { return h.matches(r.Host) }) {
		return fmt.Sprintf("host: %s is not %s", r.Host, either(m.Host))
	}
	if len(m.ClientIP) > 0 && !containsAddr(m.ClientIP, x.Client.Addr) {
		return fmt.Sprintf("client_ip: %v is not in %s", x.Client.Addr, either(m.ClientIP))
	}
	for i := range m.Header {
		if f := &m.Header[i]; !f.holds(&r.Fields) {
			return fmt.Sprintf("header: there is no %s with %s", f.Name, either(f.Values))
		}
	}
	for i := range m.Query {
		if p := &m.Query[i]; !p.holds(x) {
			return fmt.Sprintf("query: there is no %s with %s", p.Name, either(p.Values))
		}
	}
	if len(m.PathRegexp) > 0 && !matchesRegexp(m.PathRegexp, r.MatchPath) {
		return fmt.Sprintf("path_regexp: %s has no %s", r.MatchPath, either(m.PathRegexp))
	}
	return ""
}

// either joins patterns with "or".
func either[T fmt.Stringer](patterns []T) string {
	var all []string
	for _, p := range patterns {
		all = append(all, p.String())
	}
	return strings.Join(all, " or ")
}
