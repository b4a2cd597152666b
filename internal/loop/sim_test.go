package loop_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sluice/internal/loop"
	"sluice/internal/loop/looptest"
)

// relay forwards what comes on a connection to an origin and what comes back to the client, as a proxy does.
func relay(origin string, byTasks bool) func(c loop.Conn) {
	return func(c loop.Conn) {
		d := c.Driver()
		c.Quiet(false)
		defer c.Close()
		up, err := d.Dial("tcp", origin, d.Now()+long, nil)
		if err != nil {
			c.Reset()
			return
		}
		defer up.Close()
		up.Watch(c)
		if byTasks {
			c, up = layered{c}, layered{up}
		}
		loop.Relay(d, loop.NewStream(c, nil, long), loop.NewStream(up, nil, long))
	}
}

// A program is an echo and a relay on loops in a simulation, with clients and an origin.
type program struct {
	*looptest.World
	loops  []*loop.Loop
	stops  []func() // of the listeners
	origin *looptest.Listener
	log    logText
	calls  map[string]int // of each kind so far

	way uint64 // the digest when all clients had ended

	mu     sync.Mutex
	failed int // clients that did not get all their bytes back
	left   int // clients that have not ended
}

// start runs a program. fail says which calls fail, by their kind and number.
func start(seed uint64, loops int, fail func(call string, n int) error) *program {
	p := &program{World: looptest.New(seed), calls: map[string]int{}}
	p.Fail(func(call string, _ int) error {
		p.calls[call]++
		return fail(call, p.calls[call])
	})
	g := &loop.Group{}
	for id := range loops {
		sys := p.System()
		l := loop.New(id, sys, p, p.log.logger())
		g.Loops = append(g.Loops, l)
		sys.Start(l.Run)
	}
	p.loops = g.Loops
	listen := func(address string, fn func(c loop.Conn)) {
		p.stops = append(p.stops, g.Listen(p.Listen(address), &loop.Accept{
			Handler: func(c loop.Conn) loop.Handler {
				c.ReadBy(c.Driver().Now() + long)
				return handler(func() { fn(c) })
			},
			Paused: func(error) {},
		}))
	}
	listen("10.0.0.2:1", echo)
	listen("10.0.0.2:2", relay("10.0.0.3:80", false))
	listen("10.0.0.2:3", relay("10.0.0.3:80", true))
	p.origin = p.Serve("10.0.0.3:80")
	p.Go(func() { serveOrigin(p.World, p.origin) })
	return p
}

// clients starts n of them.
func (p *program) clients(n int) {
	p.left = n
	for i := range n {
		p.Go(func() {
			err := client(p.World, fmt.Sprintf("10.0.0.2:%d", 1+i%3), 1000*(i+1))
			p.mu.Lock()
			defer p.mu.Unlock()
			if err != nil {
				p.failed++
			}
			if p.left--; p.left == 0 {
				p.origin.Close()
			}
		})
	}
}

// stop stops the loops.
func (p *program) stop() {
	for _, l := range p.loops {
		p.Outside(l.Stop)
	}
}

// finish waits for the clients, stops all, and looks for what is left.
func (p *program) finish(t *testing.T, name string) {
	t.Helper()
	if err := p.Wait(); err != nil {
		t.Errorf("%s: the clients: %v", name, err)
	}
	p.Fail(nil)
	for _, stop := range p.stops {
		p.Outside(stop)
	}
	p.stop()
	if n := p.Open(); n != 0 {
		t.Errorf("%s: %d descriptors are left", name, n)
	}
	if text := p.log.String(); text != "" {
		t.Errorf("%s: logged %s", name, text)
	}
}

// eight runs a program with eight clients to its end. They leave no connection behind.
func eight(t *testing.T, name string, seed uint64, loops int, fail func(call string, n int) error) *program {
	t.Helper()
	p := start(seed, loops, fail)
	p.clients(8)
	if err := p.Wait(); err != nil {
		t.Errorf("%s: the clients: %v", name, err)
	}
	if !p.Until(func() bool {
		n := int64(0)
		for _, l := range p.loops {
			n += l.Conns()
		}
		return n == 0
	}, time.Hour) {
		t.Errorf("%s: connections are left open", name)
	}
	p.way = p.Digest() // stopping runs beside the world
	p.finish(t, name)
	return p
}

