package h1

import (
	"fmt"
	"strings"
	"testing"

	"sluice/internal/exchange"
)

func parseResponse(in string) (h ResponseHead, f *exchange.Fields, n int, err *SyntaxError) {
	f, lim := new(exchange.Fields), DefaultLimits()
	n, err = ParseResponse([]byte(in), &lim, &h, f)
	return h, f, n, err
}

func wantResponse(t *testing.T, in string, taken bool) {
	t.Helper()
	if _, _, n, err := parseResponse(in); (err == nil) != taken || (n > 0) != taken {
		t.Errorf("%.200q: n = %d, %v", in, n, err)
	}
}

func TestParsesAResponseHead(t *testing.T) {
	h, f, n, err := parseResponse(originResponse + "body")
	if err != nil || n != len(originResponse) || h.Status != 200 || string(h.Reason) != "OK" || h.Minor != 1 || h.ContentLength != 1024 || !h.KeepAlive || f.Len() != 8 {
		t.Errorf("n = %d, %+v, %v", n, h, err)
	}
}

// TestStatusLineFollowsTheGrammar covers RFC 9112, section 4, and RFC 9110, section 15.
func TestStatusLineFollowsTheGrammar(t *testing.T) {
	for line, reason := range map[string]string{
		"HTTP/1.1 200 OK": "OK", "HTTP/1.1 200 ": "", "HTTP/1.1 200": "", "HTTP/1.0 404 Not Found": "Not Found", "HTTP/1.1 200  two  ": " two  ", "HTTP/1.1 599 \xe9\t!": "\xe9\t!", "HTTP/1.3 100 x": "x",
	} {
		if h, _, _, err := parseResponse(line + "\r\n\r\n"); err != nil || string(h.Reason) != reason {
			t.Errorf("%q: %q, %v", line, h.Reason, err)
		}
	}
	for _, line := range []string{
		"HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1  200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 099 OK", "HTTP/1.1 600 OK", "HTTP/1.1 999 OK", "HTTP/1.1 2x0 OK", "HTTP/1.1 +20 OK", "HTTP/1.1\t200 OK",
		"HTTP/1.1 200\tOK", "HTTP/2.0 200 OK", "HTTP/0.9 200 OK", "http/1.1 200 OK", "ICY 200 OK", "HTTP/1.10 200 OK", "HTTP/1.1 200 O\x00K", "HTTP/1.1 200 O\x7fK", "HTTP/1.1 200 O\rK", "HTTP/1.1 200 OK\n",
		" HTTP/1.1 200 OK", "HTTP/1.1 200\x00OK", "HTTP/1.1200 OK", "HTTP/1.1 000 OK", "HTTP/1.1 -20 OK", "\r\nHTTP/1.1 200 OK",
	} {
		wantResponse(t, line+"\r\n\r\n", false)
	}
	wantResponse(t, "HTTP/1.1 200 OK\n\n", false)
	wantResponse(t, "<html>\r\n\r\n", false)
}

// TestRepairsWhiteSpaceBeforeTheColon covers RFC 9112, section 5.1.
func TestRepairsWhiteSpaceBeforeTheColon(t *testing.T) {
	_, f, _, err := parseResponse("HTTP/1.1 200 OK\r\nServer : x\r\nContent-Length \t: 5\r\nY:\r\n\r\n")
	if err != nil || string(f.Get(exchange.FieldServer)) != "x" || string(f.Get(exchange.FieldContentLength)) != "5" || f.Len() != 3 {
		t.Errorf("%v, %v", f.Lines(), err)
	}
	for _, line := range []string{" : x", ": x", "X Y: z", "X\x0b: y", "X", "X "} {
		wantResponse(t, "HTTP/1.1 200 OK\r\n"+line+"\r\n\r\n", false)
	}
}

