package client

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/exchange"
	"sluice/internal/loop"
)

// queueMax is how many exchanges may wait for a connection of one endpoint.
const queueMax = 1024

// slots are the connections that an endpoint may have, and the queue of those who wait for one. First come, first served: nobody takes a slot or an idle
// connection while others wait.
//
// open counts connections in use, idle ones and grants. A grant is a slot that was given to a waiter and that he has not used yet; he is off the list by then.
type slots struct {
	open  atomic.Int64 // changed under mu
	queue atomic.Int64 // length of list, for a look without the lock

	mu    sync.Mutex
	limit int       // 0: none; nobody waits then. Guarded by mu
	list  []*waiter // guarded by mu
}

// setLimit changes the limit: who waits gets what there is more.
func (s *slots) setLimit(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = n
	s.grantLocked()
}

// freeLocked reports whether one more connection may be opened. The caller must hold s.mu.
func (s *slots) freeLocked() bool { return s.limit == 0 || s.open.Load() < int64(s.limit) }

// grantLocked gives free slots to those who wait. The caller must hold s.mu.
func (s *slots) grantLocked() {
	for len(s.list) > 0 && s.freeLocked() {
		w := s.popLocked()
		s.open.Add(1)
		w.granted = true
		w.signal.Notify()
	}
}

// A waiter is one task that waits. What it gets is guarded by slots.mu until its signal was notified.
type waiter struct {
	signal  *loop.Signal
	driver  loop.Driver
	granted bool  // it may open a connection,
	conn    *conn // or use this one, which is of its own driver
}

// reserve counts one more connection. If that is one too many, or others wait already, it puts a waiter at the end of the queue; nil and false say that the queue is full.
func (s *slots) reserve(d loop.Driver) (w *waiter, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) == 0 && s.freeLocked() {
		s.open.Add(1)
		return nil, true
	}
	if len(s.list) >= queueMax {
		return nil, false
	}
	w = &waiter{signal: d.NewSignal(), driver: d}
	s.list = append(s.list, w)
	s.queue.Store(int64(len(s.list)))
	return w, false
}

// release takes back the slot of a connection that was closed, or of a grant that was not used: the first waiter gets it.
func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open.Add(-1)
	s.grantLocked()
}

// handOver gives a connection, whose exchange is over, to the first waiter if he is of its driver. wanted reports whether anybody waits.
func (s *slots) handOver(c *conn) (given, wanted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) == 0 {
		return false, false
	}
	if s.list[0].driver != c.raw.Driver() {
		return false, true
	}
	w := s.popLocked()
	w.conn = c
	w.signal.Notify()
	return true, true
}

// popLocked takes the first waiter off the list, which is not empty. The caller must hold s.mu.
func (s *slots) popLocked() *waiter {
	w := s.list[0]
	s.list = slices.Delete(s.list, 0, 1)
	s.queue.Store(int64(len(s.list)))
	return w
}

// leave takes a waiter off the list who has waited in vain. It reports whether he was given something meanwhile.
func (s *slots) leave(w *waiter) (given bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.list, w); i >= 0 {
		s.list = slices.Delete(s.list, i, i+1)
		s.queue.Store(int64(len(s.list)))
	}
	return w.granted || w.conn != nil
}

// slot returns the right to open a connection, or a connection that is handed over; it waits for one of the two, as long as the client does.
func (h *H1) slot(x *exchange.Exchange, by time.Duration) (*conn, *exchange.Error) {
	w, ok := h.slots.reserve(x.Driver)
	if ok {
		return nil, nil
	}
	e := &exchange.Error{Source: exchange.Upstream, Kind: exchange.KindConnectionLimit, Retry: exchange.RetrySafe, Op: "wait for a free connection"}
	if w == nil {
		e.Limit = "pools.max_connections"
		return nil, e
	}
	h.waited.Add(1)
	h.reclaim()
	err := w.signal.WaitFor(x.Client.Conn, by)
	if err == nil {
		return w.conn, nil
	}
	given, gone := h.slots.leave(w), errors.Is(err, loop.ErrPeerGone)
	if given && !gone {
		return w.conn, nil
	}
	if given {
		h.giveOn(w)
	}
	e.Err = err
	switch {
	case gone:
		e.Source, e.Kind, e.Retry = exchange.Downstream, exchange.KindConnectionTerminated, exchange.RetryNo
	case loop.IsTimeout(err):
		e.Limit = "pools.max_connections"
	}
	return nil, e
}

// giveOn gives what w was given, and has no use for, to the next.
func (h *H1) giveOn(w *waiter) {
	if w.conn != nil {
		h.keep(w.conn)
		return
	}
	h.slots.release()
}

// reclaim closes an idle connection for somebody who waits: connections can't change loops, and one of his own may have become idle just before he was on the list.
func (h *H1) reclaim() {
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.Lock()
		owner, n := s.loop, s.n
		s.mu.Unlock()
		if n > 0 {
			loop.Run(owner, func() {
				if c := h.take(owner); c != nil {
					c.close()
				}
			})
			return
		}
	}
}
