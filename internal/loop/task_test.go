package loop_test

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"sluice/internal/loop"
)

func TestASecondTaskRunsWhenTheFirstOneWaits(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		m.do(func(d loop.Driver) {
			order := make(chan string, 3)
			done := d.NewSignal()
			d.Go(func() {
				order <- "second"
				done.Notify()
			})
			if m.plain == nil {
				order <- "first"
			}
			if err := done.Wait(d.Now() + long); err != nil {
				t.Error(err)
			}
			if m.plain == nil && <-order != "first" || <-order != "second" {
				t.Error("another order")
			}
		})
	})
}

func TestRunAndPostRunFunctionsOnTheDriver(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		ran := &record{}
		loop.Run(m.driver(), func() { ran.add("yes") })
		m.until(func() bool { return ran.has("yes") })
		m.stop()
		for _, l := range m.loops {
			if l.Post(func() { t.Error("ran after the end") }) {
				t.Error("Post takes work after the end")
			}
		}
	})
}

func TestASignalIsTakenOnce(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		var s *loop.Signal
		m.do(func(d loop.Driver) { s = d.NewSignal() })
		s.Notify() // before anybody waits
		s.Notify()
		m.do(func(d loop.Driver) {
			if err := s.Wait(d.Now() + long); err != nil {
				t.Error(err)
			}
			at := d.Now() + moment
			if err := s.Wait(at); !loop.IsTimeout(err) || d.Now() < at {
				t.Error("taken twice: ", err)
			}
			if err := s.Wait(d.Now() - 1); !loop.IsTimeout(err) {
				t.Error("a deadline in the past: ", err)
			}
		})
		waiting := m.task(func(loop.Driver) {
			if err := s.Wait(0); err != nil {
				t.Error(err)
			}
		})
		m.pass(moment)
		s.Notify()
		waiting()
	})
}

// Many notify at once, from loops and goroutines; whatever they did before is seen by who waits, and none of it is missed.
func TestNoNotifyIsLost(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		const notifiers, times = 8, 200
		var s *loop.Signal
		m.do(func(d loop.Driver) { s = d.NewSignal() })
		var given, taken atomic.Int64
		waiting := m.task(func(d loop.Driver) {
			for taken.Load() < notifiers*times {
				if err := s.Wait(d.Now() + long); err != nil {
					t.Errorf("%v with %d of %d", err, taken.Load(), given.Load())
					return
				}
				taken.Store(given.Load())
			}
		})
		for i := range notifiers {
			if i%2 == 0 && m.plain == nil {
				l := m.loops[i/2%len(m.loops)]
				l.Post(func() {
					l.Go(func() {
						pause := l.NewSignal()
						for range times {
							given.Add(1)
							s.Notify()
							pause.Notify()
							_ = pause.Wait(0)
						}
					})
				})
				continue
			}
			send(m, func() {
				for range times {
					given.Add(1)
					s.Notify()
				}
			})
		}
		waiting()
	})
}

func TestOffloadRunsBesideTheOthers(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		p := m.connect(m.accepts(echo))
		hold := make(chan struct{})
		result := 0
		waiting := m.task(func(d loop.Driver) {
			if err := d.Offload(func() {
				if m.world == nil {
					<-hold
				}
				result = 42
			}); err != nil || result != 42 {
				t.Error(err, result)
			}
		})
		write(t, p, "hello")
		if got := readAll(t, p, 5); got != "hello" {
			t.Error(got)
		}
		close(hold)
		waiting()
		p.Close()
	})
}

func TestAPanicCostsOneConnectionAndTellsItsStack(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		address := m.accepts(func(c loop.Conn) {
			b := make([]byte, 1)
			if _, err := c.Read(b); err != nil {
				c.Close()
				return
			}
			switch b[0] {
			case 'p':
				panicHere()
			case 'o':
				_ = c.Driver().Offload(panicHere)
			case 'g':
				runtime.Goexit()
			case 'f':
				_ = c.Driver().Offload(runtime.Goexit)
			}
			c.Quiet(false)
			_, _ = io.Copy(c, c)
			c.Close()
		})
		sound := m.connect(address)
		write(t, sound, " ")
		for _, how := range []string{"p", "o", "g", "f"} {
			p := m.connect(address)
			write(t, p, how)
			if n, err := p.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
				t.Errorf("%s: the peer reads %v, %v", how, n, err)
			}
			p.Close()
			m.until(func() bool { return m.log.String() != "" })
			m.pass(moment)
			if text := m.log.take(); !strings.Contains(text, "panicHere") && !strings.Contains(text, "Goexit") || strings.Count(text, "level=ERROR") != 1 {
				t.Errorf("%s: logged %q", how, text)
			}
			write(t, sound, "alive")
			if got := readAll(t, sound, 5); got != "alive" {
				t.Error(got)
			}
		}
		sound.Close()
		m.until(func() bool { return m.plain != nil || m.conns() == 0 })
	})
}

func panicHere() { panic("on purpose") }

func (m *machine) conns() (n int64) {
	for _, l := range m.loops {
		n += l.Conns()
	}
	return n
}

