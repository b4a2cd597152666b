package loop

// Stat is what a loop tells about itself. Any goroutine may ask.
type Stat struct {
	Conns   int64  // open connections that were accepted
	Tasks   int64  // tasks at work after the last turn: exchanges, and second tasks of theirs
	Turns   uint64 // rounds so far
	Panics  int64  // tasks that ended in a panic
	Stalls  int64  // times that the watchdog found the loop standing still
	Stalled bool   // it stood still when the watchdog last looked
}

// Stat returns the loop's counters.
func (l *Loop) Stat() Stat {
	return Stat{l.conns.Load(), l.working.Load(), l.turns.Load(), l.panics.Load(), l.stalls.Load(), l.stalled.Load()}
}

// Handlers calls each with the handlers of all accepted connections, on the loop and outside any task, and returns when that is done; false if the loop has stopped. It
// must not be called from the loop.
func (l *Loop) Handlers(each func(Handler)) bool {
	done := make(chan struct{})
	posted := l.Post(func() {
		defer close(done)
		for _, s := range l.sources {
			if c, ok := s.(*conn); ok && c.counted && c.handler != nil {
				each(c.handler)
			}
		}
	})
	if !posted {
		return false
	}
	select {
	case <-done:
		return true
	case <-l.done: // it has stopped before its mail was read
		return false
	}
}
