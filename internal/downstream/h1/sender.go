package h1

import (
	"errors"
	"io"
	"time"

	"sluice/internal/buf"
	"sluice/internal/exchange"
	"sluice/internal/loop"
	wire "sluice/internal/wire/h1"
)

// joinBytes is how much content is copied behind the head, so that both leave in one plain send; above it two pieces leave in one gathering send.
const joinBytes = 2 << 10

// spliceMax is how much content is moved within the kernel at once: as much as a pipe of a loop holds.
const spliceMax = 512 << 10

// A sender answers one exchange on its connection.
type sender struct {
	conn     *conn
	x        *exchange.Exchange
	settings *Settings
	head     *wire.RequestHead // nil until the request has been read whole
	behind   time.Duration     // time that the client has taken for what it got, less what MinRate grants for that; 0 at least
	out      []byte            // block that a head or a chunk's frame is written in
	close    bool              // the connection ends after the response
	done     bool              // the final response has been sent whole
	broken   bool              // part of a response was sent and the rest never will be
	upgraded bool              // the connection is a tunnel's and no longer ours
}

var _ exchange.Sender = (*sender)(nil)

// SendInterim implements exchange.Sender. HTTP/1.0 clients know no interim responses (RFC 9110, section 15.2).
func (s *sender) SendInterim(status int, f *exchange.Fields) error {
	r := &s.x.Request
	if s.head == nil || s.head.Minor == 0 || status == 100 && !r.ExpectContinue || status != 100 && !r.EarlyHints {
		return nil
	}
	if status == 100 {
		r.ExpectContinue = false
		if b, ok := r.Content.(*content); ok {
			b.Continued()
		}
	}
	s.take()
	defer s.give()
	s.out = wire.AppendInterim(s.out[:0], status, f)
	return s.write(s.out, nil)
}

// SendFinal implements exchange.Sender.
func (s *sender) SendFinal(r *exchange.Response) error {
	s.take()
	defer s.give()
	framing, sends := s.frame(r)
	s.persist(framing)
	s.out = wire.AppendResponseHead(s.out[:0], r, framing, wire.Options{Close: s.close, KeepAlive: !s.close && s.head.Minor == 0})
	s.x.Notes.HeadOut = len(s.out)
	if b, ok := s.x.Request.Content.(*content); ok {
		b.FullDuplex()
	}
	s.broken = true
	err := s.sendContent(r, framing, sends)
	if err == nil {
		s.done, s.broken = true, false
	}
	return err
}

// frame says how the response's body is framed, and whether there is one to send (RFC 9112, section 6.3).
func (s *sender) frame(r *exchange.Response) (framing wire.Framing, sends bool) {
	if r.Status == 204 || r.Status < 200 {
		return wire.Framing{Kind: wire.FramedNone}, false
	}
	if s.x.Request.Method == "HEAD" || r.Status == 304 {
		return statedLength(r), false
	}
	if r.Content == nil {
		return wire.Framing{Kind: wire.FramedLength}, false
	}
	if n := r.Content.Length(); n >= 0 {
		return wire.Framing{Kind: wire.FramedLength, Length: n}, true
	}
	if s.head != nil && s.head.Minor > 0 {
		return wire.Framing{Kind: wire.FramedChunked}, true
	}
	return wire.Framing{Kind: wire.FramedClose}, true
}

// statedLength is the length that a response without content states of the content that it stands for (RFC 9110, section 8.6).
func statedLength(r *exchange.Response) wire.Framing {
	if r.Content != nil {
		if n := r.Content.Length(); n >= 0 {
			return wire.Framing{Kind: wire.FramedLength, Length: n}
		}
	}
	if n, ok := wire.ResponseContentLength(r.Fields.Get(exchange.FieldContentLength)); ok {
		return wire.Framing{Kind: wire.FramedLength, Length: n}
	}
	return wire.Framing{Kind: wire.FramedNone}
}

