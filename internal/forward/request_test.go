package forward

import (
	"net/netip"
	"strings"
	"testing"

	"sluice/internal/exchange"
)

func TestReceiveDropsWhatEndsHere(t *testing.T) {
	f := func(why string, fields, want []string) {
		t.Helper()
		x := newExchange(fields...)
		trusting("10.0.0.0/8").Receive(x)
		if got := linesOf(&x.Request.Fields); got != joinLines(want...) {
			t.Errorf("%s:\n%s", why, got)
		}
	}
	one := func(why, field string) { t.Helper(); f(why, []string{"Accept: */*", field}, []string{"Accept: */*"}) }
	same := func(why string, fields ...string) { t.Helper(); f(why, fields, fields) }

	one("RFC 9110, section 7.6.1", "Connection: keep-alive")
	one("RFC 9110, section 7.6.1", "Keep-Alive: timeout=5")
	one("RFC 9110, section 7.6.1", "Proxy-Connection: keep-alive")
	one("RFC 9110, section 7.6.1", "Transfer-Encoding: chunked")
	one("framing is in Content", "Content-Length: 5")
	one("the host is in Authority", "Host: evil.example")
	one("RFC 7540, section 3.2.1", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
	one("RFC 9110, section 11.7.2", "Proxy-Authorization: Basic eDp5")
	one("RFC 9110, section 10.1.4", "TE: gzip;q=0.5")
	one("CGI's HTTP_PROXY", "Proxy: http://evil.example:8080")
	one("CGI's HTTP_PROXY, any case", "pRoXy: http://evil.example:8080")
	one("only we say it", "X-Real-IP: 127.0.0.1")
	one("forged", "X-Forwarded-For: 127.0.0.1")
	one("forged", "X-Forwarded-Proto: https")
	one("forged", "x-forwarded-host: evil.example")
	one("forged", "X-Forwarded-Port: 1")
	one("forged", "X-Forwarded-Prefix: /x")
	one("forged", "X-Forwarded-Server: x")
	one("forged", "X-Forwarded-Client-Cert: Subject=admin")
	one("forged", "X-Forwarded: x")
	one("forged", "Forwarded: for=127.0.0.1")
	one("look-alike", "X_Forwarded_For: 127.0.0.1")
	one("look-alike", "X-Forwarded_For: 127.0.0.1")
	one("look-alike, lighttpd's CGI", "x.forwarded.for: 127.0.0.1")
	one("look-alike of the family", "X_Forwarded_Anything: 1")
	one("look-alike", "X_Real_IP: 127.0.0.1")
	one("look-alike", "Content_Length: 5")
	one("look-alike", "TRANSFER_ENCODING: chunked")
	one("look-alike", "User~Agent: x")
	one("look-alike, however long", "X_Forwarded_For"+strings.Repeat("_x", 40)+": 1")
	one("look-alike", "if_none_match: x")

	same("what is meant for the origin", "Accept: */*", "User-Agent: curl", "Cookie: a=b", "Authorization: Basic eDp5", "Via: 1.0 fred", "api_key: x", "X-Custom.Name: y")
	same("RFC 9110, section 6.6.2", "Trailer: Digest")
	one("RFC 9110, section 10.1.1: nobody waits", "Expect: 100-continue")
	same("other expectations are the origin's", "Expect: x")
	f("TE keeps trailers alone", []string{"TE: gzip, Trailers", "TE: deflate", "Connection: TE"}, []string{"TE: trailers"})
}

func TestReceiveDropsWhatConnectionNames(t *testing.T) {
	f := func(why string, fields, want []string) {
		t.Helper()
		x := newExchange(fields...)
		trusting().Receive(x)
		if got := linesOf(&x.Request.Fields); got != joinLines(want...) {
			t.Errorf("%s:\n%s", why, got)
		}
	}
	f("RFC 9110, section 7.6.1", []string{"Connection: X-Hop", "x-hop: 1", "X-End: 2", "X-HOP: 3"}, []string{"X-End: 2"})
	f("several, empty members, several lines", []string{"a-one: 1", "Connection: , a-one ,close", "b-two: 2", "Connection:\tb-TWO", "c-three: 3"}, []string{"c-three: 3"})
	f("end-to-end fields can't be taken away", []string{
		"Connection: close, Cookie, Authorization, Via, Cache-Control, Content-Type, Max-Forwards, Origin",
		"Cookie: a", "Authorization: b", "Via: 1.1 c", "Cache-Control: d", "Content-Type: e", "Max-Forwards: 3", "Origin: g",
	}, []string{"Cookie: a", "Authorization: b", "Via: 1.1 c", "Cache-Control: d", "Content-Type: e", "Max-Forwards: 3", "Origin: g"})
	f("as many as the codec lets through", []string{"Connection: " + strings.Repeat("x-none,", 31) + "x-late", "x-late: 1"}, nil)
}

func TestWhatConnectionNamesIsNoTrailer(t *testing.T) {
	r := NewRules(DefaultSettings())
	x := newExchange("Connection: close, X-Hop", "Connection: x-late")
	trusting().Receive(x)
	addLines(&x.Request.Trailers, "x-hop: 1", "X-End: 2", "X-Late: 3", "Close: 4")
	r.RequestTrailers(x)
	if got := linesOf(&x.Request.Trailers); got != joinLines("X-End: 2", "Close: 4") {
		t.Errorf("request:\n%s", got)
	}
	addLines(&x.Response.Fields, "Connection: X-Hop", "X-Hop: 1")
	r.ResponseFields(x, &Hop{})
	addLines(&x.Response.Trailers, "X-HOP: 1", "x-late: 2")
	r.ResponseTrailers(x)
	if got := linesOf(&x.Response.Trailers); got != joinLines("x-late: 2") {
		t.Errorf("response:\n%s", got)
	}
}

func TestConnectionCannotNameWhatATrustedProxySays(t *testing.T) {
	x := newExchange("Connection: X-Forwarded-For, X-Forwarded-Proto, Forwarded", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")
	x.Client.Peer = netip.MustParseAddrPort("10.0.0.1:1")
	trusting("10.0.0.0/8").Receive(x)
	if got := linesOf(&x.Request.Fields); got != joinLines("X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https") || x.Client.Addr.String() != "203.0.113.9" {
		t.Errorf("client %v\n%s", x.Client.Addr, got)
	}
}

func TestReceiveKeepsTheFamilyThatCounts(t *testing.T) {
	f := func(fields, want []string) {
		t.Helper()
		x := newExchange(fields...)
		x.Client.Peer = netip.MustParseAddrPort("10.0.0.1:1")
		trusting("10.0.0.0/8").Receive(x)
		if got := linesOf(&x.Request.Fields); got != joinLines(want...) {
			t.Errorf("%q:\n%s", fields, got)
		}
	}
	x := []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: a", "X-Forwarded-User: u"}
	forwarded := "Forwarded: for=203.0.113.9"
	f(x, x)
	f(append([]string{forwarded}, x...), x)
	f([]string{forwarded, "X-Forwarded-Host: evil", "X-Forwarded-User: evil"}, []string{forwarded})
	f([]string{"X-Forwarded-Proto: https", "X-Real-IP: 1.1.1.1", "X_Forwarded_For: 1.1.1.1"}, []string{"X-Forwarded-Proto: https"})
}

func TestUpgradeNeedsConnectionAndHTTP11(t *testing.T) {
	f := func(version, connection string, want bool) {
		t.Helper()
		x := newExchange("Upgrade: websocket", "Connection: "+connection)
		x.Request.Received.Version = version
		trusting().Receive(x)
		if got := x.Request.Fields.Has(exchange.FieldUpgrade); got != want {
			t.Errorf("%s, Connection: %s: Upgrade kept %v", version, connection, got)
		}
		NewRules(DefaultSettings()).RequestFields(x)
		if x.Request.Fields.Has(exchange.FieldUpgrade) {
			t.Error("the origin's codec writes Upgrade; the field stays out")
		}
	}
	f("HTTP/1.1", "keep-alive, Upgrade", true)
	f("HTTP/1.1", "keep-alive", false)          // RFC 9110, section 7.8
	f("HTTP/1.0", "keep-alive, Upgrade", false) // section 7.8: a server must ignore it
}

func TestProtectsTheNamesOfTheConfig(t *testing.T) {
	r := NewRules(Settings{Protect: []string{"X-User", "X-Int-*", "X_Odd"}})
	x := newExchange("x_user: admin", "X.User: admin", "x-USER: me", "x_other: 1", "X-Users: 2", "X-Int-A: 1", "X-Int-a_b: 2", "X-Int_a: 3", "x~int~: 4",
		"X-Int: 5", "X-Odd: 6", "x_odd: 7", "Accept: y")
	r.RequestFields(x)
	kept := joinLines("x-USER: me", "x_other: 1", "X-Users: 2", "X-Int-A: 1", "X-Int-a_b: 2", "X-Int: 5", "x_odd: 7", "Accept: y")
	if got := linesOf(&x.Request.Fields); got != kept {
		t.Errorf("got\n%s", got)
	}
	x = newExchange()
	addLines(&x.Request.Trailers, "X-User: 1", "x_user: 2", "X-Int-b: 3", "X_INT_B: 4", "X_Other: 5", "ETag: 6")
	r.RequestTrailers(x)
	if got := linesOf(&x.Request.Trailers); got != joinLines("X_Other: 5", "ETag: 6") {
		t.Errorf("trailers:\n%s", got)
	}
	r = NewRules(Settings{Protect: []string{"ETag"}})
	r.RequestTrailers(x)
	if got := linesOf(&x.Request.Trailers); got != joinLines("X_Other: 5") {
		t.Errorf("trailers:\n%s", got)
	}
}

// told returns what an origin sees of a request with these fields after Receive and RequestFields.
func told(t *testing.T, r *Rules, edit func(*exchange.Exchange), fields ...string) string {
	t.Helper()
	x := newExchange(fields...)
	if edit != nil {
		edit(x)
	}
	trusting("10.0.0.0/8").Receive(x)
	r.RequestFields(x)
	return linesOf(&x.Request.Fields)
}

func TestTellsTheOriginWhoAsked(t *testing.T) {
	r := NewRules(DefaultSettings())
	f := func(why string, edit func(*exchange.Exchange), fields []string, want ...string) {
		t.Helper()
		if got := told(t, r, edit, fields...); got != joinLines(want...) {
			t.Errorf("%s:\n%s", why, got)
		}
	}
	from := func(peer string) func(*exchange.Exchange) {
		return func(x *exchange.Exchange) { x.Client.Peer = netip.MustParseAddrPort(peer) }
	}
	f("an ordinary request", nil, []string{"Accept: */*"}, "Accept: */*", "X-Real-IP: 192.0.2.1", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: http",
		"X-Forwarded-Host: shop.example.com", "Forwarded: for=192.0.2.1;proto=http;host=shop.example.com", "Via: 1.1 sluice")
	f("forged", nil, []string{"X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 127.0.0.2", `Forwarded: for="`, "X-Forwarded-Host: evil", "X-Forwarded-Proto: https"},
		"X-Real-IP: 192.0.2.1", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: http",
		"X-Forwarded-Host: shop.example.com", "Forwarded: for=192.0.2.1;proto=http;host=shop.example.com", "Via: 1.1 sluice")
	f("IPv6, a port, TLS", func(x *exchange.Exchange) {
		x.Client.Peer, x.Client.Secure = netip.MustParseAddrPort("[2001:db8::1]:9"), true
		x.Request.Scheme, x.Request.Authority = "https", []byte("shop.example.com:8443")
	}, nil, "X-Real-IP: 2001:db8::1", "X-Forwarded-For: 2001:db8::1", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example.com:8443",
		`Forwarded: for="[2001:db8::1]";proto=https;host="shop.example.com:8443"`, "Via: 1.1 sluice")
	f("an authority that is a list to others", func(x *exchange.Exchange) { x.Request.Authority = []byte("evil,shop") }, nil,
		"X-Real-IP: 192.0.2.1", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: http", `Forwarded: for=192.0.2.1;proto=http;host="evil,shop"`, "Via: 1.1 sluice")
	f("no authority, HTTP/1.0, a Unix socket", func(x *exchange.Exchange) {
		x.Client.Peer, x.Request.Authority, x.Request.Received.Version = netip.AddrPort{}, nil, "HTTP/1.0"
	}, nil, "X-Forwarded-Proto: http", "Forwarded: for=unknown;proto=http", "Via: 1.0 sluice")

	f("a trusted proxy's lists are appended to", from("10.0.0.1:1"),
		[]string{"X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 203.0.113.9,10.0.0.2", "X-Forwarded-Proto: wss", "X-Forwarded-Host: pub.example", "X-Forwarded-Port: 443"},
		"X-Forwarded-For: 1.1.1.1, 203.0.113.9,10.0.0.2, 10.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: pub.example", "X-Forwarded-Port: 443",
		"X-Real-IP: 203.0.113.9", "Forwarded: for=203.0.113.9;proto=https;host=shop.example.com, for=10.0.0.1", "Via: 1.1 sluice")
	f("a trusted proxy's Forwarded", from("10.0.0.1:1"), []string{"Forwarded: for=1.1.1.1", "Forwarded: for=203.0.113.9;proto=https"},
		"Forwarded: for=1.1.1.1, for=203.0.113.9;proto=https, for=10.0.0.1;proto=http", "X-Real-IP: 203.0.113.9", "X-Forwarded-For: 203.0.113.9, 10.0.0.1",
		"X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example.com", "Via: 1.1 sluice")
	f("what a client broke is written anew", from("10.0.0.1:1"), []string{`Forwarded: for="evil, for=203.0.113.9`},
		"Forwarded: for=203.0.113.9;proto=http;host=shop.example.com, for=10.0.0.1", "X-Real-IP: 203.0.113.9", "X-Forwarded-For: 203.0.113.9, 10.0.0.1",
		"X-Forwarded-Proto: http", "X-Forwarded-Host: shop.example.com", "Via: 1.1 sluice")
	f("huge lists are written anew", from("10.0.0.1:1"), []string{"X-Forwarded-For: " + strings.Repeat("x,", listBytesMax/2) + "203.0.113.9"},
		"X-Forwarded-For: 203.0.113.9, 10.0.0.1", "X-Real-IP: 203.0.113.9", "X-Forwarded-Proto: http", "X-Forwarded-Host: shop.example.com",
		"Forwarded: for=203.0.113.9;proto=http;host=shop.example.com, for=10.0.0.1", "Via: 1.1 sluice")
}

func TestAppendsToATrustedUnixSocketsList(t *testing.T) {
	x := newExchange("X-Forwarded-For: 203.0.113.9", "Via: 1.1 front")
	x.Client.Peer = netip.AddrPort{}
	NewTrust(TrustSettings{Unix: true}).Receive(x)
	NewRules(DefaultSettings()).RequestFields(x)
	want := joinLines("X-Forwarded-For: 203.0.113.9", "Via: 1.1 front", "X-Real-IP: 203.0.113.9", "X-Forwarded-Proto: http", "X-Forwarded-Host: shop.example.com",
		"Forwarded: for=203.0.113.9;proto=http;host=shop.example.com, for=unknown", "Via: 1.1 sluice")
	if got := linesOf(&x.Request.Fields); got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestTellsNothingWithoutSettings(t *testing.T) {
	edit := func(x *exchange.Exchange) { x.Client.Peer = netip.MustParseAddrPort("10.0.0.1:1") }
	got := told(t, NewRules(Settings{}), edit, "Accept: */*", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: a", "X-Forwarded-Proto: https", "Via: 1.1 front")
	if got != joinLines("Accept: */*", "Via: 1.1 front") {
		t.Errorf("got\n%s", got)
	}
	if got := told(t, NewRules(Settings{}), edit, "Forwarded: for=203.0.113.9"); got != "" {
		t.Errorf("got\n%s", got)
	}
}

func TestChoosesTheHost(t *testing.T) {
	x := newExchange()
	f := func(s Settings, want string) {
		t.Helper()
		if got := NewRules(s).Host(x, []byte("10.0.0.1:80")); string(got) != want {
			t.Errorf("Host %q, want %q", got, want)
		}
	}
	f(Settings{}, "shop.example.com")
	f(Settings{Host: HostOrigin}, "10.0.0.1:80")
	f(Settings{Host: HostFixed, HostValue: "app.example"}, "app.example")
}

func TestFindsLoops(t *testing.T) {
	r := NewRules(DefaultSettings())
	f := func(loop bool, fields ...string) {
		t.Helper()
		_, err := r.CheckHops(newExchange(fields...))
		if loop != (err != nil) {
			t.Errorf("%q: %v", fields, err)
		}
		if err != nil && (err.Kind != exchange.KindProxyLoopDetected || err.Status != 508) {
			t.Errorf("error %v with status %d", err, err.Status)
		}
	}
	f(false)
	f(false, "Via: 1.1 sluice, 1.1 other, 2 sluice, 1.1 SLUICE")
	f(true, "Via: 1.1 sluice, 1.1 other", "Via: HTTP/1.1  sluice (comment), 1.0\tsluice, 1.1 sluice", "Via: 1.1 Sluice")
	f(false, "Via: 1.1 sluices, 1.1 a-sluice, sluice, 1.1 (sluice), sluice 1.1, sluice 1.1, sluice 1.1")
}

func TestCountsMaxForwardsDown(t *testing.T) {
	r := NewRules(DefaultSettings())
	f := func(method, want string, verdict exchange.Verdict, status int, fields ...string) {
		t.Helper()
		x := newExchange(fields...)
		x.Request.Method = method
		got, err := r.CheckHops(x)
		if err != nil || got != verdict || x.Response.Status != status {
			t.Errorf("%s %q: verdict %v, %v, status %d", method, fields, got, err, x.Response.Status)
		}
		if got := string(x.Request.Fields.Get(exchange.FieldMaxForwards)); verdict == exchange.Continue && got != want {
			t.Errorf("%s %q: Max-Forwards %q, want %q", method, fields, got, want)
		}
	}
	f("OPTIONS", "", exchange.Continue, 0)
	f("OPTIONS", "9", exchange.Continue, 0, "Max-Forwards: 10")
	f("TRACE", "0", exchange.Continue, 0, "Max-Forwards: 1")
	f("OPTIONS", "0", exchange.Continue, 0, "Max-Forwards: 7", "Max-Forwards: 1")
	f("OPTIONS", "255", exchange.Continue, 0, "Max-Forwards: 99999999999999999999")
	f("OPTIONS", "", exchange.Continue, 0, "Max-Forwards: -1")
	f("OPTIONS", "", exchange.Continue, 0, "Max-Forwards: ")
	f("GET", "0", exchange.Continue, 0, "Max-Forwards: 0")
	f("OPTIONS", "", exchange.Answered, 204, "Max-Forwards: 0")
	f("TRACE", "", exchange.Answered, 405, "Max-Forwards: 00")
}

func TestTrailersCannotSayWhatWasChecked(t *testing.T) {
	x := newExchange()
	f := &x.Request.Trailers
	addLines(f, "Content-Length: 5", "Host: x", "Authorization: y", "Cookie: z", "X-Forwarded-For: 127.0.0.1", "x_forwarded_for: 1", "Set-Cookie: a=b",
		"Transfer-Encoding: chunked", "grpc-status: 0", "ETag: \"x\"", "Content-Digest: sha-256=:x:")
	NewRules(DefaultSettings()).RequestTrailers(x)
	if got := linesOf(f); got != joinLines("grpc-status: 0", "ETag: \"x\"", "Content-Digest: sha-256=:x:") {
		t.Errorf("got\n%s", got)
	}
}
