package loop

import (
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/buf"
)

// opsMax is how many socket operations a task may do in one turn before it yields, so that a connection that is always ready cannot starve the others.
const opsMax = 64

// A Loop runs tasks on one goroutine over one System. Everything in it belongs to that goroutine, but what is said to be atomic or guarded.
type Loop struct {
	id      int
	sys     System
	clock   Clock
	epoch   time.Time
	now     time.Duration
	wall    time.Time
	buffers buf.Pool
	log     *slog.Logger

	sources   []source // by descriptor; nil where it isn't ours
	tag       uint32   // of the last Watch
	events    [pollEvents]Event
	current   *task   // the one that runs; nil while the loop itself does
	tasks     []*task // all that were created, for stop
	idle      *task   // pooled ones, last in first out
	idleTasks int
	runq      []work // due in the next round
	round     []work // due in this one; in the Loop, so that it goes on where it was when a Goexit has ended its goroutine
	resumed   int    // how many of round have been run
	timers    wheel
	pipes     []pipe // for Splice

	mail      mailbox
	offloaded int

	conns    atomic.Int64  // open connections that were accepted here
	working  atomic.Int64  // tasks that are not idle, as of the end of a turn
	panics   atomic.Int64  // tasks that ended in a panic
	stalls   atomic.Int64  // times that the watchdog found the loop standing still
	stalled  atomic.Bool   // stood still when the watchdog last looked
	turns    atomic.Uint64 // for the watchdog
	parked   atomic.Bool   // in Poll, or about to be: senders of mail must wake it
	draining atomic.Bool   // since Quiesce
	ending   atomic.Bool   // since Drain: quiet connections end
	stopping atomic.Bool
	stopOnce sync.Once
	done     chan struct{} // closed when Run has ended
}

// A source is what events of a descriptor go to.
type source interface {
	onEvent(tag uint32, r Ready)
	closeNow()
}

// A Clock tells the time; tests have one that they move.
type Clock interface {
	Now() time.Time
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now implements Clock.
func (SystemClock) Now() time.Time { return time.Now() }

// New returns a loop that is not running yet. id is its number in the process, from 0.
func New(id int, sys System, clock Clock, log *slog.Logger) *Loop {
	l := &Loop{id: id, sys: sys, clock: clock, log: log, epoch: clock.Now(), done: make(chan struct{})}
	l.buffers.Unshare()
	l.tick()
	return l
}

// Run turns until Stop. It must be called once.
func (l *Loop) Run() {
	ended := false
	defer func() {
		if !ended { // a task called runtime.Goexit, which ends the goroutine that resumed it
			l.current = nil
			l.sys.Start(l.Run)
		}
	}()
	if l.resumed > 0 {
		l.runDue()
	}
	for !l.stopping.Load() {
		l.turn()
	}
	l.shut()
	ended = true
	close(l.done)
}

// turn notes what there is, mail, events and deadlines, and then runs the tasks that are due.
func (l *Loop) turn() {
	l.takeMail()
	if l.offloaded > 0 {
		runtime.Gosched() // on the only processor they would not run before the loop parks
	}
	for _, e := range l.poll() {
		if e.Fd < len(l.sources) && l.sources[e.Fd] != nil {
			l.sources[e.Fd].onEvent(e.Tag, e.Ready)
		}
	}
	l.timers.expire(l.now)
	l.runDue()
	l.working.Store(int64(len(l.tasks) - l.idleTasks))
}

// poll returns events; it waits for them if nothing else is due. It stores parked before it looks at the mail; senders do it the other way round, so one of
// them sees the other.
func (l *Loop) poll() []Event {
	timeout := time.Duration(0)
	if len(l.runq) == 0 {
		l.parked.Store(true)
		if l.mail.empty() && !l.stopping.Load() {
			timeout = l.timers.next(l.now)
		}
	}
	n := l.sys.Poll(l.events[:], timeout)
	l.turns.Add(1) // before parked: the watchdog must never see an old turn that is not parked
	l.parked.Store(false)
	l.tick()
	return l.events[:n]
}

// tick reads the clock. Now starts at one second, so that zero can mean never.
func (l *Loop) tick() {
	l.wall = l.clock.Now()
	l.now = l.wall.Sub(l.epoch) + time.Second
}

// runDue does the work that is due. What becomes due meanwhile waits for the next round, so that sockets get their share. A coroutine is taken for new work
// only when its turn has come: it is the one that ended last, whose stack the processor still has at hand.
func (l *Loop) runDue() {
	if l.resumed == 0 {
		l.round, l.runq = l.runq, l.round
	}
	for l.resumed < len(l.round) {
		w := l.round[l.resumed]
		l.round[l.resumed] = work{}
		l.resumed++
		if w.relay != nil {
			w.relay.move()
			continue
		}
		t := w.task
		if t == nil {
			t = l.start(w)
		} else {
			t.due = false
		}
		l.resume(t)
	}
	l.round, l.resumed = l.round[:0], 0
}

// Stop ends Run: all waits answer ErrStopped, and quiet connections are served to hear it, too; then what is left open is closed. It returns when that is
// done, which takes a Run. Any goroutine but the loop's may call it.
func (l *Loop) Stop() {
	l.stopOnce.Do(func() {
		l.stopping.Store(true)
		l.sys.Wake()
	})
	<-l.done
}

// shut ends the tasks and closes what is open. Mail that has been accepted is delivered: there may be descriptors in it.
func (l *Loop) shut() {
	l.mail.close()
	l.takeMail()
	l.serveQuiet()
	l.runDue()
	for i := 0; i < len(l.tasks); i++ { // a task that ends may start others, which end without having run
		l.tasks[i].end()
	}
	for _, s := range l.sources {
		if s != nil {
			s.closeNow()
		}
	}
	for _, p := range l.pipes {
		l.sys.Close(p.r, false)
		l.sys.Close(p.w, false)
	}
	l.sys.Shut()
}

// Quiesce makes Draining true, so that responses end their connections; those that are or become quiet stay. Any goroutine may call it.
func (l *Loop) Quiesce() { l.draining.Store(true) }

// Drain makes the loop quieter: connections between exchanges end, and Draining is true for the others. Any goroutine may call it.
func (l *Loop) Drain() {
	l.draining.Store(true)
	l.ending.Store(true)
	l.Post(l.serveQuiet)
}

// serveQuiet has the handlers of all quiet connections look at why.
func (l *Loop) serveQuiet() {
	for _, s := range l.sources {
		if c, ok := s.(*conn); ok && c.quiet {
			c.serve()
		}
	}
}

// ended reports whether Run has ended. Any goroutine may ask.
func (l *Loop) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// Conns is how many accepted connections the loop has. Any goroutine may call it.
func (l *Loop) Conns() int64 { return l.conns.Load() }

// ID implements Driver.
func (l *Loop) ID() int { return l.id }

// Now implements Driver.
func (l *Loop) Now() time.Duration { return l.now }

// Time implements Driver.
func (l *Loop) Time() time.Time { return l.wall }

// Buffers implements Driver.
func (l *Loop) Buffers() *buf.Pool { return &l.buffers }

// Draining implements Driver.
func (l *Loop) Draining() bool { return l.draining.Load() }

// add makes s the receiver of fd's events and returns the tag that they carry.
func (l *Loop) add(fd int, s source) uint32 {
	for fd >= len(l.sources) {
		l.sources = append(l.sources, make([]source, max(64, len(l.sources)))...)
	}
	l.sources[fd] = s
	l.tag++
	return l.tag
}
