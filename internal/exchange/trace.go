package exchange

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"time"
)

// AttemptsMax is how many attempts a Trace has room for: as many as forward makes at most.
const AttemptsMax = 8

// A Trace is what the steps leave of an exchange whose trace is sampled: for the exchange's own span and for those of its attempts. It belongs to the tracer that
// has put it there (observe/trace), which takes it back in the finish phase. The methods of a nil Trace do nothing: that is the price of not being sampled.
type Trace struct {
	Flags    byte    // of the trace (W3C Trace Context, section 2.3.5)
	Parent   [8]byte // the client's span; zero if it has none
	State    []byte  // tracestate that came with it, borrowed; nil if none did
	Span     []byte  // where the traceparent that is forwarded has its span ID, 16 digits, borrowed; nil if none is
	NextSpan uint64  // ID of the next attempt's span
	Attempts [AttemptsMax]Attempt
	Count    int // how many of Attempts are in use
}

// An Attempt is one try at an endpoint. Times are readings of Driver.Now.
type Attempt struct {
	SpanID   [8]byte
	Began    time.Duration
	Answered time.Duration // head of the response was there; 0 if none came
	Ended    time.Duration // it has failed; 0 if it has not: then it ends with the exchange
	Endpoint string        // address as the config writes it
	Origin   netip.Addr    // where it connected to; invalid for a Unix socket, or if there was no connection
	Status   int           // of the response; 0 if none came
	Failure  Kind          // why it has failed; empty if it has not
	Reused   bool          // over a kept connection
}

// spanStep makes the next span ID of the last one: an odd number, so that IDs come again only after all others.
const spanStep = 0x9E3779B97F4A7C15

// Begin notes that x is about to be tried at the endpoint in its notes, and makes the attempt's span the parent that the endpoint is told.
func (t *Trace) Begin(x *Exchange) {
	if t != nil {
		t.begin(x)
	}
}

func (t *Trace) begin(x *Exchange) {
	if t.Count == len(t.Attempts) {
		return
	}
	a := &t.Attempts[t.Count]
	t.Count++
	*a = Attempt{Began: x.Driver.Now(), Endpoint: x.Notes.Endpoint}
	if t.NextSpan == 0 { // the one number that is no ID
		t.NextSpan = spanStep
	}
	binary.BigEndian.PutUint64(a.SpanID[:], t.NextSpan)
	t.NextSpan += spanStep
	if t.Span != nil {
		hex.Encode(t.Span, a.SpanID[:])
	}
}

// End notes what the attempt that began last has led to: a response, or err.
func (t *Trace) End(x *Exchange, err *Error) {
	if t != nil {
		t.end(x, err)
	}
}

func (t *Trace) end(x *Exchange, err *Error) {
	if t.Count == 0 {
		return
	}
	a := &t.Attempts[t.Count-1]
	a.Origin, a.Reused = x.Notes.Origin, x.Notes.Reused
	if err != nil {
		a.Ended, a.Failure = x.Driver.Now(), err.Kind
		return
	}
	a.Answered, a.Status = x.Notes.ResponseBegan, x.Response.Status
}
