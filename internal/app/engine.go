package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sluice/internal/admin"
	"sluice/internal/downstream/h1"
	"sluice/internal/downstream/listen"
	"sluice/internal/loop"
	"sluice/internal/serve"
	"sluice/internal/snapshot"
	"sluice/internal/upstream"
)

// A Driver says who runs an engine's tasks.
type Driver uint8

const (
	// Native is coroutines on epoll loops where the system has epoll, and goroutines elsewhere.
	Native Driver = iota
	// Goroutines is plain goroutines, on any system.
	Goroutines
)

// Options say how an engine runs.
type Options struct {
	Driver Driver
	Loops  int // how many loops; 0 is one for each processor that the process may use. Goroutines count as one
	Log    *slog.Logger
	// Inherited are sockets to listen on instead of new ones, for the addresses that they are of; nil is none.
	Inherited *listen.Inheritance
}

// An Engine runs snapshots: drivers, listening sockets and codecs. Its methods may be called from any goroutine, but not from tasks.
type Engine struct {
	log           *slog.Logger
	inherited     *listen.Inheritance
	current       snapshot.Current
	turnedAway    atomic.Int64 // connections that get 503 at this moment
	turnAwayLimit int64        // how many of them there may be
	gate          listen.Gate
	crew          crew
	drivers       int
	h1            *h1.Server
	draining      atomic.Bool

	mu      sync.Mutex                   // keeps Apply and Stop apart
	sockets map[snapshot.Listener]socket // guarded by mu
}

// A socket is a listening socket in use.
type socket struct {
	address     net.Addr      // with the port that the kernel chose, if 0 was asked for
	connections *atomic.Int64 // open ones that were accepted here
	stop        func()        // no connection comes after it has returned
	claim       claim
}

// NewEngine makes an engine that does nothing yet.
func NewEngine(o Options) (*Engine, error) {
	e := &Engine{log: o.Log, inherited: o.Inherited, sockets: map[snapshot.Listener]socket{}, turnAwayLimit: turnAwayLimit(descriptorsMax())}
	if err := e.hire(o); err != nil {
		return nil, err
	}
	e.h1 = h1.NewServer(&serve.Server{Current: &e.current}, func() *h1.Settings { return e.current.Load().H1 }, e.drivers)
	return e, nil
}

// hire finds who runs the tasks.
func (e *Engine) hire(o Options) error {
	if o.Driver == Native {
		e.drivers = cmp.Or(o.Loops, runtime.GOMAXPROCS(0))
		all, err := newLoops(e.drivers, o.Log)
		if err == nil {
			e.crew = all
			return nil
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return fmt.Errorf("no event loop; the limit on open files may be too low (ulimit -n): %w", err)
		}
	}
	e.drivers = 1
	e.crew = goroutines{loop.NewGoroutines(nil)}
	return nil
}

// Drivers is how many drivers there are: what build.Env calls Loops.
func (e *Engine) Drivers() int { return e.drivers }

// Snapshot is the snapshot in force, nil before Start.
func (e *Engine) Snapshot() *snapshot.Snapshot { return e.current.Load() }

// Connections is how many clients are connected.
func (e *Engine) Connections() int64 { return e.gate.Open() }

// Limit bounds the connections of clients, in all and for each address; 0 is no bound. It holds for those that come from now on.
func (e *Engine) Limit(connections, perAddress int) { e.gate.Limit(connections, perAddress) }

// Start runs the drivers and applies the first snapshot. After an error nothing runs.
func (e *Engine) Start(snap *snapshot.Snapshot) error {
	e.crew.run()
	if err := e.Apply(snap); err != nil {
		e.crew.stop()
		return err
	}
	return nil
}

// Apply puts next in force: listeners that are new are opened before, those that next has no more are closed after. At an error nothing has changed.
// Connections stay; the next exchange on each of them goes by next.
func (e *Engine) Apply(next *snapshot.Snapshot) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	opened, err := e.openLocked(next.Listeners)
	if err != nil {
		return err
	}
	prev := e.current.Load()
	e.current.Store(next)
	for _, o := range opened {
		connections := new(atomic.Int64)
		e.sockets[o.listener] = socket{o.address, connections, o.claim.accept(e.accept(o.listener.Name, connections)), o.claim}
		e.log.Info("listening", "address", o.address.String())
	}
	e.closeLocked(next.Listeners, opened)
	if prev != nil {
		upstream.Replace(prev.Pools, next.Pools)
	}
	return nil
}

