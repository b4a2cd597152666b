package loop_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"sluice/internal/buf"
	"sluice/internal/loop"
)

// layered is a connection with something on top, as TLS is: its tunnels are relayed by tasks.
type layered struct{ loop.Conn }

// eachRelay runs body on every machine, with relays by tasks and, where there are loops, by the loop itself.
func eachRelay(t *testing.T, body func(t *testing.T, m *machine, as func(loop.Conn) loop.Conn)) {
	t.Helper()
	t.Run("as it comes", func(t *testing.T) {
		each(t, func(t *testing.T, m *machine) { body(t, m, func(c loop.Conn) loop.Conn { return c }) })
	})
	t.Run("by tasks", func(t *testing.T) {
		eachLoop(t, func(t *testing.T, m *machine) { body(t, m, func(c loop.Conn) loop.Conn { return layered{c} }) })
	})
}

// relayed has a task relay between c1, of which rest was read before, and c2, and then close both.
func relayed(m *machine, c1, c2 loop.Conn, rest string, idle time.Duration, as func(loop.Conn) loop.Conn) (wait func() (from1, from2 loop.Flow)) {
	var from1, from2 loop.Flow
	ended := m.task(func(d loop.Driver) {
		a, b := loop.NewStream(as(c1), []byte(rest), idle), loop.NewStream(as(c2), nil, idle)
		from1, from2 = loop.Relay(d, a, b)
		a.Close()
		b.Close()
	})
	return func() (loop.Flow, loop.Flow) {
		ended()
		return from1, from2
	}
}

// talking is a tunnel without a bound through which a byte has passed, from p1 to p2, which is connected to c2.
func talking(t *testing.T, m *machine, as func(loop.Conn) loop.Conn) (c2 loop.Conn, p1, p2 peer, wait func() (from1, from2 loop.Flow)) {
	t.Helper()
	c1, p1 := m.pair()
	c2, p2 = m.pair()
	wait = relayed(m, c1, c2, "", 0, as)
	write(t, p1, "x")
	if got := readAll(t, p2, 1); got != "x" {
		t.Error(got)
	}
	return c2, p1, p2, wait
}

