package loop_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/internal/loop"
)

// A record is what tasks tell a test.
type record struct {
	mu    sync.Mutex
	lines []string
}

func (r *record) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *record) has(line string) bool { return r.count(line) > 0 }

func (r *record) count(line string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lines {
		if l == line {
			n++
		}
	}
	return n
}

func (r *record) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

// quietly serves a connection, one Read for each Serve, and tells what Read answered. Between bytes it is idle for so long at most; 0 is no bound.
func quietly(r *record, idle time.Duration) func(c loop.Conn) {
	return func(c loop.Conn) {
		for b := make([]byte, 100); ; {
			c.Quiet(true)
			n, err := c.Read(b)
			if err == loop.ErrQuiet {
				r.add("quiet")
				return
			}
			c.Quiet(false)
			if err != nil {
				r.add("%s", short(err))
				c.Close()
				return
			}
			if idle > 0 {
				c.ReadBy(c.Driver().Now() + idle)
			}
			r.add("read %s", b[:n])
		}
	}
}

func short(err error) string {
	if loop.IsTimeout(err) {
		return "timeout"
	}
	return err.Error()
}

func TestAQuietConnectionIsServedAgainAtItsNextByte(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		r := &record{}
		p := m.connect(m.accepts(quietly(r, 0)))
		for _, word := range []string{"a", "b", "c"} {
			write(t, p, word)
			m.until(func() bool { return r.has("read " + word) })
			if m.plain == nil {
				m.until(func() bool { return r.count("quiet") > 0 })
			}
		}
		p.Close()
		m.until(func() bool { return r.has("EOF") })
	})
}

func TestAQuietConnectionIsServedAtItsDeadline(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		r := &record{}
		p := m.connect(m.accepts(quietly(r, 2*moment)))
		defer p.Close()
		write(t, p, "a")
		m.pass(moment)
		write(t, p, "b") // moves the deadline
		m.until(func() bool { return r.has("timeout") })
		if lines := r.all(); !slices.Contains(lines, "read a") || !slices.Contains(lines, "read b") {
			t.Error(lines)
		}
	})
}

func TestADrainEndsQuietConnectionsAndNoOthers(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		r := &record{}
		address := m.accepts(quietly(r, long))
		busy, free := m.connect(address), m.connect(address)
		fresh := m.connect(address)
		write(t, free, "a")
		m.until(func() bool { return r.has("read a") })
		c, p := m.pair()
		reading := m.task(func(loop.Driver) {
			b := make([]byte, 10)
			if n, err := c.Read(b); string(b[:n]) != "late" || err != nil {
				t.Errorf("%q, %v", b[:n], err)
			}
			c.Close()
		})
		m.pass(moment)
		write(t, busy, "b") // this request has come before the drain, or at the same moment
		m.pass(moment)
		m.drain()
		m.until(func() bool { return r.count(loop.ErrDraining.Error()) == 3 })
		if !r.has("read b") {
			t.Error("a request was lost: ", r.all())
		}
		if !m.driver().Draining() {
			t.Error("the driver does not say that it drains")
		}
		write(t, p, "late")
		reading()
		late := m.connect(address) // comes after the drain has begun
		m.until(func() bool { return r.count(loop.ErrDraining.Error()) == 4 })
		for _, p := range []peer{busy, free, fresh, late, p} {
			p.Close()
		}
	})
}

// Between Quiesce and Drain clients shall get to know that no further request will be answered, by the response to one more.
func TestAfterQuiesceConnectionsBecomeQuietAsBefore(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		r := &record{}
		p := m.connect(m.accepts(quietly(r, long)))
		if m.plain != nil {
			m.plain.Quiesce()
		}
		for _, l := range m.loops {
			l.Quiesce()
		}
		for _, request := range []string{"a", "b"} {
			write(t, p, request)
			m.until(func() bool { return r.has("read " + request) })
		}
		if !m.driver().Draining() || r.has(loop.ErrDraining.Error()) {
			t.Error(m.driver().Draining(), r.all())
		}
		m.drain()
		m.until(func() bool { return r.has(loop.ErrDraining.Error()) })
		p.Close()
	})
}

// A drain must not lose a request that has come at the same moment.
func TestADrainServesWhatHasJustCome(t *testing.T) {
	for range 30 {
		for name, start := range map[string]func(t testing.TB) *machine{
			"sockets":  newSockets,
			"one loop": func(t testing.TB) *machine { return newEpoll(t, 1, loop.WaitNetpoller) },
		} {
			if name == "one loop" && runtime.GOOS != "linux" {
				continue
			}
			run(t, start(t), func(t *testing.T, m *machine) {
				r := &record{}
				p := m.connect(m.accepts(quietly(r, long)))
				write(t, p, "a")
				m.until(func() bool { return r.has("read a") })
				write(t, p, "b")
				m.drain()
				m.until(func() bool { return r.has(loop.ErrDraining.Error()) })
				if !r.has("read b") {
					t.Error(name, ": a request was lost")
				}
				p.Close()
			})
		}
	}
}

func (m *machine) drain() {
	if m.plain != nil {
		m.plain.Drain()
	}
	for _, l := range m.loops {
		l.Drain()
	}
}

