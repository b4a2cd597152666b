package h1

import (
	"math/rand/v2"
	"strings"
	"testing"

	"sluice/internal/exchange"
)

// The fuzz targets change bytes at random and seldom meet valid messages. The tests below put messages together from pieces, right and wrong ones, and compare
// with the plain twins.

const agreeRounds = 20_000

var agreeLines = []string{
	"Host: a", "Host: a.example:80", "host:[::1]", "Host: a b", "Host:", "X: y", "X:y", "x-y_z:\t1 2 ", "X:", "X : y", " X: y", "\tX", "X", ": y", "X: \x01", "X: \xff", "X\xff: y", "X: a\x7f", "X: a\tb",
	"Content-Length: 5", "content-length:0", "Content-Length: 5, 5", "Content-Length: 5,6", "Content-Length: +5", "Content-Length:", "Content-Length: 9223372036854775807", "Content-Length: 9223372036854775808",
	"Transfer-Encoding: chunked", "transfer-encoding:CHUNKED ", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, x", "Transfer-Encoding:", "Transfer-Encoding : chunked",
	"Connection: close", "Connection: keep-alive, Upgrade", "Upgrade: websocket", "Expect: 100-continue", "Accept: */*", "Cookie: a=b; c=d", "Authorization: Basic eDp5", "Trailer: X",
}

// pick returns one of the choices; the first half of the time the first one, so that valid messages are common.
func pick(r *rand.Rand, choices ...string) string {
	if r.IntN(2) == 0 {
		return choices[0]
	}
	return choices[r.IntN(len(choices))]
}

func section(r *rand.Rand) string {
	var s strings.Builder
	for range r.IntN(6) {
		s.WriteString(agreeLines[r.IntN(len(agreeLines))] + pick(r, "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n", "\r\n ", "\r\n\t", " \r\n"))
	}
	return s.String() + pick(r, "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r\n\r\n", "\r", "", " \r\n")
}

