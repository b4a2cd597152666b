package loop

import (
	"cmp"
	"errors"
	"io"
	"os"
	"time"

	"sluice/internal/buf"
)

// An End is one end of a tunnel: bytes both ways, each way ending by itself.
type End interface {
	// Next returns the next bytes, borrowed until the call after it; io.EOF at the end of this direction.
	Next() ([]byte, error)
	Write(p []byte) (int, error)
	// CloseWrite ends our direction; the other one goes on.
	CloseWrite() error
	// Stop makes Next and Write, waiting in another task, return an error soon.
	Stop()
}

// A Flow is one direction of a tunnel, after its end.
type Flow struct {
	Bytes int64
	// Err is nil if the direction has ended in order, a timeout if the tunnel was idle for too long or the other direction failed, ErrStopped if the driver has
	// stopped.
	Err error
}

// errRelayTask is the end of a direction whose task did not come to an end by itself.
var errRelayTask = errors.New("the task of one direction has failed")

// resetGrace is how long what came before a reset may wait for the other end to take it.
const resetGrace = time.Second

// Relay joins two ends on d and copies both ways until both directions have ended, or one has failed. When an end has been reset, what it had sent before is passed
// on first. It leaves both ends to the caller.
// Two sockets of one loop are relayed by the loop itself: no task is resumed for what passes, and no block
// held of its own while nothing does.
func Relay(d Driver, a, b End) (fromA, fromB Flow) {
	sa, okA := a.(*Stream)
	sb, okB := b.(*Stream)
	if !okA || !okB {
		return relayTasks(d, a, b)
	}
	ca, okA := sa.Conn.(*conn)
	cb, okB := sb.Conn.(*conn)
	if okA && okB && ca.loop == cb.loop {
		return newRelay(sa, sb, ca, cb).run()
	}
	join(sa, sb)
	return relayTasks(d, a, b)
}

// relayTasks copies one way in the running task and the other way in a second one.
func relayTasks(d Driver, a, b End) (fromA, fromB Flow) {
	there, back := d.NewSignal(), d.NewSignal() // the direction from a has ended, the one from b
	ended := false
	d.Go(func() {
		fromB.Err = errRelayTask // stays if copyAll panics
		defer func() {
			if fromB.Err != nil {
				a.Stop()
				b.Stop()
			}
			ended = true
			back.Notify()
		}()
		if copyAll(a, b, &fromB) {
			_ = there.Wait(d.Now() + resetGrace)
		}
	})
	unwritten := copyAll(b, a, &fromA)
	there.Notify()
	heard := unwritten && back.Wait(d.Now()+resetGrace) == nil
	if fromA.Err != nil {
		a.Stop()
		b.Stop()
	}
	if heard {
		return fromA, fromB
	}
	if err := back.Wait(0); err != nil && !ended {
		return fromA, Flow{Err: err} // fromB is still the other task's
	}
	return fromA, fromB
}

// copyAll copies from one end to the other until this direction ends, and passes its end on. unwritten says that the other end takes nothing more: what it has sent
// may still be on its way, in the other direction.
func copyAll(to, from End, f *Flow) (unwritten bool) {
	for {
		b, err := from.Next()
		if err == io.EOF {
			f.Err = to.CloseWrite()
			return false
		}
		if err == nil {
			_, err = to.Write(b)
			unwritten = err != nil
		}
		if err != nil {
			f.Err = err
			return unwritten
		}
		f.Bytes += int64(len(b))
	}
}

// relayBlocks is how many blocks one direction may move in a turn, so that a tunnel which is always ready cannot starve the others.
const relayBlocks = 16

// A relay is a tunnel between two sockets of one loop, moved by the loop when one of them has an event. The task that waits for its end owns it.
type relay struct {
	loop  *Loop
	task  *task
	flows [2]flow
	idle  time.Duration // bounds the time without a byte, less once an end has been reset; 0 is no bound
	last  time.Duration // when the last byte passed
	timer timer
	due   bool // in runq
	over  bool
}

// A flow is one direction of a relay. It reads only when all that it has read before has been taken.
type flow struct {
	from, to *conn
	rest     []byte // read and not yet written
	block    []byte // that rest lies in; nil: rest is borrowed
	size     int    // of the next block: larger when the last one was filled
	blocked  bool   // to has not taken all of rest
	broken   error  // from has been reset: what it had sent before is still passed on
	ended    bool   // Err is final
	Flow
}

func newRelay(a, b *Stream, ca, cb *conn) *relay {
	if ca.reader != nil || ca.writer != nil || cb.reader != nil || cb.writer != nil {
		panic("loop: a tunnel's socket is in use by another task")
	}
	l := ca.loop
	r := &relay{loop: l, task: l.current, last: l.now, idle: a.idle}
	if r.idle == 0 || b.idle != 0 && b.idle < r.idle {
		r.idle = b.idle
	}
	r.timer.owner = r
	r.flows[0] = flow{from: ca, to: cb, rest: a.rest, size: buf.Small}
	r.flows[1] = flow{from: cb, to: ca, rest: b.rest, size: buf.Small}
	return r
}

