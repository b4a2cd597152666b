package loop_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/loop"
)

// moment is a deadline that a test waits for; long is one that it must not come to.
const (
	moment = 30 * time.Millisecond
	long   = time.Minute
)

// echo serves a connection until it is quiet or over.
func echo(c loop.Conn) {
	pool := c.Driver().Buffers()
	b := pool.Get(4096)
	defer pool.Put(b)
	for {
		c.Quiet(true)
		n, err := c.Read(b)
		if err == loop.ErrQuiet {
			return
		}
		c.Quiet(false)
		if err == nil {
			_, err = c.Write(b[:n])
		}
		if err != nil {
			_ = c.Close()
			return
		}
	}
}

func TestBytesComeBackInOrder(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		address := m.accepts(echo)
		for range 3 {
			p := m.connect(address)
			for _, n := range []int{1, 5, 4095, 4096, 4097, 8192, 20000} {
				text := pattern(n)
				send(m, func() { write(t, p, string(text)) })
				if got := readAll(t, p, n); got != string(text) {
					t.Fatalf("%d bytes came back changed", n)
				}
			}
			p.Close()
		}
	})
}

// send runs fn beside the test's own goroutine.
func send(m *machine, fn func()) {
	if m.world != nil {
		m.world.Go(fn)
		return
	}
	go fn()
}

func TestLargeWritesReachASlowPeerWhole(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		head, content := pattern(700), pattern(2<<20)
		wait := m.task(func(loop.Driver) {
			if n, err := c.Writev(head, content); n != int64(len(head)+len(content)) || err != nil {
				t.Error(n, err)
			}
			c.Close()
		})
		m.pass(moment)
		var got []byte
		b := make([]byte, 50_000)
		for {
			n, err := p.Read(b)
			got = append(got, b[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(got) < 200_000 {
				m.pass(time.Millisecond)
			}
		}
		wait()
		if !bytes.Equal(got, append(head, content...)) {
			t.Fatalf("%d bytes came, or other ones", len(got))
		}
	})
}

func TestDeadlinesEndWaits(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		defer p.Close()
		m.do(func(d loop.Driver) {
			at := d.Now() + moment
			c.ReadBy(at)
			c.WriteBy(d.Now() + long)
			if n, err := c.Read(make([]byte, 10)); n != 0 || !loop.IsTimeout(err) || d.Now() < at || d.Now() > at+long/2 {
				t.Error("read: ", n, err, d.Now()-at)
			}
			at = d.Now() + moment
			c.WriteBy(at)
			n, err := c.Writev(pattern(100), flood())
			if n >= 20<<20 || !loop.IsTimeout(err) || d.Now() < at || d.Now() > at+long/2 {
				t.Error("write: ", n, err, d.Now()-at)
			}
			c.ReadBy(0)
			c.WriteBy(0)
			_ = c.SetReadDeadline(d.Time().Add(moment)) // as crypto/tls does
			if _, err := c.Read(make([]byte, 10)); !loop.IsTimeout(err) {
				t.Error("read: ", err)
			}
			c.Close()
		})
	})
}

func TestADeadlineInThePastEndsAWaitUnderWay(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		defer p.Close()
		reading := m.task(func(loop.Driver) {
			if _, err := c.Read(make([]byte, 10)); !loop.IsTimeout(err) {
				t.Error("read: ", err)
			}
		})
		writing := m.task(func(loop.Driver) {
			if _, err := c.Write(flood()); !loop.IsTimeout(err) {
				t.Error("write: ", err)
			}
		})
		m.pass(moment)
		m.do(func(d loop.Driver) {
			c.ReadBy(1)
			c.WriteBy(d.Now() - time.Millisecond)
		})
		reading()
		writing()
		m.do(func(loop.Driver) { c.Close() })
	})
}

// The timer is set for the nearest deadline; when that one has passed, the other one must still come.
func TestAReadDeadlineDoesNotHideTheWriteDeadline(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		defer p.Close()
		m.do(func(d loop.Driver) {
			c.ReadBy(d.Now() + moment)
			c.WriteBy(d.Now() + 3*moment)
		})
		reading := m.task(func(loop.Driver) {
			if _, err := c.Read(make([]byte, 10)); !loop.IsTimeout(err) {
				t.Error("read: ", err)
			}
		})
		writing := m.task(func(loop.Driver) {
			if _, err := c.Write(flood()); !loop.IsTimeout(err) {
				t.Error("write: ", err)
			}
		})
		reading()
		writing()
		m.do(func(loop.Driver) { c.Close() })
	})
}

