package h1

import (
	"strings"
	"testing"

	"sluice/internal/exchange"
)

// fields returns a field list of "Name: value" lines.
func fields(lines ...string) (f exchange.Fields) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		f.AddNamed([]byte(name), []byte(value))
	}
	return f
}

// hopFields are lines that an encoder must not copy (RFC 9110, section 7.6.1, and RFC 9112, section 6.1).
var hopFields = []string{
	"Host: evil", "Content-Length: 99", "content-length: 98", "Transfer-Encoding: chunked", "Connection: X-Real", "Keep-Alive: 5", "Proxy-Connection: close", "Upgrade: h2c",
}

func TestAppendsRequestHeads(t *testing.T) {
	for _, test := range []struct {
		r    exchange.Request
		body Framing
		opt  Options
		want string
	}{
		{exchange.Request{Method: "GET", Path: []byte("/a"), Authority: []byte("a.example:81"), Fields: fields("accept: */*", "x-Own: 1")}, Framing{}, Options{},
			"GET /a HTTP/1.1\r\nHost: a.example:81\r\nAccept: */*\r\nx-Own: 1\r\n\r\n"},
		{exchange.Request{Method: "PUT", Path: []byte("/"), Query: []byte("b?c"), HasQuery: true, Authority: []byte("a")}, Framing{FramedLength, 1234567890123}, Options{Close: true},
			"PUT /?b?c HTTP/1.1\r\nHost: a\r\nContent-Length: 1234567890123\r\nConnection: close\r\n\r\n"},
		{exchange.Request{Method: "POST", Path: []byte("/"), HasQuery: true, Authority: []byte("a"), Fields: fields("TE: trailers")}, Framing{Kind: FramedChunked}, Options{TE: true, KeepAlive: true},
			"POST /? HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive, TE\r\n\r\n"},
		{exchange.Request{Method: "GET", Path: []byte("/"), Authority: []byte("a"), Fields: fields(hopFields...)}, Framing{}, Options{Upgrade: []byte("websocket")},
			"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"},
		{exchange.Request{Method: "OPTIONS", Path: []byte("*"), Authority: []byte("a")}, Framing{FramedLength, 0}, Options{}, "OPTIONS * HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
	} {
		if got := string(AppendRequestHead([]byte("x"), &test.r, test.body, test.opt)); got != "x"+test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestAppendsResponseHeads(t *testing.T) {
	for _, test := range []struct {
		r    exchange.Response
		body Framing
		opt  Options
		want string
	}{
		{exchange.Response{Status: 200, Fields: fields("content-type: text/plain")}, Framing{FramedLength, 2}, Options{}, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n"},
		{exchange.Response{Status: 404, Reason: []byte("Gone Fishing"), Fields: fields(hopFields...)}, Framing{Kind: FramedChunked}, Options{Close: true},
			"HTTP/1.1 404 Gone Fishing\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"},
		{exchange.Response{Status: 299}, Framing{Kind: FramedClose}, Options{Close: true}, "HTTP/1.1 299 \r\nConnection: close\r\n\r\n"},
		{exchange.Response{Status: 101}, Framing{}, Options{Upgrade: []byte("websocket")}, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"},
		{exchange.Response{Status: 304}, Framing{}, Options{KeepAlive: true}, "HTTP/1.1 304 Not Modified\r\nConnection: keep-alive\r\n\r\n"},
	} {
		if got := string(AppendResponseHead(nil, &test.r, test.body, test.opt)); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
	links := fields("Link: </a.css>; rel=preload", "Content-Length: 5")
	if got := string(AppendInterim(nil, 103, &links)); got != "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" {
		t.Errorf("got %q", got)
	}
	if got := string(AppendInterim(nil, 100, nil)); got != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestAppendsChunks(t *testing.T) {
	trailers := fields("X: y", "Content-Length: 5", "Transfer-Encoding: x", "Authorization: z")
	out := AppendChunkStart(nil, 26)
	out = append(out, "abcdefghijklmnopqrstuvwxyz"+ChunkEnd...)
	out = AppendLastChunk(out, &trailers)
	if want := "1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nX: y\r\n\r\n"; string(out) != want {
		t.Errorf("got %q", out)
	}
	if got := string(AppendLastChunk(nil, nil)); got != "0\r\n\r\n" {
		t.Errorf("got %q", got)
	}
	if n := len(AppendChunkStart(nil, 1<<63-1)); n != ChunkStartBytesMax {
		t.Errorf("the longest chunk start has %d bytes", n)
	}
}

func TestPhrasesAreTheRegisteredOnes(t *testing.T) {
	for status, want := range map[int]string{100: "Continue", 200: "OK", 413: "Content Too Large", 511: "Network Authentication Required", 299: "", -1: "", 600: "", 999: ""} {
		if got := Phrase(status); got != want {
			t.Errorf("%d: %q", status, got)
		}
	}
}

// TestMessagesCostNoAllocation holds the package to its claim for all that a forwarded exchange needs.
func TestMessagesCostNoAllocation(t *testing.T) {
	lim := DefaultLimits()
	in, out := []byte(browserRequest), make([]byte, 0, 4096)
	folded := []byte("HTTP/1.1 200 OK\r\nA: b\r\n c\r\nTransfer-Encoding: chunked\r\n\r\n")
	broken := []byte("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n")
	body := []byte("5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\n")
	var request exchange.Request
	var response exchange.Response
	var q RequestHead
	var p ResponseHead
	var c Chunks
	run := func() {
		if n, _ := ParseRequest(in, &lim, &q, &request.Fields); n != len(in) {
			t.Fatal("not parsed")
		}
		request.Method, request.Path, request.Authority = q.Method, q.Target, q.Host
		out = AppendRequestHead(out[:0], &request, q.Framing(), Options{Close: true, TE: true, Upgrade: q.Host})
		if n, _ := ParseResponse(folded, &lim, &p, &response.Fields); n != len(folded) {
			t.Fatal("not parsed")
		}
		response.Trailers.Reset()
		c.Reset(&lim, &response.Trailers, true)
		for rest, done := body, false; !done; {
			_, n, end, err := c.Next(rest)
			if err != nil {
				t.Fatal(err)
			}
			rest, done = rest[n:], end
		}
		response.Status = p.Status
		out = AppendResponseHead(out[:0], &response, ResponseLength(q.Method, &p), Options{})
		out = AppendLastChunk(AppendChunkStart(out, 5), &response.Trailers)
		if HeadEnd(in, 0) != len(in) {
			t.Fatal("no end")
		}
		if _, err := ParseRequest(broken, &lim, &q, &request.Fields); err == nil {
			t.Fatal("taken")
		}
	}
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
