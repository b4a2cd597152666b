package rewrite

import (
	"testing"

	"sluice/internal/exchange"
	"sluice/internal/exchange/exchangetest"
	"sluice/internal/filter"
	"sluice/internal/filter/filtertest"
)

// rewritten returns the target after the filter that text configures, and its path as routes match it.
func rewritten(t *testing.T, text, target string) (result, match string, verdict exchange.Verdict, x *exchange.Exchange) {
	t.Helper()
	f, err := New(filtertest.MustDecode[Config](t, text))
	if err != nil {
		t.Fatal(err)
	}
	x = exchangetest.New("GET", "http://a.example"+target, "X: a/b", "Y: a/../b")
	verdict = f.(filter.Requester).Request(x)
	result = string(x.Request.Path)
	if x.Request.HasQuery {
		result += "?" + string(x.Request.Query)
	}
	return result, string(x.Request.MatchPath), verdict, x
}

func TestRewritesPathAndQuery(t *testing.T) {
	f := func(text, target, want string) {
		t.Helper()
		got, match, verdict, _ := rewritten(t, text, target)
		if got != want || verdict != exchange.Continue {
			t.Errorf("%s: %s became %s, want %s (%v)", text, target, got, want, verdict)
		}
		if wantMatch := string(exchangetest.New("GET", "http://a"+want).Request.MatchPath); match != wantMatch {
			t.Errorf("%s: %s is matched as %s, want %s", text, target, match, wantMatch)
		}
	}
	f("rewrite: /fixed", "/a?b", "/fixed?b")
	f("rewrite: /new{path}", "/a//b?c", "/new/a//b?c")
	f("rewrite: '/index.php?q={path}&{query}'", "/a?b=1", "/index.php?q=%2Fa&b=1")
	f("rewrite: '/index.php?q={path}&{query}'", "/a", "/index.php?q=%2Fa")
	f("rewrite: /a/../b/./c", "/x", "/b/c")
	f("rewrite: '/x/{header.X}'", "/", "/x/a%2Fb")

	f("rewrite: { strip_prefix: /api }", "/api/x?y", "/x?y")
	f("rewrite: { strip_prefix: /api/ }", "/api", "/")
	f("rewrite: { strip_prefix: /api }", "/api/", "/")
	f("rewrite: { strip_prefix: /api }", "/apix", "/apix")
	f("rewrite: { strip_prefix: /api }", "/ap", "/ap")
	f("rewrite: { strip_prefix: /API }", "/api", "/api")
	f("rewrite: { strip_prefix: /a/b }", "//a///b//c", "//c")
	f("rewrite: { strip_prefix: /a/b }", "//a///b", "/")
	f("rewrite: { strip_prefix: /%7eu }", "/~u/x", "/x")
	f("rewrite: { strip_prefix: / }", "/x", "/x")

	f("rewrite: { replace_prefix: { /old: /new, /older: /x, /: /rest } }", "/old/a", "/new/a")
	f("rewrite: { replace_prefix: { /old: /new, /older: /x, /: /rest } }", "/older", "/x")
	f("rewrite: { replace_prefix: { /old: /new, /older: /x, /: /rest } }", "/a", "/rest/a")
	f("rewrite: { replace_prefix: { /old: / } }", "/old", "/")
	f("rewrite: { replace_prefix: { /old: off, /a: /b } }", "/old/a", "/old/a")

	f("rewrite: { add_prefix: /v2/ }", "/a", "/v2/a")
	f("rewrite: { add_prefix: /v2 }", "/", "/v2/")
	f("rewrite: { strip_prefix: /api, add_prefix: /v2 }", "/api", "/v2/")
	f("rewrite: { add_prefix: / }", "/a", "/a")

	f(`rewrite: { path_regexp: "^/u/([0-9]+)(/.*)?$", to: "/user/{1}{2}" }`, "//u//7/x", "/user/7/x")
	f(`rewrite: { path_regexp: "^/u/([0-9]+)(/.*)?$", to: "/user/{1}{2}" }`, "/u/7", "/user/7")
	f(`rewrite: { path_regexp: "^/u/([0-9]+)(/.*)?$", to: "/user/{1}{2}" }`, "/u/x?y", "/u/x?y")
	f(`rewrite: { path_regexp: "^/p/(.*)", to: "/show?page={1}" }`, "/p/a%2Fb&c", "/show?page=a%252Fb%26c")

	f("rewrite: { query: { remove: utm } }", "/?utm=1&a=%20&%75tm=2", "/?a=%20")
	f("rewrite: { query: { remove: [a, b] } }", "/?a&b=1", "/")
	f("rewrite: { query: { remove: a } }", "/?", "/?")
	f("rewrite: { query: { remove: a } }", "/?b&&c", "/?b&&c")
	f("rewrite: { query: { set: { a b: 'x&{path}', k: 1, n: off } } }", "/p?k=0&q=1&k", "/p?q=1&a%20b=x%26%2Fp&k=1")
	f("rewrite: { query: { set: { k: 1 } } }", "/", "/?k=1")
	f("rewrite: { query: off, add_prefix: /a }", "/x?y", "/a/x?y")
}

