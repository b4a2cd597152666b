package h1

import (
	"io"

	"sluice/internal/buf"
	"sluice/internal/exchange"
	"sluice/internal/loop"
	wire "sluice/internal/wire/h1"
	"sluice/internal/wire/target"
)

// A conn is a client's connection. It belongs to the one task that serves it, and is small: there are as many as there are idle clients.
type conn struct {
	raw      loop.Conn
	server   *Server
	listener string
	gone     func()
	block    []byte // holds bytes that were read and not consumed, block[from:to]; nil while there are none
	from, to int
	count    int32  // exchanges so far
	since    uint32 // when it was accepted, in seconds of Driver.Now
	closed   bool   // nothing more is to be read or written
	busy     bool   // an exchange is under way
	tunnel   bool   // it is a tunnel
	ending   End    // why it ends, once that is known
}

// Serve implements loop.Handler: exchanges until the connection is quiet or has ended.
func (c *conn) Serve() {
	defer func() {
		if c.closed {
			c.release()
		}
	}()
	defer func() {
		if r := recover(); r != nil { // the driver logs it; the connection must not be left open, or counted, for ever
			c.raw.Reset()
			c.ending = EndFault
			if c.busy {
				c.server.counts[c.raw.Driver().ID()].exchanges.Add(-1)
			}
			c.close()
			panic(r) //style:allow panic it goes on to the driver, which recovers and logs it
		}
	}()
	for c.awaitRequest() {
		c.exchange()
	}
}

// awaitRequest returns true when the first byte of a request is at hand. If none has come the connection is quiet, or over.
func (c *conn) awaitRequest() bool {
	if c.closed {
		return false
	}
	if c.from < c.to {
		return true // pipelined (RFC 9112, section 9.3.2)
	}
	c.release()
	d := c.raw.Driver()
	c.raw.Quiet(true)
	n, err := 0, c.raw.Await()
	if err == nil {
		c.block = d.Buffers().Get(buf.Small)
		n, err = c.raw.Read(c.block)
	}
	if err == loop.ErrQuiet {
		c.release()
		return false
	}
	c.raw.Quiet(false)
	if err != nil {
		switch {
		case loop.IsTimeout(err):
			c.ending = EndTimeout
			c.server.settings().reached(d, c.waitLimit())
		case err == loop.ErrDraining, err == loop.ErrStopped:
			c.ending = EndDrain
		}
		c.close()
		return false
	}
	c.from, c.to = 0, n
	return true
}

// waitLimit is what bounds the wait for the first byte of a request.
func (c *conn) waitLimit() string {
	if c.count == 0 {
		return "limits.head_timeout"
	}
	return "limits.idle_timeout"
}

// release gives the block back.
func (c *conn) release() {
	if c.block != nil {
		c.raw.Driver().Buffers().Put(c.block)
		c.block, c.from, c.to = nil, 0, 0
	}
}

// close ends the connection. The block stays until Serve ends: an exchange that is broken off is logged after that, and its request lies there.
func (c *conn) close() {
	if !c.closed {
		c.closed = true
		c.server.counts[c.raw.Driver().ID()].ended[c.ending].Add(1)
		_ = c.raw.Close()
		if c.gone != nil {
			c.gone()
		}
	}
}

// exchange reads one request and has it answered.
func (c *conn) exchange() {
	d := c.raw.Driver()
	a := c.server.take(d)
	c.busy = true
	set := c.server.settings()
	c.count++
	a.sender = sender{conn: c, x: &a.x, settings: set}
	c.raw.WriteStall(set.SendTimeout)
	a.x.Begin(d, &a.sender)
	a.x.Notes.Began = d.Now()
	a.x.Client = exchange.Client{Peer: c.raw.Peer(), Conn: c.raw, Secure: set.HTTPS, Listener: c.listener}
	a.x.Client.Addr = a.x.Client.Peer.Addr()

	switch err := c.readRequest(a, set); {
	case err == nil:
		c.server.way.Exchange(&a.x)
	case err.Status != 0:
		a.x.Err = err
		a.sender.close = true
		c.server.way.Refuse(&a.x)
	default: // the client has gone, or was idle with half a head and no byte to answer
		c.close()
	}
	c.finish(a)
	c.busy = false
	c.server.give(d, a)
}

// finish leaves the connection ready for the next request, or closes it.
func (c *conn) finish(a *active) {
	if !c.closed {
		c.ending = a.ending()
	}
	switch {
	case c.closed || a.sender.upgraded:
	case !a.sender.done || a.sender.broken:
		c.raw.Reset() // the client must not take what it has for the whole
		c.close()
	case a.sender.head == nil || !a.content.skip():
		c.linger(a)
	case !a.sender.close:
		c.ending = EndClient // unless something else ends it later
		c.raw.ReadBy(c.raw.Driver().Now() + a.sender.settings.IdleTimeout)
	case c.raw.Alive():
		c.close() // all that the client has sent was read: closing resets nothing
	default:
		c.linger(a)
	}
	a.content.end()
}

// readRequest reads and checks the head. An Error without status means that there is nobody to answer.
func (c *conn) readRequest(a *active, set *Settings) *exchange.Error {
	c.raw.ReadBy(a.x.Notes.Began + set.HeadTimeout)
	err := c.readHead(a, set)
	a.x.Request.Method = a.head.Method // a refusal, too, goes by it
	if err != nil {
		return err
	}
	if err := fill(&a.x, &a.head); err != nil {
		return faulty(400, err)
	}
	a.sender.head = &a.head
	a.content.begin(c, a, set)
	if err := a.content.faultAtHand(); err != nil {
		return faulty(err.Status, err)
	}
	if framing := a.head.Framing(); framing.Kind != wire.FramedNone {
		a.x.Request.Content = &a.content
	}
	return nil
}

