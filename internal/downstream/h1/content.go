package h1

import (
	"errors"
	"io"
	"sync/atomic"
	"time"

	"sluice/internal/buf"
	"sluice/internal/exchange"
	"sluice/internal/loop"
	wire "sluice/internal/wire/h1"
)

// A content is the body of a request (RFC 9112, section 6). First come the bytes that were read with the head; further ones are read into a block that
// is held only while it has bytes. One task reads it.
type content struct {
	conn     *conn
	x        *exchange.Exchange
	settings *Settings
	framing  wire.Framing
	left     int64 // of FramedLength: bytes not read yet
	limits   exchange.ContentLimits
	chunks   wire.Chunks
	block    []byte // block[from:to] is read and not decoded
	from, to int
	ended    atomic.Bool // nothing more is to be decoded; the task that sends the response looks at it while another one reads
	failed   *exchange.Error
	waited   time.Duration // time spent in waits, less what the bytes that came have given back
	since    time.Duration // when the present wait began
	held     atomic.Bool   // the client waits for 100 (Continue), and nothing has come: no minimum rate
	duplex   atomic.Bool   // the response has begun before the request has ended: no minimum rate
	stopped  atomic.Bool
}

// begin makes b the body of the request whose head has just been read.
func (b *content) begin(c *conn, a *active, set *Settings) {
	b.framing, b.failed = a.head.Framing(), nil
	if b.framing.Kind == wire.FramedNone {
		return // conn is nil, and nobody but skip and end looks
	}
	b.conn, b.x, b.settings = c, &a.x, set
	b.left = b.framing.Length
	b.limits = exchange.ContentLimits{Bytes: -1, MinRate: set.MinRate, MinRateAfter: set.MinRateAfter}
	b.from, b.to = 0, 0
	b.ended.Store(b.framing.Kind == wire.FramedLength && b.left == 0)
	b.waited = 0
	b.held.Store(a.head.ExpectContinue && c.from == c.to)
	b.duplex.Store(false)
	b.stopped.Store(false)
	b.restart()
}

// restart makes b ready to decode chunks from the first one on.
func (b *content) restart() {
	if b.framing.Kind == wire.FramedChunked {
		b.chunks.Reset(&b.settings.Wire, &b.x.Request.Trailers, false)
	}
}

// faultAtHand looks through the chunks that came with the head. Most faulty requests come in one piece: nothing of them shall be forwarded.
func (b *content) faultAtHand() (err *wire.SyntaxError) {
	if b.framing.Kind != wire.FramedChunked {
		return nil
	}
	rest, n, done := b.conn.block[b.conn.from:b.conn.to], 0, false
	for len(rest) > 0 && !done && err == nil {
		_, n, done, err = b.chunks.Next(rest)
		rest = rest[n:]
	}
	b.x.Request.Trailers.Reset()
	b.restart()
	return err
}

// Length implements exchange.Content.
func (b *content) Length() int64 {
	if b.framing.Kind == wire.FramedLength {
		return b.framing.Length
	}
	return -1
}

// AtHand implements exchange.Buffered.
func (b *content) AtHand() ([]byte, bool) {
	if b.framing.Kind != wire.FramedLength || b.ended.Load() {
		return nil, b.ended.Load()
	}
	c := b.conn
	n := min(int64(c.to-c.from), b.left)
	return c.block[c.from : c.from+int(n)], n == b.left
}

// Limit implements exchange.Limited.
func (b *content) Limit(l exchange.ContentLimits) { b.limits = l }

// Next implements exchange.Content.
func (b *content) Next() ([]byte, error) {
	for !b.ended.Load() && b.failed == nil {
		piece, err := b.decode()
		if err != nil {
			b.failed = faulty(err.Status, err)
			b.failed.Op = "read request content"
			break
		}
		if len(piece) > 0 {
			b.x.Notes.ContentIn += int64(len(piece))
			if b.limits.Bytes >= 0 && b.x.Notes.ContentIn > b.limits.Bytes {
				b.failed = exchange.ContentTooLarge()
				break
			}
			return piece, nil
		}
		if !b.ended.Load() {
			b.failed = b.fill()
		}
	}
	if b.failed != nil {
		return nil, b.failed
	}
	return nil, io.EOF
}

// decode takes the next piece from what has been read: from the connection's block first, then from our own.
func (b *content) decode() ([]byte, *wire.SyntaxError) {
	src, from, to := b.conn.block, &b.conn.from, &b.conn.to
	if *from == *to {
		src, from, to = b.block, &b.from, &b.to
	}
	if *from == *to {
		return nil, nil
	}
	if b.framing.Kind == wire.FramedLength {
		n := int(min(int64(*to-*from), b.left))
		piece := src[*from : *from+n]
		*from += n
		b.left -= int64(n)
		if b.left == 0 {
			b.ended.Store(true)
		}
		return piece, nil
	}
	piece, n, done, err := b.chunks.Next(src[*from:*to])
	*from += n
	if done {
		b.ended.Store(true)
	}
	return piece, err
}

