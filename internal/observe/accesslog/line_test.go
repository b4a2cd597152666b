package accesslog

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice/internal/exchange"
	"sluice/internal/loop"
)

// fakeDriver is a driver that only tells who and when it is.
type fakeDriver struct {
	loop.Driver
	id   int
	now  time.Duration
	time time.Time
}

func (d *fakeDriver) ID() int            { return d.id }
func (d *fakeDriver) Now() time.Duration { return d.now }
func (d *fakeDriver) Time() time.Time    { return d.time }

func newDriver(id int) *fakeDriver {
	return &fakeDriver{id: id, now: 10 * time.Second, time: time.Date(2026, 7, 1, 12, 34, 56, 7_000_000, time.FixedZone("", 7200))}
}

// newExchange returns a forwarded exchange as most are.
func newExchange() *exchange.Exchange {
	x := &exchange.Exchange{}
	x.Begin(newDriver(0), nil)
	x.Client = exchange.Client{
		Peer: netip.MustParseAddrPort("192.0.2.7:40312"),
		Addr: netip.MustParseAddr("198.51.100.24"),
	}
	r := &x.Request
	r.Received = exchange.Received{Target: []byte("/shop/items?page=2&sort=price"), Host: []byte("Shop.example.com"), Version: "HTTP/1.1"}
	r.Method, r.Scheme, r.Host = "GET", "https", []byte("shop.example.com")
	r.Path, r.Query, r.HasQuery = []byte("/rewritten"), []byte("page=2&sort=price"), true
	r.Fields.Add(exchange.FieldUserAgent, []byte("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"))
	r.Fields.Add(exchange.FieldReferer, []byte("https://shop.example.com/shop/?page=1"))
	x.Response.Status = 200
	x.Notes = exchange.Notes{
		Began: 10*time.Second - 12345*time.Microsecond, ResponseBegan: 10*time.Second - 1*time.Millisecond,
		Site: "shop.example.com", Route: "1 /shop/*", Pool: "shop", Endpoint: "10.0.0.11:8080", Attempts: 1, Reused: true,
		ContentIn: 0, ContentOut: 5120, HeadIn: 410, HeadOut: 222,
	}
	return x
}

// inFull is the style of a log without settings.
var inFull = newStyle(Settings{}, [32]byte{})

func lineOf(x *exchange.Exchange) string {
	return string(appendJSON(nil, x, inFull, &stamp{}))
}

// decoded returns the members of a line, and fails the test if it is not one line of JSON.
func decoded(t *testing.T, line string) map[string]any {
	t.Helper()
	if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "}\n") {
		t.Fatalf("not one line: %q", line)
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatalf("%v: %q", err, line)
	}
	return m
}

func TestLineTellsTheWholeExchange(t *testing.T) {
	want := `{"time":"2026-07-01T10:34:56.007Z","client":"198.51.100.24","peer":"192.0.2.7:40312","method":"GET","scheme":"https",` +
		`"host":"shop.example.com","path":"/shop/items","query":"page=2&sort=price","protocol":"HTTP/1.1",` +
		`"status":200,"bytes_in":410,"bytes_out":5342,"duration_ms":12.345,"origin_ms":11.345,` +
		`"site":"shop.example.com","route":"1 /shop/*","pool":"shop","endpoint":"10.0.0.11:8080","attempts":1,"reused":true,` +
		`"user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0","referer":"https://shop.example.com/shop/?page=1"}` + "\n"
	x := newExchange()
	if got := lineOf(x); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	decoded(t, want)
}

func TestLineTellsWhatWentWrong(t *testing.T) {
	x := newExchange()
	x.Notes.Aborted = true
	x.Err = &exchange.Error{Source: exchange.Upstream, Kind: exchange.KindConnectionRefused, Op: "connect"}
	m := decoded(t, lineOf(x))
	if m["error"] != "connection_refused" || m["error_source"] != "upstream" || m["error_op"] != "connect" || m["aborted"] != true {
		t.Error(m)
	}
}