// TestRepairsFolds covers RFC 9112, section 5.2: each becomes white space, and the white space around a value is no part of it.
func TestRepairsFolds(t *testing.T) {
	for in, want := range map[string]string{
		"X: a\r\n b": "a   b", "X: a \r\n\tb": "a   \tb", "X:\r\n b": "b", "X: a\r\n ": "a", "X: a\r\n \r\n\t\r\n b\r\n c": "a     \t   b   c", "X : a\r\n  : b": "a    : b", "X: a\r\n b\r\nY: z": "a   b",
	} {
		b, lim := []byte("HTTP/1.1 200 OK\r\n"+in+"\r\n\r\n"), DefaultLimits()
		var h ResponseHead
		var f exchange.Fields
		for i := range b { // also when it comes in parts, which are repaired again and again
			if n, err := ParseResponse(b[:i], &lim, &h, &f); n != 0 || err != nil {
				t.Fatalf("%q: %d, %v", b[:i], n, err)
			}
		}
		if n, err := ParseResponse(b, &lim, &h, &f); err != nil || n != len(b) || string(f.GetNamed([]byte("x"))) != want {
			t.Errorf("%q: %q, %v", in, f.GetNamed([]byte("x")), err)
		}
	}
	// White space before the first field is no fold (RFC 9112, section 2.2).
	wantResponse(t, "HTTP/1.1 200 OK\r\n X: a\r\n\r\n", false)
	wantResponse(t, "HTTP/1.1 200 OK\r\n\tX: a\r\n\r\n", false)
	// A fold can't hide framing.
	if h, _, _, err := parseResponse("HTTP/1.1 200 OK\r\nX: a\r\n Content-Length: 7\r\n\r\n"); err != nil || h.ContentLength != -1 {
		t.Errorf("%+v, %v", h, err)
	}
	wantResponse(t, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n 0\r\n\r\n", false)
}

// TestResponseLinesEndWithCRLFOnly covers RFC 9112, section 2.2: what ends with a bare LF is a fault.
func TestResponseLinesEndWithCRLFOnly(t *testing.T) {
	for _, in := range []string{
		"HTTP/1.1 200 OK\nX: a\n\n", "HTTP/1.1 200 OK\r\nX: a\n\r\n", "HTTP/1.1 200 OK\r\nX: a\r\n\n", "HTTP/1.1 200 OK\r\nX: a\rY: b\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\x00\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\r\n\rx",
		"HTTP/1.1 200\n\n",
	} {
		wantResponse(t, in, false)
	}
}

// TestResponseFramingIsUnambiguousOrRefused covers RFC 9112, sections 6.1 and 6.3, and RFC 9110, section 8.6: equal lengths are one.
func TestResponseFramingIsUnambiguousOrRefused(t *testing.T) {
	for lines, want := range map[string]int64{
		"Content-Length: 5": 5, "Content-Length: 5\r\nContent-Length: 5": 5, "Content-Length: 5, 5": 5, "Content-Length: 5,5\r\nContent-Length: 05": 5, "X: y": -1,
		"Content-Length: 5\r\nContent-Length: 6": -2, "Content-Length: 5, 6": -2, "Content-Length: 5,": -2, "Content-Length: ,5": -2, "Content-Length:": -2, "Content-Length: -5": -2, "Content-Length: 5 5": -2,
		"Content-Length: 99999999999999999999": -2, "Content-Length: 5\r\nTransfer-Encoding: chunked": -2, "Transfer-Encoding: chunked\r\nContent-Length: 5": -2, "Transfer-Encoding: gzip, chunked": -2,
		"Transfer-Encoding: gzip": -2, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked": -2, "Transfer-Encoding: chunked, chunked": -2, "Transfer-Encoding:": -2,
	} {
		h, _, _, err := parseResponse("HTTP/1.1 200 OK\r\n" + lines + "\r\n\r\n")
		if (err != nil) != (want == -2) || err == nil && h.ContentLength != want {
			t.Errorf("%q: %d, %v", lines, h.ContentLength, err)
		}
	}
	wantResponse(t, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false)
	if _, _, _, err := parseResponse("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"); err.ResponseKind != exchange.KindHTTPTransferCoding {
		t.Errorf("kind %s", err.ResponseKind)
	}
	if _, _, _, err := parseResponse("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 70000)); err.ResponseKind != exchange.KindHTTPHeadTooLarge {
		t.Errorf("kind %s", err.ResponseKind)
	}
	if _, _, _, err := parseResponse("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 17000) + "\r\n\r\n"); err.ResponseKind != exchange.KindHTTPLineTooLarge {
		t.Errorf("kind %s", err.ResponseKind)
	}
}

// TestResponseLengthDependsOnMethodAndStatus covers RFC 9112, section 6.3.
func TestResponseLengthDependsOnMethodAndStatus(t *testing.T) {
	for _, test := range []struct {
		method string
		status int
		lines  string
		want   Framing
	}{
		{"GET", 200, "", Framing{Kind: FramedClose}},
		{"GET", 200, "Content-Length: 0\r\n", Framing{Kind: FramedLength}},
		{"POST", 404, "Content-Length: 7\r\n", Framing{FramedLength, 7}},
		{"GET", 200, "Transfer-Encoding: chunked\r\n", Framing{Kind: FramedChunked}},
		{"HEAD", 200, "Content-Length: 7\r\n", Framing{}},
		{"HEAD", 200, "Transfer-Encoding: chunked\r\n", Framing{}},
		{"head", 200, "Content-Length: 7\r\n", Framing{FramedLength, 7}},
		{"GET", 100, "Content-Length: 7\r\n", Framing{}},
		{"GET", 103, "", Framing{}},
		{"GET", 101, "", Framing{}},
		{"GET", 204, "Content-Length: 7\r\n", Framing{}},
		{"GET", 205, "", Framing{Kind: FramedClose}},
		{"GET", 304, "Content-Length: 7\r\n", Framing{}},
		{"CONNECT", 200, "Content-Length: 7\r\n", Framing{}},
		{"CONNECT", 407, "Content-Length: 7\r\n", Framing{FramedLength, 7}},
	} {
		h, _, _, err := parseResponse(fmt.Sprintf("HTTP/1.1 %d x\r\n%s\r\n", test.status, test.lines))
		if got := ResponseLength(test.method, &h); err != nil || got != test.want {
			t.Errorf("%s %d %q: %+v, %v, want %+v", test.method, test.status, test.lines, got, err, test.want)
		}
	}
}
