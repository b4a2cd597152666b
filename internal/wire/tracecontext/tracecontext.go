// Package tracecontext reads and writes the fields traceparent and tracestate (W3C Trace Context, levels 1 and 2): which trace a request is part of.
//
// observe/trace decides what is believed of them; here is the format alone. What a sender got wrong is no context at all, as the recommendation wants it:
// nothing is guessed, and a faulty tracestate never touches the traceparent beside it. Nothing here allocates but AppendState, when there is no room.
package tracecontext

import "encoding/hex"

// Flags of a Parent. Others are reserved, and are neither believed nor handed on.
const (
	Sampled = 1 << 0 // the sender has recorded its part of the trace
	Random  = 1 << 1 // level 2: the last seven bytes of the trace's ID are random
)

// ParentBytes is the length of a traceparent of version 00, in bytes: "00-", trace ID, span ID, flags.
const ParentBytes = 2 + 1 + 32 + 1 + 16 + 1 + 2

// SpanOffset is where the span ID stands in a traceparent; it takes 16 bytes.
const SpanOffset = 2 + 1 + 32 + 1

// A Parent is what a traceparent says: the trace, the sender's own span in it, and flags.
type Parent struct {
	TraceID [16]byte
	SpanID  [8]byte
	Flags   byte
}

// ParseParent reads the value of a traceparent. Versions after 00 are read as far as version 00 goes, if what follows is set off by a hyphen.
func ParseParent(b []byte) (p Parent, ok bool) {
	if len(b) < ParentBytes || b[2] != '-' || b[35] != '-' || b[52] != '-' {
		return Parent{}, false
	}
	var version, flags [1]byte
	if !decode(version[:], b[:2]) || !decode(p.TraceID[:], b[3:35]) || !decode(p.SpanID[:], b[36:52]) || !decode(flags[:], b[53:55]) {
		return Parent{}, false
	}
	switch {
	case version[0] == 0xFF, p.TraceID == [16]byte{}, p.SpanID == [8]byte{}:
		return Parent{}, false
	case len(b) > ParentBytes && (version[0] == 0 || b[ParentBytes] != '-'):
		return Parent{}, false
	}
	p.Flags = flags[0] & (Sampled | Random)
	return p, true
}

// decode reads hexadecimal digits, lower case only: the recommendation allows no other.
func decode(dst, src []byte) bool {
	for _, c := range src {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	_, err := hex.Decode(dst, src)
	return err == nil
}

// Append appends p as the value of a traceparent of version 00.
func (p *Parent) Append(dst []byte) []byte {
	dst = hex.AppendEncode(append(dst, "00-"...), p.TraceID[:])
	dst = hex.AppendEncode(append(dst, '-'), p.SpanID[:])
	return hex.AppendEncode(append(dst, '-'), []byte{p.Flags})
}
