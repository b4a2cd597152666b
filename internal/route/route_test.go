package route

import (
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice/internal/exchange"
	"sluice/internal/exchange/exchangetest"
)

func TestMatchesHostsExactThenWildcardThenAny(t *testing.T) {
	table := build(t, sitesOf(":80", "shop.example.com", "*.example.com", "*.b.example.com", "127.0.0.1", "[::1]", "*"))
	for host, want := range map[string]string{
		"shop.example.com": "shop.example.com", "a.example.com": "*.example.com", "x.a.example.com": "*.example.com", "x.b.example.com": "*.b.example.com",
		"b.example.com": "*.example.com", "y.x.b.example.com": "*.b.example.com", "example.com": "*", ".example.com": "*", "127.0.0.1": "127.0.0.1",
		"[::1]": "[::1]", "xshop.example.com": "*.example.com", "org": "*", "": "*", ".": "*",
	} {
		x := exchangetest.New("GET", "http://"+host+"/")
		if got := table.Match(x).Site; got != want {
			t.Errorf("%q goes to %q, want %q", host, got, want)
		}
	}
}

func TestMisdirectedIsForUnknownHostsAndListeners(t *testing.T) {
	table := build(t, sitesOf(":80", "a.example"))
	for _, target := range []string{"http://b.example/", "https://a.example/"} {
		err := table.Match(exchangetest.New("GET", target)).Forward.Do(nil)
		var e *exchange.Error
		if !errors.As(err, &e) || e.Status != 421 {
			t.Errorf("%s: %v, want 421", target, err)
		}
	}
}

func TestTheSameHostOnTwoListenersIsTwoSites(t *testing.T) {
	table := build(t, append(sitesOf(":80", "a.example"), sitesOf(":443", "a.example", "*")...))
	if r := table.Match(exchangetest.New("GET", "http://a.example/")); r.Name != ":80" {
		t.Errorf("went to %+v", r)
	}
	if r := table.Match(exchangetest.New("GET", "https://a.example/")); r.Name != ":443" {
		t.Errorf("went to %+v", r)
	}
}

