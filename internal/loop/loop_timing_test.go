package loop_test

import (
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"sluice/internal/loop"
)

// A hundred tasks notify themselves and wait: a letter and a resume for each.
func BenchmarkSignal(b *testing.B) {
	engine(b, func(b *testing.B, m *machine) {
		const tasks = 100
		m.do(func(d loop.Driver) {
			done, left := d.NewSignal(), tasks
			for range tasks {
				d.Go(func() {
					s := d.NewSignal()
					for range b.N / tasks {
						s.Notify()
						_ = s.Wait(0)
					}
					if left--; left == 0 {
						done.Notify()
					}
				})
			}
			b.ResetTimer()
			_ = done.Wait(0)
		})
	})
}

func BenchmarkSignalFromAnotherGoroutine(b *testing.B) {
	engine(b, func(b *testing.B, m *machine) {
		var s *loop.Signal
		m.do(func(d loop.Driver) { s = d.NewSignal() })
		back := make(chan struct{})
		go func() {
			for range b.N {
				s.Notify()
				<-back
			}
		}()
		m.do(func(loop.Driver) {
			for range b.N {
				_ = s.Wait(0)
				back <- struct{}{}
			}
		})
	})
}

func BenchmarkOffload(b *testing.B) {
	engine(b, func(b *testing.B, m *machine) {
		m.do(func(d loop.Driver) {
			for range b.N {
				_ = d.Offload(func() {})
			}
		})
	})
}

func BenchmarkEcho(b *testing.B) {
	for _, conns := range []int{1, 64} {
		b.Run(strconv.Itoa(conns)+" connections", func(b *testing.B) {
			both(b, func(b *testing.B, m *machine) {
				address := m.accepts(echoInTime)
				left := make(chan struct{})
				for range conns {
					p := m.connect(address).(tcpPeer)
					_ = p.SetDeadline(time.Time{})
					exchange := messages(b, p.TCPConn)
					exchange()
					go func() {
						for range b.N / conns {
							exchange()
						}
						p.Close()
						left <- struct{}{}
					}()
				}
				b.ResetTimer()
				for range conns {
					<-left
				}
			})
		})
	}
}

// Content that passes through, by splice and by read and write.
func BenchmarkSplice(b *testing.B) {
	for _, size := range []int{16 << 10, 64 << 10, 256 << 10, 1 << 20} {
		for name, move := range map[string]func(to, from loop.Conn, n int64) error{"splice": bySplice, "copy": byCopy} {
			b.Run(name+" "+strconv.Itoa(size>>10)+"K", func(b *testing.B) {
				engine(b, func(b *testing.B, m *machine) {
					from, p := m.pair()
					to, q := m.pair()
					b.SetBytes(int64(size))
					go feed(p, size, b.N)
					go func() { _, _ = io.Copy(io.Discard, q.(tcpPeer).TCPConn) }()
					b.ResetTimer()
					m.do(func(loop.Driver) {
						for range b.N {
							if err := move(to, from, int64(size)); err != nil {
								b.Fatal(err)
							}
						}
						from.Close()
						to.Close()
					})
					p.Close()
				})
			})
		}
	}
}

func feed(p net.Conn, size, times int) {
	block := make([]byte, size)
	for range times {
		if _, err := p.Write(block); err != nil {
			return
		}
	}
}

func bySplice(to, from loop.Conn, n int64) error {
	for n > 0 {
		k, _, err := to.Splice(from, n)
		if err != nil {
			return err
		}
		n -= k
	}
	return nil
}

func byCopy(to, from loop.Conn, n int64) error {
	pool := from.Driver().Buffers()
	for n > 0 {
		if err := from.Await(); err != nil {
			return err
		}
		block := pool.Get(int(min(n, 64<<10)))
		k, err := from.Read(block[:min(n, int64(len(block)))])
		if err == nil {
			_, err = to.Write(block[:k])
		}
		pool.Put(block)
		if err != nil {
			return err
		}
		n -= int64(k)
	}
	return nil
}

// engine runs a benchmark on a loop that waits in either way.
func engine(b *testing.B, body func(b *testing.B, m *machine)) {
	for name, w := range map[string]loop.Waiting{"netpoller": loop.WaitNetpoller, "blocking": loop.WaitBlocking} {
		b.Run(name, func(b *testing.B) { bench(b, newEpoll(b, 1, w), body) })
	}
}

// both runs a benchmark on loops and on goroutines.
func both(b *testing.B, body func(b *testing.B, m *machine)) {
	engine(b, body)
	b.Run("goroutines", func(b *testing.B) { bench(b, newSockets(b), body) })
}

func bench(b *testing.B, m *machine, body func(b *testing.B, m *machine)) {
	m.t = b
	b.ReportAllocs()
	body(b, m)
	b.StopTimer()
	m.stop()
	for _, fn := range m.after {
		fn()
	}
}
