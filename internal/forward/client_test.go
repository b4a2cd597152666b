package forward

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

func TestTrustsWhatANetworkContains(t *testing.T) {
	networks := prefixes("10.0.0.0/8", "10.1.0.0/16", "192.0.2.7/32", "::ffff:198.51.100.0/120", "2001:db8::/32", "fe80::/10", "::1/128")
	trust := NewTrust(TrustSettings{Networks: networks})
	f := func(addr string, want bool) {
		t.Helper()
		if got := trust.Trusts(netip.MustParseAddr(addr)); got != want {
			t.Errorf("Trusts(%s) = %v, want %v", addr, got, want)
		}
	}
	f("10.0.0.0", true)
	f("10.255.255.255", true)
	f("11.0.0.0", false)
	f("9.255.255.255", false)
	f("192.0.2.7", true)
	f("192.0.2.8", false)
	f("::ffff:10.9.9.9", true)
	f("198.51.100.200", true)
	f("198.51.101.0", false)
	f("2001:db8:ffff::", true)
	f("2001:db9::", false)
	f("fe80::1%eth0", true)
	f("::1", true)
	f("::2", false)
}

func TestTrustsAgreesWithPrefixes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var list []netip.Prefix
		for range r.IntN(6) {
			list = append(list, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(r.IntN(3)), byte(r.IntN(3))}), r.IntN(20)).Masked())
		}
		trust := NewTrust(TrustSettings{Networks: list})
		for range 200 {
			addr := netip.AddrFrom4([4]byte{byte(r.IntN(3)), byte(r.IntN(3)), byte(r.IntN(2))})
			want := false
			for _, p := range list {
				want = want || p.Contains(addr)
			}
			if trust.Trusts(addr) != want {
				t.Fatalf("networks %v: Trusts(%v) = %v", list, addr, !want)
			}
		}
	}
}

func TestTrustsUnixSocketsOnlyIfTold(t *testing.T) {
	if (&Trust{}).Trusts(netip.Addr{}) || !NewTrust(TrustSettings{Unix: true}).Trusts(netip.Addr{}) {
		t.Error("a Unix socket is trusted by its own setting alone")
	}
	var nobody *Trust
	if nobody.Trusts(netip.MustParseAddr("::1")) {
		t.Error("a nil Trust trusts nobody")
	}
}

// addressCase is a request from a peer and what is believed of it.
type addressCase struct {
	why    string
	peer   string
	fields []string
	addr   string
	scheme string
}

func (c *addressCase) check(t *testing.T, trust *Trust) {
	t.Helper()
	x := newExchange(c.fields...)
	if c.peer != "" {
		x.Client.Peer = netip.AddrPortFrom(netip.MustParseAddr(c.peer), 1234)
	}
	trust.Receive(x)
	if got := x.Client.Addr.String(); got != c.addr {
		t.Errorf("%s: client %s, want %s", c.why, got, c.addr)
	}
	if c.scheme == "" {
		c.scheme = "http"
	}
	if x.Request.Scheme != c.scheme {
		t.Errorf("%s: scheme %s, want %s", c.why, x.Request.Scheme, c.scheme)
	}
}

