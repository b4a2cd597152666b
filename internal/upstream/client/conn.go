package client

import (
	"errors"
	"io"
	"net"
	"time"

	"sluice/internal/buf"
	"sluice/internal/exchange"
	"sluice/internal/loop"
	wire "sluice/internal/wire/h1"
)

// headBytes is the size of the block that a response is first read into: the content of most responses comes with the head. That of a tunnel's is kept as long as the
// tunnel.
func (c *conn) headBytes() int {
	if c.x.Request.Upgrade != nil {
		return buf.Small
	}
	return buf.Large
}

// A conn is a connection to an endpoint. It belongs to the task of the exchange that uses it, or is in its shard's list of idle ones.
type conn struct {
	client     *H1
	raw        loop.Conn
	prev, next *conn // guarded by the shard's mu
	idle       bool  // guarded by the shard's mu
	closed     bool
	replaced   bool // its slot belongs to another connection

	x        *exchange.Exchange
	settings *Settings
	timeouts Timeouts
	rules    Rules
	head     wire.ResponseHead
	block    []byte // block[from:to] is read and not consumed
	from, to int
	hasHead  bool // the block holds the head of the final response
	pump     pump
}

func newConn(h *H1, raw loop.Conn) *conn {
	c := &conn{client: h, raw: raw}
	c.pump.conn = c
	c.pump.task = c.pump.run
	raw.Handle(c)
	return c
}

// Serve implements loop.Handler: the connection is idle, and a byte, its end or its deadline has come. All mean that it can't be used any more.
func (c *conn) Serve() {
	s := &c.client.shards[c.raw.Driver().ID()]
	s.mu.Lock()
	wasIdle := c.idle
	if wasIdle {
		s.unlink(c)
	}
	s.mu.Unlock()
	if wasIdle {
		c.close()
	}
}

// close ends the connection and everything of the exchange that hangs on it.
func (c *conn) close() {
	if c.closed {
		return
	}
	c.closed = true
	c.pump.join()
	c.giveBack()
	_ = c.raw.Close()
	c.x = nil
	if !c.replaced {
		c.client.slots.release()
	}
}

// giveBack returns the block. The one that the response's fields point into lives as long as the exchange.
func (c *conn) giveBack() {
	if c.block == nil {
		return
	}
	if c.hasHead {
		c.x.Own(c.block)
	} else {
		c.raw.Driver().Buffers().Put(c.block)
	}
	c.hasHead, c.block, c.from, c.to = false, nil, 0, 0
}

// finish ends the exchange on this connection: it is kept if both messages have ended in order and the origin does not want to close.
func (c *conn) finish() {
	c.pump.settle()
	if !c.pump.finished() || c.pump.cut.Load() || !c.head.Persistent() || c.from < c.to || c.head.Status == 101 {
		c.close()
		return
	}
	c.pump.join()
	c.giveBack()
	c.x = nil
	c.client.keep(c)
}

// fill reads more behind what is in the block; n is how large the block should be if it is empty.
func (c *conn) fill(n int) error {
	pool := c.raw.Driver().Buffers()
	if c.from == c.to {
		c.giveBack() // nothing is held while waiting
		if err := c.raw.Await(); err != nil {
			return err
		}
		c.block = pool.Get(n)
	} else if c.to == len(c.block) && c.from > 0 {
		c.to = copy(c.block, c.block[c.from:c.to]) // what is before from was an interim response's
		c.from = 0
	} else if c.to == len(c.block) {
		larger := pool.Get(2 * len(c.block))
		c.to = copy(larger, c.block)
		pool.Put(c.block)
		c.block = larger
	}
	k, err := c.raw.Read(c.block[c.to:])
	c.to += k
	if k == 0 && err == nil {
		err = io.ErrNoProgress
	}
	if k > 0 {
		return nil
	}
	return err
}

// RoundTrip sends x.Request to the endpoint and fills x.Response. o is read and not kept.
// On an error x.Response is empty; the error says whether another attempt is safe.
func (h *H1) RoundTrip(x *exchange.Exchange, o *Order) *exchange.Error {
	c, reused, err := h.connect(x, o)
	if err != nil {
		return err
	}
	x.Notes.Connected, x.Notes.Reused, x.Notes.Origin = x.Driver.Now(), reused, c.raw.Peer().Addr()
	c.x, c.settings, c.timeouts, c.rules = x, h.settings.Load(), o.Timeouts, o.Rules
	c.raw.Watch(x.Client.Conn)
	c.raw.WriteStall(c.settings.SendTimeout)
	if err := c.send(o.Host); err != nil {
		c.close()
		return err
	}
	if err := c.receive(); err != nil {
		c.close()
		return err
	}
	return nil
}

