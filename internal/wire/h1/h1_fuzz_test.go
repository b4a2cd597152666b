package h1

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sluice/internal/exchange"
	"sluice/internal/wire/target"
)

// linesOf returns the field lines as the plain twins write them.
func linesOf(f *exchange.Fields) (text string) {
	for _, l := range f.Lines() {
		text += fmt.Sprintf("%s=%s;", strings.ToLower(string(l.Name)), l.Value)
	}
	return text
}

func FuzzParseRequest(f *testing.F) {
	for _, s := range []string{
		browserRequest, "\r\n" + smallRequest, with("Content-Length: 5") + "hello", with("Transfer-Encoding: chunked"), with("Content-Length: 5", "Transfer-Encoding: chunked"),
		with("Transfer-Encoding: gzip, chunked"), with("X : y"), with("X: y", " z"), "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", "GET http://a/ HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost:a\r\nExpect: 100-continue\r\n\r\n", with("Content-Length: 5, 5"), with("Content-Length: +5"), "GET / HTTP/2.0\r\nHost: a\r\n\r\n", with("X: \x00"),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		lim := DefaultLimits()
		var h RequestHead
		var fields exchange.Fields
		before := string(in)
		n, err := ParseRequest(in, &lim, &h, &fields)
		want, whole, ok := plainRequest(before, lim)
		if ok != (n > 0) || whole && !ok && err == nil || string(in) != before {
			t.Fatalf("%q: n = %d, %v; the plain twin %+v, %v", in, n, err, want, ok)
		}
		if !ok {
			return
		}
		minor := 1
		if want.start[2] == "0" {
			minor = 0
		}
		if n != want.bytes || h.Method != want.start[0] || string(h.Target) != want.start[1] || h.Minor != minor || linesOf(&fields) != want.lines ||
			h.ContentLength != want.length || h.Chunked != want.chunks {
			t.Fatalf("%q: got %d, %+v, %s; the plain twin %+v", in, n, h, linesOf(&fields), want)
		}
		if end := HeadEnd(in, 0); end != n {
			t.Fatalf("%q: HeadEnd %d, want %d", in, end, n)
		}
		agreeWithNetHTTP(t, in[:n], &h)
		appendAndParse(t, in, &h, &fields)
	})
}

// agreeWithNetHTTP checks that what we take, net/http takes too, and frames alike. It is not as strict as we are, so the converse does not hold.
func agreeWithNetHTTP(t *testing.T, head []byte, h *RequestHead) {
	parsed, err := target.Parse(h.Method, h.Target)
	if err != nil || h.Method == "PRI" {
		return
	}
	if _, err := target.Normalize(nil, parsed.Path); err != nil && parsed.Form != target.Authority && parsed.Form != target.Asterisk {
		return
	}
	if bytes.ContainsAny(parsed.Authority, "%[*'!$&(),;=") || bytes.ContainsAny(h.Host, "%[") {
		return // net/url has a grammar of its own for hosts
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(bytes.TrimLeft(head, "\r\n"))))
	if err != nil {
		if strings.Contains(err.Error(), "invalid") && strings.Contains(err.Error(), "port") {
			return
		}
		t.Fatalf("%q: net/http refuses it: %v", head, err)
	}
	length := h.ContentLength
	if h.Chunked {
		length = -1
	} else if length < 0 {
		length = 0
	}
	if r.Method != h.Method || r.RequestURI != string(h.Target) || r.ContentLength != length || (len(r.TransferEncoding) > 0) != h.Chunked {
		t.Fatalf("%q: net/http reads %s %q %d %v, we %+v", head, r.Method, r.RequestURI, r.ContentLength, r.TransferEncoding, h)
	}
}

// appendAndParse checks that what is written for a request reads as that request, and is written the same again.
func appendAndParse(t *testing.T, in []byte, h *RequestHead, f *exchange.Fields) {
	opt := Options{Close: h.Close, KeepAlive: h.KeepAlive}
	if h.Upgrade {
		opt.Upgrade = f.Get(exchange.FieldUpgrade)
	}
	if !h.HasHost {
		h.Host = []byte("a")
	}
	r := exchange.Request{Method: h.Method, Path: h.Target, Authority: h.Host, Fields: *f}
	out := AppendRequestHead(nil, &r, h.Framing(), opt)
	var again RequestHead
	var fields exchange.Fields
	lim := DefaultLimits()
	lim.HeadBytes *= 2
	lim.Fields += 4
	n, err := ParseRequest(out, &lim, &again, &fields)
	if err != nil || n != len(out) {
		t.Fatalf("%q: written as %q: %d, %v", in, out, n, err)
	}
	if again.Method != h.Method || !bytes.Equal(again.Target, h.Target) || !bytes.Equal(again.Host, h.Host) || again.Framing() != h.Framing() || again.Close != h.Close ||
		again.KeepAlive != h.KeepAlive || again.Upgrade != h.Upgrade || again.Minor != 1 {
		t.Fatalf("%q: written as %q, which reads as %+v, not %+v", in, out, again, h)
	}
	twice := AppendRequestHead(nil, &exchange.Request{Method: again.Method, Path: again.Target, Authority: again.Host, Fields: fields}, again.Framing(), opt)
	if !bytes.Equal(twice, out) {
		t.Fatalf("%q: written as %q, then as %q", in, out, twice)
	}
	drop := func(l *exchange.Field) bool { return written[l.ID] }
	f.DelFunc(drop)
	fields.DelFunc(drop)
	if linesOf(f) != linesOf(&fields) {
		t.Fatalf("%q: fields %s became %s", in, linesOf(f), linesOf(&fields))
	}
}

