package route

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"sluice/internal/exchange"
)

// ProblemKind says why a site or a rule never gets a request.
type ProblemKind uint8

const (
	// DuplicateSite is a site whose listener and host are those of site By.
	DuplicateSite ProblemKind = iota
	// Unreachable is a path, or a match without paths, all of whose requests rule By takes, which is written before it.
	Unreachable
	// OtherHost is a match for hosts that its site does not have.
	OtherHost
)

// A Problem is a site or a rule that never gets a request. Numbers are indexes in what Build was given; -1 means that there is none.
type Problem struct {
	Kind  ProblemKind
	Site  int
	Rule  int // in Sites[Site].Rules
	Match int // in the rule's Matches
	Path  int // in the match's Path; -1 means the whole match
	By    int // the rule of the same site that takes all, or the site
	// ByMatch and ByPath are what of that rule does: its match, and the path of that.
	ByMatch, ByPath int
	// Pattern and ByPattern are what the two rules say of paths, or the host, as messages name them.
	Pattern, ByPattern string
}

// String tells the problem without places.
func (p Problem) String() string {
	switch p.Kind {
	case DuplicateSite:
		return fmt.Sprintf("host %q is there twice on the same listener", p.Pattern)
	case OtherHost:
		return fmt.Sprintf("%q never matches: the site has no such host", p.Pattern)
	}
	return fmt.Sprintf("%q never matches: %q takes it first; move it up", p.Pattern, p.ByPattern)
}

// unreachable returns the matches and paths of s that never take a request. number is the site's, and hosts are the sites of its listener.
func (s *site) unreachable(number int, hosts *hosts) []Problem {
	var problems []Problem
	for i := range s.rules {
		for k := range s.rules[i].Matches {
			m := &s.rules[i].Matches[k]
			p := Problem{Site: number, Rule: i, Match: k, Path: -1, By: -1}
			if by, other := s.noHost(m, hosts); other {
				p.Kind, p.Pattern, p.By = OtherHost, m.Host[0].String(), by
				problems = append(problems, p)
				continue
			}
			p.Kind = Unreachable
			problems = append(problems, s.taken(p, m)...)
		}
	}
	return problems
}

// noHost reports whether none of m's hosts is the site's. by is the site that has the first of them, -1 if none has.
func (s *site) noHost(m *Match, hosts *hosts) (by int, other bool) {
	if len(m.Host) == 0 {
		return -1, false
	}
	for _, h := range m.Host {
		if h.covers(s.host) || s.host.covers(h) && hosts.owner(h) == s {
			return -1, false
		}
	}
	if owner := hosts.owner(m.Host[0]); owner != nil {
		return owner.index, true
	}
	return -1, true
}

// owner returns the site that gets the requests of a host; of a wildcard, the site that all of them come to but for those of sites with a name of their own.
func (h *hosts) owner(host Host) *site {
	switch host.kind {
	case exactHost:
		return h.find([]byte(host.name))
	case wildHost:
		if s := h.wild[host.name]; s != nil {
			return s
		}
		return h.find([]byte("*" + host.name))
	}
	return h.any
}

// taken returns p for each path of m that rules before p.Rule take, or once if m has no paths and all of it is taken.
func (s *site) taken(p Problem, m *Match) []Problem {
	var problems []Problem
	paths := m.index()
	for i, path := range paths {
		if by := s.taker(p.Rule, m, path); by != nil {
			p.Path, p.By, p.Pattern, p.ByPattern = i, by.rule, m.pathText(i), by.text()
			p.ByMatch, p.ByPath = s.place(by)
			problems = append(problems, p)
		}
	}
	if len(m.Path) > 0 || len(problems) == 0 {
		return problems
	}
	if len(problems) < len(paths) {
		return nil
	}
	problems[0].Path = -1
	return problems[:1]
}