// send writes the request's head and what is at hand of its content, and has a second task send the rest.
func (c *conn) send(host []byte) *exchange.Error {
	r := &c.x.Request
	framing := requestFraming(r)
	client := r.Authority
	r.Authority = host
	block := c.raw.Driver().Buffers().Get(buf.Small)
	out := wire.AppendRequestHead(block[:0], r, framing, wire.Options{
		TE: r.Fields.Has(exchange.FieldTE), Upgrade: r.Upgrade, Close: c.settings.IdleMax == 0 && len(r.Upgrade) == 0,
	})
	r.Authority = client

	c.pump.begin(framing)
	piece, whole := c.pump.atHand()
	c.raw.WriteBy(c.sendBy())
	_, err := c.raw.Writev(out, piece)
	c.raw.Driver().Buffers().Put(block)
	if err != nil {
		return c.failed("send request", "limits.send_timeout", err, exchange.RetryIdempotent)
	}
	if !whole {
		c.pump.start(len(piece))
	}
	return nil
}

// requestFraming says how the content goes out (RFC 9112, section 6.3): by length if that is known, else chunked.
func requestFraming(r *exchange.Request) wire.Framing {
	switch {
	case r.Content == nil:
		return wire.Framing{Kind: wire.FramedNone}
	case r.Content.Length() >= 0:
		return wire.Framing{Kind: wire.FramedLength, Length: r.Content.Length()}
	}
	return wire.Framing{Kind: wire.FramedChunked}
}

// interimMax is how many interim responses may come before the final one. An origin that sends nothing else would hold an exchange for ever.
const interimMax = 64

// receive reads heads until the final one, and relays interim ones.
func (c *conn) receive() *exchange.Error {
	r := &c.x.Response
	silent := true // no byte has come
	for interim := 0; ; interim++ {
		if interim > interimMax {
			return &exchange.Error{
				Source: exchange.Upstream, Kind: exchange.KindHTTPProtocolError, Status: 502, Op: "read response head: too many interim responses",
			}
		}
		c.expectHead()
		if failed := c.pump.failure(); failed != nil {
			return failed // its own ReadBy may have come before ours
		}
		if err := c.readHead(silent); err != nil {
			return err
		}
		silent = false
		if c.head.Status >= 200 || c.head.Status == 101 {
			break
		}
		c.rules.Interim(c.x, &r.Fields)
		if err := c.x.Sender().SendInterim(c.head.Status, &r.Fields); err != nil {
			return asError(err, "send interim response")
		}
		if c.head.Status == 100 {
			c.pump.held.Store(false)
		}
	}
	c.hasHead = true
	c.pump.answered()
	c.x.Notes.ResponseBegan = c.raw.Driver().Now()
	r.Status, r.Reason, r.Origin = c.head.Status, c.head.Reason, true
	c.raw.ReadBy(c.idleBy())
	if c.head.Status == 101 {
		return c.upgrade()
	}
	framing := wire.ResponseLength(c.x.Request.Method, &c.head)
	if framing.Kind == wire.FramedNone || framing.Kind == wire.FramedLength && framing.Length == 0 {
		c.finish() // the connection is free at once
		return nil
	}
	content := c.newContent(framing)
	if err := content.faultAtHand(); err != nil {
		content.Close()
		return contentFault(err)
	}
	r.Content = content
	return nil
}

// expectHead sets until when the next head must be whole.
func (c *conn) expectHead() {
	held := c.pump.held.Load()
	c.raw.ReadBy(c.responseBy(held))
	if held && !c.pump.held.Load() { // meanwhile the client has begun to send
		c.raw.ReadBy(c.responseBy(false))
	}
}

// responseBy is when the response's head must be whole. While the request is still being sent only the exchange's deadline holds: the pump has its own. But if
// the client holds its content back, it is the origin that all wait for.
func (c *conn) responseBy(held bool) time.Duration {
	if !held && !c.pump.finished() {
		return c.x.Deadline
	}
	return c.x.By(after(c.raw.Driver().Now(), c.timeouts.Response))
}

// idleBy is when the next bytes of the response must be there, sendBy when what is being sent must have been taken: SendTimeout is WriteStall's.
func (c *conn) idleBy() time.Duration { return c.x.By(after(c.raw.Driver().Now(), c.timeouts.Idle)) }
func (c *conn) sendBy() time.Duration { return c.x.Deadline }

