package client

import (
	"sync"
	"time"

	"sluice/internal/exchange"
	"sluice/internal/loop"
)

// waiters are the tasks that wait for a connection of an endpoint that has as many as it may have. First come, first served.
type waiters struct {
	mu   sync.Mutex
	list []waiter // guarded by mu
}

// waiter is one of them.
type waiter struct {
	signal *loop.Signal
	driver loop.Driver
}

func (w *waiters) empty() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.list) == 0
}

// elsewhere reports whether the first waiter is of another driver: it can't use a connection of d.
func (w *waiters) elsewhere(d loop.Driver) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.list) > 0 && w.list[0].driver != d
}

func (w *waiters) add(x waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, x)
}

func (w *waiters) remove(s *loop.Signal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.list {
		if w.list[i].signal == s {
			w.list = append(w.list[:i], w.list[i+1:]...)
			return
		}
	}
}

// notify wakes the first waiter, which takes itself out.
func (w *waiters) notify() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.list) > 0 {
		w.list[0].signal.Notify()
	}
}

// reserve counts one more connection, if the limit allows it.
func (h *H1) reserve(set *Settings) bool {
	if n := h.open.Add(1); set.Connections > 0 && n > int64(set.Connections) {
		h.open.Add(-1)
		return false
	}
	return true
}

// full reports whether no further connection may be opened.
func (h *H1) full(set *Settings) bool {
	return set.Connections > 0 && h.open.Load() >= int64(set.Connections)
}

// release counts one connection less.
func (h *H1) release() {
	h.open.Add(-1)
	h.waiters.notify()
}

// waitForSlot waits until a connection has been closed or become idle. If another loop has an idle one, that one is closed: connections can't change loops.
func (h *H1) waitForSlot(d loop.Driver, by time.Duration) *exchange.Error {
	signal := d.NewSignal()
	h.waiters.add(waiter{signal, d})
	defer func() {
		h.waiters.remove(signal)
		h.waiters.notify() // there may be more than one slot
	}()
	h.waited.Add(1)
	h.reclaim(d)
	err := signal.Wait(by)
	if err == nil {
		return nil
	}
	e := &exchange.Error{Source: exchange.Upstream, Kind: exchange.KindConnectionLimit, Retry: exchange.RetrySafe, Op: "wait for a free connection", Err: err}
	if loop.IsTimeout(err) {
		e.Limit = "pools.max_connections"
	}
	return e
}

// reclaim closes one idle connection of another loop.
func (h *H1) reclaim(d loop.Driver) {
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.Lock()
		owner, n := s.loop, s.n
		s.mu.Unlock()
		if n > 0 && owner != d {
			loop.Run(owner, func() {
				if c := h.take(owner); c != nil {
					c.close()
				}
			})
			return
		}
	}
}
