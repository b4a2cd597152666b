package h1

import (
	"bytes"
	"testing"

	"sluice/internal/exchange"
)

func BenchmarkChunks(b *testing.B) {
	one := append(AppendChunkStart(nil, 1024), bytes.Repeat([]byte("x"), 1024)...)
	one = append(one, ChunkEnd...)
	in := AppendLastChunk(bytes.Repeat(one, 16), nil)
	lim := DefaultLimits()
	var c Chunks
	var f exchange.Fields
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		c.Reset(&lim, &f, false)
		for rest, done := in, false; !done; {
			_, n, end, err := c.Next(rest)
			if err != nil {
				b.Fatal(err)
			}
			rest, done = rest[n:], end
		}
	}
}

func BenchmarkAppendRequestHead(b *testing.B) {
	lim := DefaultLimits()
	var h RequestHead
	var r exchange.Request
	if _, err := ParseRequest([]byte(browserRequest), &lim, &h, &r.Fields); err != nil {
		b.Fatal(err)
	}
	r.Method, r.Path, r.Authority = h.Method, h.Target, h.Host
	out := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		out = AppendRequestHead(out[:0], &r, Framing{}, Options{})
	}
}

func BenchmarkAppendResponseHead(b *testing.B) {
	lim := DefaultLimits()
	var h ResponseHead
	var r exchange.Response
	if _, err := ParseResponse([]byte(originResponse), &lim, &h, &r.Fields); err != nil {
		b.Fatal(err)
	}
	r.Status = h.Status
	out := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		out = AppendResponseHead(out[:0], &r, Framing{FramedLength, 1024}, Options{})
	}
}
