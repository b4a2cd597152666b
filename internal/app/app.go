// Package app puts the parts together: it loads the config, opens sockets, runs the loops, and ends them in order.
//
// It is the only package that knows every service. What an exchange goes through is serve's; what a config means is build's.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"time"

	"sluice/internal/downstream/h1"
	"sluice/internal/downstream/listen"
	"sluice/internal/loop"
	"sluice/internal/serve"
	"sluice/internal/snapshot"
)

// An Engine runs snapshots: loops, listening sockets and codecs.
type Engine struct {
	log      *slog.Logger
	current  snapshot.Current
	gate     listen.Gate
	group    loop.Group
	h1       *h1.Server
	watchdog *loop.Watchdog
	sockets  []*listen.Socket
	stops    []func()
}

// stallLimit is how long a turn of a loop may take before the watchdog complains.
const stallLimit = time.Second

// NewEngine makes an engine of so many loops; 0 is one for each processor that the process may use.
func NewEngine(loops int, log *slog.Logger) (*Engine, error) {
	if loops == 0 {
		loops = runtime.GOMAXPROCS(0)
	}
	e := &Engine{log: log}
	for id := range loops {
		sys, err := loop.NewSystem(loop.WaitNetpoller)
		if err != nil {
			return nil, err
		}
		e.group.Loops = append(e.group.Loops, loop.New(id, sys, loop.SystemClock{}, log))
	}
	e.h1 = h1.NewServer(&serve.Server{Current: &e.current}, func() *h1.Settings { return e.current.Load().H1 }, loops)
	return e, nil
}

// Loops is how many there are.
func (e *Engine) Loops() int { return len(e.group.Loops) }

// Start opens the snapshot's listeners and runs the loops.
func (e *Engine) Start(snap *snapshot.Snapshot) error {
	e.current.Store(snap)
	var names []string
	for _, l := range snap.Listeners {
		s, err := listen.Open(l.Address)
		if err != nil {
			for _, open := range e.sockets {
				_ = open.Close()
			}
			return err
		}
		e.sockets = append(e.sockets, s)
		names = append(names, l.Name)
	}
	for _, l := range e.group.Loops {
		go l.Run()
	}
	e.watchdog = loop.NewWatchdog(e.group.Loops, stallLimit, e.log)
	for i, s := range e.sockets {
		fd, err := s.Take()
		if err != nil {
			return fmt.Errorf("listen on %s: %w", s.Address, err)
		}
		e.stops = append(e.stops, e.group.Listen(fd, e.accept(names[i])))
	}
	return nil
}

// accept says what happens to the connections of a listener.
func (e *Engine) accept(listener string) *loop.Accept {
	return &loop.Accept{
		Handler: func(c loop.Conn) loop.Handler {
			ticket, ok := e.gate.Enter(c.Peer().Addr())
			if !ok {
				return h1.Busy(c)
			}
			return e.h1.Handler(c, listener, ticket.Leave)
		},
		Paused: func(err error) { e.log.Warn("accepting pauses: out of descriptors or memory", "error", err) },
	}
}

// Stop ends the engine: no new connections, exchanges go on until ctx is done, then everything is closed.
func (e *Engine) Stop(ctx context.Context) {
	for _, stop := range e.stops {
		stop()
	}
	for _, l := range e.group.Loops {
		l.Drain()
	}
	for e.gate.Open() > 0 && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(drainLook):
		}
	}
	e.watchdog.Stop()
	for _, l := range e.group.Loops {
		l.Stop()
	}
}

// drainLook is how often Stop looks whether all connections have ended.
const drainLook = 20 * time.Millisecond

var _ = errors.New
var _ netip.Addr