// readHead reads until the head is whole.
func (c *conn) readHead(a *active, set *Settings) *exchange.Error {
	scanned := 0
	for {
		received := c.block[c.from:c.to]
		if scanned == 0 || wire.HeadEnd(received, scanned) > 0 || len(received) >= set.Wire.HeadBytes {
			n, err := wire.ParseRequest(received, &set.Wire, &a.head, &a.x.Request.Fields)
			if err != nil {
				return faulty(err.Status, err)
			}
			if n > 0 {
				c.from += n
				a.x.Notes.HeadIn = n
				return nil
			}
		}
		scanned = max(len(received)-3, 0)
		if err := c.readMore(set); err != nil {
			if loop.IsTimeout(err) {
				e := faulty(408, err) // RFC 9110, section 15.5.9
				e.Kind, e.Limit = exchange.KindConnectionReadTimeout, "limits.head_timeout"
				return e
			}
			return &exchange.Error{Source: exchange.Downstream, Kind: exchange.KindConnectionTerminated, Op: "read request head", Err: err}
		}
	}
}

// readMore reads behind what is in the block, in a larger block if that one is full.
func (c *conn) readMore(set *Settings) error {
	if c.to == len(c.block) {
		pool := c.raw.Driver().Buffers()
		larger := pool.Get(max(2*(c.to-c.from), min(len(c.block)*4, set.Wire.HeadBytes)))
		c.to = copy(larger, c.block[c.from:c.to])
		c.from = 0
		pool.Put(c.block)
		c.block = larger
	}
	n, err := c.raw.Read(c.block[c.to:])
	c.to += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

func faulty(status int, err error) *exchange.Error {
	e := &exchange.Error{Source: exchange.Downstream, Kind: exchange.KindHTTPRequestError, Status: status, Op: "read request head", Err: err}
	if fault, ok := err.(*wire.SyntaxError); ok {
		e.Limit = fault.Limit
	}
	return e
}

// fill makes the request from its head: target in parts, path in normal form (RFC 9110, section 7.1; RFC 9112, section 3.3).
func fill(x *exchange.Exchange, h *wire.RequestHead) error {
	r := &x.Request
	r.Received = exchange.Received{Target: h.Target, Host: h.Host, Version: "HTTP/1.1"}
	if h.Minor == 0 {
		r.Received.Version = "HTTP/1.0"
	}
	r.Scheme = "http"
	if x.Client.Secure {
		r.Scheme = "https"
	}
	t, err := target.Parse(h.Method, h.Target)
	if err != nil {
		return err
	}
	authority := h.Host
	if t.Authority != nil { // it wins over Host (RFC 9112, section 3.2.2)
		authority = t.Authority
	}
	host, _, _ := target.CheckHost(authority)
	r.Authority = target.Lower(x.Scratch.Tail(len(authority)), authority)
	if len(authority) > 0 && &r.Authority[0] != &authority[0] {
		r.Authority = x.Scratch.Commit(r.Authority)
	}
	r.Host = trimDot(r.Authority[:len(host)])
	r.Query, r.HasQuery = t.Query, t.HasQuery
	r.ExpectContinue = h.ExpectContinue
	if h.Upgrade {
		r.Upgrade = r.Fields.Get(exchange.FieldUpgrade)
	}
	return fillPath(x, t)
}

func trimDot(host []byte) []byte {
	if n := len(host); n > 1 && host[n-1] == '.' {
		return host[:n-1]
	}
	return host
}

// fillPath sets the two forms of the path.
func fillPath(x *exchange.Exchange, t target.Target) error {
	r := &x.Request
	if t.Form == target.Authority || t.Form == target.Asterisk || len(t.Path) == 1 {
		r.Path, r.MatchPath = t.Path, t.Path
		return nil
	}
	room := x.Scratch.Tail(3 * len(t.Path)) // each byte becomes three at most
	path, err := target.Normalize(room, t.Path)
	if err != nil {
		return err
	}
	if cap(room) > 0 && len(path) > 0 && &path[0] == &room[:1][0] {
		path = x.Scratch.Commit(path)
	}
	r.Path = path
	room = x.Scratch.Tail(len(path))
	r.MatchPath = target.MergeSlashes(room, path)
	if len(r.MatchPath) != len(path) {
		r.MatchPath = x.Scratch.Commit(r.MatchPath)
	}
	return nil
}

// linger ends our direction and reads what the client still sends, within limits, so that the kernel does not answer it with a reset that would destroy
// our last words on their way (RFC 9112, section 9.6).
func (c *conn) linger(a *active) {
	set := a.sender.settings
	d := c.raw.Driver()
	if err := c.raw.CloseWrite(); err != nil {
		c.close()
		return
	}
	c.release()
	c.raw.ReadBy(d.Now() + set.LingerTimeout)
	for left := set.LingerBytes; left > 0; {
		if err := c.raw.Await(); err != nil {
			if loop.IsTimeout(err) {
				set.reached(d, "limits.linger_timeout")
			}
			break
		}
		block := d.Buffers().Get(buf.Medium)
		n, err := c.raw.Read(block)
		d.Buffers().Put(block)
		if err != nil {
			break
		}
		if left -= int64(n); left <= 0 {
			set.reached(d, "limits.linger")
		}
	}
	c.close()
}
