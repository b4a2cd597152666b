package route

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/exchange"
	"sluice/internal/exchange/exchangetest"
	"sluice/internal/wire/target"
)

// plainMatch is Table.Match as one would explain it: the oracle of its tests. It shares no code for hosts and patterns with the table.
func plainMatch(sites []Site, x *exchange.Exchange) *Route {
	s := plainSite(sites, x)
	if s == nil {
		return nil
	}
	for i := range s.Rules {
		for k := range s.Rules[i].Matches {
			if m := &s.Rules[i].Matches[k]; plainPath(m, x) && m.holds(x) {
				return s.Rules[i].Route
			}
		}
	}
	return s.Route
}

func plainSite(sites []Site, x *exchange.Exchange) *Site {
	var best *Site
	longest := -1
	for i := range sites {
		s, host := &sites[i], string(x.Request.Host)
		name := s.Host.String()
		rank := len(name)
		switch {
		case s.Listener != x.Client.Listener:
			continue
		case name == host:
			rank = 1 << 10
		case name == "*":
			rank = 0
		case name[0] != '*' || !strings.HasSuffix(host, name[1:]) || len(host) < len(name):
			continue
		}
		if rank > longest {
			best, longest = s, rank
		}
	}
	return best
}

func plainPath(m *Match, x *exchange.Exchange) bool {
	for _, p := range m.Path {
		text, open := strings.CutSuffix(p.text, "*")
		text = strings.ReplaceAll(regexp.QuoteMeta(text), `\*`, `[^/]*`)
		if open {
			text += ".*"
		}
		if regexp.MustCompile(`(?s)\A` + text + `\z`).Match(x.Request.MatchPath) {
			return true
		}
	}
	return len(m.Path) == 0
}

// randomSites makes tables in which rules often overlap: names, paths and values are of few letters.
func randomSites(r *rand.Rand) []Site {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	path := func() Path {
		text := "/"
		for range r.IntN(6) {
			text += pick("a", "b", "/", "*", "%2F", "ab")
		}
		p, err := ParsePath(text)
		if err != nil {
			p, _ = ParsePath("/a*")
		}
		return p
	}
	var sites []Site
	for _, name := range []string{"a", "*.a", "b.a", "*.b.a", "*"} {
		if r.IntN(3) == 0 {
			continue
		}
		s := siteOf(name)
		s.Listener = pick(":80", ":443")
		for i := range r.IntN(20) {
			var matches []Match
			for range 1 + r.IntN(2) {
				matches = append(matches, randomMatch(r, pick, path))
			}
			s.Rules = append(s.Rules, Rule{matches, &Route{Name: fmt.Sprint(i)}})
		}
		sites = append(sites, s)
	}
	return sites
}

func randomMatch(r *rand.Rand, pick func(...string) string, path func() Path) Match {
	var m Match
	for range r.IntN(4) {
		m.Path = append(m.Path, path())
	}
	if r.IntN(4) == 0 {
		m.PathRegexp = append(m.PathRegexp, regexp.MustCompile(pick("^/a", "b$", "^/a/b", "a.*b")))
	}
	if r.IntN(4) == 0 {
		m.Method = append(m.Method, pick("GET", "PUT"))
	}
	if r.IntN(6) == 0 {
		m.Query = append(m.Query, ParamMatch{"q", patternsOf(pick("*", "1", "a*b"))})
	}
	if r.IntN(6) == 0 {
		m.Header = append(m.Header, FieldMatch{"Q", patternsOf(pick("*", "1", "a*b"))})
	}
	if r.IntN(6) == 0 {
		m.ClientIP = append(m.ClientIP, netip.MustParsePrefix(pick("192.0.0.0/16", "10.0.0.0/8")))
	}
	return m
}

func FuzzTableMatchesAsALinearScan(f *testing.F) {
	f.Add(uint64(1), "b.a", "/a/b", "q=a%62b", "GET")
	f.Add(uint64(2), "x.b.a", "//ab/a", "", "PUT")
	f.Add(uint64(3), "", "/", "", "")
	f.Fuzz(func(t *testing.T, seed uint64, host, path, query, method string) {
		normal, err := target.Normalize(nil, []byte(path))
		if err != nil {
			return
		}
		sites := randomSites(rand.New(rand.NewPCG(seed, 0)))
		checkSame(t, sites, exchangetestOf(seed, host, string(normal), query, method))
	})
}

