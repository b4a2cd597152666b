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