// run has the loop move the bytes and waits for the end.
func (r *relay) run() (fromA, fromB Flow) {
	a, b := r.flows[0].from, r.flows[1].from
	a.relay, b.relay = r, r
	a.ReadBy(0)
	b.ReadBy(0)
	r.expire(r.loop.now)
	r.schedule()
	for !r.over {
		if r.task.suspend() != nil {
			r.stop(ErrStopped)
		}
	}
	a.relay, b.relay = nil, nil
	r.loop.timers.clear(&r.timer)
	for i := range r.flows {
		r.flows[i].giveBack()
	}
	return r.flows[0].Flow, r.flows[1].Flow
}

// schedule makes the relay due in this turn or the next.
func (r *relay) schedule() {
	if !r.due && !r.over {
		r.due = true
		r.loop.runq = append(r.loop.runq, work{relay: r})
	}
}

// expire implements expirer: the tunnel has been idle for too long, or the last byte has come since the timer was set.
func (r *relay) expire(now time.Duration) {
	switch {
	case r.idle == 0 || r.over:
	case passed(r.last+r.idle, now):
		r.stop(os.ErrDeadlineExceeded)
	default:
		r.loop.timers.set(&r.timer, r.last+r.idle)
	}
}

// move moves what there is, on the loop itself: it never waits. A panic ends the tunnel, not the loop.
func (r *relay) move() {
	r.due = false
	defer func() {
		if reason := recover(); reason != nil {
			r.loop.panicked("a tunnel", reason)
			r.stop(errRelayTask)
		}
	}()
	for i := range r.flows {
		r.step(&r.flows[i])
	}
}

// step moves the bytes of one direction until one of its sockets would block.
func (r *relay) step(f *flow) {
	if f.from.ready&Failed != 0 && f.broken == nil { // also if it has been half-closed, or nobody would read from it for long
		r.breaks(f, f.from.failure())
	}
	for range relayBlocks {
		if f.ended || r.over || !r.flush(f) || f.from.ready&In == 0 {
			return
		}
		f.block = r.loop.buffers.Get(f.size)
		n, err := f.from.tryRead(f.block)
		if err != nil {
			f.giveBack()
			switch {
			case f.broken != nil:
				r.fail(f, f.broken)
			case err == errAgain:
			case err == io.EOF:
				r.finish(f)
			default:
				r.fail(f, err)
			}
			return
		}
		f.size = nextSize(f.size, n)
		f.rest = f.block[:n]
		r.last = r.loop.now
	}
	r.schedule()
}

// flush writes what has been read. It is false if not all of it was taken.
func (r *relay) flush(f *flow) bool {
	if f.blocked && f.to.ready&Out == 0 {
		return false
	}
	for len(f.rest) > 0 {
		n, err := f.to.tryWrite(f.rest, nil)
		if f.blocked = err == errAgain; f.blocked {
			return false
		}
		if err != nil {
			f.ended, f.Err = true, err
			r.breaks(r.back(f), err)
			return false
		}
		f.rest = f.rest[n:]
		f.Bytes += int64(n)
		r.last = r.loop.now
	}
	f.giveBack()
	return true
}

func (f *flow) giveBack() {
	if f.block != nil {
		f.from.loop.buffers.Put(f.block)
		f.block = nil
	}
}

// finish passes the end of one direction on. The other one goes on.
func (r *relay) finish(f *flow) {
	f.ended, f.Err = true, f.to.CloseWrite()
	if f.Err != nil || r.flows[0].ended && r.flows[1].ended {
		r.stop(os.ErrDeadlineExceeded)
	}
}

// back is the other direction.
func (r *relay) back(f *flow) *flow {
	if f == &r.flows[0] {
		return &r.flows[1]
	}
	return &r.flows[0]
}

// breaks notes that where f comes from has been reset. The kernel still has what came before; who would take that has little time.
func (r *relay) breaks(f *flow, err error) {
	if f.ended {
		r.fail(f, err)
		return
	}
	if f.broken != nil {
		return
	}
	f.broken = err
	r.last = r.loop.now
	if r.idle == 0 || r.idle > resetGrace {
		r.idle = resetGrace
	}
	r.loop.timers.set(&r.timer, r.last+r.idle)
	r.schedule()
}

// fail ends the relay because one direction can't go on.
func (r *relay) fail(f *flow, err error) {
	f.ended, f.Err = true, err
	r.stop(os.ErrDeadlineExceeded)
}

// stop ends the relay: directions that have not ended get err. The task goes on.
func (r *relay) stop(err error) {
	if r.over {
		return
	}
	r.over = true
	for i := range r.flows {
		if f := &r.flows[i]; !f.ended {
			f.ended, f.Err = true, cmp.Or(f.broken, err)
		}
	}
	r.loop.schedule(r.task)
}