func TestFindsTheClientInXForwardedFor(t *testing.T) {
	trust := trusting("10.0.0.0/8", "2001:db8:10::/48")
	for _, c := range []addressCase{
		{"an untrusted peer is the client", "192.0.2.1", []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https"}, "192.0.2.1", "http"},
		{"a mapped peer is IPv4", "::ffff:192.0.2.1", nil, "192.0.2.1", ""},
		{"a zone is no part of an address", "fe80::1%eth0", nil, "fe80::1", ""},
		{"a trusted peer alone is the client", "10.0.0.1", nil, "10.0.0.1", ""},
		{"one hop", "10.0.0.1", []string{"X-Forwarded-For: 203.0.113.9"}, "203.0.113.9", ""},
		{"what the client invented lies further left", "10.0.0.1", []string{"X-Forwarded-For: 127.0.0.1, 203.0.113.9"}, "203.0.113.9", ""},
		{"past trusted hops", "10.0.0.1", []string{"X-Forwarded-For: 1.1.1.1, 203.0.113.9,10.0.0.3 ,\t10.0.0.2"}, "203.0.113.9", ""},
		{"all hops trusted: the leftmost", "10.0.0.1", []string{"X-Forwarded-For: 10.0.0.3, 10.0.0.2"}, "10.0.0.3", ""},
		{"several lines are one list (RFC 9110, 5.3)", "10.0.0.1", []string{"X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 10.0.0.2"}, "203.0.113.9", ""},
		{"empty members are skipped (RFC 9110, 5.6.1.2)", "10.0.0.1", []string{"X-Forwarded-For: 203.0.113.9, , ,", "X-Forwarded-For: "}, "203.0.113.9", ""},
		{"ports", "10.0.0.1", []string{"X-Forwarded-For: 203.0.113.9:4711, 10.0.0.2:80"}, "203.0.113.9", ""},
		{"IPv6, bare", "10.0.0.1", []string{"X-Forwarded-For: 2001:db8::9"}, "2001:db8::9", ""},
		{"IPv6 in brackets", "10.0.0.1", []string{"X-Forwarded-For: [2001:db8::9]"}, "2001:db8::9", ""},
		{"IPv6 with a port, past a trusted one", "10.0.0.1", []string{"X-Forwarded-For: [2001:db8::9]:80, [2001:db8:10::1]:443"}, "2001:db8::9", ""},
		{"mapped IPv6 is IPv4", "10.0.0.1", []string{"X-Forwarded-For: 203.0.113.9, ::ffff:10.0.0.2"}, "203.0.113.9", ""},
		{"unknown ends the walk", "10.0.0.1", []string{"X-Forwarded-For: 203.0.113.9, unknown, 10.0.0.2"}, "10.0.0.2", ""},
		{"an obfuscated hop ends the walk", "10.0.0.1", []string{"X-Forwarded-For: 203.0.113.9, _hidden, 10.0.0.2"}, "10.0.0.2", ""},
		{"a malformed one ends the walk", "10.0.0.1", []string{"X-Forwarded-For: 203.0.113.9, 10.0.0.256"}, "10.0.0.1", ""},
		{"leading zeros are malformed", "10.0.0.1", []string{"X-Forwarded-For: 203.0.113.09"}, "10.0.0.1", ""},
		{"a zone is malformed", "10.0.0.1", []string{"X-Forwarded-For: fe80::1%eth0"}, "10.0.0.1", ""},
		{"obs-text is malformed", "10.0.0.1", []string{"X-Forwarded-For: 203.0.113.9\xa0"}, "10.0.0.1", ""},
		{"a quoted one is malformed", "10.0.0.1", []string{`X-Forwarded-For: "203.0.113.9"`}, "10.0.0.1", ""},
		{"a list of look-alikes counts nothing", "10.0.0.1", []string{"X_Forwarded_For: 203.0.113.9"}, "10.0.0.1", ""},
		{"more than 64 members", "10.0.0.1", []string{"X-Forwarded-For: 203.0.113.9" + strings.Repeat(", 10.0.0.2", 100)}, "10.0.0.2", ""},
	} {
		c.check(t, trust)
	}
}

func TestFindsTheSchemeInXForwardedProto(t *testing.T) {
	trust := trusting("10.0.0.0/8")
	for _, c := range []addressCase{
		{"alone", "10.0.0.1", []string{"X-Forwarded-Proto: https"}, "10.0.0.1", "https"},
		{"any case, WebSocket", "10.0.0.1", []string{"X-Forwarded-Proto: WSS"}, "10.0.0.1", "https"},
		{"handed on by the inner proxy", "10.0.0.1", []string{"X-Forwarded-For: 203.0.113.9, 10.0.0.2", "X-Forwarded-Proto: https"}, "203.0.113.9", "https"},
		{"appended to by each hop", "10.0.0.1", []string{"X-Forwarded-For: 203.0.113.9, 10.0.0.2", "X-Forwarded-Proto: https, http"}, "203.0.113.9", "https"},
		{"forged and appended to", "10.0.0.1", []string{"X-Forwarded-For: 1.1.1.1, 203.0.113.9", "X-Forwarded-Proto: https, http"}, "203.0.113.9", "http"},
		{"no scheme of ours", "10.0.0.1", []string{"X-Forwarded-Proto: gopher"}, "10.0.0.1", "http"},
	} {
		c.check(t, trust)
	}
}

func TestFindsTheClientInForwarded(t *testing.T) {
	trust := trusting("10.0.0.0/8", "2001:db8:10::/48")
	for _, c := range []addressCase{
		{"untrusted", "192.0.2.1", []string{"Forwarded: for=203.0.113.9;proto=https"}, "192.0.2.1", "http"},
		{"RFC 7239, section 4", "10.0.0.1", []string{"Forwarded: for=192.0.2.60;proto=http;by=203.0.113.43"}, "192.0.2.60", "http"},
		{"names in any case", "10.0.0.1", []string{`Forwarded: For="[2001:db8:cafe::17]:4711"`}, "2001:db8:cafe::17", ""},
		{"past trusted hops", "10.0.0.1", []string{`Forwarded: for=1.1.1.1, for=203.0.113.9;proto=https,for="[2001:db8:10::1]";proto=http`}, "203.0.113.9", "https"},
		{"the scheme of the hop that met the client", "10.0.0.1", []string{`Forwarded: proto=https;for=203.0.113.9;by=_x`}, "203.0.113.9", "https"},
		{"several lines", "10.0.0.1", []string{"Forwarded: for=1.1.1.1", "Forwarded: for=203.0.113.9", "Forwarded: for=10.0.0.7"}, "203.0.113.9", ""},
		{"commas and semicolons in quotes", "10.0.0.1", []string{`Forwarded: for=203.0.113.9;host="a,b;for=1.1.1.1", for=10.0.0.2;ext="\",for=2.2.2.2,\""`}, "203.0.113.9", ""},
		{"escapes in an address", "10.0.0.1", []string{`Forwarded: for="203.0.113.\9"`}, "203.0.113.9", ""},
		{"an open quote of the client's", "10.0.0.1", []string{`Forwarded: for="evil, for=203.0.113.9`}, "203.0.113.9", ""},
		{"an open quote before quotes", "10.0.0.1", []string{`Forwarded: for="\", for="[2001:db8::9]"`}, "2001:db8::9", ""},
		{"an open quote in another line", "10.0.0.1", []string{`Forwarded: for="evil`, "Forwarded: for=203.0.113.9"}, "203.0.113.9", ""},
		{"unknown", "10.0.0.1", []string{"Forwarded: for=203.0.113.9, for=unknown;proto=https, for=10.0.0.2"}, "10.0.0.2", "https"},
		{"obfuscated", "10.0.0.1", []string{"Forwarded: for=203.0.113.9, for=_secret"}, "10.0.0.1", ""},
		{"an empty address", "10.0.0.1", []string{`Forwarded: for=203.0.113.9, for="[]"`}, "10.0.0.1", ""},
		{"half an address", "10.0.0.1", []string{`Forwarded: for=203.0.113.9, for="[1:2]"`}, "10.0.0.1", ""},
		{"without for", "10.0.0.1", []string{"Forwarded: for=203.0.113.9, proto=https"}, "10.0.0.1", "https"},
		{"for twice", "10.0.0.1", []string{"Forwarded: for=203.0.113.9;for=203.0.113.8"}, "10.0.0.1", ""},
		{"proto twice", "10.0.0.1", []string{"Forwarded: for=203.0.113.9;proto=http;proto=https"}, "10.0.0.1", ""},
		{"IPv6 without brackets", "10.0.0.1", []string{`Forwarded: for="2001:db8::9"`}, "10.0.0.1", ""},
		{"a colon needs quotes", "10.0.0.1", []string{"Forwarded: for=203.0.113.9:80"}, "10.0.0.1", ""},
		{"no white space around =", "10.0.0.1", []string{"Forwarded: for =203.0.113.9"}, "10.0.0.1", ""},
		{"white space around ;", "10.0.0.1", []string{"Forwarded: for=203.0.113.9 ; proto=https"}, "203.0.113.9", "https"},
		{"obfuscated port", "10.0.0.1", []string{`Forwarded: for="203.0.113.9:_a.b-c"`}, "203.0.113.9", ""},
		{"X-Forwarded-For counts if both are there", "10.0.0.1", []string{"Forwarded: for=1.1.1.1;proto=https", "X-Forwarded-For: 203.0.113.9"}, "203.0.113.9", "http"},
	} {
		c.check(t, trust)
	}
}

func TestTakesTheFamilyThatIsTold(t *testing.T) {
	both := []string{"Forwarded: for=1.1.1.1;proto=https", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: http", "X-Forwarded-Host: evil.example"}
	networks := prefixes("10.0.0.0/8")
	forwarded := NewTrust(TrustSettings{Networks: networks, Reports: ReportsForwarded})
	(&addressCase{"Forwarded", "10.0.0.1", both, "1.1.1.1", "https"}).check(t, forwarded)
	(&addressCase{"only X-Forwarded-For", "10.0.0.1", both[1:], "10.0.0.1", "http"}).check(t, forwarded)
	xForwarded := NewTrust(TrustSettings{Networks: networks, Reports: ReportsXForwarded})
	(&addressCase{"X-Forwarded-For", "10.0.0.1", both, "203.0.113.9", "http"}).check(t, xForwarded)
	(&addressCase{"only Forwarded", "10.0.0.1", both[:1], "10.0.0.1", "http"}).check(t, xForwarded)
}

func TestParsesNodes(t *testing.T) {
	f := func(node string, bare bool, want string) {
		t.Helper()
		addr, ok := parseNode([]byte(node), bare)
		if got := addr.String(); ok && got != want || !ok && want != "" {
			t.Errorf("parseNode(%q) = %s, %v; want %q", node, got, ok, want)
		}
	}
	f("192.0.2.1", false, "192.0.2.1")
	f("192.0.2.1:80", false, "192.0.2.1")
	f("192.0.2.1:99999", false, "192.0.2.1") // 5 digits: RFC 7239, section 6.2 sets no bound
	f("192.0.2.1:", false, "")
	f("192.0.2.1:123456", false, "")
	f("192.0.2.1:8o", false, "")
	f("192.0.2.1:_", false, "")
	f("192.0.2.1:_p!", false, "")
	f("[::1]", false, "::1")
	f("[::1", false, "")
	f("[::1]80", false, "")
	f("[::1]:80", false, "::1")
	f("[192.0.2.1]", false, "")
	f("[::ffff:192.0.2.1]", false, "192.0.2.1")
	f("[]", false, "")
	f("::1", false, "")
	f("::1", true, "::1")
	f("", true, "")
	f("1.2.3", true, "")
	f("1.2.3.4.5", true, "")
	f("1::2::3", true, "")
	f("1:2:3:4:5:6:7:8:9", true, "")
	f("1:2:3:4:5:6:7::", true, "1:2:3:4:5:6:7:0")
	f("1:2:3:4:5:6:7:8::", true, "")
	f("1:2:3:4:5:6:1.2.3.4", true, "1:2:3:4:5:6:102:304")
	f("1:2:3:4:5:6:7:1.2.3.4", true, "")
	f("::1.2.3.4", true, "::102:304")
	f("12345::", true, "")
	f(":::", true, "")
}