// place returns the indexes of e's match and path in its rule.
func (s *site) place(e *entry) (match, path int) {
	matches := s.rules[e.rule].Matches
	for i := range matches {
		if &matches[i] != e.match {
			continue
		}
		for k := range matches[i].Path {
			if &matches[i].Path[k] == e.path {
				return i, k
			}
		}
		return i, 0
	}
	return 0, 0
}

// text is how messages name e.
func (e *entry) text() string {
	if len(e.match.Path) > 0 {
		return e.path.text
	}
	return e.match.pathText(0)
}

// pathText is how messages name the i-th path of m, or what m says instead of paths.
func (m *Match) pathText(i int) string {
	switch {
	case len(m.Path) > 0:
		return m.Path[i].text
	case len(m.PathRegexp) > 0:
		var texts []string
		for _, re := range m.PathRegexp {
			texts = append(texts, re.String())
		}
		return strings.Join(texts, ", ")
	}
	return "*"
}

// taker returns an entry of a rule before rule i that takes all that m takes by path; nil if there is none.
// A pattern that takes all begins with the same literal bytes, so the tree leads to it.
func (s *site) taker(i int, m *Match, path *Path) *entry {
	rest := []byte(path.literal)
	by := takerAmong(s.paths.below, i, m, path)
	for n := s.paths.next(rest); n != nil && by == nil; n = n.next(rest) {
		rest = rest[len(n.label):]
		by = takerAmong(n.below, i, m, path)
		if by == nil && len(rest) == 0 {
			by = takerAmong(n.exact, i, m, path)
		}
	}
	return by
}

func takerAmong(entries []entry, i int, m *Match, path *Path) *entry {
	for k := range entries {
		if e := &entries[k]; e.rule < i && e.match.covers(e.path, m, path) {
			return e
		}
	}
	return nil
}

// covers reports whether m, by its pattern p, takes all that other takes by its pattern q. It may say no where that is true.
func (m *Match) covers(p *Path, other *Match, q *Path) bool {
	return coversPath(m, p, other, q) &&
		coversList(m.Method, other.Method, func(a, b string) bool { return a == b }) &&
		coversList(m.Host, other.Host, Host.covers) &&
		coversList(m.ClientIP, other.ClientIP, coversNetwork) &&
		coversHeader(m.Header, other.Header) &&
		coversQuery(m.Query, other.Query)
}

func coversPath(m *Match, p *Path, other *Match, q *Path) bool {
	if len(m.PathRegexp) == 0 {
		return p.covers(q)
	}
	if q.kind == exactPath && p.covers(q) && matchesRegexp(m.PathRegexp, []byte(q.literal)) {
		return true
	}
	return (len(m.Path) == 0 || p.covers(q)) && len(other.PathRegexp) > 0 &&
		coversList(m.PathRegexp, other.PathRegexp, func(a, b *regexp.Regexp) bool { return a.String() == b.String() })
}

// coversList reports whether outer, any of whose items suffice, holds wherever inner does. Empty lists hold always.
func coversList[T any](outer, inner []T, covers func(outer, inner T) bool) bool {
	if len(outer) == 0 {
		return true
	}
	return len(inner) > 0 && !slices.ContainsFunc(inner, func(in T) bool {
		return !slices.ContainsFunc(outer, func(out T) bool { return covers(out, in) })
	})
}

func coversNetwork(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

func coversHeader(outer, inner []FieldMatch) bool {
	return !slices.ContainsFunc(outer, func(out FieldMatch) bool {
		return !slices.ContainsFunc(inner, func(in FieldMatch) bool {
			return exchange.EqualFold(out.Name, in.Name) && allCovered(out.Values, in.Values)
		})
	})
}

func coversQuery(outer, inner []ParamMatch) bool {
	return !slices.ContainsFunc(outer, func(out ParamMatch) bool {
		return !slices.ContainsFunc(inner, func(in ParamMatch) bool { return out.Name == in.Name && allCovered(out.Values, in.Values) })
	})
}