// opened is a listener that is open and does not accept yet.
type opened struct {
	listener snapshot.Listener
	address  net.Addr
	claim    claim
}

// handshakeGrace is how long connections that are being made with a replaced listener may take.
const handshakeGrace = 200 * time.Millisecond

// closeLocked closes the listeners that next has no more. Where another address of the same port replaces one, no connection is lost: it ends when all have been made
// that had begun before. The caller must hold e.mu.
func (e *Engine) closeLocked(next []snapshot.Listener, opened []opened) {
	gone := map[snapshot.Listener]socket{}
	replaced := false
	for l, s := range e.sockets {
		if slices.Contains(next, l) {
			continue
		}
		gone[l] = s
		for _, o := range opened {
			if o.listener.Name == l.Name {
				replaced = true
				s.claim.control(listen.Hush)
			}
		}
	}
	if replaced {
		<-time.After(handshakeGrace)
	}
	for l, s := range gone {
		s.stop()
		delete(e.sockets, l)
		e.log.Info("no longer listening", "address", s.address.String())
	}
}

// openLocked opens the listeners that are not open yet: all of them, or none and an error. The caller must hold e.mu.
func (e *Engine) openLocked(listeners []snapshot.Listener) (all []opened, err error) {
	defer func() {
		if err != nil {
			for _, o := range all {
				o.claim.drop()
			}
		}
	}()
	for _, l := range listeners {
		if _, open := e.sockets[l]; open {
			continue
		}
		s, err := e.inherited.Open(l.Address)
		if IsInUse(err) {
			s, err = e.openBesideLocked(listeners, l, err)
		}
		if err != nil {
			return all, e.explainLocked(err, listeners, l)
		}
		address := s.Addr()
		c, err := e.crew.claim(s)
		if err != nil {
			return all, fmt.Errorf("listen on %s: %w", l.Address, err)
		}
		all = append(all, opened{l, address, c})
	}
	return all, nil
}

// openBesideLocked opens a listener of next on a port that others of this process have, which next has no more: a wider address or a narrower one takes their place.
// If there are none, err is what remains. The caller must hold e.mu.
func (e *Engine) openBesideLocked(next []snapshot.Listener, l snapshot.Listener, err error) (*listen.Socket, error) {
	replaces := false
	for have, s := range e.sockets {
		if have.Name == l.Name && !slices.Contains(next, have) {
			replaces = true
			s.claim.control(func(fd int) { listen.Share(fd, true) })
			defer s.claim.control(func(fd int) { listen.Share(fd, false) })
		}
	}
	if !replaces {
		return nil, err
	}
	return listen.OpenBeside(l.Address)
}

// explainLocked says so if it is another listener of next that has the port already. The caller must hold e.mu.
func (e *Engine) explainLocked(err error, next []snapshot.Listener, l snapshot.Listener) error {
	for have := range e.sockets {
		if have.Name == l.Name && IsInUse(err) && slices.Contains(next, have) {
			return fmt.Errorf("listen on %s: %s, which takes the same port, is listened on as well: one of them is enough", l.Address, have.Address)
		}
	}
	return err
}

// IsInUse reports whether err says that somebody listens on an address already.
func IsInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

const (
	// turnedAwayMax is how many connections at once get 503 because there is no room for them; further ones are reset.
	turnedAwayMax = 64
	// turnedAwayPart is what part of the descriptors they may take, which those who are served need for origins.
	turnedAwayPart = 16
)

// turnAwayLimit is how many connections at once are turned away with 503. descriptors is 0 if it is not known.
func turnAwayLimit(descriptors int) int64 {
	if descriptors == 0 {
		return turnedAwayMax
	}
	return int64(min(descriptors/turnedAwayPart, turnedAwayMax))
}

// turnAway returns the handler of a connection that there is no room for.
func (e *Engine) turnAway(c loop.Conn) loop.Handler {
	if e.turnedAway.Add(1) > e.turnAwayLimit {
		e.turnedAway.Add(-1)
		return nil
	}
	return h1.Busy(c, func() { e.turnedAway.Add(-1) })
}

// accept says what happens to the connections of a listener, and counts them.
func (e *Engine) accept(listener string, connections *atomic.Int64) *loop.Accept {
	return &loop.Accept{
		Handler: func(c loop.Conn) loop.Handler {
			ticket, ok := e.gate.Enter(c.Peer().Addr(), connections)
			if !ok {
				return e.turnAway(c)
			}
			return e.h1.Handler(c, listener, ticket.Leave)
		},
		Paused: func(err error) { e.log.Warn("accepting pauses: out of descriptors or memory", "error", err) },
	}
}

