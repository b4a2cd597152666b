package client

import (
	"io"

	"sluice/internal/buf"
	"sluice/internal/exchange"
	"sluice/internal/loop"
	wire "sluice/internal/wire/h1"
)

// A content is the body of a response (RFC 9112, section 6). When it ends in order the connection is idle again, when it does not it is closed.
//
// It belongs to the exchange and not to the connection: that may serve another exchange already when this one still sends its last bytes, and a Close
// that comes then must not harm the other.
type content struct {
	conn    *conn // nil once closed
	framing wire.Framing
	left    int64 // of FramedLength: bytes not given out yet
	chunks  wire.Chunks
	piece   []byte            // decoded ahead by AtHand, not given out yet
	fault   *wire.SyntaxError // behind piece; found by AtHand, perhaps
	ended   bool              // nothing more is to be decoded
	over    bool              // the connection is no longer ours
}

// newContent returns the content of the response whose head was just read.
func (c *conn) newContent(f wire.Framing) *content {
	d := c.raw.Driver()
	b := c.client.shards[d.ID()].contents.Get(d.Buffers())
	if b == nil {
		b = new(content)
	}
	b.conn, b.framing, b.left = c, f, f.Length
	b.piece, b.fault, b.over, b.ended = nil, nil, false, false
	b.restart()
	return b
}

// restart makes b ready to decode chunks from the first one on.
func (b *content) restart() {
	if b.framing.Kind == wire.FramedChunked {
		b.chunks.Reset(&b.conn.settings.Wire, &b.conn.x.Response.Trailers, true)
	}
}

// faultAtHand looks through the chunks that came with the head. Most faulty responses come in one piece: the client shall hear of the fault, and not see a
// response that is broken off.
func (b *content) faultAtHand() (err *wire.SyntaxError) {
	if b.framing.Kind != wire.FramedChunked {
		return nil
	}
	rest, n, done := b.conn.block[b.conn.from:b.conn.to], 0, false
	for len(rest) > 0 && !done && err == nil {
		_, n, done, err = b.chunks.Next(rest)
		rest = rest[n:]
	}
	b.conn.x.Response.Trailers.Reset()
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
	if len(b.piece) == 0 && b.fault == nil && !b.ended && !b.over {
		b.piece, b.fault = b.decode()
	}
	return b.piece, b.ended
}

// Next implements exchange.Content.
func (b *content) Next() ([]byte, error) {
	for {
		if piece := b.piece; len(piece) > 0 {
			b.piece = nil
			return piece, nil
		}
		if b.ended {
			b.finish()
			return nil, io.EOF
		}
		if b.fault != nil {
			return nil, b.fail(b.fault)
		}
		if b.over {
			return nil, b.incomplete(io.ErrUnexpectedEOF)
		}
		b.piece, b.fault = b.decode()
		if len(b.piece) == 0 && b.fault == nil && !b.ended {
			if err := b.fill(); err != nil {
				return nil, err
			}
		}
	}
}

// decode takes the next piece from the block.
func (b *content) decode() ([]byte, *wire.SyntaxError) {
	c := b.conn
	if c.from == c.to {
		return nil, nil
	}
	switch b.framing.Kind {
	case wire.FramedChunked:
		piece, n, done, err := b.chunks.Next(c.block[c.from:c.to])
		c.from += n
		if b.ended = done; done {
			c.rules.ResponseTrailers(c.x)
		}
		return piece, err
	case wire.FramedLength:
		n := int(min(int64(c.to-c.from), b.left))
		piece := c.block[c.from : c.from+n]
		c.from += n
		b.left -= int64(n)
		b.ended = b.left == 0
		return piece, nil
	}
	piece := c.block[c.from:c.to]
	c.from = c.to
	return piece, nil
}

// fill reads more.
func (b *content) fill() error {
	c := b.conn
	size := buf.Large
	if b.framing.Kind == wire.FramedLength {
		size = int(min(b.left, buf.Huge))
	}
	c.raw.ReadBy(c.idleBy())
	err := c.fill(size)
	if loop.IsTimeout(err) && c.pump.failure() != nil { // a late call to stop waiting for the head
		c.raw.ReadBy(c.idleBy())
		err = c.fill(size)
	}
	if err == nil {
		return nil
	}
	if err == io.EOF && b.framing.Kind == wire.FramedClose && !c.pump.cut.Load() { // a reset is told once: if the pump has heard it, this end is none
		b.ended = true
		return nil
	}
	b.over = true
	failed := b.incomplete(err) // before the connection forgets the exchange
	c.close()
	return failed
}

// incomplete says that the response has ended too early.
func (b *content) incomplete(err error) *exchange.Error {
	e := b.conn.failed("read response content", "timeouts.idle", err, exchange.RetryNo)
	if e.Source == exchange.Upstream {
		e.Kind = exchange.KindHTTPResponseIncomplete
		if loop.IsTimeout(err) {
			e.Kind = exchange.KindConnectionReadTimeout
		}
	}
	return e
}

func (b *content) fail(err *wire.SyntaxError) error {
	b.over = true
	b.conn.close()
	return contentFault(err)
}

// contentFault is about chunks that are not valid.
func contentFault(err *wire.SyntaxError) *exchange.Error {
	return &exchange.Error{
		Source: exchange.Upstream, Kind: exchange.KindHTTPTransferCoding, Limit: err.ResponseLimit, Op: "read response content", Err: err,
	}
}

// finish frees the connection after the last byte.
func (b *content) finish() {
	if b.over {
		return
	}
	b.over = true
	c := b.conn
	if b.framing.Kind == wire.FramedClose {
		c.close()
		return
	}
	c.finish()
}

// Close implements exchange.Content. It gives b back: nothing may be asked of it afterwards.
func (b *content) Close() {
	c := b.conn
	if c == nil {
		return
	}
	if b.ended && len(b.piece) == 0 {
		b.finish()
	} else if !b.over {
		c.close()
	}
	b.conn, b.piece, b.over = nil, nil, true
	d := c.raw.Driver()
	c.client.shards[d.ID()].contents.Put(d.Buffers(), b)
}

// Rest implements exchange.Spliced.
func (b *content) Rest() (loop.Conn, int64) {
	c := b.conn
	if b.over || b.ended || b.framing.Kind != wire.FramedLength || c.from < c.to || len(b.piece) > 0 {
		return nil, 0
	}
	c.raw.ReadBy(c.idleBy())
	return c.raw, b.left
}

// Moved implements exchange.Spliced.
func (b *content) Moved(n int64, err error) error {
	b.left -= n
	b.ended = b.left == 0
	if err == nil {
		return nil
	}
	b.over = true
	failed := b.incomplete(err) // before the connection forgets the exchange
	b.conn.close()
	return failed
}