func TestRefusedRequestIsLogged(t *testing.T) {
	x := &exchange.Exchange{}
	x.Begin(newDriver(0), nil)
	if got := lineOf(x); got != `{"time":"2026-07-01T10:34:56.007Z","status":0,"bytes_in":0,"bytes_out":0}`+"\n" {
		t.Errorf("a request of which nothing is known: %s", got)
	}
	x.Client.Peer = netip.MustParseAddrPort("[2001:db8::1]:99")
	x.Request.Received.Target = []byte("\x00\"}\r\n{\"status\":200,\"x\":\"")
	x.Response.Status = 400
	x.Err = &exchange.Error{Source: exchange.Downstream, Kind: exchange.KindHTTPRequestError, Op: "read request head"}
	m := decoded(t, lineOf(x))
	if m["status"] != 400.0 || m["client"] != "2001:db8::1" || m["peer"] != "[2001:db8::1]:99" || m["error"] != "http_request_error" {
		t.Error(m)
	}
}

func TestZonesOfAddressesAreNotWritten(t *testing.T) {
	x := newExchange()
	x.Client.Addr = netip.MustParseAddr("fe80::1").WithZone("\"}\n")
	x.Client.Peer = netip.AddrPortFrom(netip.MustParseAddr("fe80::2").WithZone("\n"), 5)
	m := decoded(t, lineOf(x))
	if m["client"] != "fe80::1" || m["peer"] != "[fe80::2]:5" {
		t.Error(m)
	}
}

func TestStampFollowsTheClock(t *testing.T) {
	var s stamp
	at := time.Date(1999, 12, 31, 23, 59, 59, 998_999_999, time.UTC)
	for range 5 {
		want := at.Format("2006-01-02T15:04:05.000Z")
		if got := string(s.appendTime(nil, at)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		at = at.Add(time.Millisecond)
	}
}

func TestEscapesWhatCouldEndAStringOrActOnATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain text é 漢 🙂":         "plain text é 漢 🙂",
		"a\"b\\c":                  `a\"b\\c`,
		"\x00\t\n\r\x1b[31m\x7f":   `\u0000\u0009\u000a\u000d\u001b[31m\u007f`,
		"\xff\xc3\x28\xed\xa0\x80": `\ufffd\ufffd(\ufffd\ufffd\ufffd`,
		"\u0085\u009b2J":           `\u0085\u009b2J`,
		"\u2028\u202e\ufeff":       `\u2028\u202e\ufeff`,
		"\uFFFD":                   "\uFFFD",
		"é\xe2\x82":                `é\ufffd\ufffd`,
	} {
		if got, ok := appendEscaped(nil, in, 1000, asJSON); string(got) != want || !ok {
			t.Errorf("%q is written as %s, want %s", in, got, want)
		}
	}
}

func TestLongValuesAreCutBetweenCharacters(t *testing.T) {
	for _, part := range []string{"x", "\x01", "漢", "a=1&token=b&", "a&", "//a@"} {
		in := strings.Repeat(part, 100_000/len(part))
		x := newExchange()
		x.Request.Received.Target = []byte(in + "?" + in)
		x.Request.Method = in
		x.Request.Host = []byte(strings.ReplaceAll(in, "@", "."))
		x.Notes.Site, x.Notes.Route, x.Notes.Pool, x.Notes.Endpoint = in, in, in, in
		x.Err = &exchange.Error{Kind: exchange.Kind(in), Op: in}
		x.Request.Received.Version, x.Request.Scheme = in, in
		for _, name := range []exchange.Name{exchange.FieldUserAgent, exchange.FieldReferer, exchange.FieldXRequestID} {
			x.Request.Fields.Set(name, []byte(in))
		}
		line := lineOf(x)
		m := decoded(t, line)
		if len(line) > lineBytesMax {
			t.Errorf("a line of %d bytes", len(line))
		}
		for _, key := range []string{"method", "host", "path", "query", "site", "user_agent", "referer", "request_id"} {
			if v, _ := m[key].(string); !strings.HasSuffix(v, cutMark) || strings.Contains(v, "\uFFFD") {
				t.Errorf("%s ends with %q", key, v[max(0, len(v)-20):])
			}
		}
	}
}

func TestFastEscapingAgreesWithTheSlowOne(t *testing.T) {
	for c := range 256 {
		for _, size := range []int{1, 8, 11, 16} {
			for at := range size {
				in := bytes.Repeat([]byte("~"), size)
				in[at] = byte(c)
				got, ok := appendEscaped([]byte("<"), in, 1000, asJSON)
				want, wantOK := appendSlowly([]byte("<"), in, 1000, asJSON)
				if string(got) != string(want) || ok != wantOK {
					t.Fatalf("%q: fast %q, slow %q", in, got, want)
				}
			}
		}
	}
}
