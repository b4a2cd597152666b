package route

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

func TestFindsWhatIsNeverReached(t *testing.T) {
	f := func(sentence string, want []string, rules ...Match) {
		t.Helper()
		s := siteOf("*.example")
		for _, m := range rules {
			s.Rules = append(s.Rules, rule("", m))
		}
		_, problems := Build([]Site{s}, Fallbacks{})
		var got []string
		for _, p := range problems {
			got = append(got, fmt.Sprintf("%d.%d by %d: %s", p.Rule, p.Path, p.By, p))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %q\nwant %q", sentence, got, want)
		}
	}
	path := func(texts ...string) Match { return Match{Path: pathsOf(t, texts...)} }
	networks := func(texts ...string) Match { return Match{ClientIP: parsed(t, netip.ParsePrefix, texts)} }

	f("a longer prefix below a shorter one", []string{`1.0 by 0: "/static/img/*" never matches: "/static/*" takes it first; move it up`}, path("/static/*"), path("/static/img/*"))
	f("the other way round", nil, path("/static/img/*"), path("/static/*"))
	f("an exact path below a prefix", []string{`1.0 by 0: "/a/b" never matches: "/a*" takes it first; move it up`}, path("/a*"), path("/a/b"))
	f("one path of two", []string{`1.1 by 0: "/a/x" never matches: "/a/*" takes it first; move it up`}, path("/z", "/a/*"), path("/a", "/a/x"))
	f("two rules take one each", []string{
		`2.0 by 0: "/a" never matches: "/a" takes it first; move it up`, `2.1 by 1: "/b" never matches: "/b" takes it first; move it up`,
	}, path("/a"), path("/b"), path("/a", "/b"))
	f("an exact path that a glob takes", []string{`1.0 by 0: "/a/x/b" never matches: "/a/*/b" takes it first; move it up`}, path("/a/*/b"), path("/a/x/b", "/a/x/c"))
	f("the same glob", []string{`1.0 by 0: "/a/*/b" never matches: "/a/*/b" takes it first; move it up`}, path("/a/*/b"), path("/a/*/b"))
	f("a glob below a prefix", []string{`1.0 by 0: "/a/*/b" never matches: "/a/*" takes it first; move it up`}, path("/a/*"), path("/a/*/b"))
	f("anything after everything", []string{`1.-1 by 0: "*" never matches: "*" takes it first; move it up`}, Match{}, Match{Method: []string{"GET"}})
	f("everything after something", nil, path("/a*"), Match{})
	f("a regular expression after its prefix", []string{`1.-1 by 0: "^/a/[0-9]" never matches: "/a/*" takes it first; move it up`}, path("/a/*"), Match{PathRegexp: regexps("^/a/[0-9]")})
	f("one of two expressions", nil, path("/a/*"), Match{PathRegexp: regexps("^/a/[0-9]", "x")})
	f("the same expression", []string{`1.-1 by 0: "x$" never matches: "y, x$" takes it first; move it up`}, Match{PathRegexp: regexps("y", "x$")}, Match{PathRegexp: regexps("x$")})
	f("a path that an expression takes", []string{`1.0 by 0: "/ax" never matches: "x$" takes it first; move it up`}, Match{PathRegexp: regexps("x$")}, path("/ax", "/ay"))
	f("other methods", nil, Match{Path: pathsOf(t, "/a"), Method: []string{"GET"}}, path("/a"), Match{Path: pathsOf(t, "/b"), Method: []string{"GET"}}, Match{Path: pathsOf(t, "/b"), Method: []string{"PUT"}})
	f("fewer methods", []string{`1.0 by 0: "/a" never matches: "/a" takes it first; move it up`},
		Match{Path: pathsOf(t, "/a"), Method: []string{"GET", "HEAD"}}, Match{Path: pathsOf(t, "/a"), Method: []string{"HEAD"}})
	f("a smaller network", []string{`1.-1 by 0: "*" never matches: "*" takes it first; move it up`}, networks("10.0.0.0/8", "::/0"), networks("10.1.0.0/16"))
	f("a larger network", nil, networks("10.1.0.0/16"), networks("10.0.0.0/8"))
	f("fields", []string{`1.-1 by 0: "*" never matches: "*" takes it first; move it up`},
		Match{Header: []FieldMatch{{"X-A", patternsOf("1*")}}}, Match{Header: []FieldMatch{{"X-B", patternsOf("2")}, {"x-a", patternsOf("1", "12*")}}}, Match{Header: []FieldMatch{{"X-A", patternsOf("*")}}})
	f("parameters", []string{`1.-1 by 0: "*" never matches: "*" takes it first; move it up`},
		Match{Query: []ParamMatch{{"a", patternsOf("*")}}}, Match{Query: []ParamMatch{{"a", patternsOf("1")}}}, Match{Query: []ParamMatch{{"A", patternsOf("1")}}})
	f("hosts", []string{`1.-1 by 0: "*" never matches: "*" takes it first; move it up`, `2.-1 by -1: "b.test" never matches: the site has no such host`},
		Match{Host: hostsOf(t, "*.a.example", "b.example")}, Match{Host: hostsOf(t, "b.example", "x.a.example")}, Match{Host: hostsOf(t, "b.test")}, Match{Host: hostsOf(t, "*")})
}

func TestFindsTheSameSiteTwice(t *testing.T) {
	_, problems := Build(append(sitesOf(":80", "A.example", "b.example", "a.example."), sitesOf(":81", "a.example")...), Fallbacks{})
	if len(problems) != 1 || problems[0].Kind != DuplicateSite || problems[0].Site != 2 || problems[0].By != 0 {
		t.Errorf("%+v", problems)
	}
}