// readHead reads one head into c.head and the response's fields.
func (c *conn) readHead(silent bool) *exchange.Error {
	scanned := 0
	for {
		if received := c.block[c.from:c.to]; len(received) > 0 {
			silent = false
			if scanned == 0 || wire.HeadEnd(received, scanned) > 0 || len(received) >= c.settings.Wire.HeadBytes {
				n, err := wire.ParseResponse(received, &c.settings.Wire, &c.head, &c.x.Response.Fields)
				if err != nil {
					return &exchange.Error{
						Source: exchange.Upstream, Kind: err.ResponseKind, Status: 502, Limit: err.ResponseLimit, Op: "read response head", Err: err,
					}
				}
				if n > 0 {
					c.from += n
					return nil
				}
			}
			scanned = max(len(received)-3, 0)
		}
		if err := c.fill(c.headBytes()); err != nil {
			if failed := c.pump.failure(); failed != nil {
				return failed
			}
			retry := exchange.RetryNo
			if silent && c.pump.replayable() {
				retry = exchange.RetryIdempotent
			}
			return c.failed("read response head", "timeouts.response", err, retry)
		}
	}
}

// upgrade makes the connection the origin's end of a tunnel (RFC 9110, section 7.8).
func (c *conn) upgrade() *exchange.Error {
	r := &c.x.Response
	if !upgradeFits(c.x.Request.Upgrade, r.Fields.Get(exchange.FieldUpgrade)) || !c.head.Upgrade {
		return &exchange.Error{Source: exchange.Upstream, Kind: exchange.KindHTTPUpgradeFailed, Op: "read response head: 101 that was not asked for"}
	}
	c.raw.Watch(nil)
	s := loop.NewStream(c.raw, c.block[c.from:c.to], c.settings.TunnelIdle)
	s.EndWith(c.close)
	r.Tunnel = s
	return nil
}

// upgradeFits reports whether the origin switched to a protocol that was offered.
func upgradeFits(offered, chosen []byte) bool {
	return len(chosen) > 0 && exchange.ListHasToken(offered, string(chosen))
}

// failed makes an error of the exchange from one of the connection. limit is what a timeout has reached, if it was not the exchange's own.
func (c *conn) failed(op, limit string, err error, retry exchange.Retry) *exchange.Error {
	e := &exchange.Error{Source: exchange.Upstream, Kind: exchange.KindConnectionTerminated, Retry: retry, Op: op, Err: err}
	switch {
	case errors.Is(err, loop.ErrPeerGone):
		e.Source, e.Retry = exchange.Downstream, exchange.RetryNo
	case errors.Is(err, loop.ErrStopped):
		e.Source, e.Kind, e.Retry = exchange.Internal, exchange.KindProxyInternalError, exchange.RetryNo
	case loop.IsTimeout(err):
		e.Kind, e.Retry, e.Limit = exchange.KindHTTPResponseTimeout, exchange.RetryNo, c.x.Reached(limit)
	}
	return e
}

// dialError tells how a connection could not be opened. Nothing of the request has left.
func dialError(x *exchange.Exchange, err error) *exchange.Error {
	var e *exchange.Error
	if errors.As(err, &e) {
		return e
	}
	e = &exchange.Error{Source: exchange.Upstream, Kind: exchange.KindConnectionRefused, Retry: exchange.RetrySafe, Op: "connect", Err: err}
	var dns *net.DNSError
	switch {
	case loop.IsTimeout(err):
		e.Kind, e.Limit = exchange.KindConnectionTimeout, x.Reached("timeouts.connect")
	case errors.Is(err, loop.ErrPeerGone):
		e.Source, e.Kind, e.Retry = exchange.Downstream, exchange.KindConnectionTerminated, exchange.RetryNo
	case errors.As(err, &dns):
		e.Kind = exchange.KindDNSError
	case loop.IsExhausted(err):
		e.Source, e.Kind, e.Status = exchange.Internal, exchange.KindConnectionLimit, 503
	case errors.Is(err, loop.ErrStopped):
		e.Source, e.Kind, e.Retry = exchange.Internal, exchange.KindProxyInternalError, exchange.RetryNo
	}
	return e
}

// asError returns err as an exchange's error.
func asError(err error, op string) *exchange.Error {
	var e *exchange.Error
	if errors.As(err, &e) {
		return e
	}
	return &exchange.Error{Source: exchange.Internal, Kind: exchange.KindProxyInternalError, Op: op, Err: err}
}
