package otlp

import "encoding/binary"

// Numbers of fields in opentelemetry/proto: collector/trace/v1, trace/v1, resource/v1, common/v1. A number is part of the format and never changes.
const (
	requestResourceSpans = 1 // ExportTraceServiceRequest

	resourceSpansResource = 1
	resourceSpansScopes   = 2
	resourceAttributes    = 1

	scopeSpansScope = 1
	scopeSpansSpans = 2
	scopeName       = 1
	scopeVersion    = 2

	spanTraceID    = 1
	spanID         = 2
	spanState      = 3
	spanParent     = 4
	spanName       = 5
	spanKind       = 6
	spanBegan      = 7
	spanEnded      = 8
	spanAttributes = 9
	spanEvents     = 11
	spanStatus     = 15
	spanFlags      = 16

	eventTime = 1
	eventName = 2

	statusCode = 3
	codeError  = 2

	keyValueKey   = 1
	keyValueValue = 2
	valueString   = 1
	valueBool     = 2
	valueInt      = 3

	responsePartial = 1 // ExportTraceServiceResponse
	partialRejected = 1
)

// Wire types of protobuf.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

// A Kind is what a span stands for.
type Kind uint64

// The kinds that a proxy has.
const (
	Server Kind = 2
	Client Kind = 3
)

// A Span is the fixed part of a span. Bytes and texts are read once, by BeginSpan.
type Span struct {
	TraceID [16]byte
	ID      [8]byte
	Parent  [8]byte // zero: none
	Remote  bool    // Parent is another program's
	Flags   byte
	State   []byte // tracestate
	Name    []byte
	Kind    Kind
	Began   int64 // nanoseconds of Unix time
	Ended   int64
	Failed  bool
}

// BeginSpan appends s as the beginning of a field of ScopeSpans. Attributes and events are appended next, and EndSpan after them with at, the span's place.
func BeginSpan(dst []byte, s *Span) (out []byte, at int) {
	dst, at = begin(dst, scopeSpansSpans)
	dst = appendBytes(dst, spanTraceID, s.TraceID[:])
	dst = appendBytes(dst, spanID, s.ID[:])
	if len(s.State) > 0 {
		dst = appendBytes(dst, spanState, s.State)
	}
	flags := uint32(s.Flags) | 0x100 // it is known whether the parent is remote
	if s.Parent != [8]byte{} {
		dst = appendBytes(dst, spanParent, s.Parent[:])
		if s.Remote {
			flags |= 0x200
		}
	}
	dst = appendBytes(dst, spanName, s.Name)
	dst = appendVarint(dst, spanKind, uint64(s.Kind))
	dst = binary.LittleEndian.AppendUint64(appendTag(dst, spanBegan, wire64), uint64(s.Began))
	dst = binary.LittleEndian.AppendUint64(appendTag(dst, spanEnded, wire64), uint64(s.Ended))
	if s.Failed {
		var status int
		dst, status = begin(dst, spanStatus)
		dst = end(appendVarint(dst, statusCode, codeError), status)
	}
	return binary.LittleEndian.AppendUint32(appendTag(dst, spanFlags, wire32), flags), at
}

// EndSpan ends the span whose place is at.
func EndSpan(dst []byte, at int) []byte { return end(dst, at) }

// AppendEvent appends an event of a span: something that happened at an instant, in nanoseconds of Unix time.
func AppendEvent(dst []byte, name string, at int64) []byte {
	dst, event := begin(dst, spanEvents)
	dst = binary.LittleEndian.AppendUint64(appendTag(dst, eventTime, wire64), uint64(at))
	return end(appendBytes(dst, eventName, name), event)
}

// AppendString appends an attribute of a span. value must be valid UTF-8: a collector refuses a whole request because of one text that is not.
func AppendString[T []byte | string](dst []byte, key string, value T) []byte {
	dst, outer, inner := beginAttribute(dst, spanAttributes, key)
	return end(end(appendBytes(dst, valueString, value), inner), outer)
}

// AppendInt appends an attribute of a span.
func AppendInt(dst []byte, key string, value int64) []byte {
	dst, outer, inner := beginAttribute(dst, spanAttributes, key)
	return end(end(appendVarint(dst, valueInt, uint64(value)), inner), outer)
}