// fill reads more into a block. It holds none while it waits.
func (b *content) fill() *exchange.Error {
	c := b.conn
	pool := c.raw.Driver().Buffers()
	pool.Put(b.block)
	b.block, b.from, b.to = nil, 0, 0
	exempt := b.exempt()
	b.began()
	if err := c.raw.Await(); err != nil {
		return b.broken(err) // if it is ErrStopped, the other task may have ended first, and the exchange with it
	}
	size := buf.Large
	if b.framing.Kind == wire.FramedLength {
		size = int(min(buf.Huge, b.left))
	}
	b.block = pool.Get(size)
	if b.framing.Kind == wire.FramedLength {
		size = int(min(int64(len(b.block)), b.left)) // never bytes of the next request
	} else {
		size = len(b.block)
	}
	n, err := c.raw.Read(b.block[:size])
	if err != nil {
		return b.broken(err)
	}
	b.to = n
	if !exempt { // else the client did not owe us anything, at first
		b.waited += c.raw.Driver().Now() - b.since
	}
	b.received(int64(n))
	return nil
}

// began sets the deadline of a wait. Waiting uses up MinRateAfter, and bytes that come give back as much of it as MinRate grants for them; time in which nobody
// wanted to read does not count. So a client that keeps to the rate is never ended, whatever its pieces are, and none is ahead by more than MinRateAfter.
func (b *content) began() {
	b.since = b.conn.raw.Driver().Now()
	by := time.Duration(0)
	if b.limits.MinRate > 0 && !b.exempt() {
		by = b.since + max(b.limits.MinRateAfter-b.waited, 1)
	}
	by = b.x.By(by)
	if b.stopped.Load() {
		by = 1
	}
	b.conn.raw.ReadBy(by)
}

// exempt reports whether the client owes us nothing at the moment.
func (b *content) exempt() bool { return b.held.Load() || b.duplex.Load() }

// received counts bytes towards the minimum rate.
func (b *content) received(n int64) {
	b.held.Store(false)
	if b.limits.MinRate > 0 {
		b.waited = max(0, b.waited-time.Duration(float64(n)/float64(b.limits.MinRate)*float64(time.Second)))
	}
}

// Rest implements exchange.Spliced.
func (b *content) Rest() (loop.Conn, int64) {
	c := b.conn
	if b.framing.Kind != wire.FramedLength || b.ended.Load() || b.failed != nil || c.from < c.to || b.from < b.to || b.stopped.Load() {
		return nil, 0
	}
	b.began()
	return c.raw, b.left
}

// Moved implements exchange.Spliced. It was the client that was waited for if nothing has moved, else it was the origin.
func (b *content) Moved(n int64, err error) error {
	if errors.Is(err, loop.ErrStopped) {
		return b.broken(err) // as in fill
	}
	if n == 0 {
		b.waited += b.conn.raw.Driver().Now() - b.since
	}
	b.received(n)
	b.left -= n
	b.x.Notes.ContentIn += n
	if b.left == 0 {
		b.ended.Store(true)
	}
	if err == nil {
		return nil
	}
	b.failed = b.broken(err)
	return b.failed
}

// broken turns an error of the connection into one of the exchange.
func (b *content) broken(err error) *exchange.Error {
	e := &exchange.Error{Source: exchange.Downstream, Kind: exchange.KindConnectionTerminated, Status: 400, Op: "read request content", Err: err}
	if loop.IsTimeout(err) {
		e.Kind, e.Status = exchange.KindConnectionReadTimeout, 408 // RFC 9110, section 15.5.9
		if !b.stopped.Load() {
			e.Limit = b.x.Reached("limits.min_rate")
		}
	}
	if errors.Is(err, loop.ErrStopped) {
		e.Source, e.Kind, e.Status = exchange.Internal, exchange.KindProxyInternalError, 0
	}
	if err == io.EOF {
		e.Err = io.ErrUnexpectedEOF
	}
	return e
}

// Continued tells that the client was told to send: from now on it must, and a wait that is under way has an end.
func (b *content) Continued() {
	b.held.Store(false)
	if !b.duplex.Load() && b.limits.MinRate > 0 && !b.ended.Load() && !b.stopped.Load() {
		b.conn.raw.ReadBy(b.x.By(b.conn.raw.Driver().Now() + b.limits.MinRateAfter))
	}
}

// FullDuplex lifts the minimum rate: the response has begun before the request has ended.
func (b *content) FullDuplex() {
	if b.ended.Load() {
		return
	}
	b.duplex.Store(true)
	b.conn.raw.ReadBy(0)
}

// Stop makes Next, waiting in another task, return an error soon.
func (b *content) Stop() {
	b.stopped.Store(true)
	b.conn.raw.ReadBy(1)
}

// Close implements exchange.Content. The rest of the body stays unread: the connection will be closed after the response.
func (b *content) Close() {}

// unfinished reports whether bytes of the body have not been read.
func (b *content) unfinished() bool { return b.conn != nil && (!b.ended.Load() || b.failed != nil) }

// skip throws away the rest of the body if all of it has been read already, and reports whether nothing is left.
func (b *content) skip() bool {
	for b.unfinished() && b.failed == nil {
		if piece, err := b.decode(); err != nil || len(piece) == 0 && !b.ended.Load() {
			return false
		}
	}
	return b.failed == nil
}

// end gives the block back; bytes of the next request in it go to the connection.
func (b *content) end() {
	if b.conn == nil {
		return
	}
	c := b.conn
	if b.from < b.to && !c.closed {
		c.release()
		c.block, c.from, c.to = b.block, b.from, b.to
		b.block = nil
	}
	if b.block != nil {
		c.raw.Driver().Buffers().Put(b.block)
		b.block = nil
	}
	b.conn, b.x = nil, nil
}
