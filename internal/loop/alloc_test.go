package loop_test

import (
	"io"
	"net"
	"runtime"
	"testing"

	"sluice/internal/loop"
)

// The engine allocates nothing for a message: not for an event, a task, a read, a write, a deadline or the way back to quiet.
func TestAMessageAllocatesNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there are no loops here")
	}
	for name, w := range map[string]loop.Waiting{"netpoller": loop.WaitNetpoller, "blocking": loop.WaitBlocking} {
		t.Run(name, func(t *testing.T) {
			run(t, newEpoll(t, 1, w), func(t *testing.T, m *machine) {
				p := m.connect(m.accepts(echoInTime)).(tcpPeer)
				defer p.Close()
				exchange := messages(t, p.TCPConn)
				for range 200 {
					exchange()
				}
				const n = 1000
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for range n {
					exchange()
				}
				runtime.ReadMemStats(&after)
				if mallocs := after.Mallocs - before.Mallocs; mallocs > n/20 && !raceEnabled { // others of the process allocate now and then
					t.Errorf("%d allocations for %d messages", mallocs, n)
				}
			})
		})
	}
}

// echoInTime is echo with the deadlines of a codec.
func echoInTime(c loop.Conn) {
	pool, d := c.Driver().Buffers(), c.Driver()
	for {
		c.Quiet(true)
		b := pool.Get(4096)
		n, err := c.Read(b)
		if err == nil {
			c.Quiet(false)
			c.ReadBy(d.Now() + long)
			c.WriteBy(d.Now() + long)
			_, err = c.Writev(b[:n/2], b[n/2:n])
			c.ReadBy(d.Now() + 2*long)
		}
		pool.Put(b)
		if err == loop.ErrQuiet {
			return
		}
		if err != nil {
			_ = c.Close()
			return
		}
	}
}

// messages returns a function that sends a message and waits for its echo.
func messages(t testing.TB, c *net.TCPConn) func() {
	b := make([]byte, 1000)
	return func() {
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatal(err)
		}
	}
}
