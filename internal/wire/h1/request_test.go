package h1

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"sluice/internal/exchange"
)

// parseRequest parses a whole head with the default limits.
func parseRequest(in string) (h RequestHead, f *exchange.Fields, n int, err *SyntaxError) {
	f, lim := new(exchange.Fields), DefaultLimits()
	n, err = ParseRequest([]byte(in), &lim, &h, f)
	return h, f, n, err
}

// wantStatus checks that a request is refused with that status; 0 stands for taken.
func wantStatus(t *testing.T, in string, want int) {
	t.Helper()
	_, _, n, err := parseRequest(in)
	got := 0
	if err != nil {
		got = err.Status
	}
	if got != want || (err == nil) != (n > 0) {
		t.Errorf("%.200q: n = %d, status %d (%v), want %d", in, n, got, err, want)
	}
}

// with returns a request of HTTP/1.1 that has a Host and these field lines.
func with(lines ...string) string {
	return "POST / HTTP/1.1\r\nHost: a\r\n" + strings.Join(append(lines, ""), "\r\n") + "\r\n"
}

func TestParsesARequestHead(t *testing.T) {
	h, f, n, err := parseRequest("\r\n" + browserRequest + "GET / HTTP/1.1\r\n")
	if err != nil || n != 2+len(browserRequest) {
		t.Fatalf("n = %d, %v", n, err)
	}
	if h.Method != "GET" || string(h.Target) != "/products/garden/chairs?page=2&sort=price" || h.Minor != 1 || string(h.Host) != "shop.example.com" || !h.HasHost {
		t.Errorf("got %+v", h)
	}
	if h.ContentLength != -1 || h.Chunked || h.Close || !h.KeepAlive || h.Upgrade || h.ExpectContinue || !h.Persistent() || h.Framing().Kind != FramedNone {
		t.Errorf("got %+v", h)
	}
	if f.Len() != 10 || string(f.Get(exchange.FieldPriority)) != "u=0, i" || string(f.Get(exchange.FieldConnection)) != "keep-alive" {
		t.Errorf("fields %v", f.Lines())
	}
}

// TestRequestLineHasThreePartsAndNothingElse covers RFC 9112, sections 2.3 and 3: one space between the parts, nothing before and behind them.
func TestRequestLineHasThreePartsAndNothingElse(t *testing.T) {
	for line, want := range map[string]int{
		"GET / HTTP/1.1": 0, "GET * HTTP/1.1": 0, "get / HTTP/1.1": 0, "M-SEARCH / HTTP/1.1": 0, "!#$%&'*+.^_`|~09Az / HTTP/1.1": 0, "GET a?\x80\xff HTTP/1.1": 0,
		" GET / HTTP/1.1": 400, "\tGET / HTTP/1.1": 400, "GET  / HTTP/1.1": 400, "GET /  HTTP/1.1": 400, "GET / HTTP/1.1 ": 400, "GET\t/ HTTP/1.1": 400, "GET /\tHTTP/1.1": 400,
		"GET / a HTTP/1.1": 400, "GET /": 400, "GET / ": 400, "GET": 400, "": 400, " ": 400, "GET / HTTP/1.1\t": 400, "GET /\x00 HTTP/1.1": 400, "GET /\x7f HTTP/1.1": 400,
		"GET\x00 / HTTP/1.1": 400, "G(T / HTTP/1.1": 400, "G:T / HTTP/1.1": 400, "GÉT / HTTP/1.1": 400, "\"GET\" / HTTP/1.1": 400, "/ HTTP/1.1": 400, "GET /\x0b HTTP/1.1": 400,
		"GET / HTTP/1.1\r": 400, "GET / HTTP/1.1\n": 400, "GET /\rHTTP/1.1": 400, "GET /\n HTTP/1.1": 400, "GET\r / HTTP/1.1": 400, "GET /\r HTTP/1.1": 400, "GET HTTP/1.1": 400,
	} {
		if line == "" {
			wantStatus(t, "\r\r\nHost: a\r\n\r\n", want)
			continue
		}
		wantStatus(t, line+"\r\nHost: a\r\n\r\n", want)
	}
}

