package forward

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice/internal/exchange"
)

// theHop is the endpoint app.internal:8080, at 10.0.0.11, which got the client's Host.
func theHop() *Hop {
	return &Hop{Scheme: "http", Host: []byte("shop.example.com"), Name: []byte("app.internal"), Port: 8080, Address: netip.MustParseAddr("10.0.0.11")}
}

func TestResponseDropsWhatEndsHere(t *testing.T) {
	f := func(s Settings, fields, want []string) {
		t.Helper()
		x := newExchange()
		addLines(&x.Response.Fields, fields...)
		NewRules(s).ResponseFields(x, theHop())
		if got := linesOf(&x.Response.Fields); got != joinLines(want...) {
			t.Errorf("%q:\n%s", fields, got)
		}
	}
	date := "Date: Sun, 06 Nov 1994 08:49:37 GMT"
	f(DefaultSettings(), []string{
		"Server: nginx/1.2", "Date: Mon, 07 Nov 1994 08:49:37 GMT", "Content-Type: text/plain", "Content-Length: 5", "Connection: keep-alive, X-Hop", "X-Hop: 1",
		"Keep-Alive: timeout=5", "X-Powered-By: PHP/5", "Transfer-Encoding: chunked", "Upgrade: h2c", "Alt-Svc: h3=\":443\"", "Proxy-Authenticate: Basic",
		"Proxy-Authentication-Info: x", "Proxy-Connection: close", "TE: trailers", "Via: 1.1 cache-7.internal", "Trailer: Digest",
	}, []string{"Date: Mon, 07 Nov 1994 08:49:37 GMT", "Content-Type: text/plain", "Content-Length: 5", "Trailer: Digest"})
	f(DefaultSettings(), []string{"Connection: Content-Length, Content-Type, Set-Cookie", "Content-Length: 5", "Content-Type: a/b", "Set-Cookie: a=b"},
		[]string{"Content-Length: 5", "Content-Type: a/b", "Set-Cookie: a=b", date})
	f(DefaultSettings(), nil, []string{date})
	s := DefaultSettings()
	s.Hide, s.ResponseVia = nil, true
	f(s, []string{"Server: x", "X-Powered-By: y", "Via: 1.1 inner"}, []string{"Server: x", "X-Powered-By: y", "Via: 1.1 inner", "Via: 1.1 sluice", date})
}

func TestInterimFieldsHaveNoDate(t *testing.T) {
	x := newExchange()
	var f exchange.Fields
	addLines(&f, "Link: <http://10.0.0.11:8080/a.css>; rel=preload", "Connection: close", "Server: x")
	NewRules(DefaultSettings()).InterimFields(x, &f, theHop())
	if got := linesOf(&f); got != joinLines("Link: <http://shop.example.com/a.css>; rel=preload") {
		t.Errorf("got\n%s", got)
	}
}