func TestADeadlineMovesBothWaysDuringAWait(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		defer p.Close()
		var start, end time.Duration
		reading := m.task(func(d loop.Driver) {
			start = d.Now()
			c.ReadBy(start + long)
			if _, err := c.Read(make([]byte, 10)); !loop.IsTimeout(err) {
				t.Error(err)
			}
			end = d.Now()
		})
		m.do(func(d loop.Driver) { c.ReadBy(d.Now() + moment) })
		m.do(func(d loop.Driver) { c.ReadBy(d.Now() + 4*moment) })
		reading()
		if took := end - start; took < 4*moment || took > long/2 {
			t.Error("the wait took ", took)
		}
		m.do(func(loop.Driver) { c.Close() })
	})
}

func TestClosingEndsTheWaitsOfOtherTasks(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		defer p.Close()
		reading := m.task(func(loop.Driver) {
			if _, err := c.Read(make([]byte, 10)); !errors.Is(err, net.ErrClosed) {
				t.Error("read: ", err)
			}
		})
		writing := m.task(func(loop.Driver) {
			if _, err := c.Write(flood()); !errors.Is(err, net.ErrClosed) {
				t.Error("write: ", err)
			}
		})
		m.pass(moment)
		m.do(func(loop.Driver) { c.Close() })
		reading()
		writing()
		m.do(func(loop.Driver) {
			c.Close()
			c.Reset()
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
			if _, err := c.Write(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
			if c.Alive() {
				t.Error("a closed connection is alive")
			}
			c.ReadBy(1)
			c.Quiet(true)
		})
	})
}

func TestEachDirectionEndsByItself(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		wait := m.task(func(loop.Driver) {
			got, err := io.ReadAll(c)
			if string(got) != "last words" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			if _, err := c.Write([]byte("answer")); err != nil {
				t.Error(err)
			}
			if err := c.CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		write(t, p, "last words")
		if err := p.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(p); string(got) != "answer" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		wait()
		m.do(func(loop.Driver) { c.Close() })
		p.Close()
	})
}

func TestAResetIsNotAnEnd(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		wait := m.task(func(loop.Driver) {
			if _, err := c.Read(make([]byte, 10)); !errors.Is(err, syscall.ECONNRESET) {
				t.Error("the engine reads: ", err)
			}
			c.Close()
		})
		p.Reset()
		wait()

		c, p = m.pair()
		m.do(func(loop.Driver) { c.Reset() })
		if _, err := p.Read(make([]byte, 10)); !errors.Is(err, syscall.ECONNRESET) {
			t.Error("the peer reads: ", err)
		}
		p.Close()
	})
}

func TestWritingToWhoHasGoneFails(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		p.Close()
		m.do(func(d loop.Driver) {
			c.WriteBy(d.Now() + long)
			var err error
			for err == nil {
				_, err = c.Write(pattern(1 << 20))
			}
			if loop.IsTimeout(err) || errors.Is(err, loop.ErrStopped) {
				t.Error(err)
			}
			c.Close()
		})
	})
}

func TestAliveTellsWhetherAConnectionCanBeUsedAgain(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		fakes := m.plain != nil && m.dark() == "dark" // a net.Conn without a descriptor tells nothing before it is used
		alive := func(c loop.Conn) (yes bool) {
			m.do(func(loop.Driver) { yes = c.Alive() })
			return yes
		}
		c, p := m.pair()
		if !alive(c) {
			t.Error("a new connection is not alive")
		}
		write(t, p, "0123456789")
		m.do(func(loop.Driver) { _, _ = io.ReadFull(c, make([]byte, 10)) }) // to the brim: only the kernel knows that there is no more
		if !alive(c) {
			t.Error("after a read that filled its buffer it is not alive")
		}
		if !fakes {
			write(t, p, "unasked")
			m.until(func() bool { return m.world != nil || !alive(c) })
			m.pass(moment)
			if alive(c) {
				t.Error("with a byte unasked for it is alive")
			}
		}
		m.do(func(loop.Driver) { c.Close() })
		p.Close()

		c, p = m.pair()
		p.Close()
		m.pass(moment)
		if !fakes && alive(c) {
			t.Error("closed by its peer it is alive")
		}
		m.do(func(loop.Driver) { c.Close() })
	})
}

func TestDialSaysHowItFailed(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		address, stop := m.listen(&loop.Accept{Handler: func(loop.Conn) loop.Handler { return nil }})
		stop()
		m.do(func(d loop.Driver) {
			if c, err := d.Dial("tcp", address, d.Now()+long, nil); c != nil || !errors.Is(err, syscall.ECONNREFUSED) {
				t.Error("nobody listens: ", c, err)
			}
		})
		dark := m.dark()
		m.do(func(d loop.Driver) {
			at := d.Now() + moment
			if c, err := d.Dial("tcp", dark, at, nil); c != nil || !loop.IsTimeout(err) || d.Now() < at {
				t.Error("nobody answers: ", c, err)
			}
		})
	})
}

