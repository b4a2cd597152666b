package h1

import (
	"bytes"

	"sluice/internal/exchange"
	"sluice/internal/wire/target"
)

// A RequestHead is what a request's head says to its recipient. Its slices point into what was parsed.
type RequestHead struct {
	Hop
	// Method is a constant for registered methods, else a clone. It is a token (RFC 9110, section 9.1). It is there as soon as it was read, also if a fault follows:
	// the answer to HEAD has no content.
	Method string
	// Target is the request target: not empty, no space, no control character. target.Parse reads it.
	Target []byte
	// Host is the value of the Host field: valid and not empty if HasHost. Only HTTP/1.0 may leave it out.
	Host    []byte
	HasHost bool
	// ExpectContinue is true if the client waits for 100 (Continue) before it sends the content that it announces (RFC 9110, section 10.1.1).
	ExpectContinue bool
}

// Framing returns how the request's body is framed (RFC 9112, section 6.3): a request without length has none.
func (h *RequestHead) Framing() Framing {
	switch {
	case h.Chunked:
		return Framing{Kind: FramedChunked}
	case h.ContentLength >= 0:
		return Framing{Kind: FramedLength, Length: h.ContentLength}
	}
	return Framing{Kind: FramedNone}
}

// ParseRequest reads the head of a request at the start of b into h and f, which it resets. n is the length of the head, with empty lines before it and the
// empty line that ends it. If n is 0 and err is nil, b has only a part of the head (and is shorter than the limit): come back when HeadEnd says so.
//
// All field lines are in f, also those about the hop; it is the business of who forwards to drop them, and the Append functions never write them from f.
func ParseRequest(b []byte, lim *Limits, h *RequestHead, f *exchange.Fields) (n int, err *SyntaxError) {
	f.Reset()
	*h = RequestHead{Hop: Hop{ContentLength: -1}}
	full := len(b) >= lim.HeadBytes
	if full {
		b = b[:lim.HeadBytes]
	}
	if n, err = emptyLinesEnd(b); err == nil {
		if n, err = h.requestLine(b, n, lim); n > 0 {
			n, err = parseFields(b, n, lim, f, false)
		}
	}
	switch {
	case err != nil:
		return 0, err
	case n == 0 && full:
		return 0, errHeadBytes
	case n == 0:
		return 0, nil
	}
	if err := h.read(f); err != nil {
		return 0, err
	}
	return n, nil
}

// emptyLinesEnd returns the offset behind the empty lines that some old clients send after a body (RFC 9112, section 2.2).
func emptyLinesEnd(b []byte) (int, *SyntaxError) {
	i := 0
	for i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n' {
		if i += 2; i > 2*emptyLinesMax {
			return 0, errEmptyLines
		}
	}
	return i, nil
}

// requestLine reads the request line at b[i] and returns the offset behind it (RFC 9112, section 3).
func (h *RequestHead) requestLine(b []byte, i int, lim *Limits) (int, *SyntaxError) {
	end := tokenEnd(b, i)
	if end-i > methodBytesMax {
		return 0, errMethodBytes
	}
	if end == len(b) || end == i && b[i] == '\r' && i+1 == len(b) {
		return 0, nil
	}
	if b[end] != ' ' || end == i {
		return 0, errMethod
	}
	h.Method = methodName(b[i:end])

	i = end + 1
	end = controlIndex(b, i, ' '+1)
	if end-i > lim.TargetBytes {
		return 0, errTargetBytes
	}
	if end == len(b) {
		return 0, nil
	}
	if b[end] != ' ' || end == i {
		return 0, errStartLine
	}
	h.Target = b[i:end]

	i = end + 1
	minor, end, err := parseVersion(b, i)
	if end == 0 || err != nil {
		return 0, err
	}
	if b[end] != '\r' {
		return 0, errStartLine
	}
	next, err := crlf(b, end)
	if next > 0 {
		h.Minor = minor
	}
	return next, err
}

// versionBytes is the length of "HTTP/1.1".
const versionBytes = 8

// parseVersion reads the version at b[i] and returns its minor number and the index behind it, where there is one more byte. The name of the protocol is
// case-sensitive (RFC 9112, section 2.3).
func parseVersion(b []byte, i int) (minor, end int, err *SyntaxError) {
	v := b[i:]
	if len(v) <= versionBytes {
		if bytes.IndexByte(v, '\n') >= 0 {
			return 0, 0, errVersion
		}
		return 0, 0, nil
	}
	end = i + versionBytes
	switch v = v[:versionBytes]; {
	case string(v) == "HTTP/1.1":
		return 1, end, nil
	case string(v) == "HTTP/1.0":
		return 0, end, nil
	case string(v[:5]) != "HTTP/" || v[6] != '.' || v[5] < '0' || v[5] > '9' || v[7] < '0' || v[7] > '9':
		return 0, 0, errVersion
	case v[5] != '1':
		return 0, 0, errMajor
	}
	return 1, end, nil
}

// methodName returns a method as a string that lives for ever.
func methodName(b []byte) string {
	switch string(b) {
	case "GET":
		return "GET"
	case "HEAD":
		return "HEAD"
	case "POST":
		return "POST"
	case "PUT":
		return "PUT"
	case "DELETE":
		return "DELETE"
	case "OPTIONS":
		return "OPTIONS"
	case "PATCH":
		return "PATCH"
	case "CONNECT":
		return "CONNECT"
	case "TRACE":
		return "TRACE"
	case "PROPFIND":
		return "PROPFIND"
	case "REPORT":
		return "REPORT"
	}
	return string(b)
}

// read takes in what the fields say to the recipient.
func (h *RequestHead) read(f *exchange.Fields) *SyntaxError {
	lines := f.Lines()
	for i := range lines {
		switch l := &lines[i]; l.ID {
		case exchange.FieldHost:
			if h.HasHost {
				return errHosts
			}
			h.Host, h.HasHost = l.Value, true
		case exchange.FieldExpect:
			h.ExpectContinue = h.ExpectContinue || exchange.ListHasToken(l.Value, "100-continue")
		case exchange.FieldContentLength, exchange.FieldTransferEncoding, exchange.FieldConnection:
			if err := h.Hop.line(l, false); err != nil {
				return err
			}
		}
	}
	if err := h.Hop.finish(f); err != nil {
		return err
	}
	if !h.HasHost {
		if h.Minor > 0 {
			return errNoHost // RFC 9112, section 3.2
		}
	} else if _, _, ok := target.CheckHost(h.Host); !ok {
		return errHost
	}
	h.ExpectContinue = h.ExpectContinue && h.Minor > 0 && (h.Chunked || h.ContentLength > 0)
	return nil
}