// TestTakesVersion1AndRefusesOthers covers RFC 9112, section 2.3, and RFC 9110, sections 2.5 and 15.6.6.
func TestTakesVersion1AndRefusesOthers(t *testing.T) {
	for version, want := range map[string]int{
		"HTTP/1.1": 0, "HTTP/1.0": 0, "HTTP/1.2": 0, "HTTP/1.9": 0,
		"HTTP/0.9": 505, "HTTP/2.0": 505, "HTTP/3.0": 505, "HTTP/9.9": 505, "HTTP/0.0": 505,
		"http/1.1": 400, "Http/1.1": 400, "HTTP/1.10": 400, "HTTP/01.1": 400, "HTTP/1": 400, "HTTP/1.": 400, "HTTP/.1": 400, "HTTP/11": 400, "HTTP/1,1": 400, "HTTP 1.1": 400,
		"HTTPS/1.1": 400, "HTTP/1.1a": 400, "HTTP/a.1": 400, "HTTP/1.a": 400, "HTTP/-1.1": 400, "HTTP/1.1/": 400, "HTTP": 400, "ICY/1.1": 400, "HTTP/+1.1": 400, "HTTP/1.1.1": 400,
		"HTTP\\1.1": 400, "HTTP//1.1": 400, "HTTP/1 .1": 400, "\x00HTTP/1.1": 400,
	} {
		wantStatus(t, "GET / "+version+"\r\nHost: a\r\n\r\n", want)
	}
	if h, _, _, _ := parseRequest("GET / HTTP/1.7\r\nHost: a\r\n\r\n"); h.Minor != 1 {
		t.Errorf("minor version %d, want that of the highest version we know", h.Minor)
	}
}

// TestPassesOverAFewEmptyLinesBeforeARequest covers RFC 9112, section 2.2.
func TestPassesOverAFewEmptyLinesBeforeARequest(t *testing.T) {
	head := "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	wantStatus(t, "\r\n"+head, 0)
	wantStatus(t, strings.Repeat("\r\n", emptyLinesMax)+head, 0)
	wantStatus(t, strings.Repeat("\r\n", emptyLinesMax+1)+head, 400)
	wantStatus(t, "\n"+head, 400)
	wantStatus(t, "\r"+head, 400)
	wantStatus(t, "\r\n \r\n"+head, 400)
}

// TestLinesEndWithCRLFOnly covers RFC 9112, section 2.2: a line ends with CRLF; neither a bare CR nor a bare LF is anything.
func TestLinesEndWithCRLFOnly(t *testing.T) {
	for _, in := range []string{
		"GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\n", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n\rX", "GET / HTTP/1.1\rHost: a\r\r", "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX\r: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX\n: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX:\rb\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX:\nb\r\n\r\n", "GET / HTTP/1.1\r\n\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\n\rHost: a\n\r\n\r",
	} {
		wantStatus(t, in, 400)
	}
}