func TestRequestsAgreeWithThePlainTwin(t *testing.T) {
	r, lim, taken := rand.New(rand.NewPCG(1, 2)), DefaultLimits(), 0
	for range agreeRounds {
		in := pick(r, "", "\r\n", "\r\n\r\n", "\n", " ") + pick(r, "GET", "POST", "x!", "", "G(T", "GET ") + pick(r, " ", " ", " ", "  ", "\t", "") +
			pick(r, "/", "/a?b", "*", "http://a/", "a:80", "/\x01", "/\x80", "", "/a b") + pick(r, " ", " ", " ", "  ", "\t", "") +
			pick(r, "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "http/1.1", "HTTP/1.10", "") + pick(r, "\r\n", "\r\n", "\r\n", "\n", " \r\n", "\r\r\n") +
			pick(r, "Host: a\r\n", "", "Host: b\r\n") + section(r) + pick(r, "", "GET / HTTP/1.1\r\n\r\n")
		var h RequestHead
		var f exchange.Fields
		n, err := ParseRequest([]byte(in), &lim, &h, &f)
		want, whole, ok := plainRequest(in, lim)
		if ok != (n > 0) || whole && !ok && err == nil {
			t.Fatalf("%q: n = %d, %v; the plain twin %+v, %v", in, n, err, want, ok)
		}
		if ok {
			taken++
			if n != want.bytes || h.Method != want.start[0] || string(h.Target) != want.start[1] || linesOf(&f) != want.lines || h.ContentLength != want.length || h.Chunked != want.chunks {
				t.Fatalf("%q: got %d, %+v, %s; the plain twin %+v", in, n, h, linesOf(&f), want)
			}
			agreeWithNetHTTP(t, []byte(in[:n]), &h)
			appendAndParse(t, []byte(in), &h, &f)
		}
	}
	if taken < agreeRounds/100 {
		t.Errorf("only %d requests were valid: the test shows little", taken)
	}
}

func TestResponsesAgreeWithThePlainTwin(t *testing.T) {
	r, lim, taken := rand.New(rand.NewPCG(3, 4)), DefaultLimits(), 0
	for range agreeRounds {
		in := pick(r, "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.5", "HTTP/2.0", "http/1.1", "\r\nHTTP/1.1") + pick(r, " ", " ", " ", "  ", "\t", "") +
			pick(r, "200", "204", "304", "101", "599", "600", "99", "2000", "20x", "") + pick(r, " OK", " ", "", "  x", "\tOK", " \x01") + pick(r, "\r\n", "\r\n", "\r\n", "\n", "\r") + section(r) + pick(r, "", "x", " ")
		var h ResponseHead
		var f exchange.Fields
		n, err := ParseResponse([]byte(in), &lim, &h, &f)
		want, whole, ok := plainResponse(in, lim)
		if ok != (n > 0) || whole && !ok && err == nil {
			t.Fatalf("%q: n = %d, %v; the plain twin %+v, %v", in, n, err, want, ok)
		}
		if ok {
			taken++
			if n != want.bytes || string(h.Reason) != want.start[2] || linesOf(&f) != want.lines || h.ContentLength != want.length || h.Chunked != want.chunks {
				t.Fatalf("%q: got %d, %+v, %s; the plain twin %+v", in, n, h, linesOf(&f), want)
			}
		}
	}
	if taken < agreeRounds/100 {
		t.Errorf("only %d responses were valid: the test shows little", taken)
	}
}

func TestChunksAgreeWithThePlainTwin(t *testing.T) {
	r, lim, taken := rand.New(rand.NewPCG(5, 6)), DefaultLimits(), 0
	for range agreeRounds {
		var s strings.Builder
		for range r.IntN(3) {
			s.WriteString(pick(r, "5", "05", "0000000000000005", "00000000000000005", "5 ", "+5", "0x5", "5g", "") + chunkLineEnd(r) + pick(r, "hello", "hell", "hello!", "\r\n\r\n\r") +
				pick(r, "\r\n", "\r\n", "\r\n", "\n", "\r", ""))
		}
		s.WriteString(pick(r, "0", "00", "-0", "") + chunkLineEnd(r) + pick(r, "\r\n", section(r)) + pick(r, "", "5\r\n", "\r\n"))
		in := s.String()
		content, trailers, n, whole, ok := plainChunks(in, lim)
		var c Chunks
		gotContent, gotTrailers, gotN, done, err := readChunks(&c, in, false, r.IntN(len(in)+1))
		if done != ok || whole && !ok && err == nil {
			t.Fatalf("%q: done %v, %v; the plain twin %v, whole %v", in, done, err, ok, whole)
		}
		if ok {
			taken++
			if gotContent != content || !strings.EqualFold(gotTrailers, trailers) || gotN != n {
				t.Fatalf("%q: got %q, %q, %d; the plain twin %q, %q, %d", in, gotContent, gotTrailers, gotN, content, trailers, n)
			}
		}
	}
	if taken < agreeRounds/100 {
		t.Errorf("only %d bodies were valid: the test shows little", taken)
	}
}

// chunkLineEnd returns what follows a chunk-size: extensions and the end of the line.
func chunkLineEnd(r *rand.Rand) string {
	var s strings.Builder
	for r.IntN(3) == 0 {
		s.WriteString(pick(r, "", "", " ", "\t") + pick(r, ";", ";", ",") + pick(r, "", "", " ") + pick(r, "a", "", "\x01", "[") + pick(r, "", "", " "))
		if r.IntN(2) == 0 {
			s.WriteString("=" + pick(r, "", "", " ") + pick(r, "b", `"c;\r\"d"`, `"`, "", `"e\`, "\"\x00\"", `"f"g`))
		}
	}
	return s.String() + pick(r, "\r\n", "\r\n", "\r\n", "\n", "\r", " \r\n", "\r\r\n")
}
