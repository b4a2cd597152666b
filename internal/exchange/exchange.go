// Package exchange holds the one type that travels: a request and its final response (RFC 9110, section 3.4), free of protocol versions.
//
// A codec of the client's side (downstream/h1, later h2 and h3) fills an Exchange, serve carries it through routing, filters and forwarding, and the
// codec's Sender writes the response. One task owns an Exchange from the codec's hand-over until Release.
//
// Two rules about memory hold everywhere: a string reached through an Exchange lives as long as anyone keeps it; a []byte reached through an Exchange
// is borrowed and dies with the exchange. To keep one, clone it. Build tag bufdebug overwrites released memory, so that a test sees a breach.
//
// The package parses nothing, does no I/O and knows no feature.
package exchange

import (
	"net/netip"
	"time"

	"sluice/internal/buf"
	"sluice/internal/loop"
)

// An Exchange is one request and its final response (RFC 9110, section 3.4).
// It is owned by one task from the codec's hand-over until Release.
type Exchange struct {
	Request  Request
	Response Response
	Client   Client
	// Err says why the proxy answered by itself. It is nil if an origin or a filter answered.
	Err *Error
	// Notes is what the steps leave for the log and for metrics.
	Notes Notes
	// Trace is what they leave for spans, if the exchange is part of a trace that is sampled; else nil.
	Trace *Trace
	// Deadline is when the exchange must have ended, an instant of Driver.Now; 0 is never.
	Deadline time.Duration
	// Endpoint is what forward is trying; only forward and upstream look at it.
	Endpoint any
	// Driver runs the exchange's task: the clock, second tasks and offloaded work. Never nil.
	Driver loop.Driver
	// Scratch holds bytes made for this exchange: field values, rewritten paths. It is emptied by Reset.
	Scratch buf.Scratch

	sender Sender
	static Bytes
	owned  [4][]byte // blocks that messages point into
	owns   int
}

// Client is who asked, and over which connection.
type Client struct {
	Peer netip.AddrPort // the other end of the connection
	// Conn is the client's connection if it carries this exchange alone: for who waits for an origin and wants to know that the client has gone. May be nil.
	Conn loop.Conn
	// Addr is the client's address: Peer's, or what trusted proxies reported (serve sets it before routing).
	Addr netip.Addr
	// Secure is true if the client's connection is encrypted.
	Secure bool
	// Listener is the address that the connection was accepted on, as the snapshot names it.
	Listener string
}

// Notes is what the steps on the way of a request leave for Finish filters: logs and counters. Times are readings of Driver.Now; zero means that it has
// not happened.
type Notes struct {
	Began         time.Duration // first byte of the request was at hand
	Attempted     time.Duration // the last attempt at an endpoint began
	Connected     time.Duration // the last attempt had a connection; until then the exchange waited for a free one or for the connect
	ResponseBegan time.Duration // head of the origin's final response was read
	Site          string        // name of the site in the config
	Route         string        // name of the route: "site" or its number and pattern
	Pool          string        // name of the pool, if the exchange was forwarded
	Endpoint      string        // address of the last endpoint tried
	Origin        netip.Addr    // where the last attempt connected to; invalid for a Unix socket
	Attempts      int           // how many endpoints were tried
	Reused        bool          // the last attempt used a kept connection
	ContentIn     int64         // bytes of request content received
	ContentOut    int64         // bytes of response content sent
	HeadIn        int           // bytes of the request's head
	HeadOut       int           // bytes of the response's head
	Aborted       bool          // the client did not get the whole response
	TraceID       [16]byte      // of the trace that the exchange is part of, sampled or not; zero if there is none
	SpanID        [8]byte       // of the exchange in that trace
}

// A Sender is how one exchange is answered. Each codec has one; tests have one.
type Sender interface {
	// SendInterim sends an interim response (1xx but 101; RFC 9110, section 15.2), if the client takes it.
	SendInterim(status int, f *Fields) error
	// SendFinal sends the head of r and then its content until it ends. It returns when all has been written; an error's Source says which side failed.
	SendFinal(r *Response) error
	// Upgrade sends the head of r, which switches protocols (RFC 9110, section 7.8), and returns the client's stream. The caller closes it.
	Upgrade(r *Response) (Stream, error)
	// Abort breaks the connection or stream off, so that the client can see that the response is not whole.
	Abort(err *Error)
}

// A Stream is one end of a tunnel. Who gets one closes it.
type Stream interface {
	loop.End
	// Reset breaks both directions off, so that the peer can see that something is missing. Close must follow.
	Reset()
	// Close ends both directions and gives the connection up.
	Close() error
}

// Begin hands x to the code that will answer it through s. It is called by codecs after they have filled Request and Client.
func (x *Exchange) Begin(d loop.Driver, s Sender) {
	x.Driver, x.sender = d, s
}

// Sender returns how x is answered.
func (x *Exchange) Sender() Sender { return x.sender }

// Respond makes the response one of the proxy's own: status, a content type and content that is kept elsewhere (a constant, a snapshot's page or x.Scratch).
// Fields set before are dropped. A nil content means none.
func (x *Exchange) Respond(status int, contentType string, content []byte) {
	r := &x.Response
	r.Reset()
	r.Status = status
	if contentType != "" {
		r.Fields.Add(FieldContentType, x.Scratch.String(contentType))
	}
	r.Content = x.Bytes(content)
}

// Bytes returns content that is b, owned by x. It is valid until the next call or Reset; b must live as long.
func (x *Exchange) Bytes(b []byte) Content {
	x.static = Bytes{rest: b, length: int64(len(b))}
	return &x.static
}

// Own keeps a block of the driver's buffers, which the messages point into, until Reset.
func (x *Exchange) Own(block []byte) {
	if x.owns == len(x.owned) { // more attempts than usual: the garbage collector takes the oldest
		copy(x.owned[:], x.owned[1:])
		x.owns--
	}
	x.owned[x.owns] = block
	x.owns++
}

// By returns the earlier of at and the exchange's deadline; an instant of 0 is never.
func (x *Exchange) By(at time.Duration) time.Duration {
	if x.Deadline != 0 && (at == 0 || x.Deadline < at) {
		return x.Deadline
	}
	return at
}

// Reached names the limit behind a deadline of By that has passed: "limits.exchange_timeout" if it was the exchange's own, else the one that the caller set.
func (x *Exchange) Reached(limit string) string {
	if x.Deadline != 0 && x.Driver.Now() >= x.Deadline {
		return LimitExchangeTimeout
	}
	return limit
}

// Reset empties x for the next exchange. It keeps the memory of field lists and scratch.
func (x *Exchange) Reset() {
	x.Request.Reset()
	x.Response.Reset()
	x.Client = Client{}
	x.Err, x.Deadline, x.Endpoint, x.Trace = nil, 0, nil, nil
	x.Notes = Notes{}
	x.Scratch.Reset()
	for i := range x.owns {
		x.Driver.Buffers().Put(x.owned[i])
		x.owned[i] = nil
	}
	x.owns = 0
	x.Driver, x.sender = nil, nil
	x.static = Bytes{}
}