// Addresses are where the engine listens, sorted.
func (e *Engine) Addresses() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []string
	for _, s := range e.sockets {
		all = append(all, s.address.String())
	}
	slices.Sort(all)
	return all
}

// listeners are the listening sockets with how many connections they have, sorted by address.
func (e *Engine) listeners() (all []admin.Listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.sockets {
		all = append(all, s.shown())
	}
	slices.SortFunc(all, func(a, b admin.Listener) int { return cmp.Compare(a.Address, b.Address) })
	return all
}

// connections tells about clients' connections, at most most of them, and returns how many there are.
func (e *Engine) connections(most int) (all []admin.Connection, total int) {
	c, ok := e.crew.(*loops)
	if !ok {
		return nil, 0
	}
	c.handlers(func(driver int, h loop.Handler) {
		i, ok := h1.Describe(h)
		if !ok {
			return
		}
		if total++; len(all) >= most {
			return
		}
		c := admin.Connection{Listener: i.Listener, Loop: driver, AgeSeconds: int64(i.Age.Seconds()), Exchanges: i.Exchanges, State: "idle"}
		switch {
		case i.Tunnel:
			c.State = "tunnel"
		case i.Active:
			c.State = "active"
		}
		if i.Peer.IsValid() {
			c.Client = i.Peer.String()
		}
		all = append(all, c)
	})
	return all, total
}

// wouldListen says what Apply of a snapshot with these listeners would open and close.
func (e *Engine) wouldListen(next []snapshot.Listener) (opens []string, closes []admin.Listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range next {
		if _, open := e.sockets[l]; !open {
			opens = append(opens, l.Address)
		}
	}
	for l, s := range e.sockets {
		if !slices.Contains(next, l) {
			closes = append(closes, s.shown())
		}
	}
	slices.SortFunc(closes, func(a, b admin.Listener) int { return cmp.Compare(a.Address, b.Address) })
	return opens, closes
}

func (s socket) shown() admin.Listener {
	return admin.Listener{Address: s.address.String(), Connections: s.connections.Load()}
}

// Sockets returns duplicates of the listening sockets with their addresses, for a process that takes over. The caller closes the files, also those that come with an
// error.
func (e *Engine) Sockets() (addresses []string, files []*os.File, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.sockets {
		file, err := s.claim.duplicate()
		if err != nil {
			return addresses, files, err
		}
		address := s.address.String()
		if s.address.Network() == "unix" {
			address = "unix:" + address
		}
		addresses, files = append(addresses, address), append(files, file)
	}
	return addresses, files, nil
}

// Stalled reports whether a loop stands still.
func (e *Engine) Stalled() bool {
	return slices.ContainsFunc(e.crew.stats(), func(s loop.Stat) bool { return s.Stalled })
}

// idleGrace is how long connections between exchanges are kept when the engine ends, unless somebody else listens in its place.
const idleGrace = time.Second

// awaitEnd waits until all connections have ended or ctx is done.
func (e *Engine) awaitEnd(ctx context.Context) {
	look := time.NewTicker(drainLook)
	defer look.Stop()
	for e.gate.Open() > 0 && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-look.C:
		}
	}
}

// Draining reports whether the engine is about to end.
func (e *Engine) Draining() bool { return e.draining.Load() }

// drainLook is how often Stop looks whether all connections have ended.
const drainLook = 20 * time.Millisecond

// Stop ends the engine: no new connections, connections between exchanges are closed after grace, exchanges go on until ctx is done; then everything is closed. Until
// grace is over, a connection gets an answer to one more request, which says "Connection: close". It returns how many connections were cut off.
func (e *Engine) Stop(ctx context.Context, grace time.Duration) (cut int64) {
	e.draining.Store(true)
	e.mu.Lock()
	for l, s := range e.sockets {
		s.stop()
		delete(e.sockets, l)
	}
	e.mu.Unlock()
	e.crew.drain(false)
	quiet, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	e.awaitEnd(quiet) // a request that is on its way would meet a connection that is closed
	e.crew.drain(true)
	e.awaitEnd(ctx)
	cut = e.gate.Open()
	e.crew.stop()
	return cut
}
