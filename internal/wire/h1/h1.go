// Package h1 is the message format of HTTP/1.1 (RFC 9112) without I/O: bytes in, values out, and back.
//
// Codecs of both sides use it: ParseRequest and ParseResponse read a head, Chunks reads a chunked body, and the Append functions write messages in one
// canonical form. Requests are taken strictly: whatever two recipients could frame or read differently is a SyntaxError. Responses of origins are
// repaired where RFC 9112, sections 5.1 and 5.2, say so, and refused for everything else.
//
// What is parsed points into the bytes it was parsed from. Nothing allocates in steady state, except for the name of an unregistered method and for
// trailer sections that arrive for the first time. The package knows no connection and no policy: which methods, fields or targets are wanted is
// decided elsewhere.
package h1

import "sluice/internal/exchange"

// Limits bounds what is taken of one message.
type Limits struct {
	HeadBytes      int // bytes of a head, with its empty lines; 431
	FieldBytes     int // bytes of one field's name, and of its value without the white space around it; 431
	Fields         int // field lines of a section; 431
	TargetBytes    int // bytes of a request target; 414
	TrailerBytes   int // bytes of a trailer section; 431
	ExtensionBytes int // bytes of chunk extensions that a body may be ahead of its data; 400
}

// DefaultLimits returns the limits that hold where none are set.
func DefaultLimits() Limits {
	return Limits{
		HeadBytes:      64 << 10,
		FieldBytes:     16 << 10,
		Fields:         128,
		TargetBytes:    16 << 10,
		TrailerBytes:   16 << 10,
		ExtensionBytes: 16 << 10,
	}
}

// Limits without a setting: beyond them nobody loses anything.
const (
	methodBytesMax = 64 // the longest registered method has 17
	emptyLinesMax  = 4  // before a request line (RFC 9112, section 2.2: at least one)
	sizeDigitsMax  = 16 // of a chunk-size, with leading zeros
	optionsMax     = 32 // in all Connection lines of a message; 431. Who forwards it compares each with each field
)

// A Hop is what a head says about its own hop: how the body is framed, and what Connection lists. Both kinds of head have one.
type Hop struct {
	Minor         int   // minor version: 0 for HTTP/1.0, 1 for HTTP/1.1 and any later minor version (RFC 9110, section 2.5)
	ContentLength int64 // -1 if there is none
	Chunked       bool
	Close         bool // Connection has "close"
	KeepAlive     bool // Connection has "keep-alive"
	Upgrade       bool // Connection has "upgrade", there is an Upgrade field, and the version is 1.1 (RFC 9110, section 7.8)
	Options       int  // how many options Connection has, 32 at most
}

// Persistent reports whether the connection may stay open after this message (RFC 9112, section 9.3).
func (h *Hop) Persistent() bool {
	return !h.Close && (h.Minor > 0 || h.KeepAlive)
}

// line takes in a field line that is about the hop. repair is as for parseFields.
func (h *Hop) line(l *exchange.Field, repair bool) *SyntaxError {
	switch l.ID {
	case exchange.FieldContentLength:
		return h.contentLength(l.Value, repair)
	case exchange.FieldTransferEncoding:
		return h.transferEncoding(l.Value)
	case exchange.FieldConnection:
		return h.options(l.Value)
	}
	return nil
}

// finish checks what can be known only when all lines were seen.
func (h *Hop) finish(f *exchange.Fields) *SyntaxError {
	h.Upgrade = h.Upgrade && h.Minor > 0 && len(f.Get(exchange.FieldUpgrade)) > 0
	if h.Chunked && h.ContentLength >= 0 {
		return errBothLengths // RFC 9112, section 6.3: ought to be handled as an error
	}
	return nil
}

// contentLength takes in a Content-Length line. Equal lengths, repeated or as a list, are one length only in responses (RFC 9110, section 8.6).
func (h *Hop) contentLength(value []byte, repair bool) *SyntaxError {
	n, ok := parseLength(value)
	if !ok && repair {
		n, ok = ResponseContentLength(value)
	}
	switch {
	case !ok:
		return errLength
	case h.ContentLength >= 0 && (!repair || h.ContentLength != n):
		return errLengths
	}
	h.ContentLength = n
	return nil
}

// ResponseContentLength reads a Content-Length of a response: one length, or a list whose members are all the same one (RFC 9110, section 8.6).
func ResponseContentLength(list []byte) (n int64, ok bool) {
	for first := true; first || list != nil; first = false {
		var item []byte
		item, list = exchange.NextToken(list)
		m, ok := parseLength(item)
		if !ok || !first && m != n {
			return 0, false
		}
		n = m
	}
	return n, true
}

// parseLength reads a Content-Length: digits and nothing else (RFC 9110, section 8.6).
func parseLength(b []byte) (int64, bool) {
	const tenth = (1<<63 - 1) / 10
	n := int64(0)
	for _, c := range b {
		if c < '0' || c > '9' || n > tenth {
			return 0, false
		}
		if n = n*10 + int64(c-'0'); n < 0 {
			return 0, false
		}
	}
	return n, len(b) > 0
}

// transferEncoding takes in a Transfer-Encoding line. "chunked", once, is the only one that is understood (RFC 9112, sections 6.1 and 7).
func (h *Hop) transferEncoding(value []byte) *SyntaxError {
	if h.Minor == 0 {
		return errCodingVersion
	}
	if h.Chunked {
		return errCodingOrder
	}
	if exchange.EqualFold(value, "chunked") {
		h.Chunked = true
		return nil
	}
	for rest := value; ; {
		var item []byte
		item, rest = exchange.NextToken(rest)
		name := item[:tokenEnd(item, 0)]
		tail := exchange.TrimSpace(item[len(name):])
		switch {
		case len(name) == 0 || len(tail) > 0 && tail[0] != ';':
			return errCoding
		case exchange.EqualFold(name, "chunked") && (rest != nil || len(tail) > 0):
			return errCodingOrder
		case rest == nil:
			return errCodingUnknown
		}
	}
}

// options takes in a Connection line (RFC 9110, section 7.6.1). The other names in it are for who forwards the message.
func (h *Hop) options(value []byte) *SyntaxError {
	for len(value) > 0 {
		var item []byte
		item, value = exchange.NextToken(value)
		if len(item) == 0 {
			continue
		}
		if h.Options++; h.Options > optionsMax {
			return errOptions
		}
		switch {
		case exchange.EqualFold(item, "keep-alive"):
			h.KeepAlive = true
		case exchange.EqualFold(item, "close"):
			h.Close = true
		case exchange.EqualFold(item, "upgrade"):
			h.Upgrade = true
		}
	}
	return nil
}
