package forward

import (
	"net/netip"
	"testing"

	"sluice/internal/exchange"
)

// browserFields is a request as browsers send it.
var browserFields = []string{
	"Host: shop.example.com", "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Accept: text/html,*/*;q=0.8",
	"Accept-Language: en-US,en;q=0.5", "Accept-Encoding: gzip, deflate, br, zstd", "Connection: keep-alive", "Referer: https://shop.example.com/",
	"Cookie: session=0123456789abcdef", "Upgrade-Insecure-Requests: 1", "Sec-Fetch-Dest: document", "X-Custom-Name: value",
}

// originFields is a response as origins send it.
var originFields = []string{
	"Server: nginx/1.28.0", "Date: Sun, 06 Nov 1994 08:49:37 GMT", "Content-Type: text/html", "Content-Length: 1024", "Connection: keep-alive",
	"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", "ETag: \"abc\"", "Accept-Ranges: bytes",
}

// load returns a function that makes f hold the given lines again, without parsing them.
func load(lines ...string) func(f *exchange.Fields) {
	var parsed exchange.Fields
	addLines(&parsed, lines...)
	return func(f *exchange.Fields) {
		f.Reset()
		for _, l := range parsed.Lines() {
			if l.ID == exchange.FieldOther {
				f.AddNamed(l.Name, l.Value)
			} else {
				f.Add(l.ID, l.Value)
			}
		}
	}
}

// requestWork returns what is done to each request that has these fields and comes from peer.
func requestWork(peer string, fields ...string) func(work bool) {
	return routeWork(DefaultSettings(), peer, fields...)
}

// routeWork is requestWork by a route's settings.
func routeWork(s Settings, peer string, fields ...string) func(work bool) {
	trust, rules := trusting("10.0.0.0/8", "192.168.0.0/16", "fc00::/7"), NewRules(s)
	x := newExchange()
	refill := load(fields...)
	x.Client.Peer = netip.MustParseAddrPort(peer)
	return func(work bool) {
		x.Scratch.Reset()
		refill(&x.Request.Fields)
		if work {
			trust.Receive(x)
			rules.CheckHops(x)
			rules.RequestFields(x)
		}
	}
}

// protecting is the settings of a route that sets and removes fields.
func protecting() Settings {
	s := DefaultSettings()
	s.Protect = []string{"X-User", "X-Client", "X-Debug", "X-Internal-*"}
	return s
}

// responseWork returns what is done to each response that has these fields.
func responseWork(fields ...string) func(work bool) {
	s := DefaultSettings()
	s.Origins = []string{"10.0.0.11", "10.0.0.12", "app.internal"}
	rules, hop, x := NewRules(s), theHop(), newExchange()
	refill := load(fields...)
	return func(work bool) {
		x.Scratch.Reset()
		refill(&x.Response.Fields)
		if work {
			rules.ResponseFields(x, hop)
		}
	}
}

var mappedFields = append([]string{"Location: http://10.0.0.11:8080/x", "Set-Cookie: a=b; Domain=app.internal; Path=/; Secure", "Link: <http://app.internal/a.css>"}, originFields...)

var behindProxy = append([]string{"X-Forwarded-For: 203.0.113.9, 10.0.0.2", "X-Forwarded-Proto: https"}, browserFields...)

var behindForwarded = append([]string{`Forwarded: for=203.0.113.9;proto=https;host="a:1", for="[fc00::1]"`}, browserFields...)

func TestRulesAllocateNothing(t *testing.T) {
	f := func(name string, work func(bool)) {
		t.Helper()
		if n := testing.AllocsPerRun(100, func() { work(true) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	f("request", requestWork("192.0.2.1:1", browserFields...))
	f("request with odd fields", requestWork("192.0.2.1:1", append([]string{"Connection: x-hop", "x-hop: 1", "X_Forwarded_For: 1", "TE: trailers", "Via: 1.1 sluice"}, browserFields...)...))
	f("request by a route that sets fields", routeWork(protecting(), "192.0.2.1:1", append([]string{"X_User: 1", "X-Internal_a: 2"}, browserFields...)...))
	f("request behind a proxy", requestWork("10.0.0.1:1", behindProxy...))
	f("request behind a proxy, Forwarded", requestWork("[fc00::2]:1", behindForwarded...))
	f("response", responseWork(originFields...))
	f("response without Date", responseWork(originFields[2:]...))
	f("response with names", responseWork(mappedFields...))
}

// The figure of a benchmark is that of the work and of filling the field list; BenchmarkFill is the latter alone.
func benchmark(b *testing.B, work func(bool), on bool) {
	b.ReportAllocs()
	for b.Loop() {
		work(on)
	}
}

func BenchmarkFill(b *testing.B) { benchmark(b, requestWork("192.0.2.1:1", browserFields...), false) }

func BenchmarkRequestFields(b *testing.B) {
	b.Run("direct", func(b *testing.B) { benchmark(b, requestWork("192.0.2.1:1", browserFields...), true) })
	b.Run("few", func(b *testing.B) {
		benchmark(b, requestWork("192.0.2.1:1", "Host: shop.example.com", "User-Agent: wrk"), true)
	})
	b.Run("protected", func(b *testing.B) { benchmark(b, routeWork(protecting(), "192.0.2.1:1", browserFields...), true) })
	b.Run("behind proxy", func(b *testing.B) { benchmark(b, requestWork("10.0.0.1:1", behindProxy...), true) })
	b.Run("behind Forwarded", func(b *testing.B) { benchmark(b, requestWork("10.0.0.1:1", behindForwarded...), true) })
}

func BenchmarkResponseFields(b *testing.B) {
	b.Run("plain", func(b *testing.B) { benchmark(b, responseWork(originFields...), true) })
	b.Run("fill", func(b *testing.B) { benchmark(b, responseWork(originFields...), false) })
	b.Run("mapped", func(b *testing.B) { benchmark(b, responseWork(mappedFields...), true) })
}

func BenchmarkTrusts(b *testing.B) {
	trust, addr := trusting("10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12", "fc00::/7"), netip.MustParseAddr("203.0.113.9")
	for b.Loop() {
		trust.Trusts(addr)
	}
}
