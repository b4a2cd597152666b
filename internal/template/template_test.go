package template

import (
	"net/netip"
	"strings"
	"testing"

	"sluice/internal/exchange"
	"sluice/internal/exchange/exchangetest"
)

func exchangeOf(target string, fields ...string) *exchange.Exchange {
	return exchangetest.New("GET", target, fields...)
}

func TestTakesValuesFromTheExchange(t *testing.T) {
	x := exchangeOf("https://shop.example:8443/a//b?q=1&n%61me=x+y%26z&q=2", "X-A: 1", "x-a: 2", "Cookie: a=1; session=abc ;b=\"2\"", "Cookie: late=l=1")
	exchangetest.FromOrigin(x, 404, "", "Server: s")
	x.Client.Addr = netip.MustParseAddr("::ffff:192.0.2.7")
	for text, want := range map[string]string{
		"": "", "plain": "plain", "{{{host}}}": "{shop.example}", "{client_ip}": "192.0.2.7", "{scheme}": "https", "{host}": "shop.example", "{port}": "8443",
		"{authority}": "shop.example:8443", "{method} {path}": "GET /a//b", "{query}": "q=1&n%61me=x+y%26z&q=2", "{uri}": "/a//b?q=1&n%61me=x+y%26z&q=2",
		"{header.x-A}": "1, 2", "{header.X-B}": "", "{query.q}|{query.name}|{query.none}": "1|x y&z|", "{cookie.session}{cookie.late}{cookie.b}{cookie.none}": `abcl=1"2"`,
		"{response.status}": "404", "{response.header.server}": "s", " {header.X-B} x ": "x", "a\tb": "a\tb", "ü": "ü",
	} {
		tmpl, err := Parse(ResponseField, text, 0)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := string(tmpl.Value(x)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		if got := string(tmpl.Append([]byte("> "), x, Captures{})); got != "> "+want {
			t.Errorf("%q: appended %q", text, got)
		}
	}
}

func TestPortIsThatOfTheSchemeIfThereIsNone(t *testing.T) {
	for target, want := range map[string]string{"http://a/": "80", "https://a/": "443", "https://[::1]/": "443", "http://[::1]:81/": "81", "http://a:/": "80"} {
		if got := string(Must(RequestField, "{port}").Value(exchangeOf(target))); got != want {
			t.Errorf("%s: %s", target, got)
		}
	}
}

func TestAClientWithoutAnAddressHasNoText(t *testing.T) {
	x := exchangeOf("http://a/")
	x.Client.Addr = netip.Addr{}
	if got := Must(RequestField, "{client_ip}").Value(x); len(got) > 0 {
		t.Errorf("%q", got)
	}
}

func TestAFieldValueNeverCarriesControls(t *testing.T) {
	x := exchangeOf("http://a/?v=%0d%0aSet-Cookie:+a%3Db%00%7f%09.&w=+%20")
	if got := string(Must(ResponseField, "{query.v}").Value(x)); got != "Set-Cookie: a=b\t." {
		t.Errorf("%q", got)
	}
	if got := string(Must(ResponseField, "{query.w}").Value(x)); got != "" {
		t.Errorf("%q", got)
	}
}

func TestRefusesTemplates(t *testing.T) {
	f := func(kind Kind, text, want string) {
		t.Helper()
		if _, err := Parse(kind, text, 2); err == nil || !strings.Contains(err.Error()+" "+DidYouMean(err), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
	f(RequestField, "{", `"{{"`)
	f(RequestField, "a}", `"}}"`)
	f(RequestField, "{a{b}", `"{{"`)
	f(RequestField, "{}", "not a value")
	f(RequestField, "{client-ip}", `"client_ip"`)
	f(RequestField, "{hots}", `"host"`)
	f(RequestField, "{header.}", "field name")
	f(RequestField, "{header.a b}", "field name")
	f(RequestField, "{query.}", "missing")
	f(RequestField, "{response.status}", "not a value")
	f(ResponseField, "{response.x}", "not a value")
	f(ResponseField, "{3}", "2 groups")
	f(ResponseField, "a\nb", "control")
	f(ResponseField, "a\x00", "control")
	f(ResponseField, strings.Repeat("a", bytesMax+1), "at most")
}

func TestLocationsStayWhereTheyAreMeantToLead(t *testing.T) {
	f := func(text, target, want string, fields ...string) {
		t.Helper()
		tmpl, err := Parse(Location, text, 0)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			return
		}
		if got := string(tmpl.Value(exchangeOf(target, fields...))); got != want {
			t.Errorf("%q for %s: got %q, want %q", text, target, got, want)
		}
	}
	f("https://{host}{uri}", "http://a.example/x?y=1", "https://a.example/x?y=1")
	f("https://{host}{uri}", "http://a.example:80/x?", "https://a.example/x?")
	f("{scheme}://{authority}/new{path}", "http://a.example:81/x?y", "http://a.example:81/new/x")
	f("https://{host}:{port}/{query.q}/", "http://a.example:81/?q=a/b%3Fc", "https://a.example:81/a%2Fb%3Fc/")
	f("{path}", "http://a/evil.example", "/evil.example")
	f("{path}", "http://a//evil.example", "/evil.example")
	f("{uri}", "http://a///evil.example?x", "/evil.example?x")
	f("/{query.next}", "http://a/?next=/evil.example", "/%2Fevil.example")
	f("/{query.next}", "http://a/?next=%5C%5Cevil.example", "/%5C%5Cevil.example")
	f("/login?next={uri}&x={header.X}", "http://a/x?y=1&z", "/login?next=%2Fx%3Fy%3D1%26z&x=a%20b", "X: a b")
	f("/x?{query}", "http://a/?a=1", "/x?a=1")
	f("/x?{query}", "http://a/", "/x")
	f("/x?a=1&{query}", "http://a/", "/x?a=1")
	f("/x?{query}&a=1", "http://a/?b", "/x?b&a=1")
	f("/x?q={query}", "http://a/?b=1", "/x?q=b%3D1")
	f("/a#{path}", "http://a/b", "/a#%2Fb")
	f("//cdn.example{path}", "http://a//b", "//cdn.example//b")
	f("https://a.example", "http://a/", "https://a.example")
	f("https://a.example?x={host}", "http://b/", "https://a.example?x=b")
	f("/käse x", "http://a/", "/k%C3%A4se%20x")
	f("android-app+x.1://open/{query.a}", "http://a/?a=b", "android-app+x.1://open/b")
	x := exchangeOf("http://a/")
	x.Request.Path = []byte("*")
	if got := string(Must(Location, "https://a.example{path}").Value(x)); got != "https://a.example/" {
		t.Errorf("OPTIONS *: %q", got)
	}
}

func TestRefusesLocationsThatAClientCouldChoose(t *testing.T) {
	for text, want := range map[string]string{
		"": "begins", "{query.next}": "begins", "{host}{uri}": "begins", "a": "begins", "?a": "begins", "{scheme}": "begins", "{scheme}{host}": "begins", "{scheme}:{path}": "begins",
		"{scheme}{path}": "begins", "://a": "begins", "a/b://c": "begins", "https://{header.X-Host}/": "host of a redirect", "https://a.example{query.x}": "host of a redirect",
		"https://{1}.a.example/": "host of a redirect", "https:///a": "host is missing", "https://": "host is missing", "https://{path}": "host is missing", "https://{port}": "host of a redirect",
		"/{path}": "leave out", "https://a/b/{uri}": "leave out", `/a\b`: "can't be", "/a\nb": "can't be",
	} {
		if _, err := Parse(Location, text, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
	for text, want := range map[string]string{"": "begins", "https://a/": "begins", "{query}": "begins", "/a#b": "fragment", "/a?b#{path}": "fragment", "{scheme}://": "begins"} {
		if _, err := Parse(Path, text, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("path %q: %v, want an error with %q", text, err, want)
		}
	}
}

func TestPathsAndParametersAreEncoded(t *testing.T) {
	x := exchangeOf("http://a//b%2Fc?q=1/%26", "X: a/b?c#d")
	c := Captures{[]byte("/u/%2F1/x"), []int{0, 9, 3, 7, -1, -1}}
	for text, want := range map[string]string{
		"/new{path}": "/new//b%2Fc", "//x": "//x", "/u/{1}/{2}.": "/u/%2F1/.", "/h/{header.X}": "/h/a%2Fb%3Fc%23d", "/i.php?p={path}&{query}": "/i.php?p=%2F%2Fb%252Fc&q=1/%26",
		"/i?{1}": "/i?%252F1", "{uri}&x": "//b%2Fc?q=1/%26&x",
	} {
		tmpl, err := Parse(Path, text, 2)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if got := string(tmpl.ValueOf(x, c)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := string(Must(Param, "a&{query.q} ").Value(x)); got != "a%261%2F%26%20" {
		t.Errorf("%q", got)
	}
}

func TestStaticTextIsNotCopied(t *testing.T) {
	tmpl := Must(ResponseField, "a{{b}}")
	if a, b := tmpl.Value(nil), tmpl.Value(nil); string(a) != "a{b}" || &a[0] != &b[0] || tmpl.Dynamic() {
		t.Errorf("%q", a)
	}
}