func TestRefusesHostPatterns(t *testing.T) {
	for text, want := range map[string]string{
		"a.*.example": "whole labels", "*a.example": "whole labels", "a..b": "empty label", "*.": "whole labels", "*..": "empty label", "a:80": "no port", "[::1": "IPv6", "[::1]:80": "IPv6",
		"[1.2.3.4]": "IPv6", "käse.example": "xn--", "a b": "cannot be part", strings.Repeat("a", 254): "253", "http://a": "no port",
	} {
		if _, err := ParseHost(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
	if h, err := ParseHost("Shop.EXAMPLE.com."); err != nil || h.String() != "shop.example.com" {
		t.Errorf("%v %v", h, err)
	}
}

func TestPathPatterns(t *testing.T) {
	f := func(pattern string, takes, leaves string) {
		t.Helper()
		p, err := ParsePath(pattern)
		if err != nil {
			t.Errorf("%q: %v", pattern, err)
			return
		}
		for _, path := range strings.Fields(takes) {
			if !p.matches([]byte(path)) {
				t.Errorf("%q does not take %q", pattern, path)
			}
		}
		for _, path := range strings.Fields(leaves) {
			if p.matches([]byte(path)) {
				t.Errorf("%q takes %q", pattern, path)
			}
		}
	}
	f("/", "/", "/a")
	f("/a", "/a", "/ /a/ /A /ab")
	f("/static/*", "/static/ /static/a /static/a/b", "/static /statics/ /Static/")
	f("/admin*", "/admin /admin/x /administrator", "/admi")
	f("*", "/ /a *", "")
	f("/a/*/b", "/a/x/b /a//b", "/a/x/y/b /a/b /a/x/b/ /a/x/bc")
	f("/img/*.png", "/img/a.png /img/.png /img/a.b.png", "/img/a/b.png /img/a.png/ /img/a.pngx")
	f("/a/x*y/*", "/a/xy/ /a/x1y/2/3", "/a/xy /a/x/y/")
	f("/a/*/*", "/a/b/ /a/b/c /a/b/c/d", "/a/b")
	f("/*/b*", "/a/b /a/bc/d", "/a/c/b")
	f("/%7euser/%2f", "/~user/%2F", "/~user//")
	f("/käse", "/k%C3%A4se", "")
	f("/%2A", "/%2A", "/* /a")
	f("/a b|", "/a%20b%7C", "")
	f("/a//b/../%2e/c*", "/a/c", "/a/b/c")
}

func TestRefusesPathPatternsThatNoRequestHas(t *testing.T) {
	for text, want := range map[string]string{
		"": `begins with "/"`, "a": `begins with "/"`, "*.php": `path_regexp`, "/**": `"**"`, "/a?b": "query", "/a#b": "no", "/%2": "hexadecimal", "/%2*": "hexadecimal",
		"/%zz": "hexadecimal", "/a\nb": "control", "/%00": "control", "/a%2f..": "hides",
	} {
		if _, err := ParsePath(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}

func TestTheFirstRuleThatHoldsWins(t *testing.T) {
	table := build(t, []Site{siteOf("*",
		rule("0", Match{Path: pathsOf(t, "/a/b/c"), Method: []string{"POST"}}),
		rule("1", Match{PathRegexp: regexps(`\.php$`)}),
		rule("2", Match{Path: pathsOf(t, "/a/*")}),
		rule("3", Match{Path: pathsOf(t, "/z", "/y/*")}),
		rule("4", Match{Method: []string{"DELETE"}}),
		rule("5", Match{Path: pathsOf(t, "/*/x/y")}),
	)})
	for request, want := range map[string]string{
		"POST /a/b/c": "0", "GET /a/b/c": "2", "GET /a/x.php": "1", "GET /z": "3", "DELETE /q": "4", "DELETE /a/": "2", "GET /q/x/y": "5", "GET /q": "site", "DELETE /q/x/y": "4",
		"GET //a//b": "2", "GET /z/": "site",
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := table.Match(exchangetest.New(method, "http://a.example"+path)).Name; got != want {
			t.Errorf("%s goes to %s, want %s", request, got, want)
		}
	}
}

func TestAllKeysOfAMatchMustHold(t *testing.T) {
	m := Match{
		Host: hostsOf(t, "*.example"), Path: pathsOf(t, "/x*"), PathRegexp: regexps("[0-9]$"), Method: []string{"GET", "HEAD"},
		Header:   []FieldMatch{{"X-Version", patternsOf("2", "3*")}, {"Accept", patternsOf("*")}},
		Query:    []ParamMatch{{"debug", patternsOf("*")}, {"a b", patternsOf("ü*")}},
		ClientIP: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")},
	}
	table := build(t, []Site{siteOf("*", rule("0", m))})
	query := "?debug&a+b=%c3%bcx"
	f := func(sentence, want string, x *exchange.Exchange) {
		t.Helper()
		if got := table.Match(x).Name; got != want {
			t.Errorf("%s: goes to %s, want %s", sentence, got, want)
		}
	}
	f("all hold", "0", exchangetest.New("GET", "http://a.example/x1"+query, "x-version: 2", "Accept:"))
	f("another item of each list", "0", exchangetest.New("HEAD", "http://a.example/x1"+query, "X-Version: 1", "X-Version: 3.1", "Accept: */*"))
	f("host", "site", exchangetest.New("GET", "http://example/x1"+query, "X-Version: 2", "Accept: */*"))
	f("path", "site", exchangetest.New("GET", "http://a.example/y1"+query, "X-Version: 2", "Accept: */*"))
	f("path_regexp", "site", exchangetest.New("GET", "http://a.example/xa"+query, "X-Version: 2", "Accept: */*"))
	f("method", "site", exchangetest.New("get", "http://a.example/x1"+query, "X-Version: 2", "Accept: */*"))
	f("field value", "site", exchangetest.New("GET", "http://a.example/x1"+query, "X-Version: 22", "Accept: */*"))
	f("field missing", "site", exchangetest.New("GET", "http://a.example/x1"+query, "X-Version: 2"))
	f("parameter missing", "site", exchangetest.New("GET", "http://a.example/x1?debug", "X-Version: 2", "Accept: */*"))
	f("parameter spelled with escapes", "0", exchangetest.New("GET", "http://a.example/x1?%64ebug=1&a%20b=1&a+b=ü", "X-Version: 2", "Accept: */*"))
	x := exchangetest.New("GET", "http://a.example/x1"+query, "X-Version: 2", "Accept: */*")
	for addr, want := range map[string]string{"192.0.3.1": "site", "2001:db8::1": "0", "::ffff:192.0.2.9": "0", "2001:db8::1%eth0": "0"} {
		x.Client.Addr = netip.MustParseAddr(addr)
		f("client "+addr, want, x)
	}
	x.Client.Addr = netip.Addr{}
	f("client without an address", "site", x)
}

func TestARuleTakesWhatAnyOfItsMatchesTakes(t *testing.T) {
	two := rule("0", Match{Path: pathsOf(t, "/a"), Method: []string{"GET"}})
	two.Matches = append(two.Matches, Match{Path: pathsOf(t, "/b*")})
	table := build(t, []Site{siteOf("*", two, Rule{Route: &Route{Name: "none"}}, rule("2", Match{Path: pathsOf(t, "/*")}))})
	for request, want := range map[string]string{"GET /a": "0", "PUT /a": "2", "PUT /bb": "0", "GET /c": "2"} {
		method, path, _ := strings.Cut(request, " ")
		if got := table.Match(exchangetest.New(method, "http://a.example"+path)).Name; got != want {
			t.Errorf("%s goes to %s, want %s", request, got, want)
		}
	}
}

func TestALongPathDoesNotPassARegexp(t *testing.T) {
	table := build(t, []Site{siteOf("*",
		rule("0", Match{Path: pathsOf(t, "/free/*")}),
		rule("1", Match{PathRegexp: regexps(`secret`), Method: []string{"GET"}}),
	)})
	long := "http://a.example/" + strings.Repeat("a", RegexpPathMax)
	if r := table.Match(exchangetest.New("GET", long)); r.Name != "too long" {
		t.Errorf("long path goes to %s", r.Name)
	}
	if r := table.Match(exchangetest.New("POST", long)); r.Name != "site" {
		t.Errorf("a rule for other methods refused it: %s", r.Name)
	}
	if r := table.Match(exchangetest.New("GET", "http://a.example/free/"+long)); r.Name != "0" {
		t.Errorf("an earlier rule did not take it: %s", r.Name)
	}
}

func TestFindsTheLiteralBeginningOfRegexps(t *testing.T) {
	for text, want := range map[string]string{
		"^/api/v[12]/": "/api/v", "^/a": "/a", "^/a$": "/a", "^/[ab]": "/", "^/a|/b": "", "/a": "", "(?i)^/a": "", "(?m)^/a": "", "^(/a)": "", `\A/a`: "/a", "^/a?": "/", "^": "",
	} {
		if got := literalPrefix(regexp.MustCompile(text)); got != want {
			t.Errorf("%q begins with %q, want %q", text, got, want)
		}
	}
}

// The helpers below build what the tests need; they fail the test on a bad pattern.

func build(t testing.TB, sites []Site) *Table {
	t.Helper()
	table, problems := Build(sites, Fallbacks{
		Misdirected: &Route{Site: "misdirected", Name: "misdirected", Forward: Misdirected()}, PathTooLong: &Route{Name: "too long", Forward: PathTooLong()},
	})
	for _, p := range problems {
		t.Errorf("problem: %v", p)
	}
	return table
}

func sitesOf(listener string, names ...string) []Site {
	var all []Site
	for _, name := range names {
		host, _ := ParseHost(name)
		all = append(all, Site{Listener: listener, Host: host, Route: &Route{Site: name, Name: listener, Forward: NotFound()}})
	}
	return all
}

func siteOf(host string, rules ...Rule) Site {
	h, _ := ParseHost(host)
	return Site{Listener: ":80", Host: h, Rules: rules, Route: &Route{Site: host, Name: "site"}}
}

func rule(name string, m Match) Rule { return Rule{[]Match{m}, &Route{Name: name}} }

func pathsOf(t testing.TB, texts ...string) []Path {
	t.Helper()
	return parsed(t, ParsePath, texts)
}

func hostsOf(t testing.TB, texts ...string) []Host {
	t.Helper()
	return parsed(t, ParseHost, texts)
}

func parsed[T any](t testing.TB, parse func(string) (T, error), texts []string) (all []T) {
	t.Helper()
	for _, text := range texts {
		v, err := parse(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		all = append(all, v)
	}
	return all
}

func regexps(texts ...string) (all []*regexp.Regexp) {
	for _, text := range texts {
		all = append(all, regexp.MustCompile(text))
	}
	return all
}

func patternsOf(texts ...string) (all []Pattern) {
	for _, text := range texts {
		all = append(all, ParsePattern(text))
	}
	return all
}

func TestExplainSaysWhyARuleDoesNotHold(t *testing.T) {
	path := func(text string) []Path {
		p, err := ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		return []Path{p}
	}
	values := func(text string) []Pattern { return []Pattern{ParsePattern(text)} }
	s := siteOf("*.example")
	for _, m := range []Match{
		{Path: path("/b")},
		{Method: []string{"PUT", "POST"}},
		{Host: []Host{{kind: exactHost, name: "b.example"}}},
		{ClientIP: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		{Header: []FieldMatch{{"X-A", values("2*")}}},
		{Query: []ParamMatch{{"q", values("*")}}},
		{PathRegexp: []*regexp.Regexp{regexp.MustCompile("z$")}},
		{Path: path("/a*")},
	} {
		s.Rules = append(s.Rules, Rule{[]Match{m}, &Route{}})
	}
	e := build(t, []Site{s}).Explain(exchangetest.New("GET", "http://a.example/a", "X-A: 1"))
	want := []string{
		"path: /a is not /b", "method: GET is not PUT or POST", "host: a.example is not b.example", "client_ip: 192.0.2.1 is not in 10.0.0.0/8",
		"header: there is no X-A with 2*", "query: there is no q with *", "path_regexp: /a has no z$", "",
	}
	var got []string
	for _, step := range e.Steps {
		got = append(got, step.Against)
	}
	if !slices.Equal(got, want) || e.Rule != 7 || e.Host != "*.example" {
		t.Errorf("%q, rule %d, host %s", got, e.Rule, e.Host)
	}
}