// TestFieldLinesFollowTheGrammar covers RFC 9112, sections 5.1 and 5.2, and RFC 9110, sections 5.1 and 5.5.
func TestFieldLinesFollowTheGrammar(t *testing.T) {
	for line, want := range map[string]int{
		"X: b": 0, "X:b": 0, "X:": 0, "X: ": 0, "X: \t b\t ": 0, "X:\tb": 0, "X: b: c": 0, "X::": 0, "X: \xff\x80é": 0, "!#$%&'*+-.^_`|~09: b": 0, "X: a\tb": 0, "X_Y: z": 0, "1: 2": 0,
		"X : b": 400, "X\t: b": 400, " X: b": 400, "\tX: b": 400, ": b": 400, "X": 400, "X b": 400, "": 0, " ": 400, "X[]: b": 400, "X/Y: b": 400, "X(: b": 400, "\"X\": b": 400,
		"é: b": 400, "X\x00: b": 400, "\x00: b": 400, "X\x7f: b": 400, "X\x0b: b": 400, "X;Y: b": 400, "X=: b": 400, "X@: b": 400, "X,Y: b": 400, "{X}: b": 400, "X: b\r\n c": 400, "X: b\r\n\tc": 400,
		"X: b\r\n : c": 400, "X:\r\n b": 400, "=X: y": 400,
	} {
		if line == "" {
			wantStatus(t, with(), want)
			continue
		}
		wantStatus(t, with(line), want)
	}
	// White space between request line and first field (RFC 9112, section 2.2).
	wantStatus(t, "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400)
	wantStatus(t, "GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n", 400)
}

func TestEveryByteInNamesAndValues(t *testing.T) {
	for c := range 256 {
		b := string([]byte{byte(c)})
		control := c < ' ' && c != '\t' || c == 0x7F
		status := 0
		if control {
			status = 400
		}
		for pad := range 9 { // at every place of a word of eight bytes
			wantStatus(t, with("X: "+strings.Repeat("x", pad)+b+"12345678"), status)
		}
		token := c > ' ' && c < 0x7F && !strings.ContainsAny(b, "\"(),/:;<=>?@[\\]{}")
		if c == ':' { // ends the name
			continue
		}
		if status = 400; token {
			status = 0
		}
		wantStatus(t, with("X"+b+"Y: z"), status)
	}
}

func TestKeepsValuesAndNames(t *testing.T) {
	_, f, _, err := parseRequest(with("x-One: \t 1 2\t ", "CONTENT-TYPE:text/plain", "Empty:", "Empty: "))
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, l := range f.Lines() {
		got += fmt.Sprintf("%s=%s;", l.Name, l.Value)
	}
	if want := "Host=a;x-One=1 2;Content-Type=text/plain;Empty=;Empty=;"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestHostIsOneAndValid covers RFC 9112, section 3.2.
func TestHostIsOneAndValid(t *testing.T) {
	for lines, want := range map[string]int{
		"Host: a": 0, "hOST:a.example:8080": 0, "Host: A.EXAMPLE.": 0, "Host: [::1]:80": 0, "Host: 10.0.0.1": 0, "Host: a:": 0, "Host:\ta \t": 0, "X: y": 400, "Host: a\r\nHost: a": 400,
		"Host: a\r\nhost: b": 400, "Host:": 400, "Host: ": 400, "Host: a b": 400, "Host: a, b": 400, "Host: a/b": 400, "Host: u@a": 400, "Host: http://a": 400, "Host: a:b": 400, "Host: a:80:80": 400,
		"Host: [::1": 400, "Host: ::1": 400, "Host: a\x80": 400, "Host : a": 400, "Host: a#": 400, "Host: a:70000": 400, "Host: a?b": 400, "Host: a\\b": 400, "Host: \"a\"": 400,
	} {
		wantStatus(t, "GET / HTTP/1.1\r\n"+lines+"\r\n\r\n", want)
		if lines == "X: y" {
			want = 0 // HTTP/1.0 did not have Host
		}
		wantStatus(t, "GET / HTTP/1.0\r\n"+lines+"\r\n\r\n", want)
	}
	wantStatus(t, "GET / HTTP/1.1\r\n\r\n", 400)
	wantStatus(t, "GET / HTTP/1.0\r\n\r\n", 0)
	// Also where the target has an authority, which goes before Host (RFC 9112, section 3.2.2).
	wantStatus(t, "GET http://a/ HTTP/1.1\r\nX: y\r\n\r\n", 400)
	wantStatus(t, "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", 0)
}

// TestContentLengthIsOneNumber covers RFC 9110, section 8.6, and RFC 9112, section 6.3: in a request, two lengths are a fault even if they are equal.
func TestContentLengthIsOneNumber(t *testing.T) {
	for value, want := range map[string]int64{
		"0": 0, "5": 5, "00000000000000000000000005": 5, "9223372036854775807": math.MaxInt64, " 5\t": 5,
		"": -1, " ": -1, "+5": -1, "-5": -1, "-0": -1, "5, 5": -1, "5,": -1, ",5": -1, "5,6": -1, "5 5": -1, "0x5": -1, "5a": -1, "a": -1, "5.0": -1, "5e0": -1, "\"5\"": -1, "5;": -1, "5_0": -1,
		"9223372036854775808": -1, "18446744073709551621": -1, "99999999999999999999999": -1, "٥": -1, "5\x00": -1, "\x0b5": -1, "1 0": -1, "5\x80": -1, "'5'": -1, "0b1": -1,
	} {
		h, _, _, err := parseRequest(with("Content-Length:" + value))
		switch {
		case want < 0 && (err == nil || err.Status != 400):
			t.Errorf("%q: taken as %d (%v)", value, h.ContentLength, err)
		case want >= 0 && (err != nil || h.ContentLength != want || h.Framing() != Framing{FramedLength, want}):
			t.Errorf("%q: got %d, %v", value, h.ContentLength, err)
		}
	}
	wantStatus(t, with("Content-Length: 5", "Content-Length: 5"), 400)
	wantStatus(t, with("Content-Length: 5", "X: y", "content-length: 6"), 400)
	wantStatus(t, with("Content-Length: 0", "Content-Length: 0"), 400)
	wantStatus(t, with("Content-Length : 5"), 400)
	wantStatus(t, with("Content_Length: x"), 0)
}

// TestTransferEncodingIsChunkedOnceOrRefused covers RFC 9112, sections 6.1, 6.3 and 7.
func TestTransferEncodingIsChunkedOnceOrRefused(t *testing.T) {
	for value, want := range map[string]int{
		"chunked": 0, "Chunked": 0, "CHUNKED": 0, "\tchunked ": 0,
		"gzip": 501, "gzip, chunked": 501, "identity": 501, "xchunked": 501, "chunked1": 501, "gzip;q=1, chunked": 501, "identity, chunked": 501, "x, y, chunked": 501, "chunke": 501,
		"": 400, " ": 400, ",": 400, ", chunked": 400, "chunked,": 400, "chunked, chunked": 400, "chunked, gzip": 400, "chunked, identity": 400, "chunked;a=b": 400, "chunked;": 400, "gzip, chunked;x": 400,
		"gzip,, chunked": 400, "\"chunked\"": 400, "chunked chunked": 400, "chun ked": 400, "chunked\x00": 400, "\x0bchunked": 400, "chunked\x80": 400, "=chunked": 400, "chunked=": 400, "'chunked'": 501,
		"[chunked]": 400, "gzip chunked": 400, "chunked:": 400, "chunked\x0c": 400,
	} {
		wantStatus(t, with("Transfer-Encoding:"+value), want)
	}
	wantStatus(t, with("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400)
	wantStatus(t, with("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), 400)
	wantStatus(t, with("Transfer-Encoding: gzip", "Transfer-Encoding: chunked"), 501)
	wantStatus(t, with("Transfer-Encoding:\r\n chunked"), 400)
	wantStatus(t, with("Transfer-Encoding : chunked"), 400)
	if h, _, _, _ := parseRequest(with("Transfer-Encoding: chunked")); !h.Chunked || h.Framing().Kind != FramedChunked {
		t.Errorf("got %+v", h)
	}
	// Both lengths: the classic of request smuggling (RFC 9112, section 6.1).
	wantStatus(t, with("Transfer-Encoding: chunked", "Content-Length: 5"), 400)
	wantStatus(t, with("Content-Length: 5", "transfer-encoding: chunked"), 400)
	wantStatus(t, with("Content-Length: 0", "transfer-encoding: chunked"), 400)
	// HTTP/1.0 does not know Transfer-Encoding (RFC 9112, section 6.1).
	wantStatus(t, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400)
	wantStatus(t, "POST / HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n", 400)
}

// TestReadsConnectionOptions covers RFC 9110, sections 7.6.1 and 7.8, and RFC 9112, section 9.3.
func TestReadsConnectionOptions(t *testing.T) {
	for _, test := range []struct {
		version, lines                        string
		close, keepAlive, upgrade, persistent bool
	}{
		{"HTTP/1.1", "", false, false, false, true},
		{"HTTP/1.0", "", false, false, false, false},
		{"HTTP/1.1", "Connection: close, TE\r\n", true, false, false, false},
		{"HTTP/1.1", "Connection: TE\r\nConnection:CLOSE\r\n", true, false, false, false},
		{"HTTP/1.1", "Connection: x,, ,close\r\n", true, false, false, false},
		{"HTTP/1.1", "Connection: closed\r\n", false, false, false, true},
		{"HTTP/1.0", "Connection: Keep-Alive\r\n", false, true, false, true},
		{"HTTP/1.0", "Connection: keep-alive, close\r\n", true, true, false, false},
		{"HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", false, false, true, true},
		{"HTTP/1.1", "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n", false, true, true, true},
		{"HTTP/1.1", "Connection: upgrade\r\n", false, false, false, true},
		{"HTTP/1.1", "Connection: upgrade\r\nUpgrade:\r\n", false, false, false, true},
		{"HTTP/1.1", "Upgrade: websocket\r\n", false, false, false, true},
		{"HTTP/1.0", "Connection: upgrade\r\nUpgrade: websocket\r\n", false, false, false, false},
	} {
		h, _, _, err := parseRequest("GET / " + test.version + "\r\nHost: a\r\n" + test.lines + "\r\n")
		if err != nil || h.Close != test.close || h.KeepAlive != test.keepAlive || h.Upgrade != test.upgrade || h.Persistent() != test.persistent {
			t.Errorf("%s %q: got %+v, %v", test.version, test.lines, h, err)
		}
	}
}

// TestExpectContinueNeedsContentToCome covers RFC 9110, section 10.1.1.
func TestExpectContinueNeedsContentToCome(t *testing.T) {
	for _, test := range []struct {
		version, lines string
		want           bool
	}{
		{"HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 5\r\n", true},
		{"HTTP/1.1", "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n", true},
		{"HTTP/1.1", "Expect: x, 100-continue\r\nContent-Length: 5\r\n", true},
		{"HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n", false},
		{"HTTP/1.1", "Expect: 100-continue\r\n", false},
		{"HTTP/1.1", "Expect: 100\r\nContent-Length: 5\r\n", false},
		{"HTTP/1.0", "Expect: 100-continue\r\nContent-Length: 5\r\n", false},
	} {
		if h, _, _, err := parseRequest("PUT / " + test.version + "\r\nHost: a\r\n" + test.lines + "\r\n"); err != nil || h.ExpectContinue != test.want {
			t.Errorf("%s %q: got %v, %v", test.version, test.lines, h.ExpectContinue, err)
		}
	}
}

// TestLimitsHoldToTheByte covers RFC 9112, section 3 (414, 501), and RFC 6585, section 5 (431): what is just within is taken, one more is not.
func TestLimitsHoldToTheByte(t *testing.T) {
	lim := DefaultLimits()
	get := func(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n" }
	wantStatus(t, get("/"+strings.Repeat("a", lim.TargetBytes-1)), 0)
	wantStatus(t, get("/"+strings.Repeat("a", lim.TargetBytes)), 414)
	wantStatus(t, "GET /"+strings.Repeat("a", lim.TargetBytes), 414)
	wantStatus(t, strings.Repeat("M", methodBytesMax)+get("/")[3:], 0)
	wantStatus(t, strings.Repeat("M", methodBytesMax+1)+get("/")[3:], 501)
	wantStatus(t, with("X: "+strings.Repeat("a", lim.FieldBytes)), 0)
	wantStatus(t, with("X: "+strings.Repeat("a", lim.FieldBytes+1)), 431)
	wantStatus(t, with(strings.Repeat("X", lim.FieldBytes)+": a"), 0)
	wantStatus(t, with(strings.Repeat("X", lim.FieldBytes+1)+": a"), 431)
	wantStatus(t, with(strings.Split(strings.Repeat("X: a,", lim.Fields-2)+"X: a", ",")...), 0)
	wantStatus(t, with(strings.Split(strings.Repeat("X: a,", lim.Fields-1)+"X: a", ",")...), 431)
	wantStatus(t, with("Connection: "+strings.Repeat("a, ,", optionsMax-1)+"close"), 0)
	wantStatus(t, with("Connection: "+strings.Repeat("a, ,", optionsMax-1)+"close", "Connection: b"), 431)

	line := "X: " + strings.Repeat("a", lim.HeadBytes/8-5) + "\r\n"
	head := strings.Repeat(line, 7) + "GET / HTTP/1.1\r\nHost: a\r\nX: " + "\r\n\r\n"
	fit := "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat(line, 7) + "X: " + strings.Repeat("a", lim.HeadBytes-len(head)) + "\r\n\r\n"
	if len(fit) != lim.HeadBytes {
		t.Fatal("the test is wrong")
	}
	wantStatus(t, fit, 0)
	wantStatus(t, fit+"more", 0)
	wantStatus(t, "\r\n"+fit, 431)
	wantStatus(t, fit[:len(fit)-4]+"b\r\n\r\n", 431)
	if _, _, n, err := parseRequest(fit[:len(fit)-1]); n != 0 || err != nil {
		t.Errorf("a head that may yet fit: %d, %v", n, err)
	}
}

// TestRequestsInPartsAreIncomplete also shows that HeadEnd finds the same end, however the bytes come.
func TestRequestsInPartsAreIncomplete(t *testing.T) {
	for _, head := range []string{browserRequest, "\r\n\r\n" + smallRequest, "GET / HTTP/1.0\r\n\r\n", with("Content-Length: 4", "Expect: 100-continue")} {
		in, from := head+"BODY\r\n\r\n", 0
		for i := range len(in) {
			_, _, n, err := parseRequest(in[:i])
			end := HeadEnd([]byte(in[:i]), from)
			if fresh := HeadEnd([]byte(in[:i]), 0); fresh != end && from < len(head) {
				t.Fatalf("%q: HeadEnd from %d found %d, from 0 %d", in[:i], from, end, fresh)
			}
			want := 0
			if i >= len(head) {
				want = len(head)
			} else {
				from = i
			}
			if n != want || err != nil || end != want {
				t.Fatalf("%q: n = %d, HeadEnd = %d, want %d (%v)", in[:i], n, end, want, err)
			}
		}
	}
}

// TestFaultsAreSeenBeforeTheHeadEnds shows that a client that waits for an answer to a broken request gets one.
func TestFaultsAreSeenBeforeTheHeadEnds(t *testing.T) {
	for _, in := range []string{
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "GET / HTTP/1.1\n", "GET /\r\n", "GET / HTTP/1.1\r\nHost: a\n", "GET / HTTP/1.1\r\nHost : a", "GET / HTTP/2.0\r", "GET / HTTP/1.1\r\nX: y\r\n ", "GET /\n",
		"GET / X\n", "(", "\n",
	} {
		if _, _, _, err := parseRequest(in); err == nil {
			t.Errorf("%q: not refused yet", in)
		}
	}
	for _, in := range []string{"GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\n", "\n"} {
		if HeadEnd([]byte(in), 0) == 0 {
			t.Errorf("%q: HeadEnd waits on", in)
		}
	}
}
