package forward

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/exchange"
)

func FuzzParseAddr(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "::", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8", "fe80::1%eth0", "01.2.3.4", "1::", "::1.2.3.4", "1:2::3:4:5:6:7", "g::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := netip.ParseAddr(s)
		got, ok := hostAddr([]byte(s))
		if strings.HasPrefix(s, "[") {
			return
		}
		if good := err == nil && want.Zone() == ""; ok != good || ok && got != want.Unmap() {
			t.Fatalf("%q was taken for %v, %v; netip takes it for %v, %v", s, got, ok, want, err)
		}
	})
}

var (
	bracketedRegexp = regexp.MustCompile(`^\[(.*:.*)\](:(\d{1,5}|_[\w.-]+))?$`)
	portRegexp      = regexp.MustCompile(`^([\d.]+)(:(\d{1,5}|_[\w.-]+))$`)
)

// plainXForwardedFor is the walk in its plainest form.
func plainXForwardedFor(lines []string, peer netip.Addr, trusts func(netip.Addr) bool) netip.Addr {
	items := strings.Split(strings.Join(lines, ","), ",")
	client := peer
	for i := len(items) - 1; i >= 0 && len(items)-i <= hopsMax && trusts(client); i-- {
		item := strings.Trim(items[i], " \t")
		if item == "" {
			continue
		}
		if m := bracketedRegexp.FindStringSubmatch(item); m != nil {
			item = m[1]
		} else if m := portRegexp.FindStringSubmatch(item); m != nil {
			item = m[1]
		}
		addr, err := netip.ParseAddr(item)
		if err != nil || addr.Zone() != "" {
			return client
		}
		client = addr.Unmap()
	}
	return client
}

func FuzzXForwardedFor(f *testing.F) {
	for _, s := range []string{"203.0.113.9, 10.0.0.2", "1.1.1.1\n10.0.0.2, 10.0.0.3", "[::1]:80,10.0.0.1:4", ", ,10.0.0.1", "unknown, 10.0.0.1", `"10.0.0.1"`, "10.0.0.1:_x"} {
		f.Add(s)
	}
	trust := trusting("10.0.0.0/8", "::/8")
	f.Fuzz(func(t *testing.T, s string) {
		lines := strings.Split(s, "\n")
		x := newExchange()
		x.Client.Peer = netip.MustParseAddrPort("10.0.0.1:1")
		for _, l := range lines {
			x.Request.Fields.Add(exchange.FieldXForwardedFor, []byte(l))
		}
		trust.Receive(x)
		if want := plainXForwardedFor(lines, netip.MustParseAddr("10.0.0.1"), trust.Trusts); x.Client.Addr != want {
			t.Fatalf("%q: client %v, want %v", s, x.Client.Addr, want)
		}
	})
}

// The grammar of RFC 7239, section 4, with white space around semicolons.
const (
	tokenPattern   = `[!#$%&'*+\-.^_` + "`" + `|~0-9A-Za-z]+`
	quotedPattern  = `"(?:[^"\\]|\\.)*"`
	pairPattern    = tokenPattern + `=(?:` + tokenPattern + `|` + quotedPattern + `)`
	elementPattern = `(?:` + pairPattern + `)?(?:[ \t]*;[ \t]*(?:` + pairPattern + `)?)*`
)

var (
	forwardedRegexp = regexp.MustCompile(`(?s)^[ \t]*` + elementPattern + `[ \t]*(?:,[ \t]*` + elementPattern + `[ \t]*)*$`)
	elementRegexp   = regexp.MustCompile(`(?s)^[ \t]*(` + elementPattern + `)[ \t]*(?:,|$)`)
	plainRegexp     = regexp.MustCompile(`^[\t\x20-\x7e]*$`)
	escapeRegexp    = regexp.MustCompile(`(?s)\\(.)`)
	pairRegexp      = regexp.MustCompile(`(?s)(` + tokenPattern + `)=(` + tokenPattern + `|` + quotedPattern + `)`)
)

// plainForwarded reads a list that is well formed as a whole from the left, with regular expressions.
func plainForwarded(list string, peer netip.Addr, trusts func(netip.Addr) bool) netip.Addr {
	var elements []string
	for rest := list; ; {
		m := elementRegexp.FindStringSubmatch(rest)
		elements = append(elements, m[1])
		if rest = rest[len(m[0]):]; rest == "" && !strings.HasSuffix(m[0], ",") {
			break
		}
	}
	client := peer
	for i := len(elements) - 1; i >= 0 && len(elements)-i <= hopsMax && trusts(client); i-- {
		if elements[i] == "" {
			continue
		}
		params := map[string]string{}
		for _, p := range pairRegexp.FindAllStringSubmatch(elements[i], -1) {
			name, value := strings.ToLower(p[1]), p[2]
			if value[0] == '"' {
				value = escapeRegexp.ReplaceAllString(value[1:len(value)-1], "$1")
			}
			if _, twice := params[name]; twice && (name == "for" || name == "proto") {
				return client
			}
			params[name] = value
		}
		addr, ok := parseNode([]byte(params["for"]), false)
		if !ok {
			return client
		}
		client = addr
	}
	return client
}

func FuzzForwarded(f *testing.F) {
	for _, s := range []string{
		`for=203.0.113.9, for=10.0.0.2`, `for="[::1]:80";proto=https, for=10.0.0.1`, `for="a,b", for=10.0.0.1;host="x\",y"`, `,;for=10.0.0.1;,`,
		`for=10.0.0.1;by="\\";ext="\"", for=10.0.0.2`, `for="evil`, `for="\`, "for=10.0.0.1;host=\"\xff\"",
	} {
		f.Add(s)
	}
	trust := trusting("10.0.0.0/8", "::/8")
	peer := netip.MustParseAddr("10.0.0.1")
	walk := func(list string) netip.Addr {
		x := newExchange()
		x.Client.Peer = netip.AddrPortFrom(peer, 1)
		x.Request.Fields.Add(exchange.FieldForwarded, []byte(list))
		trust.Receive(x)
		return x.Client.Addr
	}
	f.Fuzz(func(t *testing.T, list string) {
		if want := netip.MustParseAddr("203.0.113.9"); walk(list+", for=203.0.113.9;proto=http") != want {
			t.Fatalf("%q in front makes an honest element read as %v", list, walk(list+", for=203.0.113.9;proto=http"))
		}
		if want := netip.MustParseAddr("2001:db8::9"); walk(list+`, for="[2001:db8::9]:80", for="[::1]";host="a,b"`) != want {
			t.Fatalf("%q in front hides an honest element with quotes", list)
		}
		if !plainRegexp.MatchString(list) || !forwardedRegexp.MatchString(list) {
			return
		}
		if got, want := walk(list), plainForwarded(list, peer, trust.Trusts); got != want {
			t.Fatalf("%q: client %v, want %v", list, got, want)
		}
	})
}