// persist decides whether the connection stays open after this response (RFC 9112, section 9.3).
func (s *sender) persist(framing wire.Framing) {
	c := s.conn
	switch {
	case s.head == nil || !s.head.Persistent(), framing.Kind == wire.FramedClose, c.raw.Driver().Draining():
		s.close = true
	case s.settings.Exchanges > 0 && int(c.count) >= s.settings.Exchanges:
		s.settings.reached(c.raw.Driver(), "limits.requests")
		s.close = true
	case s.x.Request.Method == "CONNECT":
		// There is no tunnel, and what the client may have sent into one already must not be taken for requests (RFC 9931, section 8).
		s.close = true
	default:
		// What a client has not sent yet, it may never send: it could not tell the next request from the rest of this one's content.
		if b, ok := s.x.Request.Content.(*content); ok && !s.close {
			s.close = s.x.Response.Origin && !b.ended.Load() || !s.x.Response.Origin && !b.skip()
		}
	}
}

// sendContent sends the head, which is in s.out, and the content.
func (s *sender) sendContent(r *exchange.Response, framing wire.Framing, sends bool) error {
	if !sends {
		return s.write(s.out, nil)
	}
	if framing.Kind == wire.FramedChunked {
		return s.sendChunked(r)
	}
	head := s.out
	if b, ok := r.Content.(exchange.Buffered); ok {
		if piece, _ := b.AtHand(); len(piece) == 0 { // the origin's bytes may be long in coming: the head shall not wait for them
			if err := s.write(head, nil); err != nil {
				return err
			}
			head = nil
		}
	}
	for {
		piece, err := r.Content.Next()
		if err == io.EOF {
			return s.write(head, nil)
		}
		if err != nil {
			return err
		}
		s.x.Notes.ContentOut += int64(len(piece))
		if len(head) > 0 && len(piece) <= joinBytes {
			head, piece = append(head, piece...), nil
		}
		if err := s.write(head, piece); err != nil {
			return err
		}
		head = nil
		if err := s.splice(r); err != nil {
			return err
		}
	}
}

// splice has the kernel move the rest of a content that is long and comes straight from a socket. It does nothing where that can't be.
func (s *sender) splice(r *exchange.Response) error {
	source, ok := r.Content.(exchange.Spliced)
	if !ok {
		return nil
	}
	c := s.conn.raw
	from, left := source.Rest()
	if left < exchange.SpliceBytes {
		return nil
	}
	for from != nil && left > 0 {
		began := c.Driver().Now()
		n := min(left, spliceMax)
		c.WriteBy(s.sendBy(began, n))
		moved, fromSource, err := c.Splice(from, n)
		if errors.Is(err, errors.ErrUnsupported) {
			return nil
		}
		if moved > 0 { // else it was the origin that was waited for
			s.sent(began, moved)
		}
		s.x.Notes.ContentOut += moved
		if err != nil && !fromSource {
			_ = source.Moved(moved, nil)
			return s.gone(err)
		}
		if err := source.Moved(moved, err); err != nil {
			return err
		}
		from, left = source.Rest()
	}
	return nil
}

// sendChunked sends content whose length is not known (RFC 9112, section 7.1).
func (s *sender) sendChunked(r *exchange.Response) error {
	buffered, _ := r.Content.(exchange.Buffered)
	for {
		last := false
		if buffered != nil {
			var b []byte
			if b, last = buffered.AtHand(); len(b) == 0 && !last && len(s.out) > 0 { // nothing to go with what we have
				if err := s.flush(nil); err != nil {
					return err
				}
			}
		}
		piece, err := r.Content.Next()
		if err == io.EOF {
			s.out = wire.AppendLastChunk(s.out, &r.Trailers)
			return s.flush(nil)
		}
		if err != nil {
			return err
		}
		s.out = wire.AppendChunkStart(s.out, len(piece))
		s.x.Notes.ContentOut += int64(len(piece))
		if len(piece) <= joinBytes {
			s.out = append(s.out, piece...)
			piece = nil
		}
		if len(s.out) > buf.Small-joinBytes || len(piece) > 0 || buffered == nil {
			if err := s.flush(piece); err != nil {
				return err
			}
		}
		s.out = append(s.out, "\r\n"...)
	}
}