func TestTableMatchesAsALinearScan(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		sites := randomSites(r)
		table, problems := Build(sites, Fallbacks{})
		never := map[*Route]Problem{}
		for _, p := range problems {
			if rule := &sites[p.Site].Rules[p.Rule]; len(rule.Matches) == 1 && (p.Path == -1 || len(rule.Matches[0].Path) == 1) {
				never[rule.Route] = p
			}
		}
		for range 100 {
			path := "/"
			for range r.IntN(6) {
				path += []string{"a", "b", "/", "ab", "%2F"}[r.IntN(5)]
			}
			host := []string{"a", "b.a", "c.a", "x.b.a", "z"}[r.IntN(5)]
			x := exchangetestOf(r.Uint64(), host, path, []string{"q=1", "q", "q=axb", ""}[r.IntN(4)], []string{"GET", "PUT", "X"}[r.IntN(3)])
			want := plainMatch(sites, x)
			if got := table.Match(x); got != want {
				t.Fatalf("%s %s: got %+v, want %+v", host, path, got, want)
			}
			checkExplained(t, table, sites, x)
			if p, ok := never[want]; ok {
				t.Fatalf("%s %s went to a rule that is said never to match: %v", host, path, p)
			}
		}
	}
}

func exchangetestOf(seed uint64, host, path, query, method string) *exchange.Exchange {
	x := exchangetest.New(method, []string{"http://x/", "https://x/"}[seed%2], []string{"Q: 1", "q: a-b", "R: 1"}[seed%3])
	x.Request.Host, x.Request.Query = []byte(host), []byte(query)
	x.Request.Path = []byte(path)
	x.Request.MatchPath = target.MergeSlashes(nil, x.Request.Path)
	return x
}

func checkSame(t *testing.T, sites []Site, x *exchange.Exchange) {
	t.Helper()
	table, _ := Build(sites, Fallbacks{})
	if got, want := table.Match(x), plainMatch(sites, x); got != want {
		t.Fatalf("%s %s: got %+v, want %+v", x.Request.Host, x.Request.MatchPath, got, want)
	}
	checkExplained(t, table, sites, x)
}

// checkExplained checks that the explanation leads to the route of Match.
func checkExplained(t *testing.T, table *Table, sites []Site, x *exchange.Exchange) {
	t.Helper()
	e := table.Explain(x)
	var got *Route
	switch {
	case e.Rule >= 0:
		got = sites[e.Site].Rules[e.Rule].Route
	case e.Site >= 0:
		got = sites[e.Site].Route
	}
	if got != e.Route || e.Route != table.Match(x) {
		t.Fatalf("%s %s: explained as %+v", x.Request.Host, x.Request.MatchPath, e)
	}
	for i, s := range e.Steps {
		if took := i == len(e.Steps)-1 && e.Rule >= 0; (s.Against == "") != took {
			t.Fatalf("%s %s: step %d of %+v", x.Request.Host, x.Request.MatchPath, i, e)
		}
	}
}

// FuzzPattern compares a pattern with the regular expression that says the same.
func FuzzPattern(f *testing.F) {
	f.Add("a*b*c", "aXbYc")
	f.Add("*ab", "aab")
	f.Fuzz(func(t *testing.T, text, value string) {
		p := ParsePattern(text)
		re, err := regexp.Compile(`(?s)\A` + strings.ReplaceAll(regexp.QuoteMeta(text), `\*`, `.*`) + `\z`)
		if err != nil || strings.ToValidUTF8(value, "") != value || strings.ToValidUTF8(text, "") != text {
			return
		}
		if got, want := p.matches([]byte(value)), re.MatchString(value); got != want {
			t.Fatalf("%q on %q: %v, want %v", text, value, got, want)
		}
		if q := ParsePattern(value); p.covers(&q) && !p.matches([]byte(value)) {
			t.Fatalf("%q covers %q and does not take it", text, value)
		}
	})
}
