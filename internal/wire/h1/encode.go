package h1

import (
	"strconv"

	"sluice/internal/exchange"
)

// Options are what a message that we write says about its connection (RFC 9110, section 7.6.1).
type Options struct {
	Close     bool
	KeepAlive bool   // needed for HTTP/1.0 peers only
	TE        bool   // the message has a TE field
	Upgrade   []byte // protocol to switch to; nil if none
}

// written has the fields that only the arguments of an encoder write, so that nothing of them can be copied from what was received.
var written = [256]bool{
	exchange.FieldHost:             true,
	exchange.FieldContentLength:    true,
	exchange.FieldTransferEncoding: true,
	exchange.FieldConnection:       true,
	exchange.FieldKeepAlive:        true,
	exchange.FieldProxyConnection:  true,
	exchange.FieldUpgrade:          true,
}

// AppendRequestHead appends the head of r as it goes to an origin: request line, Host, the fields in their order, framing, connection options. Authority,
// Path, Query and the fields must be valid; Host and the fields about the hop in r.Fields are passed over.
func AppendRequestHead(dst []byte, r *exchange.Request, body Framing, opt Options) []byte {
	dst = append(dst, r.Method...)
	dst = append(dst, ' ')
	dst = append(dst, r.Path...)
	if r.HasQuery {
		dst = append(dst, '?')
		dst = append(dst, r.Query...)
	}
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, r.Authority...)
	dst = append(dst, "\r\n"...)
	dst = appendFields(dst, &r.Fields, &written)
	return appendHop(dst, body, opt)
}

// AppendResponseHead appends the head of r as it goes to a client: status line, the fields in their order, framing, connection options. The version is always
// HTTP/1.1: it is ours and not the client's (RFC 9110, section 6.2). For a response to HEAD and a 304, body is what the response to GET would have.
func AppendResponseHead(dst []byte, r *exchange.Response, body Framing, opt Options) []byte {
	dst = appendStatusLine(dst, r.Status, r.Reason)
	dst = appendFields(dst, &r.Fields, &written)
	return appendHop(dst, body, opt)
}

// AppendInterim appends an interim response (RFC 9110, section 15.2). f may be nil.
func AppendInterim(dst []byte, status int, f *exchange.Fields) []byte {
	dst = appendStatusLine(dst, status, nil)
	if f != nil {
		dst = appendFields(dst, f, &written)
	}
	return append(dst, "\r\n"...)
}

func appendStatusLine(dst []byte, status int, reason []byte) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = append(dst, byte('0'+status/100%10), byte('0'+status/10%10), byte('0'+status%10), ' ')
	if len(reason) > 0 {
		dst = append(dst, reason...)
	} else {
		dst = append(dst, Phrase(status)...)
	}
	return append(dst, "\r\n"...)
}

func appendFields(dst []byte, f *exchange.Fields, skip *[256]bool) []byte {
	lines := f.Lines()
	for i := range lines {
		l := &lines[i]
		if skip[l.ID] {
			continue
		}
		dst = append(dst, l.Name...)
		dst = append(dst, ": "...)
		dst = append(dst, l.Value...)
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// appendHop appends framing, connection options and the empty line that ends the head.
func appendHop(dst []byte, body Framing, opt Options) []byte {
	switch body.Kind {
	case FramedLength:
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, body.Length, 10)
		dst = append(dst, "\r\n"...)
	case FramedChunked:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	if opt.Close || opt.KeepAlive || opt.TE || opt.Upgrade != nil {
		dst = appendConnection(dst, opt)
	}
	return append(dst, "\r\n"...)
}

func appendConnection(dst []byte, opt Options) []byte {
	dst = append(dst, "Connection: "...)
	start := len(dst)
	add := func(name string) {
		if len(dst) > start {
			dst = append(dst, ", "...)
		}
		dst = append(dst, name...)
	}
	if opt.Close {
		add("close")
	}
	if opt.KeepAlive {
		add("keep-alive")
	}
	if opt.TE {
		add("TE")
	}
	if opt.Upgrade == nil {
		return append(dst, "\r\n"...)
	}
	add("upgrade")
	dst = append(dst, "\r\nUpgrade: "...)
	dst = append(dst, opt.Upgrade...)
	return append(dst, "\r\n"...)
}

// ChunkEnd follows the data of a chunk.
const ChunkEnd = "\r\n"

// ChunkStartBytesMax is how many bytes AppendChunkStart appends at most.
const ChunkStartBytesMax = 16 + len(ChunkEnd)

// AppendChunkStart appends the line before n bytes of data, n > 0 (RFC 9112, section 7.1).
func AppendChunkStart(dst []byte, n int) []byte {
	dst = strconv.AppendInt(dst, int64(n), 16)
	return append(dst, "\r\n"...)
}

// AppendLastChunk appends the end of a chunked body: the last chunk and the trailer section. Fields that may not be trailers are passed over; f may be nil.
func AppendLastChunk(dst []byte, f *exchange.Fields) []byte {
	dst = append(dst, "0\r\n"...)
	if f != nil {
		dst = appendFields(dst, f, &noTrailer)
	}
	return append(dst, "\r\n"...)
}