// flush writes what was gathered, and piece behind it.
func (s *sender) flush(piece []byte) error {
	err := s.write(s.out, piece)
	s.out = s.out[:0]
	return err
}

func (s *sender) write(a, b []byte) error {
	if len(a)+len(b) == 0 {
		return nil
	}
	c := s.conn.raw
	began := c.Driver().Now()
	c.WriteBy(s.sendBy(began, int64(len(a)+len(b))))
	n, err := c.Writev(a, b)
	if err != nil {
		return s.gone(err)
	}
	s.sent(began, n)
	return nil
}

// sendBy returns until when n bytes must have been taken by the client. That it takes something at all is WriteStall's matter; this is for one that takes it drop
// by drop: taking more time than MinRate grants uses up SendTimeout, and bytes that are taken faster give it back. So a client that keeps to the rate is never
// broken off, whatever the pieces are, and none holds an origin for long.
func (s *sender) sendBy(now time.Duration, n int64) time.Duration {
	set := s.settings
	if set.SendTimeout == 0 || set.MinRate == 0 {
		return s.x.Deadline
	}
	return s.x.By(now + set.SendTimeout - s.behind + set.granted(n))
}

// sent counts n bytes that the client has taken since began.
func (s *sender) sent(began time.Duration, n int64) {
	if took := s.conn.raw.Driver().Now() - began; s.settings.MinRate > 0 && s.behind+took > 0 {
		s.behind = max(0, s.behind+took-s.settings.granted(n))
	}
}

// granted is the time that n bytes may take at MinRate.
func (s *Settings) granted(n int64) time.Duration {
	return time.Duration(n * int64(time.Second) / s.MinRate)
}

// gone says that the client did not take what we sent.
func (s *sender) gone(err error) error {
	e := &exchange.Error{Source: exchange.Downstream, Kind: exchange.KindConnectionTerminated, Op: "send response", Err: err}
	if loop.IsTimeout(err) {
		e.Kind, e.Limit = exchange.KindConnectionWriteTimeout, s.x.Reached("limits.send_timeout")
	}
	return e
}

// Upgrade implements exchange.Sender (RFC 9110, section 7.8).
func (s *sender) Upgrade(r *exchange.Response) (exchange.Stream, error) {
	s.take()
	defer s.give()
	s.out = wire.AppendResponseHead(s.out[:0], r, wire.Framing{Kind: wire.FramedNone}, wire.Options{Upgrade: r.Fields.Get(exchange.FieldUpgrade)})
	s.broken = true
	if err := s.write(s.out, nil); err != nil {
		return nil, err
	}
	c := s.conn
	s.done, s.broken, s.upgraded = true, false, true
	c.closed, c.tunnel = true, true // for us; the stream closes it
	stream := loop.NewStream(c.raw, c.block[c.from:c.to], s.settings.TunnelIdle)
	tunnels := &c.server.counts[c.raw.Driver().ID()].tunnels
	tunnels.Add(1)
	stream.EndWith(func() {
		tunnels.Add(-1)
		c.closed, c.tunnel, c.ending = false, false, EndTunnel
		c.close()
	})
	return stream, nil
}

// Abort implements exchange.Sender.
func (s *sender) Abort(*exchange.Error) {
	s.broken = true
	s.conn.raw.Reset()
	s.conn.ending = EndAborted
	s.conn.close()
}

// take gets the block for heads and frames; give returns it.
func (s *sender) take() {
	if s.out == nil {
		s.out = s.conn.raw.Driver().Buffers().Get(buf.Small)[:0]
	}
}

func (s *sender) give() {
	if s.out != nil {
		s.conn.raw.Driver().Buffers().Put(s.out)
		s.out = nil
	}
}
