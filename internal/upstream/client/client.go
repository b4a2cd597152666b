// Package client is how an exchange gets its response from one endpoint over HTTP/1.1: idle connections, one round trip, the content of the answer.
//
// forward calls H1.RoundTrip for each attempt. The client writes the request anew from its parsed form, relays interim responses, and leaves a
// Response whose Content reads from the connection; when that content has ended in order, the connection is idle again. Idle connections belong to the
// loop that opened them and end as soon as the origin says or closes anything. Retries and the choice of the endpoint are forward's.
package client

import (
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/buf"
	"sluice/internal/exchange"
	"sluice/internal/loop"
	wire "sluice/internal/wire/h1"
)

// A Dialer opens connections to one endpoint.
type Dialer interface {
	// Dial connects by an instant of the driver's clock, for a client whose reset ends it (loop.ErrPeerGone); that may be nil. It runs in a task and may wait.
	Dial(d loop.Driver, by time.Duration, client loop.Conn) (loop.Conn, error)
}

// Timeouts bound how long an endpoint may take. 0 is no bound.
type Timeouts struct {
	Connect  time.Duration // until a connection is open, with the wait for a free slot
	Response time.Duration // from the end of the request until the head of the final response is whole
	Idle     time.Duration // until the next bytes of a response's content
}

// Rules is what forward does to the parts of messages that only the client sees pass. Its methods must not wait.
type Rules interface {
	// Interim makes the fields of an interim response what the client may see.
	Interim(x *exchange.Exchange, f *exchange.Fields)
	// RequestTrailers and ResponseTrailers make the trailer section of a message what its recipient may see, once all of it has come.
	RequestTrailers(x *exchange.Exchange)
	ResponseTrailers(x *exchange.Exchange)
}

// An Order says how one attempt is to be made.
type Order struct {
	Host     []byte // the Host that the endpoint gets
	Fresh    bool   // over a new connection: an idle one has failed just before
	Timeouts Timeouts
	Rules    Rules
}

// Settings are the limits of the connections to an endpoint. They do not change; a reload brings others.
type Settings struct {
	Wire wire.Limits
	// SendTimeout bounds how long an origin may take nothing of a request.
	SendTimeout time.Duration
	// IdleTimeout bounds how long a connection is kept unused; IdleMax how many are kept for each loop. 0 keeps none.
	IdleTimeout time.Duration
	IdleMax     int
	// Connections bounds the open connections, all loops together; 0 is no bound.
	Connections int
	// TunnelIdle bounds the time without a byte in either direction after an upgrade; 0 is no bound.
	TunnelIdle time.Duration
}

// An H1 speaks HTTP/1.1 to one endpoint.
type H1 struct {
	dialer   Dialer
	settings atomic.Pointer[Settings]
	shards   []shard
	waited   atomic.Int64 // exchanges that had to wait for a connection
	slots    slots
}

// A shard is the idle connections of one loop.
type shard struct {
	mu   sync.Mutex // taken by others only on Goroutines, and to look whether there is one to close
	head *conn      // guarded by mu; the one used last
	n    int        // guarded by mu
	loop loop.Driver

	contents buf.Free[content] // not in use
	_        [64]byte
}

// New returns a client for the endpoint that dialer connects to; drivers is how many loops there are.
func New(dialer Dialer, s *Settings, drivers int) *H1 {
	h := &H1{dialer: dialer, shards: make([]shard, max(drivers, 1))}
	h.Apply(s)
	return h
}

// Apply takes over new settings, for exchanges that begin from now on. Connections stay, but idle ones if there are more than there may be now.
func (h *H1) Apply(s *Settings) {
	h.settings.Store(s)
	h.slots.setLimit(s.Connections)
	if h.tooMany(s) {
		h.closeIdle()
	}
}

// tooMany reports whether there are more connections than there may be now, or idle ones although there may be none.
func (h *H1) tooMany(s *Settings) bool {
	return s.IdleMax == 0 || s.Connections > 0 && h.slots.open.Load() > int64(s.Connections)
}