// serveOrigin answers each connection with its own bytes in upper case.
func serveOrigin(w *looptest.World, ln *looptest.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		w.Go(func() {
			defer c.Close()
			_ = c.SetDeadline(w.Now().Add(2 * long))
			for b := make([]byte, 2000); ; {
				n, err := c.Read(b)
				if err == io.EOF {
					return
				}
				if err == nil {
					_, err = c.Write([]byte(strings.ToUpper(string(b[:n]))))
				}
				if err != nil {
					return
				}
			}
		})
	}
}

// client sends n bytes in pieces and expects them back.
func client(w *looptest.World, address string, n int) error {
	c, err := w.Dial(address)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(w.Now().Add(2 * long))
	text := strings.Repeat("abcdefghij", n/10)
	for sent := 0; sent < n; {
		k := min(1+sent, 300, n-sent) // what fits into the smallest buffers: nobody reads meanwhile
		if _, err := c.Write([]byte(text[sent : sent+k])); err != nil {
			return err
		}
		b := make([]byte, k)
		if _, err := io.ReadFull(c, b); err != nil {
			return err
		}
		if got := strings.ToLower(string(b)); got != text[sent:sent+k] {
			return errors.New("other bytes came back")
		}
		sent += k
	}
	return nil
}

func sound(string, int) error { return nil }

func TestASimulationServesAllByAnySeed(t *testing.T) {
	for seed := range uint64(60) {
		name := fmt.Sprint("seed ", seed)
		if p := eight(t, name, seed, 1+int(seed%3), sound); p.failed != 0 {
			t.Errorf("%s: %d clients failed", name, p.failed)
		}
	}
}

func TestASeedRepeatsARun(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(5) {
		first, second := eight(t, "first", seed, 2, sound).way, eight(t, "second", seed, 2, sound).way
		if first != second {
			t.Errorf("seed %d went two ways", seed)
		}
		seen[first] = true
	}
	if len(seen) != 5 {
		t.Error("seeds make no difference: ", seen)
	}
}

// Each call fails once, at each of its occurrences: at most the one connection that it was made for is lost (a relayed one has two), and nothing leaks.
func TestAnErrorOfAnyCallCostsOneConnection(t *testing.T) {
	errors := map[string]syscall.Errno{
		"Recv": syscall.ECONNRESET, "Send": syscall.EPIPE, "Connect": syscall.EADDRNOTAVAIL, "Watch": syscall.ENOMEM, "Accept": syscall.ECONNABORTED,
	}
	calls := eight(t, "sound", 1, 1, sound).calls
	for call, errno := range errors {
		step := 1
		if testing.Short() || raceEnabled {
			step = max(1, calls[call]/20)
		}
		for at := 1; at <= calls[call]; at += step {
			name := fmt.Sprintf("%s fails at call %d", call, at)
			p := eight(t, name, 1, 1, func(c string, n int) error {
				if c == call && n == at {
					return errno
				}
				return nil
			})
			if p.failed > 1 || p.failed == 1 && call == "Accept" {
				t.Errorf("%s: %d clients were disappointed", name, p.failed)
			}
		}
	}
}

func TestStopAtAnyMomentLeavesNothing(t *testing.T) {
	for seed := range uint64(100) {
		p := start(seed, 1+int(seed%2), sound)
		p.clients(8)
		p.Sleep(time.Duration(seed) * 200 * time.Microsecond)
		if seed%3 == 0 {
			for _, l := range p.loops {
				l.Drain()
			}
			p.Sleep(time.Duration(seed) * 50 * time.Microsecond)
		}
		p.stop()
		p.finish(t, fmt.Sprint("seed ", seed))
	}
}