// Goexit ends the goroutine of the loop in the middle of a turn. All who were to be resumed in the same turn still are.
func TestAGoexitLosesNobodyOfItsTurn(t *testing.T) {
	eachLoop(t, func(t *testing.T, m *machine) {
		const tasks = 300
		ended := &record{}
		loop.Run(m.loops[0], func() {
			for i := range tasks {
				m.loops[0].Go(func() {
					defer ended.add("ended")
					if i%50 == 10 {
						runtime.Goexit()
					}
					s := m.loops[0].NewSignal()
					s.Notify()
					_ = s.Wait(0)
					if i%50 == 20 {
						runtime.Goexit()
					}
				})
			}
		})
		m.until(func() bool { return ended.count("ended") == tasks })
		if n := strings.Count(m.log.take(), "Goexit was called"); n != 12 {
			t.Error(n, " were logged")
		}
		if n := m.loops[0].Stat().Panics; n != 12 {
			t.Error(n, " were counted")
		}
	})
}

func TestStopEndsAllWaits(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		r := &record{}
		address := m.accepts(quietly(r, long))
		idle, fresh := m.connect(address), m.connect(address)
		write(t, idle, "a")
		m.until(func() bool { return r.has("read a") })
		dark := m.dark()
		ended := &record{}
		wait := func(name string, fn func(d loop.Driver) error) {
			m.task(func(d loop.Driver) {
				for range 3 { // an answer is final
					if err := fn(d); !errors.Is(err, loop.ErrStopped) {
						t.Errorf("%s: %v", name, err)
					}
				}
				ended.add("ended")
			})
		}
		wait("read", func(loop.Driver) error { _, err := c.Read(make([]byte, 10)); return err })
		wait("write", func(loop.Driver) error { _, err := c.Writev(pattern(10), flood()); return err })
		wait("dial", func(d loop.Driver) error { _, err := d.Dial("tcp", dark, 0, nil); return err })
		wait("signal", func(d loop.Driver) error { return d.NewSignal().Wait(0) })
		hold := make(chan struct{})
		if m.plain == nil && m.world == nil { // on Goroutines Stop waits for it; in a simulation it ends at once
			wait("offload", func(d loop.Driver) error { return d.Offload(func() { <-hold }) })
		} else {
			ended.add("ended")
		}
		m.pass(moment)
		m.stop()
		close(hold)
		if n := ended.count("ended"); n != 5 {
			t.Error(n, " of 5 waits have ended")
		}
		if n := r.count(loop.ErrStopped.Error()); n != 2 {
			t.Error(n, " of 2 quiet connections were told: ", r.all())
		}
		for _, p := range []peer{p, idle, fresh} {
			_, err := io.Copy(io.Discard, p)
			_ = err // an end or a reset
			p.Close()
		}
		m.stop()
	})
}

// Whatever a task does while it is being stopped, Stop comes to an end and nothing stays behind.
func TestTasksMayDoAnythingWhileTheyAreStopped(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		for i := range 5 {
			m.task(func(d loop.Driver) {
				s := d.NewSignal()
				_ = s.Wait(0)
				switch i {
				case 0:
					d.Go(func() { _ = s.Wait(0) })
				case 1:
					_, _ = d.Dial("tcp", p.LocalAddr().String(), 0, nil)
				case 2:
					c.Close()
				case 3:
					panicHere()
				case 4:
					runtime.Goexit()
				}
			})
		}
		m.pass(moment)
		m.stop()
		if n := strings.Count(m.log.take(), "level=ERROR"); n != 2 {
			t.Error(n, " panics were logged")
		}
		p.Close()
	})
}

// A task whose socket is always ready gives way, so that others get their turn.
func TestABusyConnectionGivesWay(t *testing.T) {
	eachLoop(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		send(m, func() {
			for b := make([]byte, 4096); ; {
				if _, err := p.Write(b); err != nil {
					return
				}
			}
		})
		m.pass(moment)
		var reads, turns atomic.Int64
		busy := m.task(func(loop.Driver) {
			for b := make([]byte, 1); turns.Load() < 100; {
				if _, err := c.Read(b); err != nil {
					t.Error(err)
					return
				}
				reads.Add(1)
			}
			c.Reset()
		})
		other := m.task(func(d loop.Driver) {
			reads.Store(0)
			for s := d.NewSignal(); turns.Load() < 100; turns.Add(1) {
				s.Notify()
				if err := s.Wait(0); err != nil {
					t.Error(err)
					return
				}
			}
		})
		busy()
		other()
		if n := reads.Load(); n > 70*100 {
			t.Errorf("%d reads in the time of 100 turns", n)
		}
		p.Close()
	})
}

func TestThousandsOfTasksComeAndGo(t *testing.T) {
	eachLoop(t, func(t *testing.T, m *machine) {
		const tasks = 5000
		before := runtime.NumGoroutine()
		var ended atomic.Int64
		signals := make(chan *loop.Signal, tasks)
		loop.Run(m.loops[0], func() {
			for range tasks {
				m.loops[0].Go(func() {
					s := m.loops[0].NewSignal()
					signals <- s
					if err := s.Wait(0); err != nil {
						t.Error(err)
					}
					ended.Add(1)
				})
			}
		})
		m.until(func() bool { return len(signals) == tasks })
		for range tasks {
			(<-signals).Notify()
		}
		m.until(func() bool { return ended.Load() == tasks })
		m.pass(moment)
		m.until(func() bool { return runtime.NumGoroutine() <= before+1100 }) // idleTasksMax is 1,024
		m.do(func(loop.Driver) {})
	})
}