func FuzzParseResponse(f *testing.F) {
	for _, s := range []string{
		originResponse, "HTTP/1.1 200\r\n\r\n", "HTTP/1.0 304 Not Modified\r\nX : y\r\n z\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 200 OK\r\n\t\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\nX: y\n\n", "HTTP/1.1 600 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nA:\r\n b\r\n \r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		lim := DefaultLimits()
		var h ResponseHead
		var fields exchange.Fields
		before := string(in)
		n, err := ParseResponse(in, &lim, &h, &fields)
		want, whole, ok := plainResponse(before, lim)
		if ok != (n > 0) || whole && !ok && err == nil {
			t.Fatalf("%q: n = %d, %v; the plain twin %+v, %v", before, n, err, want, ok)
		}
		if !ok {
			return
		}
		if n != want.bytes || fmt.Sprint(h.Status) != want.start[1] || string(h.Reason) != want.start[2] || linesOf(&fields) != want.lines || h.ContentLength != want.length || h.Chunked != want.chunks {
			t.Fatalf("%q: got %d, %+v, %s; the plain twin %+v", before, n, h, linesOf(&fields), want)
		}
		if string(in[n:]) != before[n:] {
			t.Fatalf("%q: bytes behind the head were changed to %q", before, in[n:])
		}
		body := ResponseLength("GET", &h)
		out := AppendResponseHead(nil, &exchange.Response{Status: h.Status, Reason: h.Reason, Fields: fields}, body, Options{})
		var again ResponseHead
		lim.Fields++
		lim.HeadBytes *= 2
		if n, err := ParseResponse(out, &lim, &again, new(exchange.Fields)); err != nil || n != len(out) || again.Status != h.Status || ResponseLength("GET", &again) != body {
			t.Fatalf("%q: written as %q: %d, %+v, %v", before, out, n, again, err)
		}
	})
}

func FuzzChunks(f *testing.F) {
	for _, s := range []string{
		"5\r\nhello\r\n0\r\n\r\n", "0\r\nX: y\r\n\r\nmore", "2;a=b;c=\"\\\"\"\r\nxy\r\n00;x\r\n\r\n", "5 ; a = b\r\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "7fffffffffffffff\r\n", "0\r\nContent-Length: 5\r\n\r\n",
		"a;\r\n", "-1\r\n", "0x1\r\na\r\n", "1\r\na\r\n0\r\nX: y\n\r\n",
	} {
		f.Add([]byte(s), uint8(3), uint8(9))
	}
	f.Fuzz(func(t *testing.T, in []byte, first, second uint8) {
		var c Chunks
		content, trailers, n, whole, ok := plainChunks(string(in), DefaultLimits())
		a := min(int(first), len(in))
		b := min(a+int(second), len(in))
		every := make([]int, len(in))
		for i := range every {
			every[i] = i + 1
		}
		for _, ends := range [][]int{nil, {a, b}, every} {
			gotContent, gotTrailers, gotN, done, err := readChunks(&c, string(in), false, ends...)
			if done != ok || whole && !ok && err == nil {
				t.Fatalf("%q: done %v, %v; the plain twin %v, whole %v", in, done, err, ok, whole)
			}
			if ok && (gotContent != content || !strings.EqualFold(gotTrailers, trailers) || gotN != n) {
				t.Fatalf("%q: got %q, %q, %d; the plain twin %q, %q, %d", in, gotContent, gotTrailers, gotN, content, trailers, n)
			}
		}
		if !ok {
			return
		}
		var fields exchange.Fields
		lim := DefaultLimits()
		c.Reset(&lim, &fields, false)
		var out []byte
		for rest := in; ; {
			data, k, done, err := c.Next(rest)
			if err != nil {
				t.Fatal(err)
			}
			if done {
				break
			}
			out = append(AppendChunkStart(out, len(data)), data...)
			out, rest = append(out, ChunkEnd...), rest[k:]
		}
		out = AppendLastChunk(out, &fields)
		if again, lines, _, _, ok := plainChunks(string(out), lim); !ok || again != content || lines != trailers {
			t.Fatalf("%q: written as %q", in, out)
		}
	})
}

// FuzzHeadEnd checks that HeadEnd finds the same end whatever the pieces are that a head comes in, and that no head ends before it says so.
func FuzzHeadEnd(f *testing.F) {
	for _, s := range []string{smallRequest, "\r\n\r\nGET / HTTP/1.1\r\n\r\n", "a\nb\r\n\r\n", "\r\n\r\n\r\n\r\n\r\n\r\n", "a\r\n\rb\r\n\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		want, lim := HeadEnd(in, 0), DefaultLimits()
		for i := 1; i <= len(in); i++ {
			if end := HeadEnd(in[:i], i-1); end > 0 {
				if end != want {
					t.Fatalf("%q: %d byte by byte, %d at once", in, end, want)
				}
				break
			}
			if n, _ := ParseRequest(in[:i], &lim, new(RequestHead), new(exchange.Fields)); n > 0 {
				t.Fatalf("%q: a head of %d bytes that HeadEnd does not see", in, n)
			}
			if i == len(in) && want != 0 {
				t.Fatalf("%q: not found byte by byte, %d at once", in, want)
			}
		}
	})
}