// A task that is stopped first goes on to the end of its work, while another one that is stopped after it still stands as the connection's reader.
func TestStopEndsTwoTasksOfOneConnection(t *testing.T) {
	w := looptest.New(1)
	var log logText
	sys := w.System()
	l := loop.New(0, sys, w, log.logger())
	sys.Start(l.Run)
	g := &loop.Group{Loops: []*loop.Loop{l}}
	var first, second error
	end := g.Listen(w.Listen("10.0.0.2:1"), &loop.Accept{
		Handler: func(c loop.Conn) loop.Handler {
			return handler(func() {
				b := make([]byte, 1)
				_, _ = c.Read(b)
				c.Quiet(false)
				d := c.Driver()
				d.Go(func() { _, second = c.Read(make([]byte, 1)) })
				_ = d.NewSignal().Wait(0)
				_, first = c.Read(b)
				c.Close()
			})
		},
		Paused: func(error) {},
	})
	c, err := w.Dial("10.0.0.2:1")
	if err == nil {
		_, err = c.Write([]byte("x"))
	}
	if err != nil {
		t.Fatal(err)
	}
	w.Sleep(time.Second)
	w.Outside(l.Stop)
	w.Outside(end)
	if !errors.Is(first, loop.ErrStopped) || !errors.Is(second, loop.ErrStopped) || log.String() != "" {
		t.Error(first, second, log.String())
	}
	c.Close()
}

func TestWithoutDescriptorsAcceptingWaits(t *testing.T) {
	eachSim(t, func(t *testing.T, m *machine) {
		paused := &record{}
		address, stop := m.listen(&loop.Accept{
			Handler: func(c loop.Conn) loop.Handler { return handler(func() { echo(c) }) },
			Paused:  func(err error) { paused.add("%v", err) },
		})
		m.after = append(m.after, stop)
		first := m.connect(address)
		m.pass(moment)
		m.world.Limit(m.world.Open() + 1) // one for the next client, none for its other end
		second := m.connect(address)
		write(t, second, "hello")
		m.until(func() bool { return paused.has(syscall.EMFILE.Error()) })
		write(t, first, "works")
		if got := readAll(t, first, 5); got != "works" {
			t.Error(got)
		}
		m.pass(time.Second)
		if n := len(paused.all()); n > 12*len(m.loops) {
			t.Errorf("%d attempts in a second", n)
		}
		first.Close()
		if got := readAll(t, second, 5); got != "hello" {
			t.Error(got)
		}
		second.Close()
	})
}

func TestEndingAListenerServesWhoWaitsInItsQueue(t *testing.T) {
	eachSim(t, func(t *testing.T, m *machine) {
		address, stop := m.listen(&loop.Accept{
			Handler: func(c loop.Conn) loop.Handler { return handler(func() { echo(c) }) },
			Paused:  func(error) {},
		})
		full := true
		m.world.Fail(func(call string, _ int) error {
			if full && call == "Accept" {
				return syscall.EMFILE
			}
			return nil
		})
		var clients []peer
		for range 5 {
			p := m.connect(address)
			write(t, p, "hello")
			clients = append(clients, p)
		}
		full = false
		stop()
		for _, p := range clients {
			if got := readAll(t, p, 5); got != "hello" {
				t.Error(got)
			}
			p.Close()
		}
		if _, err := m.dial(address); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Error("after the end: ", err)
		}
		m.until(func() bool { return m.conns() == 0 })
	})
}

func TestAHandlerThatIsNilRefusesAConnection(t *testing.T) {
	eachLoop(t, func(t *testing.T, m *machine) {
		address, stop := m.listen(&loop.Accept{Handler: func(loop.Conn) loop.Handler { return nil }, Paused: func(error) {}})
		m.after = append(m.after, stop)
		p, err := m.dial(address)
		if err == nil {
			_, err = p.Read(make([]byte, 1))
			p.Close()
		}
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
		m.until(func() bool { return m.conns() == 0 })
	})
}

func TestConnectionsSpreadEvenlyOverTheLoops(t *testing.T) {
	body := func(t *testing.T, m *machine) {
		address := m.accepts(echo)
		var clients []peer
		for range 64 {
			clients = append(clients, m.connect(address))
		}
		m.until(func() bool { return m.conns() == 64 })
		m.pass(moment)
		for _, l := range m.loops {
			if n := l.Conns(); n < 30 || n > 34 {
				t.Errorf("loop %d has %d of 64", l.ID(), n)
			}
		}
		for _, p := range clients {
			write(t, p, "hello")
			if got := readAll(t, p, 5); got != "hello" {
				t.Error(got)
			}
			p.Close()
		}
		m.until(func() bool { return m.conns() == 0 })
	}
	for seed := range seeds() {
		run(t, newSim(t, seed, 2), body)
	}
	if runtime.GOOS == "linux" {
		run(t, newEpoll(t, 2, loop.WaitNetpoller), body)
		run(t, newEpoll(t, 2, loop.WaitBlocking), body)
	}
}
