package loop_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"sluice/internal/buf"
	"sluice/internal/loop"
)

// tunnel copies from one end to the other until it has ended, or Stop.
func tunnel(to, from *loop.Stream) error {
	for {
		b, err := from.Next()
		if err == io.EOF {
			return to.CloseWrite()
		}
		if err != nil {
			return err
		}
		if _, err := to.Write(b); err != nil {
			return err
		}
	}
}

func TestATunnelMovesBytesBothWaysUntilBothEnd(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		c1, p1 := m.pair()
		c2, p2 := m.pair()
		text := pattern(300_000)
		wait := m.task(func(d loop.Driver) {
			a, b := loop.NewStream(c1, []byte("first "), time.Minute), loop.NewStream(c2, nil, time.Minute)
			loop.Join(a, b)
			back := d.NewSignal()
			d.Go(func() {
				defer back.Notify()
				if err := tunnel(a, b); err != nil {
					t.Error(err)
				}
			})
			if err := tunnel(b, a); err != nil {
				t.Error(err)
			}
			_ = back.Wait(0)
			a.Close()
			b.Close()
		})
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
		wait()
		p1.Close()
	})
}

func TestATunnelIsIdleOnlyWhenNeitherSideTalks(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		const idle = 3 * moment
		c1, p1 := m.pair()
		c2, p2 := m.pair()
		defer p1.Close()
		defer p2.Close()
		var from, to time.Duration
		ended := m.task(func(d loop.Driver) {
			a, b := loop.NewStream(c1, nil, idle), loop.NewStream(c2, nil, idle)
			loop.Join(a, b)
			other := d.NewSignal()
			d.Go(func() {
				defer other.Notify()
				for {
					if _, err := b.Next(); err != nil {
						return
					}
					from = d.Now() // the last time that this side talked
				}
			})
			if _, err := a.Next(); !loop.IsTimeout(err) {
				t.Error(err)
			}
			to = d.Now()
			_ = other.Wait(0)
			a.Close()
			b.Close()
		})
		for range 5 {
			m.pass(idle / 3)
			write(t, p2, "x")
		}
		ended()
		if took := to - from; took < idle-moment/3 || took > 20*idle {
			t.Error("idle for ", took)
		}
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
				if n <= 0 || err != nil {
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
		for _, fails := range []string{"source ends", "source is late", "source is closed", "sink is full", "sink has gone"} {
			from, p := m.pair()
			to, q := m.pair()
			wait := m.task(func(d loop.Driver) {
				switch fails {
				case "source is late":
					from.ReadBy(d.Now() + moment)
				case "sink is full":
					to.WriteBy(d.Now() + moment)
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
			case "sink is full":
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
