package route

import (
	"slices"

	"sluice/internal/exchange"
)

// A Table finds routes. It never changes and may be used by all loops at once.
type Table struct {
	listeners map[string]*hosts
	fallbacks Fallbacks
}

// hosts is the sites of one listener.
type hosts struct {
	exact   map[string]*site
	wild    map[string]*site // by the suffix behind the "*", with its dot
	wildMax int              // length of the longest suffix
	any     *site            // nil if there is none
}

// site is the rules of one host, indexed.
type site struct {
	paths node
	rules []Rule
	route *Route
	host  Host
	index int // of those given to Build
}

// Build compiles sites. Problems are the sites and rules that never get a request; the table works without them. The order of problems is that of sites.
func Build(sites []Site, fallbacks Fallbacks) (*Table, []Problem) {
	t := &Table{listeners: map[string]*hosts{}, fallbacks: fallbacks}
	seen := map[[2]string]int{}
	var problems []Problem
	var built []*site // nil for those that are there twice
	for i := range sites {
		s := &sites[i]
		key := [2]string{s.Listener, s.Host.String()}
		if by, ok := seen[key]; ok {
			problems = append(problems, Problem{Kind: DuplicateSite, Site: i, Rule: -1, Match: -1, Path: -1, By: by, Pattern: s.Host.String()})
			built = append(built, nil)
			continue
		}
		seen[key] = i
		one := newSite(s)
		one.index = i
		built = append(built, one)
		t.hosts(s.Listener).add(s.Host, one)
	}
	for i, one := range built {
		if one != nil {
			problems = append(problems, one.unreachable(i, t.hosts(sites[i].Listener))...)
		}
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return a.Site - b.Site })
	return t, problems
}

// Match returns the route of x, never nil. It reads Client.Listener, Client.Addr and the request's Host, MatchPath, Method, Fields and Query.
func (t *Table) Match(x *exchange.Exchange) *Route {
	h := t.listeners[x.Client.Listener]
	if h == nil {
		return t.fallbacks.Misdirected
	}
	s := h.find(x.Request.Host)
	if s == nil {
		return t.fallbacks.Misdirected
	}
	e := s.find(x)
	switch {
	case e == nil:
		return s.route
	case len(e.match.PathRegexp) > 0 && len(x.Request.MatchPath) > RegexpPathMax:
		return t.fallbacks.PathTooLong
	}
	return s.rules[e.rule].Route
}

func (t *Table) hosts(listener string) *hosts {
	h := t.listeners[listener]
	if h == nil {
		h = &hosts{exact: map[string]*site{}, wild: map[string]*site{}}
		t.listeners[listener] = h
	}
	return h
}

func (h *hosts) add(host Host, s *site) {
	switch host.kind {
	case exactHost:
		h.exact[host.name] = s
	case wildHost:
		h.wild[host.name] = s
		h.wildMax = max(h.wildMax, len(host.name))
	case anyHost:
		h.any = s
	}
}

// find returns the site of a host, nil if there is none. BenchmarkMatch.
func (h *hosts) find(host []byte) *site {
	if s := h.exact[string(host)]; s != nil {
		return s
	}
	for i := max(1, len(host)-h.wildMax); i < len(host); i++ {
		if host[i] == '.' {
			if s := h.wild[string(host[i:])]; s != nil {
				return s
			}
		}
	}
	return h.any
}

func newSite(from *Site) *site {
	s := &site{rules: from.Rules, route: from.Route, host: from.Host}
	for i := range s.rules {
		for k := range s.rules[i].Matches {
			m := &s.rules[i].Matches[k]
			for _, p := range m.index() {
				s.paths.insert(p.literal, entry{rule: i, match: m, path: p, walked: p.kind != globPath, alone: m.isPathOnly()})
			}
		}
	}
	return s
}

// find returns an entry of the first rule that takes x, nil if none does. BenchmarkMatch.
func (s *site) find(x *exchange.Exchange) *entry {
	var best *entry
	path := x.Request.MatchPath
	for n := s.paths.next(path); n != nil; n = n.next(path) {
		path = path[len(n.label):]
		if len(path) == 0 {
			best = first(n.exact, best, x)
		}
		best = first(n.below, best, x)
	}
	// Last, what holds for all paths: regular expressions are asked only if nothing written before them has been found.
	return first(s.paths.below, best, x)
}

// first returns the first of entries that takes x, or best if the rule of that one is written before.
func first(entries []entry, best *entry, x *exchange.Exchange) *entry {
	for i := range entries {
		e := &entries[i]
		if best != nil && e.rule >= best.rule {
			break
		}
		if !e.walked && !e.path.matches(x.Request.MatchPath) {
			continue
		}
		if e.alone || e.match.holds(x) {
			return e
		}
	}
	return best
}
