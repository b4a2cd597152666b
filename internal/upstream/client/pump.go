package client

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

// A pump sends the content of a request that was not at hand with its head, in a second task, while the first one reads the response: an origin may answer before
// the request has ended, and both sides may talk at once.
type pump struct {
	conn    *conn
	task    func() // run, bound once
	source  exchange.Content
	framing wire.Framing
	skip    int         // bytes of the first piece that went with the head
	left    int64       // of FramedLength: bytes that send has not seen
	taken   bool        // content was consumed: the request can't be sent again
	active  bool        // the task was started and has not been joined
	none    bool        // there is no content
	whole   bool        // all of the content went with the head; it is consumed when the response begins
	held    atomic.Bool // the client waits for 100 (Continue), and nothing of the content has come
	begun   atomic.Bool // the response has: from now on it goes on also if the request fails
	last    atomic.Bool // the last bytes are being written, or have been
	ended   atomic.Bool
	cut     atomic.Bool                    // the origin did not take all of it: the connection is of no further use. Set before ended
	failed  atomic.Pointer[exchange.Error] // set before ended
	done    *loop.Signal                   // notified at the end of the task
}

// A stopper is content whose Next, waiting in another task, can be ended.
type stopper interface{ Stop() }

func (p *pump) begin(f wire.Framing) {
	p.source, p.framing = p.conn.x.Request.Content, f
	p.skip, p.taken, p.active, p.whole = 0, false, false, false
	p.left = f.Length
	p.none = p.source == nil
	if p.none {
		return // the rest is as a request that ended in order left it, or there would be no other on this connection
	}
	p.begun.Store(false)
	p.last.Store(false)
	p.ended.Store(false)
	p.cut.Store(false)
	p.failed.Store(nil)
}

// atHand returns content that goes with the head. It is not consumed yet, so that the request can be sent again. whole says that there is no more.
func (p *pump) atHand() (piece []byte, whole bool) {
	if p.source == nil {
		return nil, true
	}
	if b, ok := p.source.(exchange.Buffered); ok && p.framing.Kind == wire.FramedLength {
		piece, whole = b.AtHand()
	}
	p.whole = whole
	p.ended.Store(whole)
	return piece, whole
}

// start sends the rest in a second task. skip bytes of the first piece have been sent.
func (p *pump) start(skip int) {
	d := p.conn.raw.Driver()
	if p.done == nil {
		p.done = d.NewSignal()
	}
	p.skip, p.taken, p.active = skip, true, true
	p.held.Store(p.conn.x.Request.ExpectContinue && skip == 0)
	d.Go(p.task)
}

// run is the second task.
func (p *pump) run() {
	failed := &exchange.Error{Source: exchange.Internal, Kind: exchange.KindProxyInternalError, Op: "send request content"} // stays if send panics
	defer func() {
		if failed != nil {
			p.failed.Store(failed)
			if !p.begun.Load() {
				p.conn.raw.ReadBy(1) // the first task waits for a response that will not come
			}
		}
		p.ended.Store(true)
		p.done.Notify()
	}()
	failed = p.send()
}

// send copies until the content has ended.
func (p *pump) send() *exchange.Error {
	c := p.conn
	d := c.raw.Driver()
	out := d.Buffers().Get(buf.Small)
	defer d.Buffers().Put(out)
	frame := out[:0]
	for {
		piece, err := p.source.Next()
		if err == io.EOF {
			return p.end(frame)
		}
		if err != nil {
			return asError(err, "read request content")
		}
		if p.held.Swap(false) && !p.begun.Load() {
			c.raw.ReadBy(c.x.Deadline) // the client has not waited: now the origin may take its time
		}
		if p.left -= int64(len(piece)); p.left == 0 && p.framing.Kind == wire.FramedLength {
			p.last.Store(true)
		}
		piece, p.skip = piece[p.skip:], 0
		if p.framing.Kind == wire.FramedChunked {
			frame = wire.AppendChunkStart(frame, len(piece))
		}
		c.raw.WriteBy(c.sendBy())
		if _, err := c.raw.Writev(frame, piece); err != nil {
			return p.unsent(err)
		}
		if over, err := p.splice(); over || err != nil {
			return err
		}
		if p.framing.Kind == wire.FramedChunked {
			frame = append(out[:0], "\r\n"...) // the end of the chunk goes with what follows
		}
	}
}