// AppendTrue appends an attribute of a span that is true. One that is false is left out.
func AppendTrue(dst []byte, key string) []byte {
	dst, outer, inner := beginAttribute(dst, spanAttributes, key)
	return end(end(appendVarint(dst, valueBool, 1), inner), outer)
}

// An OpenText is an attribute whose value is being appended.
type OpenText struct{ attribute, value, text int }

// BeginText appends an attribute of a span up to its value, which the caller appends as valid UTF-8; End ends it.
func BeginText(dst []byte, key string) (out []byte, o OpenText) {
	dst, o.attribute, o.value = beginAttribute(dst, spanAttributes, key)
	dst, o.text = begin(dst, valueString)
	return dst, o
}

// End ends the attribute.
func (o OpenText) End(dst []byte) []byte { return end(end(end(dst, o.text), o.value), o.attribute) }

func beginAttribute(dst []byte, field int, key string) (out []byte, attribute, value int) {
	dst, attribute = begin(dst, field)
	dst = appendBytes(dst, keyValueKey, key)
	dst, value = begin(dst, keyValueValue)
	return dst, attribute, value
}

// appendRequest appends an ExportTraceServiceRequest with all the spans of a batch.
func appendRequest(dst []byte, set *Settings, batch []buffer) []byte {
	dst, spans := begin(dst, requestResourceSpans)
	dst, resource := begin(dst, resourceSpansResource)
	for _, a := range set.Resource {
		var attribute, value int
		dst, attribute, value = beginAttribute(dst, resourceAttributes, a.Key)
		dst = end(end(appendBytes(dst, valueString, a.Value), value), attribute)
	}
	dst = end(dst, resource)
	dst, scopes := begin(dst, resourceSpansScopes)
	dst, scope := begin(dst, scopeSpansScope)
	dst = end(appendBytes(appendBytes(dst, scopeName, "sluice"), scopeVersion, set.Version), scope)
	for _, b := range batch {
		dst = append(dst, b.spans...)
	}
	return end(end(dst, scopes), spans)
}

// begin appends the tag of a message and room for a length of one byte; at is where the message begins.
func begin(dst []byte, field int) (out []byte, at int) {
	dst = append(appendTag(dst, field, wireBytes), 0)
	return dst, len(dst)
}

// end writes the length of the message that begins at; one that takes more than a byte moves the message up.
func end(dst []byte, at int) []byte {
	n := len(dst) - at
	if n < 0x80 {
		dst[at-1] = byte(n)
		return dst
	}
	var length [binary.MaxVarintLen64]byte
	more := binary.PutUvarint(length[:], uint64(n)) - 1
	dst = append(dst, length[:more]...) // for its room alone
	copy(dst[at+more:], dst[at:at+n])
	copy(dst[at-1:], length[:more+1])
	return dst
}

func appendTag(dst []byte, field, wire int) []byte {
	return binary.AppendUvarint(dst, uint64(field)<<3|uint64(wire))
}

func appendVarint(dst []byte, field int, v uint64) []byte {
	return binary.AppendUvarint(appendTag(dst, field, wireVarint), v)
}

func appendBytes[T []byte | string](dst []byte, field int, v T) []byte {
	dst = binary.AppendUvarint(appendTag(dst, field, wireBytes), uint64(len(v)))
	return append(dst, v...)
}

// rejectedSpans returns how many spans an ExportTraceServiceResponse says were not taken; 0 if it says nothing, or can't be read.
func rejectedSpans(b []byte) int64 {
	partial, _ := lastField(b, responsePartial)
	_, n := lastField(partial, partialRejected)
	return max(int64(n), 0)
}

// lastField returns the content of the last field with that number: bytes or a number, whichever it is. Of a message that is broken it returns what came before.
func lastField(b []byte, field uint64) (content []byte, number uint64) {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return content, number
		}
		b = b[n:]
		skip := 0
		var v uint64
		switch tag & 7 {
		case wireVarint:
			if v, skip = binary.Uvarint(b); skip <= 0 {
				return content, number
			}
		case wire64:
			skip = 8
		case wire32:
			skip = 4
		case wireBytes:
			if v, n = binary.Uvarint(b); n <= 0 || v > uint64(len(b)-n) {
				return content, number
			}
			b, skip = b[n:], int(v)
		default:
			return content, number
		}
		if skip > len(b) {
			return content, number
		}
		if tag>>3 == field {
			content, number = b[:skip], v
		}
		b = b[skip:]
	}
	return content, number
}
