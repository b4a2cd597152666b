package h1

import "sluice/internal/exchange"

// A ResponseHead is what a response's head says to its recipient. Its slices point into what was parsed.
type ResponseHead struct {
	Hop
	Status int    // 100 to 599
	Reason []byte // reason phrase, often empty
}

// ParseResponse reads the head of a response at the start of b into h and f, which it resets; n is as for ParseRequest. It may change bytes of the head: white
// space before a colon is left out and folds become spaces (RFC 9112, sections 5.1 and 5.2). All other faults are errors.
func ParseResponse(b []byte, lim *Limits, h *ResponseHead, f *exchange.Fields) (n int, err *SyntaxError) {
	f.Reset()
	*h = ResponseHead{Hop: Hop{ContentLength: -1}}
	full := len(b) >= lim.HeadBytes
	if full {
		b = b[:lim.HeadBytes]
	}
	if n, err = h.statusLine(b); n > 0 {
		n, err = parseFields(b, n, lim, f, true)
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

// read takes in what the fields say to the recipient.
func (h *ResponseHead) read(f *exchange.Fields) *SyntaxError {
	lines := f.Lines()
	for i := range lines {
		switch l := &lines[i]; l.ID {
		case exchange.FieldContentLength, exchange.FieldTransferEncoding, exchange.FieldConnection:
			if err := h.Hop.line(l, true); err != nil {
				return err
			}
		}
	}
	return h.Hop.finish(f)
}

// statusLine reads the status line at the start of b and returns the offset behind it (RFC 9112, section 4).
func (h *ResponseHead) statusLine(b []byte) (int, *SyntaxError) {
	minor, i, err := parseVersion(b, 0)
	if i == 0 || err != nil {
		return 0, err
	}
	if b[i] != ' ' {
		return 0, errStartLine
	}
	end := controlIndex(b, i+1, ' '+1)
	if end == len(b) {
		return 0, nil
	}
	if h.Status = parseStatus(b[i+1 : end]); h.Status == 0 {
		return 0, errStatus
	}
	i = end
	if b[i] == ' ' {
		i++ // It may be missing if the reason phrase is empty: recipients should be lenient about a line that no one reads (RFC 9112, section 4).
		if end = textEnd(b, i); end == len(b) {
			return 0, nil
		}
	}
	switch b[end] {
	case '\r':
	case '\n':
		return 0, errBareLF
	default:
		return 0, errStartLine
	}
	h.Minor, h.Reason = minor, b[i:end]
	return crlf(b, end)
}

// parseStatus returns the status of three digits, 0 if b is not one (RFC 9110, section 15).
func parseStatus(b []byte) int {
	if len(b) != 3 || b[0] < '1' || b[0] > '5' || b[1] < '0' || b[1] > '9' || b[2] < '0' || b[2] > '9' {
		return 0
	}
	return int(b[0]-'0')*100 + int(b[1]-'0')*10 + int(b[2]-'0')
}

// A FramingKind is how the end of a body is found (RFC 9112, section 6.3).
type FramingKind uint8

const (
	FramedNone    FramingKind = iota // there is no body
	FramedLength                     // by its length, which may be 0
	FramedChunked                    // by the chunked transfer coding
	FramedClose                      // by the end of the connection; responses only
)

// Framing is how a body is framed.
type Framing struct {
	Kind   FramingKind
	Length int64 // bytes; only for FramedLength
}

// ResponseLength returns how the body of the response h to a request with that method is framed (RFC 9112, section 6.3). A response to HEAD and a 304 have
// none, whatever lengths they state; after a 101, or a 2xx to CONNECT, the connection is a tunnel.
func ResponseLength(method string, h *ResponseHead) Framing {
	switch {
	case method == "HEAD", h.Status < 200, h.Status == 204, h.Status == 304, method == "CONNECT" && h.Status < 300:
		return Framing{Kind: FramedNone}
	case h.Chunked:
		return Framing{Kind: FramedChunked}
	case h.ContentLength >= 0:
		return Framing{Kind: FramedLength, Length: h.ContentLength}
	}
	return Framing{Kind: FramedClose}
}
