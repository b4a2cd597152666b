package redirect

import (
	"slices"
	"testing"

	"sluice/internal/exchange"
	"sluice/internal/exchange/exchangetest"
	"sluice/internal/filter"
	"sluice/internal/filter/filtertest"
)

// answer runs the filter that text configures and returns what the client gets; nil if the filter goes on.
func answer(t *testing.T, text, target string) *exchangetest.Sender {
	t.Helper()
	f, err := New(filtertest.MustDecode[Config](t, text))
	if err != nil {
		t.Fatal(err)
	}
	x := exchangetest.New("POST", target)
	if f.(filter.Requester).Request(x) == exchange.Continue {
		return nil
	}
	return exchangetest.Send(x)
}

func TestSendsClientsToTheTarget(t *testing.T) {
	f := func(text, target string, status int, location string) {
		t.Helper()
		s := answer(t, text, target)
		if s == nil || s.Status != status || s.Content != "" || !slices.Equal(s.Fields, []string{"Location: " + location}) {
			t.Errorf("%s for %s: %+v", text, target, s)
		}
	}
	f("redirect: https://www.example.com{uri}", "http://example.com/a?b", 307, "https://www.example.com/a?b")
	f("redirect: { to: 'https://{host}{uri}', status: 308 }", "http://a.example:80/", 308, "https://a.example/")
	f("redirect: '{path}'", "http://a//evil.example/", 307, "/evil.example/")
	f(`redirect: { to: "/new/{2}/{1}", path_regexp: "^/old/([^/]+)/(.*)$", status: 301 }`, "http://a//old/x//y%2Fz", 301, "/new/y%2Fz/x")
}

func TestGoesOnWhereTheExpressionIsNotFound(t *testing.T) {
	if s := answer(t, `redirect: { to: "/new", path_regexp: "^/old" }`, "http://a/other"); s != nil {
		t.Errorf("%+v", s)
	}
}

func TestRefusesTargetsAndStatuses(t *testing.T) {
	filtertest.Refuses[Config](t, map[string]string{
		"redirect: '{query.next}'": "1:11 bad-template", "redirect: { to: /, status: 200 }": "1:28 out-of-range", "redirect: { status: 301 }": `needs "to"`,
		"redirect: [a]": "a text", "redirect: { to: '/{1}' }": "0 groups", "redirect: { to: /, path_regexp: '(' }": "missing closing", "redirect: /{path}": "leave out",
		"redirect: { too: / }": `did you mean "to"?`,
	})
}

func TestNewWantsAWholeConfig(t *testing.T) {
	if _, err := New(Config{Status: 308}); err == nil {
		t.Error("no error without a target")
	}
}

func TestExamplesOfTheDocumentation(t *testing.T) {
	for _, text := range filtertest.Examples(t) {
		if _, err := New(filtertest.MustDecode[Config](t, text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestRedirectingAllocatesNothing(t *testing.T) {
	f, _ := New(filtertest.MustDecode[Config](t, "redirect: https://www.example.com{uri}"))
	x := exchangetest.New("GET", "http://a/x?y")
	if n := testing.AllocsPerRun(100, func() {
		f.(filter.Requester).Request(x)
		x.Scratch.Reset()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