func TestATunnelMovesBytesBothWaysUntilBothEnd(t *testing.T) {
	eachRelay(t, func(t *testing.T, m *machine, as func(loop.Conn) loop.Conn) {
		c1, p1 := m.pair()
		c2, p2 := m.pair()
		text := pattern(300_000)
		wait := relayed(m, c1, c2, "first ", time.Minute, as)
		send(m, func() {
			write(t, p1, string(text))
			if err := p1.CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		if got, err := io.ReadAll(p2); err != nil || !bytes.Equal(got, append([]byte("first "), text...)) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		write(t, p2, "answer")
		p2.Close()
		if got, err := io.ReadAll(p1); string(got) != "answer" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if from1, from2 := wait(); from1 != (loop.Flow{Bytes: 300_006}) || from2 != (loop.Flow{Bytes: 6}) {
			t.Error(from1, from2)
		}
		p1.Close()
	})
}

// The end that takes nothing holds up its own direction only, and what was read for it waits.
func TestATunnelWaitsForTheEndThatTakesNothing(t *testing.T) {
	eachRelay(t, func(t *testing.T, m *machine, as func(loop.Conn) loop.Conn) {
		c1, p1 := m.pair()
		c2, p2 := m.pair()
		wait := relayed(m, c1, c2, "", time.Minute, as)
		text := string(flood())
		sent := make(chan struct{})
		send(m, func() {
			write(t, p1, text)
			_ = p1.CloseWrite()
			close(sent)
		})
		for range 3 {
			write(t, p2, "ping")
			if got := readAll(t, p1, 4); got != "ping" {
				t.Error(got)
			}
		}
		select {
		case <-sent:
			t.Error("nobody has taken it, and it has left")
		default:
		}
		if got, err := io.ReadAll(p2); err != nil || string(got) != text {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		p2.Close()
		if from1, from2 := wait(); from1 != (loop.Flow{Bytes: int64(len(text))}) || from2 != (loop.Flow{Bytes: 12}) {
			t.Error(from1, from2)
		}
		p1.Close()
	})
}

func TestATunnelEndsWhenOneEndIsReset(t *testing.T) {
	eachRelay(t, func(t *testing.T, m *machine, as func(loop.Conn) loop.Conn) {
		_, p1, p2, wait := talking(t, m, as)
		p2.Reset()
		from1, from2 := wait()
		if from2.Err == nil || loop.IsTimeout(from2.Err) || !loop.IsTimeout(from1.Err) || from1.Bytes != 1 {
			t.Error(from1, from2)
		}
		p1.Close()
	})
}

// What an end had sent before it was reset reaches the other one: here the reset comes because the end closes with bytes that it has not read.
func TestATunnelPassesOnWhatCameBeforeAReset(t *testing.T) {
	for _, bytes := range []int{9, 3000} {
		t.Run(fmt.Sprint(bytes), func(t *testing.T) {
			eachRelay(t, func(t *testing.T, m *machine, as func(loop.Conn) loop.Conn) {
				_, p1, p2, wait := talking(t, m, as)
				write(t, p1, "xy")
				if got := readAll(t, p2, 1); got != "x" {
					t.Error(got)
				}
				words := string(pattern(bytes))
				send(m, func() {
					write(t, p2, words)
					p2.Close()
				})
				m.pass(moment)
				_, _ = p1.Write([]byte("not heard")) // fails at the origin, which must not hide what it has said
				if got := readAll(t, p1, bytes); got != words {
					t.Errorf("%d bytes of %d", len(got), bytes)
				}
				if from1, from2 := wait(); from1.Err == nil && from2.Err == nil {
					t.Error(from1, from2)
				}
				p1.Close()
			})
		})
	}
}

func TestATunnelIsIdleOnlyWhenNeitherSideTalks(t *testing.T) {
	eachRelay(t, func(t *testing.T, m *machine, as func(loop.Conn) loop.Conn) {
		const idle = 3 * moment
		c1, p1 := m.pair()
		c2, p2 := m.pair()
		defer p1.Close()
		defer p2.Close()
		now := func() (at time.Duration) {
			m.do(func(d loop.Driver) { at = d.Now() })
			return at
		}
		var from, to time.Duration
		ended := m.task(func(d loop.Driver) {
			a, b := loop.NewStream(as(c1), nil, idle), loop.NewStream(as(c2), nil, 2*idle) // the lesser one holds
			fromA, fromB := loop.Relay(d, a, b)
			if to = d.Now(); !loop.IsTimeout(fromA.Err) || !loop.IsTimeout(fromB.Err) || fromB.Bytes != 5 {
				t.Error(fromA, fromB)
			}
			a.Close()
			b.Close()
		})
		for range 5 {
			m.pass(idle / 3)
			from = now() // the last time that this side talked
			write(t, p2, "x")
		}
		ended()
		if took := to - from; took < idle-moment/3 || took > 20*idle {
			t.Error("idle for ", took)
		}
	})
}

// A reset is noticed where nobody reads, too: behind a half-close, and while the other end takes nothing.
func TestATunnelEndsWhenAnEndIsResetThatNobodyReadsFrom(t *testing.T) {
	for _, before := range []string{"blocked", "half-closed"} {
		t.Run(before, func(t *testing.T) {
			eachLoop(t, func(t *testing.T, m *machine) {
				c1, p1 := m.pair()
				c2, p2 := m.pair()
				wait := relayed(m, c1, c2, "", 0, func(c loop.Conn) loop.Conn { return c })
				if before == "blocked" {
					full := make(chan struct{})
					send(m, func() {
						_, _ = p1.Write(flood())
						close(full)
					})
					m.pass(moment)
				} else {
					write(t, p1, "x")
					if err := p1.CloseWrite(); err != nil {
						t.Error(err)
					}
					if got, err := io.ReadAll(p2); string(got) != "x" || err != nil {
						t.Errorf("%q, %v", got, err)
					}
				}
				p1.Reset()
				if _, from2 := wait(); !loop.IsTimeout(from2.Err) && from2.Err == nil {
					t.Error(from2)
				}
				p2.Close()
			})
		})
	}
}

// The task of a tunnel hears of a connection that somebody else has closed.
func TestATunnelEndsWhenItsConnectionIsClosed(t *testing.T) {
	eachLoop(t, func(t *testing.T, m *machine) {
		c2, p1, p2, wait := talking(t, m, func(c loop.Conn) loop.Conn { return c })
		m.do(func(loop.Driver) { c2.Close() })
		if from1, _ := wait(); !errors.Is(from1.Err, net.ErrClosed) {
			t.Error(from1)
		}
		p1.Close()
		p2.Close()
	})
}

func TestStoppingEndsATunnel(t *testing.T) {
	eachLoop(t, func(t *testing.T, m *machine) {
		_, p1, p2, wait := talking(t, m, func(c loop.Conn) loop.Conn { return c })
		m.stop()
		m.stop = nil
		if from1, _ := wait(); !errors.Is(from1.Err, loop.ErrStopped) {
			t.Error(from1)
		}
		p1.Close()
		p2.Close()
	})
}

// A silent tunnel holds no block: what the pool had, it has again.
func TestASilentTunnelHoldsNoBlock(t *testing.T) {
	eachLoop(t, func(t *testing.T, m *machine) {
		c1, p1 := m.pair()
		c2, p2 := m.pair()
		var warm *byte
		m.do(func(d loop.Driver) {
			b := d.Buffers().Get(buf.Small)
			warm = &b[0]
			d.Buffers().Put(b)
		})
		wait := relayed(m, c1, c2, "", 0, func(c loop.Conn) loop.Conn { return c })
		write(t, p1, "x")
		readAll(t, p2, 1)
		m.do(func(d loop.Driver) {
			b := d.Buffers().Get(buf.Small)
			if &b[0] != warm {
				t.Error("the block was not given back")
			}
			d.Buffers().Put(b)
		})
		p1.Close()
		p2.Close()
		wait()
	})
}

func TestALoneStreamIsBoundToo(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		defer p.Close()
		m.do(func(d loop.Driver) {
			at := d.Now() + moment
			if _, err := loop.NewStream(c, nil, moment).Next(); !loop.IsTimeout(err) || d.Now() < at {
				t.Error(err)
			}
			c.Close()
		})
	})
}

// The deadlines that a connection had as one of HTTP mean nothing for the tunnel; without a bound it waits for ever.
func TestATunnelForgetsTheDeadlinesOfBefore(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		reading := m.task(func(d loop.Driver) {
			c.ReadBy(d.Now() + moment)
			c.WriteBy(d.Now() + moment)
			s := loop.NewStream(c, nil, 0)
			if b, err := s.Next(); string(b) != "late" || err != nil {
				t.Error(b, err)
			}
			if _, err := s.Write([]byte("later")); err != nil {
				t.Error(err)
			}
			s.Close()
		})
		m.pass(3 * moment)
		write(t, p, "late")
		if got := readAll(t, p, 5); got != "later" {
			t.Error(got)
		}
		reading()
		p.Close()
	})
}

