// Package h1 is HTTP/1.1 on the client's side (RFC 9112): from a connection to exchanges, and from responses to bytes.
//
// A conn serves one connection, one exchange after the other, in straight-line code over a loop.Conn. Between exchanges it is quiet and owns nothing but
// itself; what an exchange needs lies in an active, which is taken from a list when the first byte of a request is there. The message format is wire/h1's;
// routing, filters and forwarding are behind Way. The package knows no feature.
package h1

import (
	"time"

	"sluice/internal/buf"
	"sluice/internal/exchange"
	"sluice/internal/loop"
	wire "sluice/internal/wire/h1"
)

// A Way is what happens to an exchange between its request and its response: serve.Server.
type Way interface {
	// Exchange answers x through its Sender.
	Exchange(x *exchange.Exchange)
	// Refuse answers a request that is not valid: x.Err says why and Request may be incomplete. No filter sees it.
	Refuse(x *exchange.Exchange)
}

// Settings are the limits of connections. They do not change; a new snapshot brings new ones.
type Settings struct {
	Wire wire.Limits
	// HeadTimeout bounds the time from the first byte of a request, or from the accept, until its head is whole.
	HeadTimeout time.Duration
	// IdleTimeout bounds the time between two exchanges.
	IdleTimeout time.Duration
	// MinRate is the least number of bytes per second that a request's content must come at, and a response's be taken at; after MinRateAfter of waiting it is
	// enforced. 0 is no bound.
	MinRate      int64
	MinRateAfter time.Duration
	// SendTimeout bounds how long a client may take nothing of a response, and how far behind MinRate it may be with one.
	SendTimeout time.Duration
	// LingerTimeout and LingerBytes bound how long and how much is read and thrown away after a refusal, so that the client gets to read it
	// (RFC 9112, section 9.6).
	LingerTimeout time.Duration
	LingerBytes   int64
	// TunnelIdle bounds the time without a byte in either direction after an upgrade; 0 is no bound.
	TunnelIdle time.Duration
	// Exchanges is how many exchanges a connection may carry; 0 is no bound.
	Exchanges int
	// Reached counts, on the driver of that number, that the limit of that config key was reached outside of exchanges' errors; nil counts nothing.
	Reached func(driver int, limit string)
	// HTTPS says that the connection is encrypted.
	HTTPS bool
}

// reached counts that a limit was reached.
func (s *Settings) reached(d loop.Driver, limit string) {
	if s.Reached != nil {
		s.Reached(d.ID(), limit)
	}
}

// A Server makes handlers of connections.
type Server struct {
	way      Way
	settings func() *Settings
	actives  []buf.Free[active] // by driver
	counts   []counts           // by driver
}

// NewServer returns a server whose exchanges go the given way. settings is asked once per exchange; drivers is how many loops there are.
func NewServer(way Way, settings func() *Settings, drivers int) *Server {
	return &Server{way: way, settings: settings, actives: make([]buf.Free[active], max(drivers, 1)), counts: make([]counts, max(drivers, 1))}
}

// Handler returns who serves c, accepted on the listener of that name. It sets c's first deadline. gone is called when the connection has ended; it may be nil.
func (s *Server) Handler(c loop.Conn, listener string, gone func()) loop.Handler {
	h := &conn{raw: c, server: s, listener: listener, gone: gone, since: uint32(c.Driver().Now() / time.Second)}
	c.ReadBy(c.Driver().Now() + s.settings().HeadTimeout)
	return h
}

// An active is what a connection needs while an exchange is under way.
type active struct {
	x       exchange.Exchange
	head    wire.RequestHead
	content content
	sender  sender
}

func (s *Server) take(d loop.Driver) *active {
	s.counts[d.ID()].exchanges.Add(1)
	if a := s.actives[d.ID()].Get(d.Buffers()); a != nil {
		return a
	}
	return new(active)
}

func (s *Server) give(d loop.Driver, a *active) {
	s.counts[d.ID()].exchanges.Add(-1)
	a.x.Reset()
	s.actives[d.ID()].Put(d.Buffers(), a)
}

// Busy returns a handler for a connection that there is no room for: it answers 503 (RFC 9110, section 15.6.4) to whatever is asked, or after a second to nobody's
// question, and closes. gone is called at the end.
func Busy(c loop.Conn, gone func()) loop.Handler {
	c.ReadBy(c.Driver().Now() + busyTimeout)
	return busy{c, gone}
}

// busyTimeout bounds how long a connection that is turned away is kept, once before its answer and once after it.
const busyTimeout = time.Second

const busyResponse = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

// busy is the handler of a connection that is turned away.
type busy struct {
	raw  loop.Conn
	gone func()
}

// Serve implements loop.Handler. After the answer it reads what still comes, so that closing does not reset the connection before the answer was read.
func (b busy) Serve() {
	defer b.gone()
	defer b.raw.Close()
	d := b.raw.Driver()
	b.raw.Quiet(false)
	b.raw.WriteBy(d.Now() + busyTimeout)
	if _, err := b.raw.Write([]byte(busyResponse)); err != nil || b.raw.CloseWrite() != nil {
		return
	}
	b.raw.ReadBy(d.Now() + busyTimeout)
	block := d.Buffers().Get(buf.Small)
	defer d.Buffers().Put(block)
	for err := error(nil); err == nil; {
		_, err = b.raw.Read(block)
	}
}