// Who waits on behalf of a connection hears when its peer has reset it, during the wait and at once behind it. A half-close is no reason to stop.
func TestWaitingForAConnectionEndsWithItsReset(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		dark := m.dark()
		if dark == "dark" {
			return // a fake connection can't be asked
		}
		for name, wait := range map[string]func(d loop.Driver, c loop.Conn) error{
			"a signal": func(d loop.Driver, c loop.Conn) error { return d.NewSignal().WaitFor(c, d.Now()+long) },
			"a signal, later": func(d loop.Driver, c loop.Conn) error {
				if err := d.NewSignal().WaitFor(c, d.Now()+long); !errors.Is(err, loop.ErrPeerGone) {
					return err
				}
				s := d.NewSignal()
				s.Notify()
				return s.WaitFor(c, d.Now()+long)
			},
			"a connection": func(d loop.Driver, c loop.Conn) error {
				_, err := d.Dial("tcp", dark, d.Now()+long, c)
				return err
			},
		} {
			c, p := m.pair()
			if err := p.CloseWrite(); err != nil {
				t.Error(err)
			}
			ended := m.task(func(d loop.Driver) {
				if err := wait(d, c); !errors.Is(err, loop.ErrPeerGone) {
					t.Error(name, ": ", err)
				}
				c.Close()
			})
			m.pass(moment)
			p.Reset()
			ended()
		}
	})
}

func TestDialsUnixSockets(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		address, accept := m.serve(true)
		m.do(func(d loop.Driver) {
			c, err := d.Dial("unix", address, d.Now()+long, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if c.Peer() != (netip.AddrPort{}) {
				t.Error(c.Peer())
			}
			if _, err := c.Write([]byte("hello")); err != nil {
				t.Error(err)
			}
			c.Close()
		})
		if got, err := io.ReadAll(accept()); string(got) != "hello" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if _, plain := m.driver().(*loop.Goroutines); !plain || m.dark() != "dark" {
			m.do(func(d loop.Driver) {
				if _, err := d.Dial("unix", address+"-not-there", d.Now()+long, nil); err == nil || loop.IsTimeout(err) {
					t.Error(err)
				}
			})
		}
	})
}

func TestAddressesAreThoseOfTheConnection(t *testing.T) {
	eachLoop(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		defer p.Close()
		m.do(func(loop.Driver) {
			if c.Peer().String() != p.LocalAddr().String() || c.Local().String() != p.RemoteAddr().String() {
				t.Error(c.Peer(), p.LocalAddr(), c.Local(), p.RemoteAddr())
			}
			c.Close()
			if c.Local() != (netip.AddrPort{}) {
				t.Error("a closed connection has the address of the next one: ", c.Local())
			}
		})
	})
}

// What is refused must not be half done: nothing has been sent when the deadline had passed before.
func TestWritesNothingAfterItsDeadline(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		m.do(func(d loop.Driver) {
			c.WriteBy(d.Now() - 1)
			if n, err := c.Writev([]byte("a"), []byte("b")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(n, err)
			}
			c.Close()
		})
		if got, err := io.ReadAll(p); len(got) != 0 || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		p.Close()
	})
}

func TestAWriteEndsWhenThePeerTakesNothing(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		c, p := m.pair()
		defer p.Close()
		m.do(func(d loop.Driver) {
			began := d.Now()
			c.WriteBy(began + long)
			c.WriteStall(moment)
			n, err := c.Writev(pattern(100), flood())
			if n >= 20<<20 || !loop.IsTimeout(err) || d.Now() < began+moment || d.Now() > began+long/2 {
				t.Error("write: ", n, err, d.Now()-began)
			}
			c.Close()
		})
	})
}

// Only where time is not the machine's: a peer that is slow by plan must not be slower by chance.
func TestAByteThatIsTakenRenewsTheTimeOfAWrite(t *testing.T) {
	body := func(t *testing.T, m *machine) {
		c, p := m.pair()
		content := pattern(1 << 20)
		writing := m.task(func(d loop.Driver) {
			began := d.Now()
			c.WriteStall(moment)
			n, err := c.Writev(content[:100], content[100:])
			if n != int64(len(content)) || err != nil || d.Now() < began+2*moment {
				t.Error("write: ", n, err, d.Now()-began)
			}
			c.Close()
		})
		var got []byte
		for piece := make([]byte, len(content)/16); len(got) < len(content); {
			m.pass(moment / 2)
			n, err := p.Read(piece)
			if err != nil {
				t.Fatalf("after %d bytes: %v", len(got), err)
			}
			got = append(got, piece[:n]...)
		}
		writing()
		p.Close()
		if !bytes.Equal(got, content) {
			t.Error("the content is not the same")
		}
	}
	eachSim(t, body)
	t.Run("goroutines over fakes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { run(t, newFakes(t), body) })
	})
}
