package h1

import "sluice/internal/exchange"

// A SyntaxError says what is wrong with a message. All there are are values of this package, which nobody changes.
type SyntaxError struct {
	// Status answers a request that has this fault. A response that has it is answered by 502.
	Status int
	// Reason is plain text without a word of the message.
	Reason string
	// ResponseKind is what the fault is called in an origin's response (RFC 9209, section 2.3). In a request it is exchange.KindHTTPRequestError.
	ResponseKind exchange.Kind
	// Limit is the config key of the limit that a request has reached, ResponseLimit that of a response; empty if the fault is none of size.
	Limit, ResponseLimit string
}

// Error returns the reason.
func (e *SyntaxError) Error() string { return e.Reason }

func fault(status int, reason string) *SyntaxError {
	return &SyntaxError{Status: status, Reason: reason, ResponseKind: exchange.KindHTTPProtocolError}
}

// codingFault is a fault of a transfer coding.
func codingFault(status int, reason string) *SyntaxError {
	return &SyntaxError{Status: status, Reason: reason, ResponseKind: exchange.KindHTTPTransferCoding}
}

// tooMuch is a fault of size.
func tooMuch(status int, reason string, kind exchange.Kind, limit, responseLimit string) *SyntaxError {
	return &SyntaxError{Status: status, Reason: reason, ResponseKind: kind, Limit: limit, ResponseLimit: responseLimit}
}

// The faults of lines, in any message.
var (
	errBareCR      = fault(400, "a CR that no LF follows")
	errBareLF      = fault(400, "a LF that follows no CR")
	errStartLine   = fault(400, "the start line is not of the form that the version asks for")
	errVersion     = fault(400, "the start line has no valid HTTP version")
	errFold        = fault(400, "a line that begins with white space")
	errName        = fault(400, "a field name that is empty or has a byte that is not allowed")
	errSpaceColon  = fault(400, "white space between field name and colon")
	errNoColon     = fault(400, "a field line without a colon")
	errValue       = fault(400, "a control character in a field value")
	errHeadBytes   = tooMuch(431, "the head is too large", exchange.KindHTTPHeadTooLarge, "limits.head", "limits.response_head")
	errFieldBytes  = tooMuch(431, "a field is too large", exchange.KindHTTPLineTooLarge, "limits.field", "limits.response_head")
	errFields      = tooMuch(431, "there are too many fields", exchange.KindHTTPHeadTooLarge, "limits.fields", "limits.response_fields")
	errOptions     = fault(431, "Connection lists too many options")
	errMajor       = fault(505, "the HTTP version is not supported")
	errTargetBytes = tooMuch(414, "the request target is too long", "", "limits.target", "")
	errMethodBytes = fault(501, "the method is not known")
	errMethod      = fault(400, "the method is empty or has a byte that is not allowed")
	errEmptyLines  = fault(400, "too many empty lines before the request line")
	errNoHost      = fault(400, "a HTTP/1.1 request without Host")
	errHosts       = fault(400, "more than one Host")
	errHost        = fault(400, "the value of Host is not valid")
	errStatus      = fault(400, "the status is not a number from 100 to 599")
)

// The faults of framing.
var (
	errLength        = fault(400, "the value of Content-Length is not valid")
	errLengths       = fault(400, "more than one Content-Length")
	errBothLengths   = fault(400, "Content-Length and Transfer-Encoding together")
	errCoding        = codingFault(400, "the value of Transfer-Encoding is not valid")
	errCodingOrder   = codingFault(400, "chunked is not the last transfer coding, or is there twice")
	errCodingUnknown = codingFault(501, "the transfer coding is not known")
	errCodingVersion = codingFault(400, "Transfer-Encoding in a HTTP/1.0 message")
	errChunkSize     = codingFault(400, "a chunk size that is not valid")
	errChunkExt      = codingFault(400, "a chunk extension that is not valid")
	errChunkExtBytes = tooMuch(400, "too many bytes of chunk extensions", exchange.KindHTTPTransferCoding, "limits.chunk_extensions", "limits.chunk_extensions")
	errChunkEnd      = codingFault(400, "chunk data that does not end with CRLF")
	errTrailerBytes  = tooMuch(431, "the trailer section is too large", exchange.KindHTTPTransferCoding, "limits.trailers", "limits.trailers")
	errTrailer       = codingFault(400, "a framing or routing field in the trailer section")
)