// Open is how many connections are open, idle ones too.
func (h *H1) Open() int64 { return h.slots.open.Load() }

// Waited is how often an exchange had to wait, because as many connections were open as there may be.
func (h *H1) Waited() int64 { return h.waited.Load() }

// Waiting is how many exchanges wait for a connection now.
func (h *H1) Waiting() int64 { return h.slots.queue.Load() }

// Idle is how many connections are idle.
func (h *H1) Idle() (n int) {
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.Lock()
		n += s.n
		s.mu.Unlock()
	}
	return n
}

// take returns a live idle connection of the driver's, or nil.
func (h *H1) take(d loop.Driver) *conn {
	s := &h.shards[d.ID()]
	for {
		s.mu.Lock()
		c := s.head
		if c == nil {
			s.mu.Unlock()
			return nil
		}
		s.unlink(c)
		s.mu.Unlock()
		c.raw.Quiet(false)
		if c.raw.Alive() {
			return c
		}
		c.close()
	}
}

// keep makes c idle, or closes it if there are enough.
func (h *H1) keep(c *conn) {
	set := h.settings.Load()
	d := c.raw.Driver()
	if h.tooMany(set) || d.Draining() {
		c.close()
		return
	}
	if h.slots.queue.Load() > 0 {
		given, wanted := h.slots.handOver(c)
		if wanted && !given {
			c.close() // its slot goes to the first waiter, who is of another loop
		}
		if wanted {
			return
		}
	}
	c.raw.Watch(nil)
	c.raw.ReadBy(d.Now() + set.IdleTimeout)
	c.raw.WriteBy(0)
	c.raw.Quiet(true)
	s := &h.shards[d.ID()]
	s.mu.Lock()
	full := s.n >= set.IdleMax
	if !full {
		s.loop = d
		c.next = s.head
		if s.head != nil {
			s.head.prev = c
		}
		s.head = c
		s.n++
		c.idle = true
	}
	s.mu.Unlock()
	if full {
		c.close()
		return
	}
	if h.slots.queue.Load() > 0 {
		h.reclaim() // somebody came to wait while this one was on its way
	}
}

// unlink takes c out of the list. The caller must hold s.mu.
func (s *shard) unlink(c *conn) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		s.head = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.next, c.prev, c.idle = nil, nil, false
	s.n--
}

// Retire ends the client: the endpoint has left the config. Idle connections are closed, and those in use are after their exchange.
func (h *H1) Retire() {
	set := *h.settings.Load()
	set.IdleMax = 0
	h.Apply(&set)
}

// closeIdle closes idle connections on all loops, as long as there are too many.
func (h *H1) closeIdle() {
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.Lock()
		d := s.loop
		s.mu.Unlock()
		if d != nil {
			loop.Run(d, func() {
				for h.tooMany(h.settings.Load()) {
					c := h.take(d)
					if c == nil {
						return
					}
					c.close()
				}
			})
		}
	}
}

// connect returns a connection for one exchange: an idle one, or a new one if none is alive or the order wants it. reused tells which.
func (h *H1) connect(x *exchange.Exchange, o *Order) (c *conn, reused bool, err *exchange.Error) {
	d := x.Driver
	by := x.By(after(d.Now(), o.Timeouts.Connect))
	if !o.Fresh && h.slots.queue.Load() == 0 {
		if c := h.take(d); c != nil {
			return c, true, nil
		}
	}
	c, err = h.slot(x, by)
	if err != nil {
		return nil, false, err
	}
	if c != nil {
		if !o.Fresh && c.raw.Alive() {
			return c, true, nil
		}
		c.replaced = true // another one will be opened in its slot
		c.close()
	}
	raw, dialErr := h.dialer.Dial(d, by, x.Client.Conn)
	if dialErr != nil {
		h.slots.release()
		return nil, false, dialError(x, dialErr)
	}
	return newConn(h, raw), false, nil
}

// after returns the instant that is so long after now; 0, which is never, for a timeout of 0.
func after(now, timeout time.Duration) time.Duration {
	if timeout == 0 {
		return 0
	}
	return now + timeout
}