// After Read has answered ErrQuiet the handler may wait for something else. What comes in the meantime must not be forgotten.
func TestWhatComesWhileAHandlerIsStillAtWorkIsServed(t *testing.T) {
	eachLoop(t, func(t *testing.T, m *machine) {
		for _, event := range []string{"byte", "deadline", "drain"} {
			r := &record{}
			signals := make(chan *loop.Signal, 10)
			p := m.connect(m.accepts(func(c loop.Conn) {
				quietly(r, 0)(c)
				if r.count("quiet") == 1 {
					if event == "deadline" {
						c.ReadBy(c.Driver().Now() + moment)
					}
					s := c.Driver().NewSignal()
					signals <- s
					_ = s.Wait(0)
				}
			}))
			write(t, p, "a")
			m.until(func() bool { return len(signals) == 1 })
			want := map[string]string{"byte": "read b", "deadline": "timeout", "drain": loop.ErrDraining.Error()}[event]
			switch event {
			case "byte":
				write(t, p, "b")
			case "drain":
				m.drain()
			}
			m.pass(2 * moment)
			if r.has(want) {
				t.Error("the handler ran twice at once: ", r.all())
			}
			(<-signals).Notify()
			m.until(func() bool { return r.has(want) })
			p.Close()
		}
	})
}

// An idle connection that we opened ourselves has no task; whatever comes, its handler is to drop it.
func TestAnIdleConnectionOfOursIsServedWhenAnythingComes(t *testing.T) {
	eachLoop(t, func(t *testing.T, m *machine) {
		for _, event := range []string{"byte", "end", "reset", "deadline", "drain"} {
			c, p := m.pair()
			served := &record{}
			m.do(func(d loop.Driver) {
				c.Handle(handler(func() { served.add("yes"); c.Close() }))
				c.ReadBy(d.Now() + long)
				c.Quiet(true)
			})
			m.pass(moment)
			if served.has("yes") {
				t.Fatal("served without a reason before: ", event)
			}
			switch event {
			case "byte":
				write(t, p, "x")
			case "end":
				p.Close()
			case "reset":
				p.Reset()
			case "deadline":
				m.do(func(d loop.Driver) { c.ReadBy(d.Now() + moment) })
			case "drain":
				m.drain()
			}
			m.until(func() bool { return served.has("yes") })
			p.Close()
		}
	})
}

func TestAConnectionThatBecomesQuietTooLateIsServedAtOnce(t *testing.T) {
	eachLoop(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		served := &record{}
		m.do(func(loop.Driver) { c.Handle(handler(func() { served.add("yes"); c.Close() })) })
		write(t, p, "x") // the edge comes before it is quiet
		m.pass(moment)
		m.do(func(loop.Driver) { c.Quiet(true) })
		m.until(func() bool { return served.has("yes") })
		p.Close()

		c, p = m.pair()
		write(t, p, "0123456789")
		m.do(func(loop.Driver) {
			c.Handle(handler(func() { served.add("wrong"); c.Close() }))
			n := 0
			for b := make([]byte, 10); n < 10; { // the last read fills its buffer: the connection does not know that there is no more
				k, err := c.Read(b[n:])
				if err != nil {
					t.Error(err)
					return
				}
				n += k
			}
			c.Quiet(true)
		})
		m.pass(moment)
		if served.has("wrong") {
			t.Error("a connection with nothing to read was served")
		}
		m.do(func(loop.Driver) { c.Close() })
		p.Close()
	})
}

func TestAResetOfTheWatchedConnectionEndsARead(t *testing.T) {
	eachLoop(t, func(t *testing.T, m *machine) {
		client, p := m.pair()
		origin, q := m.pair()
		reading := m.task(func(loop.Driver) {
			origin.Watch(client)
			if _, err := origin.Read(make([]byte, 10)); !errors.Is(err, loop.ErrPeerGone) {
				t.Error("during the wait: ", err)
			}
			if err := origin.Await(); !errors.Is(err, loop.ErrPeerGone) {
				t.Error("before the wait: ", err)
			}
			origin.Watch(nil)
			b := make([]byte, 10)
			if n, err := origin.Read(b); string(b[:n]) != "x" || err != nil {
				t.Error("when nothing is watched: ", n, err)
			}
			origin.Close()
			client.Close()
		})
		m.pass(moment)
		p.Reset()
		m.pass(moment)
		write(t, q, "x")
		reading()
		q.Close()
	})
}

func TestAHalfClosedWatchedConnectionEndsNothing(t *testing.T) {
	eachLoop(t, func(t *testing.T, m *machine) {
		client, p := m.pair()
		origin, q := m.pair()
		reading := m.task(func(loop.Driver) {
			origin.Watch(client)
			b := make([]byte, 10)
			if n, err := origin.Read(b); string(b[:n]) != "x" || err != nil {
				t.Error(n, err)
			}
			client.Close() // before the one that watches it
			origin.Watch(nil)
			origin.Close()
		})
		m.pass(moment)
		if err := p.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		m.pass(moment)
		write(t, q, "x")
		reading()
		p.Close()
		q.Close()
	})
}
