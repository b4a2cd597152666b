package proxytest

import (
	"fmt"
	"log/slog"

	"sluice/internal/downstream/listen"
	"sluice/internal/loop"
)

// A Driver is one way to run the proxy.
type Driver struct {
	Name  string
	Loops int // how many drivers there are for per-loop state
	// Slow gives the proxy one byte for each read, and takes a few bytes of each write, on both sides: no outcome may depend on how bytes are cut.
	Slow bool
	// Goroutines is true if the proxy runs on plain goroutines instead of loops.
	Goroutines bool
}

// Drivers returns all there are. Every behaviour must be the same on each of them.
func Drivers() []Driver {
	return []Driver{
		{Name: "loop", Loops: 1},
		{Name: "loops", Loops: 2},
		{Name: "goroutines", Loops: 1, Goroutines: true},
		{Name: "loop-slow", Loops: 1, Slow: true},
		{Name: "goroutines-slow", Loops: 1, Slow: true, Goroutines: true},
	}
}

// An engine is a driver that runs.
type engine interface {
	listen(s *listen.Socket, accept *loop.Accept) error
	stop()
}

func (d Driver) start(n *network, log *slog.Logger) (engine, error) {
	if d.Goroutines {
		dial := n.dial
		if d.Slow {
			dial = slowDial(dial)
		}
		driver := loop.NewGoroutines(dial)
		driver.Log = log
		return &goroutines{driver: driver, slow: d.Slow}, nil
	}
	e := &loops{}
	for id := range d.Loops {
		sys, err := loop.NewSystem(loop.WaitingOf(d.Loops))
		if err != nil {
			return nil, err
		}
		sys = &system{sys, n}
		if d.Slow {
			sys = newSlowSystem(sys)
		}
		e.group.Loops = append(e.group.Loops, loop.New(id, sys, loop.SystemClock{}, log))
	}
	for _, l := range e.group.Loops {
		go l.Run()
	}
	return e, nil
}

// loops is an engine of epoll loops.
type loops struct {
	group loop.Group
	stops []func()
}

func (e *loops) listen(s *listen.Socket, accept *loop.Accept) error {
	fd, err := s.Take()
	if err != nil {
		return fmt.Errorf("take the listening socket: %w", err)
	}
	e.stops = append(e.stops, e.group.Listen(fd, accept))
	return nil
}

func (e *loops) stop() {
	for _, stop := range e.stops {
		stop()
	}
	for _, l := range e.group.Loops {
		l.Stop()
	}
}

// goroutines is an engine of plain goroutines.
type goroutines struct {
	driver *loop.Goroutines
	slow   bool
	stops  []func()
}

func (e *goroutines) listen(s *listen.Socket, accept *loop.Accept) error {
	ln := s.Listener()
	if e.slow {
		ln = slowListener{ln}
	}
	e.driver.Listen(ln, accept)
	e.stops = append(e.stops, func() { _ = ln.Close() })
	return nil
}

func (e *goroutines) stop() {
	for _, stop := range e.stops {
		stop()
	}
	e.driver.Stop()
}
