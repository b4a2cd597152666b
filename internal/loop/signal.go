package loop

import (
	"os"
	"sync/atomic"
	"time"
)

// A Signal is how a task waits for something that another task, loop or goroutine provides: a free slot, a place in a queue, the end of a second task.
// It is a flag: Notify sets it and wakes the task that waits, Wait takes it. One task waits; any goroutine may notify.
type Signal struct {
	loop   *Loop // nil on Goroutines; what follows is for a Loop and belongs to it
	waiter *task
	timer  timer
	set    bool
	posted atomic.Bool // a letter is under way

	plain  *Goroutines   // nil on a Loop
	raised chan struct{} // holds one token
}

// NewSignal implements Driver.
func (l *Loop) NewSignal() *Signal {
	s := &Signal{loop: l}
	s.timer.owner = s
	return s
}

// Notify sets the signal.
func (s *Signal) Notify() {
	if s.loop == nil {
		select {
		case s.raised <- struct{}{}:
		default:
		}
		return
	}
	if !s.posted.Swap(true) { // always a write, so that the loop sees all that was done before any Notify (deliver reads it)
		s.loop.post(s)
	}
}

// deliver implements letter.
func (s *Signal) deliver(l *Loop) {
	s.posted.Swap(false)
	s.set = true
	if s.waiter != nil {
		l.schedule(s.waiter)
	}
}

// expire implements expirer.
func (s *Signal) expire(time.Duration) { s.wake() }

// wake implements waker.
func (s *Signal) wake() {
	if s.waiter != nil {
		s.loop.schedule(s.waiter)
	}
}

// Wait waits until the signal is set, and takes it. by is an instant of Driver.Now, 0 for none; os.ErrDeadlineExceeded says that it has passed.
func (s *Signal) Wait(by time.Duration) error { return s.WaitFor(nil, by) }

// WaitFor is Wait on behalf of a connection, which may be nil: ErrPeerGone says that its peer has reset it, whether or not the signal is set.
func (s *Signal) WaitFor(client Conn, by time.Duration) error {
	if s.loop == nil {
		return s.waitChannel(client, by)
	}
	c, _ := client.(*conn)
	if c == nil {
		return s.wait(nil, by)
	}
	w := &watch{who: s}
	w.begin(c)
	defer w.begin(nil)
	return s.wait(w, by)
}

// wait is WaitFor on a Loop.
func (s *Signal) wait(w *watch, by time.Duration) error {
	l := s.loop
	for {
		switch {
		case w.gone():
			return ErrPeerGone
		case s.set:
			s.set = false
			return nil
		case passed(by, l.now):
			return os.ErrDeadlineExceeded
		}
		if by != 0 {
			l.timers.set(&s.timer, by)
		}
		s.waiter = l.current
		err := s.waiter.suspend()
		s.waiter = nil
		l.timers.clear(&s.timer)
		if err != nil {
			return err
		}
	}
}