func TestAPathThatCannotBeIsRefused(t *testing.T) {
	for _, text := range []string{`rewrite: { path_regexp: "^/(.*)x(.*)$", to: "/%2F{1}{2}" }`, "rewrite: '/x/{header.Y}'"} {
		_, _, verdict, x := rewritten(t, text, "/.x./etc")
		if verdict != exchange.Answered || x.Response.Status != 400 || x.Err == nil {
			t.Errorf("%s: %v %d %v: %s", text, verdict, x.Response.Status, x.Err, x.Request.Path)
		}
	}
}

func TestDotsThatATemplatePutsTogetherAreResolved(t *testing.T) {
	got, _, _, _ := rewritten(t, `rewrite: { path_regexp: "^/(.*)x(.*)$", to: "/a/b/{1}{2}" }`, "/.x./etc")
	if got != "/a/etc" {
		t.Error(got)
	}
}

func TestTheServerAsAWholeIsNotRewritten(t *testing.T) {
	f, _ := New(filtertest.MustDecode[Config](t, "rewrite: { add_prefix: /a, query: { set: { k: 1 } } }"))
	x := exchangetest.New("OPTIONS", "http://a/")
	x.Request.Path, x.Request.MatchPath = []byte("*"), []byte("*")
	if f.(filter.Requester).Request(x); string(x.Request.Path) != "*" || x.Request.HasQuery {
		t.Errorf("%s?%s", x.Request.Path, x.Request.Query)
	}
}

func TestRefusesFaultySettings(t *testing.T) {
	filtertest.Refuses[Config](t, map[string]string{
		"rewrite: x": "1:10 bad-template", "rewrite: https://a/": "bad-template", "rewrite: /a#b": "fragment", "rewrite: { strip_prefix: api }": `does not begin with "/"`,
		"rewrite: { add_prefix: /a* }": "stars", "rewrite: { replace_prefix: { /a: b } }": "1:34 bad-path", "rewrite: { path_regexp: a }": `needs "to"`,
		"rewrite: { to: '/{2}', path_regexp: '(a)' }": "1 groups", "rewrite: { strip_prefx: /a }": `did you mean "strip_prefix"?`, "rewrite: { query: { set: { a: [b] } } }": "a text",
		"rewrite: { add_prefix: '/%zz' }": "hexadecimal", "rewrite: { add_prefix: [a] }": "a path such as",
	})
}

func TestExamplesOfTheDocumentation(t *testing.T) {
	for _, text := range filtertest.Examples(t) {
		if _, err := New(filtertest.MustDecode[Config](t, text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestRewritingAllocatesNothing(t *testing.T) {
	f, _ := New(filtertest.MustDecode[Config](t, "rewrite: { to: '/x{path}', strip_prefix: /x/a, add_prefix: /v2, query: { remove: a, set: { b: '{client_ip}' } } }"))
	x := exchangetest.New("GET", "http://a/")
	path, query := []byte("/a//b"), []byte("a=1&c=2")
	if n := testing.AllocsPerRun(100, func() {
		x.Request.Path, x.Request.MatchPath, x.Request.Query = path, path, query
		f.(filter.Requester).Request(x)
		x.Scratch.Reset()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