func TestDatesAreMadeOnceASecond(t *testing.T) {
	var d Dates
	now := time.Date(2025, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	first := d.Text(now)
	if string(first) != now.UTC().Format(http.TimeFormat) {
		t.Errorf("got %q", first)
	}
	if again := d.Text(now.Add(900 * time.Millisecond)); &again[0] != &first[0] {
		t.Error("made anew within a second")
	}
	if next := d.Text(now.Add(time.Second)); string(next) != "Thu, 02 Jan 2025 02:04:06 GMT" || string(first) != "Thu, 02 Jan 2025 02:04:05 GMT" {
		t.Errorf("got %q and %q", first, next)
	}
	if n := testing.AllocsPerRun(100, func() { d.Text(now) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// way is how a request went to the origin.
type way struct {
	client string // scheme://authority that the client asked for; default http://shop.example.com
	host   string // Host that the origin got; default: the client's
	strip  string
	add    string
	edit   func(*Hop)
}

// back maps one field of a response back.
func (w way) back(name, value string) string {
	x := newExchange()
	if w.client != "" {
		scheme, authority, _ := strings.Cut(w.client, "://")
		x.Request.Scheme, x.Request.Authority = scheme, []byte(authority)
		x.Request.Host, _ = splitAuthority(x.Request.Authority)
	}
	hop := theHop()
	hop.Host = x.Request.Authority
	if w.host != "" {
		hop.Host = []byte(w.host)
	}
	if w.edit != nil {
		w.edit(hop)
	}
	s := DefaultSettings()
	s.Origins = []string{"app2.Internal.", "10.0.0.12", "[2001:db8::12]"}
	s.PathStripped, s.PathAdded = w.strip, w.add
	x.Response.Fields.AddNamed([]byte(name), []byte(value))
	NewRules(s).ResponseFields(x, hop)
	return string(x.Response.Fields.GetNamed([]byte(name)))
}

func TestMapsLocationBack(t *testing.T) {
	f := func(w way, value, want string) {
		t.Helper()
		for _, name := range []string{"Location", "Content-Location"} {
			if got := w.back(name, value); got != want {
				t.Errorf("%+v: %s: %q became %q, want %q", w, name, value, got, want)
			}
		}
	}
	same := func(w way, value string) { t.Helper(); f(w, value, value) }
	plain, tls := way{}, way{client: "https://shop.example.com"}

	// The endpoint's name and address, with any scheme and port.
	f(tls, "http://10.0.0.11:8080/x?y#z", "https://shop.example.com/x?y#z")
	f(tls, "http://app.internal:8080", "https://shop.example.com")
	f(tls, "HTTP://APP.Internal./x", "https://shop.example.com/x")
	f(tls, "https://app.internal:9000?q", "https://shop.example.com?q")
	f(tls, "http://user:pw@10.0.0.11/x", "https://shop.example.com/x")
	f(tls, "http://[::ffff:10.0.0.11]:8080/x", "https://shop.example.com/x")
	f(tls, `http://app.internal\x`, `https://shop.example.com\x`)
	f(tls, "//app.internal/x", "//shop.example.com/x")
	f(way{edit: func(h *Hop) { h.Address = netip.MustParseAddr("2001:db8::11") }}, "http://[2001:DB8:0::11]/x", "http://shop.example.com/x")
	// Other endpoints of the pool.
	f(tls, "http://10.0.0.12:8080/x", "https://shop.example.com/x")
	f(tls, "http://app2.internal/x", "https://shop.example.com/x")
	f(tls, "http://[2001:db8::12]/x", "https://shop.example.com/x")
	// The Host that was sent instead of the client's.
	f(way{client: "https://shop.example.com:8443", host: "inner.example:81"}, "http://inner.example:81/x", "https://shop.example.com:8443/x")
	// The client's own host, as an origin without TLS sees it, or with the port that it listens on.
	f(tls, "http://shop.example.com/x", "https://shop.example.com/x")
	f(tls, "http://shop.example.com:80/x", "https://shop.example.com/x")
	f(tls, "http://shop.example.com:8080/x", "https://shop.example.com/x")
	f(way{client: "https://shop.example.com:8443"}, "http://shop.example.com:8443/x", "https://shop.example.com:8443/x")
	f(plain, "http://SHOP.example.com/x", "http://shop.example.com/x")
	same(tls, "https://shop.example.com/x")
	same(tls, "//shop.example.com/x")
	// An origin that wants the client to change to https, and other ports of that host.
	same(plain, "https://shop.example.com/x")
	same(way{edit: func(h *Hop) { h.Scheme, h.Port = "https", 443 }}, "https://shop.example.com/x")
	same(tls, "https://shop.example.com:8444/x")
	same(plain, "http://shop.example.com:8081/x")
	// Elsewhere.
	same(tls, "https://www.example.org/")
	same(tls, "http://10.0.0.110/")
	same(tls, "http://xapp.internal/")
	same(tls, "http://app.internal.example.org/")
	same(tls, "http://www.example.org/http://10.0.0.11/")
	same(tls, "http://10.0.0.11@www.example.org/")
	same(tls, "http:///x")
	// What names no host.
	same(tls, "/x")
	same(tls, "x/y?http://10.0.0.11/")
	same(tls, "?q")
	same(tls, "")
	same(tls, "app:10.0.0.11")
	same(tls, "ftp://10.0.0.11/")
	// A client without a name for us.
	nameless := way{client: "http://", host: "app.internal:8080"}
	f(nameless, "http://app.internal:8080/x", "/x")
	f(nameless, "http://app.internal:8080", "/")
	f(nameless, "http://app.internal:8080?q", "/?q")
	f(nameless, "http://app.internal:8080//evil.example", "/.//evil.example")
}

func TestMapsPathsBack(t *testing.T) {
	f := func(w way, value, want string) {
		t.Helper()
		if got := w.back("Location", value); got != want {
			t.Errorf("%+v: %q became %q, want %q", w, value, got, want)
		}
	}
	strip, add, both := way{strip: "/app"}, way{add: "/v1"}, way{strip: "/app", add: "/v1"}
	f(strip, "/x?y", "/app/x?y")
	f(strip, "/", "/app/")
	f(strip, "/app/x", "/app/x") // an origin that knows its prefix
	f(strip, "/apple", "/app/apple")
	f(strip, "http://10.0.0.11/x", "http://shop.example.com/app/x")
	f(strip, "http://10.0.0.11", "http://shop.example.com/app")
	f(strip, "http://shop.example.com/x", "http://shop.example.com/app/x")
	f(strip, "https://www.example.org/x", "https://www.example.org/x")
	f(strip, "x", "x")
	f(add, "/v1/x", "/x")
	f(add, "/v1", "/")
	f(add, "/v1?q", "/?q")
	f(add, "/v10/x", "/v10/x")
	f(add, "/v1//evil.example/", "/.//evil.example/")
	f(add, `/v1/\evil.example/`, `/./\evil.example/`)
	f(both, "/v1/x", "/app/x")
	f(both, "/v1", "/app")
	f(both, "/v2", "/v2")
	f(both, "http://10.0.0.11/v1/x", "http://shop.example.com/app/x")
}

func TestMapsRefreshAndLinkBack(t *testing.T) {
	f := func(name, value, want string) {
		t.Helper()
		if got := (way{}).back(name, value); got != want {
			t.Errorf("%s: %q became %q, want %q", name, value, got, want)
		}
	}
	f("Refresh", "5; url=http://10.0.0.11/x", "5; url=http://shop.example.com/x")
	f("Refresh", `0;URL = 'http://10.0.0.11/x'`, `0;URL = 'http://shop.example.com/x'`)
	f("Refresh", `0, "http://10.0.0.11/x" `, `0, "http://shop.example.com/x" `)
	f("Refresh", `0;url="http://10.0.0.11`, `0;url="http://shop.example.com`)
	f("Refresh", "5", "5")
	f("Refresh", "5;", "5;")
	f("Refresh", `5;url="`, `5;url="`)
	f("Refresh", "5;urlx", "5;urlx")
	f("Refresh", "5; url=http://www.example.org/", "5; url=http://www.example.org/")
	f("Link", `<http://10.0.0.11/a>; rel="x", </b>, <http://app.internal/c>`, `<http://shop.example.com/a>; rel="x", </b>, <http://shop.example.com/c>`)
	f("Link", `</b>; title="<http://10.0.0.11/>\"<", <http://10.0.0.11/>`, `</b>; title="<http://10.0.0.11/>\"<", <http://shop.example.com/>`)
	f("Link", `<http://10.0.0.11/`, `<http://10.0.0.11/`)
	f("Link", `</a>; title="\`, `</a>; title="\`)
}

func TestMapsCookiesBack(t *testing.T) {
	f := func(w way, value, want string) {
		t.Helper()
		if got := w.back("Set-Cookie", value); got != want {
			t.Errorf("%+v: %q became %q, want %q", w, value, got, want)
		}
	}
	same := func(w way, value string) { t.Helper(); f(w, value, value) }
	plain := way{}
	same(plain, "a=b")
	same(plain, "a=Domain=app.internal; Path=/; HttpOnly")
	same(plain, "a=b; Domain=example.com")
	same(plain, "a=b; Domain=shop.example.com")
	same(plain, "a=b; Domain=www.example.org")
	same(plain, "a=b; Domain=; Domain")
	f(plain, "a=b; Domain=app.internal; Secure", "a=b; Domain=shop.example.com; Secure")
	f(plain, "a=b;domain = .APP.internal ;Secure", "a=b; Domain=shop.example.com;Secure")
	f(plain, "a=b; Domain=internal", "a=b; Domain=shop.example.com") // covers the origin
	f(plain, "a=b; Domain=10.0.0.11", "a=b; Domain=shop.example.com")
	f(plain, "a=b; Domain=app2.internal; Domain=10.0.0.12", "a=b; Domain=shop.example.com; Domain=shop.example.com")
	f(way{client: "http://192.0.2.80:81"}, "a=b; Domain=app.internal; Secure", "a=b; Secure") // RFC 6265, section 5.1.3: no domain for an address
	f(way{host: "inner.example"}, "a=b; Domain=inner.example", "a=b; Domain=shop.example.com")

	strip, add, both := way{strip: "/app"}, way{add: "/v1"}, way{strip: "/app", add: "/v1"}
	same(plain, "a=b; Path=/x")
	same(strip, "a=b; Path=x; Path=")
	f(strip, "a=b; Path=/; Domain=app.internal", "a=b; Path=/app; Domain=shop.example.com")
	f(strip, "a=b; Path=/x", "a=b; Path=/app/x")
	f(strip, "a=b; Path=/app/x", "a=b; Path=/app/x")
	f(add, "a=b; Path=/", "a=b; Path=/")
	f(add, "a=b; Path=/v1", "a=b; Path=/")
	f(add, "a=b; Path=/v1/x", "a=b; Path=/x")
	f(add, "a=b; Path=/v2", "a=b; Path=/v2")
	f(both, "a=b; Path=/", "a=b; Path=/app")
	f(both, "a=b; Path=/v1/", "a=b; Path=/app")
	f(both, "a=b; Path=/v1/x", "a=b; Path=/app/x")
	f(way{strip: "/app", add: "/v1/w"}, "a=b; Path=/v1", "a=b; Path=/app")
	f(both, "a=b; Path=/v1#x", "a=b; Path=/v1#x") // a path with an odd byte, and no fragment
	f(way{strip: "/app", add: "/v1/w"}, "a=b; Path=/v", "a=b; Path=/v")
}

func TestMapsNothingIfTold(t *testing.T) {
	x := newExchange()
	addLines(&x.Response.Fields, "Location: http://10.0.0.11/", "Set-Cookie: a=b; Domain=app.internal")
	s := DefaultSettings()
	s.MapBack = false
	NewRules(s).ResponseFields(x, theHop())
	if got := string(x.Response.Fields.Get(exchange.FieldLocation)); got != "http://10.0.0.11/" {
		t.Errorf("got %q", got)
	}
}
