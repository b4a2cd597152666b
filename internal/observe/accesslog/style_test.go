package accesslog

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"sluice/internal/exchange"
)

func TestWritesTheNCSAFormats(t *testing.T) {
	x := newExchange()
	common := `198.51.100.24 - - [01/Jul/2026:10:34:56 +0000] "GET /shop/items?page=2&sort=price HTTP/1.1" 200 5120`
	if got := string(appendCommon(nil, x, inFull, &stamp{})); got != common+"\n" {
		t.Errorf("got %s", got)
	}
	combined := common + ` "https://shop.example.com/shop/?page=1" "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"`
	if got := string(appendCombined(nil, x, inFull, &stamp{})); got != combined+"\n" {
		t.Errorf("got %s", got)
	}
	none := &exchange.Exchange{}
	none.Begin(newDriver(0), nil)
	if got := string(appendCombined(nil, none, inFull, &stamp{})); got != `- - - [01/Jul/2026:10:34:56 +0000] "-" 000 - "-" "-"`+"\n" {
		t.Errorf("a request of which nothing is known: %s", got)
	}
}

func TestNothingForgesAFieldOfTheNCSAFormats(t *testing.T) {
	x := newExchange()
	x.Request.Method = "GET /\" 200"
	x.Request.Received.Target = []byte("/a b\"\\\r\n\x1b\xff\u202eé?c=\" 500 1 \"")
	x.Request.Received.Version = "HTTP/1.1\n"
	x.Request.Fields.Set(exchange.FieldReferer, []byte("http://a/\" \"b\n"))
	x.Request.Fields.Set(exchange.FieldUserAgent, []byte("a \"b\" \\\x85\xc2\x85"))
	want := `198.51.100.24 - - [01/Jul/2026:10:34:56 +0000] "GET\x20/\x22\x20200 /a\x20b\x22\x5c\x0d\x0a\x1b\xff\xe2\x80\xaeé?c=\x22\x20500\x201\x20\x22 HTTP/1.1\x0a" ` +
		`200 5120 "http://a/\x22 \x22b\x0a" "a \x22b\x22 \x5c\x85\xc2\x85"` + "\n"
	if got := string(appendCombined(nil, x, inFull, &stamp{})); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A secret in each place of a request that can hold one: none may be found in a line of any format.
func TestPlantedSecretsAreInNoFormat(t *testing.T) {
	x := newExchange()
	x.Request.Received.Target = []byte("https://u:PLANTED@a.example/;sid=PLANTED/" + jwt + "?token=PLANTED&x=" + apiKey)
	x.Request.Fields.Set(exchange.FieldReferer, []byte("https://u:PLANTED@a.example/?code=PLANTED"))
	x.Request.Fields.Set(exchange.FieldUserAgent, []byte("agent/1 "+apiKey+" token=PLANTED"))
	for _, format := range []Format{JSON, Common, Combined} {
		st := newStyle(Settings{Format: format}, [32]byte{})
		line := string(st.line(nil, x, st, &stamp{}))
		for _, secret := range []string{"PLANTED", jwt[:30], apiKey} {
			if strings.Contains(line, secret) {
				t.Errorf("%s is in %s", secret, line)
			}
		}
	}
}

func TestHidesTokensInUserAgents(t *testing.T) {
	for in, want := range map[string]string{
		"curl/8 " + apiKey + " x":  "curl/8 REDACTED x",
		"bot AKIAIOSFODNN7EXAMPLE": "bot REDACTED",
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126": "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126",
	} {
		if got := string(appendAgent(nil, []byte(in), nil, asJSON)); got != want {
			t.Errorf("%s became %s", in, got)
		}
	}
}

func TestAddressesCanBeTruncated(t *testing.T) {
	st := newStyle(Settings{Addresses: Truncated}, [32]byte{})
	for in, want := range map[string]string{
		"198.51.100.24": "198.51.100.0", "2001:db8:1:2:3::4": "2001:db8:1::", "::ffff:198.51.100.24": "198.51.100.0", "fe80::1%eth0": "fe80::", "::1": "::",
	} {
		if got := string(st.appendAddr(nil, netip.MustParseAddr(in))); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}

func TestAddressesCanBeHashed(t *testing.T) {
	hash := func(key, addr string) string {
		st := newStyle(Settings{Addresses: Hashed}, hashKey(key))
		return string(st.appendAddr(nil, netip.MustParseAddr(addr)))
	}
	// HMAC-SHA-256 with the key SHA-256("key"), as other programs make it.
	if got := hash("key", "198.51.100.24"); got != hmacOf(t, "key", "198.51.100.24") || len(got) != 16 {
		t.Errorf("got %s", got)
	}
	if hash("key", "198.51.100.24") == hash("other", "198.51.100.24") || hash("key", "198.51.100.24") == hash("key", "198.51.100.25") {
		t.Error("a hash depends on key and address")
	}
	if one, other := hash("", "198.51.100.24"), hash("", "198.51.100.24"); one == other {
		t.Error("without a key, each process has its own")
	}
}

// An address that is not to be known is in no line, not even in part: also the port goes.
func TestAddressesAreWrittenAsAskedInAllFormats(t *testing.T) {
	x := newExchange()
	for _, format := range []Format{JSON, Common, Combined} {
		for _, addresses := range []Addresses{Truncated, Hashed} {
			st := newStyle(Settings{Format: format, Addresses: addresses}, hashKey("key"))
			line := string(st.line(nil, x, st, &stamp{}))
			for _, part := range []string{"198.51.100.24", "192.0.2.7", "40312"} {
				if strings.Contains(line, part) {
					t.Errorf("format %d, addresses %d: %s is in %s", format, addresses, part, line)
				}
			}
			if client := string(st.appendAddr(nil, x.Client.Addr)); !strings.Contains(line, client) {
				t.Errorf("format %d, addresses %d: %s is not in %s", format, addresses, client, line)
			}
		}
	}
}

// hmacOf is the hash of an address by the standard library.
func hmacOf(t *testing.T, key, addr string) string {
	t.Helper()
	derived := sha256.Sum256([]byte(key))
	mac := hmac.New(sha256.New, derived[:])
	as16 := netip.MustParseAddr(addr).As16()
	mac.Write(as16[:])
	return hex.EncodeToString(mac.Sum(nil))[:16]
}