// splice has the kernel move the rest of a content that is long and comes straight from a socket. It does nothing where that can't be. over says that nothing
// further can be sent: what was on its way when the write failed is lost.
func (p *pump) splice() (over bool, err *exchange.Error) {
	source, ok := p.source.(exchange.Spliced)
	if !ok {
		return false, nil
	}
	from, left := source.Rest()
	if left < exchange.SpliceBytes {
		return false, nil
	}
	for from != nil && left > 0 {
		p.conn.raw.WriteBy(p.conn.sendBy())
		moved, fromSource, err := p.conn.raw.Splice(from, left)
		if errors.Is(err, errors.ErrUnsupported) {
			return false, nil
		}
		if err != nil && !fromSource {
			return true, p.unsent(err)
		}
		if err := source.Moved(moved, err); err != nil {
			return true, asError(err, "read request content")
		}
		from, left = source.Rest()
	}
	return false, nil
}

// end writes what closes a chunked body, with the trailers of the request. From now on the response has its deadline.
func (p *pump) end(frame []byte) *exchange.Error {
	c := p.conn
	if p.framing.Kind == wire.FramedChunked {
		c.rules.RequestTrailers(c.x)
		c.raw.WriteBy(c.sendBy())
		p.last.Store(true)
		if _, err := c.raw.Write(wire.AppendLastChunk(frame, &c.x.Request.Trailers)); err != nil {
			return p.unsent(err)
		}
	}
	p.expect()
	return nil
}

// expect gives the response its deadline, if it has not begun.
func (p *pump) expect() {
	if c := p.conn; !p.begun.Load() {
		c.raw.ReadBy(c.x.By(after(c.raw.Driver().Now(), c.timeouts.Response)))
	}
}

// unsent is about the origin not taking the content. That it closed the connection is no error of the exchange: it may have answered before. From now on its
// response has its deadline.
func (p *pump) unsent(err error) *exchange.Error {
	c := p.conn
	p.cut.Store(true)
	if loop.IsTimeout(err) || errors.Is(err, loop.ErrStopped) { // when the loop stops, the other task may have ended the exchange already
		return c.failed("send request content", "limits.send_timeout", err, exchange.RetryNo)
	}
	p.expect()
	return nil
}

// answered consumes content that went with the head: the response has begun, so it will not be sent again.
func (p *pump) answered() {
	if p.none {
		return
	}
	p.begun.Store(true)
	if p.whole && p.source != nil {
		for err := error(nil); err == nil; {
			_, err = p.source.Next()
		}
		p.source = nil
	}
}

// settleTime is how long an origin's response waits for the end of the task that has sent the last bytes of the request.
const settleTime = 10 * time.Millisecond

// settle gives the second task a moment to end, if its last bytes are on their way: an origin can answer them before the task knows that they have left.
func (p *pump) settle() {
	if !p.active || !p.last.Load() {
		return
	}
	d := p.conn.raw.Driver()
	for by := d.Now() + settleTime; !p.ended.Load() && d.Now() < by; {
		_ = p.done.Wait(by)
	}
}

// finished reports whether nothing of the request is left to be sent.
func (p *pump) finished() bool { return p.none || p.ended.Load() && p.failed.Load() == nil }

// replayable reports whether the request could be sent again.
func (p *pump) replayable() bool { return !p.taken }

// failure is why the request could not be sent, if it was the client's fault.
func (p *pump) failure() *exchange.Error {
	if p.none {
		return nil
	}
	return p.failed.Load()
}

// join ends the second task, if there is one.
func (p *pump) join() {
	if !p.active {
		return
	}
	p.active = false
	if !p.ended.Load() {
		if s, ok := p.source.(stopper); ok {
			s.Stop()
		}
		p.conn.raw.WriteBy(1)
	}
	for !p.ended.Load() {
		if p.done.Wait(0) != nil {
			return // the loop stops, and the other task with it
		}
	}
	p.source = nil
}
