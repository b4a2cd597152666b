package h1

import (
	"testing"

	"sluice/internal/exchange"
)

// browserRequest is what a browser sends for a page: ten fields.
const browserRequest = "GET /products/garden/chairs?page=2&sort=price HTTP/1.1\r\n" +
	"Host: shop.example.com\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
	"Accept-Language: en-US,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Referer: https://shop.example.com/products/garden\r\n" +
	"Connection: keep-alive\r\n" +
	"Cookie: session=4f3c2a1b9d8e7f60; theme=dark; consent=1\r\n" +
	"Upgrade-Insecure-Requests: 1\r\n" +
	"Priority: u=0, i\r\n\r\n"

// smallRequest is what load generators send.
const smallRequest = "GET /1k HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"

const originResponse = "HTTP/1.1 200 OK\r\n" +
	"Server: nginx/1.28.0\r\n" +
	"Date: Mon, 17 Nov 2025 10:00:00 GMT\r\n" +
	"Content-Type: text/html; charset=utf-8\r\n" +
	"Content-Length: 1024\r\n" +
	"Last-Modified: Sun, 16 Nov 2025 09:00:00 GMT\r\n" +
	"Connection: keep-alive\r\n" +
	"ETag: \"691a0f10-400\"\r\n" +
	"Accept-Ranges: bytes\r\n\r\n"

func BenchmarkParseRequest(b *testing.B) {
	for _, bench := range []struct{ name, head string }{{"browser", browserRequest}, {"small", smallRequest}} {
		b.Run(bench.name, func(b *testing.B) {
			in, lim := []byte(bench.head), DefaultLimits()
			var h RequestHead
			var f exchange.Fields
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if n, _ := ParseRequest(in, &lim, &h, &f); n != len(in) {
					b.Fatal("not parsed")
				}
			}
		})
	}
}

func BenchmarkParseResponse(b *testing.B) {
	in, lim := []byte(originResponse), DefaultLimits()
	var h ResponseHead
	var f exchange.Fields
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if n, _ := ParseResponse(in, &lim, &h, &f); n != len(in) {
			b.Fatal("not parsed")
		}
	}
}