func TestStopEndsATunnelSoon(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		defer p.Close()
		var s *loop.Stream
		m.do(func(loop.Driver) { s = loop.NewStream(c, nil, long) })
		reading := m.task(func(d loop.Driver) {
			if _, err := s.Next(); err == nil {
				t.Error("Next has something")
			}
		})
		writing := m.task(func(d loop.Driver) {
			if _, err := s.Write(flood()); err == nil {
				t.Error("Write has written")
			}
		})
		m.pass(moment)
		m.do(func(loop.Driver) { s.Stop() })
		reading()
		writing()
		m.do(func(loop.Driver) { s.Close() })
	})
}

func TestAwaitHoldsNoBlock(t *testing.T) {
	eachLoop(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		reading := m.task(func(d loop.Driver) {
			s := loop.NewStream(c, nil, 0)
			block := d.Buffers().Get(buf.Small)
			d.Buffers().Put(block) // the warmest
			if _, err := s.Next(); err != nil {
				t.Error(err)
			}
			s.Close()
			if again := d.Buffers().Get(buf.Small); &again[0] != &block[0] {
				t.Error("the block was not given back")
			}
		})
		m.pass(moment)
		m.do(func(d loop.Driver) {
			b := d.Buffers().Get(buf.Small)
			d.Buffers().Put(b)
		})
		write(t, p, "x")
		reading()
		p.Close()
	})
}

func TestSpliceMovesWhatHasCome(t *testing.T) {
	eachLoop(t, func(t *testing.T, m *machine) {
		from, p := m.pair()
		to, q := m.pair()
		text := pattern(1_000_000)
		wait := m.task(func(d loop.Driver) {
			for left := int64(len(text)); left > 0; {
				from.ReadBy(d.Now() + long)
				to.WriteBy(d.Now() + long)
				n, _, err := to.Splice(from, left)
				if n < 0 || err != nil {
					t.Error(n, err)
					return
				}
				left -= n
			}
			if !from.Alive() {
				t.Error("after the last byte it is not alive")
			}
			to.Close()
		})
		send(m, func() { write(t, p, string(text)) })
		if got, err := io.ReadAll(q); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		wait()
		p.Close()
		q.Close()
		m.do(func(loop.Driver) { from.Close() })
	})
}

func TestSpliceTellsWhichSideFailed(t *testing.T) {
	eachLoop(t, func(t *testing.T, m *machine) {
		for _, fails := range []string{"source ends", "source is late", "source is closed", "sink is full", "sink takes nothing", "sink has gone"} {
			from, p := m.pair()
			to, q := m.pair()
			wait := m.task(func(d loop.Driver) {
				switch fails {
				case "source is late":
					from.ReadBy(d.Now() + moment)
				case "sink is full":
					to.WriteBy(d.Now() + moment)
				case "sink takes nothing":
					to.WriteStall(moment)
				case "source is closed":
					from.Close()
				}
				var fromSource bool
				var err error
				for err == nil {
					_, fromSource, err = to.Splice(from, 1<<30)
				}
				if (fails[:4] == "sour") != fromSource || errors.Is(err, errors.ErrUnsupported) {
					t.Error(fails, ": ", fromSource, err)
				}
				from.Close()
				to.Close()
			})
			switch fails {
			case "source ends":
				p.Close()
			case "sink has gone":
				q.Close()
				fallthrough
			case "sink is full", "sink takes nothing":
				send(m, func() { _, _ = p.Write(flood()) })
			}
			wait()
			p.Close()
			q.Close()
		}
	})
}

func TestGoroutinesDoNotSplice(t *testing.T) {
	run(t, newSockets(t), func(t *testing.T, m *machine) {
		c, p := m.pair()
		m.do(func(loop.Driver) {
			if n, _, err := c.Splice(c, 10); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
				t.Error(n, err)
			}
			c.Close()
		})
		p.Close()
	})
}
