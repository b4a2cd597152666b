package app

import (
	"log/slog"
	"os"
	"syscall"
	"time"

	"sluice/internal/downstream/listen"
	"sluice/internal/loop"
)

// A crew is all drivers of an engine: epoll loops, or plain goroutines.
type crew interface {
	// run lets them begin.
	run()
	// claim takes over a listening socket, which the caller must not use afterwards.
	claim(s *listen.Socket) (claim, error)
	// drain makes connections end after their next or present exchange, and with idle also those that are between exchanges.
	drain(idle bool)
	// stop ends everything. It returns when that is done. Before run and the second time it does nothing.
	stop()
	// stats is what each driver tells about itself; nil if they have nothing to tell.
	stats() []loop.Stat
}

// A claim is a listening socket that belongs to the crew. One of accept and drop is to be called, once.
type claim struct {
	accept    func(*loop.Accept) (stop func())
	drop      func()                   // closes it
	duplicate func() (*os.File, error) // of the socket; not after stop or drop
	control   func(do func(fd int))    // calls do with the descriptor, if there is one; not after stop or drop
}

// stallLimit is how long a turn of a loop may take before the watchdog complains.
const stallLimit = time.Second

// loops is the crew of coroutines on epoll loops.
type loops struct {
	group    loop.Group
	log      *slog.Logger
	watchdog *loop.Watchdog // nil while they don't run
}

func newLoops(n int, log *slog.Logger) (*loops, error) {
	c := &loops{log: log}
	for id := range n {
		sys, err := loop.NewSystem(loop.WaitingOf(n))
		if err != nil {
			return nil, err // what was opened before is left to the end of the process, which is near
		}
		c.group.Loops = append(c.group.Loops, loop.New(id, sys, loop.SystemClock{}, log))
	}
	return c, nil
}

func (c *loops) run() {
	for _, l := range c.group.Loops {
		go l.Run()
	}
	c.watchdog = loop.NewWatchdog(c.group.Loops, stallLimit, c.log)
}

func (c *loops) claim(s *listen.Socket) (claim, error) {
	fd, err := s.Take()
	if err != nil {
		return claim{}, err
	}
	return claim{
		accept:    func(a *loop.Accept) func() { return c.group.Listen(fd, a) },
		drop:      func() { _ = syscall.Close(fd) },
		duplicate: func() (*os.File, error) { return listen.Duplicate(fd) },
		control:   func(do func(fd int)) { do(fd) },
	}, nil
}

func (c *loops) drain(idle bool) {
	for _, l := range c.group.Loops {
		if idle {
			l.Drain()
		} else {
			l.Quiesce()
		}
	}
}

func (c *loops) stop() {
	if c.watchdog == nil {
		return
	}
	c.watchdog.Stop()
	c.watchdog = nil
	for _, l := range c.group.Loops {
		l.Stop()
	}
}

func (c *loops) stats() []loop.Stat {
	var all []loop.Stat
	for _, l := range c.group.Loops {
		all = append(all, l.Stat())
	}
	return all
}

// handlers calls each with the handlers of all accepted connections, on their loops and outside of tasks. Goroutines have no such place: theirs run at any moment.
func (c *loops) handlers(each func(driver int, h loop.Handler)) {
	for id, l := range c.group.Loops {
		l.Handlers(func(h loop.Handler) { each(id, h) })
	}
}

// goroutines is the crew of plain goroutines, which are one driver.
type goroutines struct{ driver *loop.Goroutines }

func (goroutines) run() {}

func (c goroutines) claim(s *listen.Socket) (claim, error) {
	ln := s.Listener()
	return claim{
		accept:    func(a *loop.Accept) func() { return c.driver.Listen(ln, a) },
		drop:      func() { _ = ln.Close() },
		duplicate: func() (*os.File, error) { return listen.DuplicateOf(ln) },
		control:   func(do func(fd int)) { listen.Control(ln, do) },
	}, nil
}

func (c goroutines) drain(idle bool) {
	if idle {
		c.driver.Drain()
	} else {
		c.driver.Quiesce()
	}
}

func (c goroutines) stop()            { c.driver.Stop() }
func (goroutines) stats() []loop.Stat { return nil }
