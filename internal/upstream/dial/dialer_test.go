package dial

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/loop"
	"sluice/internal/upstream/resolve"
)

// A fakeNet is addresses that take connections, refuse them or are silent.
type fakeNet struct {
	mu     sync.Mutex
	silent []string // guarded by mu
	tried  []string // guarded by mu; since the last look
}

func (n *fakeNet) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(address)
	n.mu.Lock()
	n.tried = append(n.tried, host)
	silent := slices.Contains(n.silent, host)
	n.mu.Unlock()
	if silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	c, other := net.Pipe()
	return c, errors.Join(other.Close())
}

func (n *fakeNet) set(silent ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silent = silent
}

// look returns which addresses were tried.
func (n *fakeNet) look() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	defer func() { n.tried = nil }()
	return strings.Join(n.tried, " ")
}

// named runs body with a dialer for a name that has addresses 192.0.2.1 … n.
func named(t *testing.T, n int, body func(f *fakeNet, dial func(connect time.Duration) (time.Duration, error))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := resolve.NewResolver(func(context.Context, string) (all []netip.Addr, err error) {
			for i := range n {
				all = append(all, netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}))
			}
			return all, nil
		}, resolve.DefaultResolverSettings(), nil)
		defer r.Close()
		f := &fakeNet{}
		d := loop.NewGoroutines(f.dial)
		defer d.Stop()
		e := New("tcp", "a.example:80", r)
		body(f, func(connect time.Duration) (took time.Duration, err error) {
			began := d.Now()
			by := time.Duration(0)
			if connect > 0 {
				by = began + connect
			}
			c, err := e.Dial(d, by, nil)
			if err == nil {
				c.Close()
			}
			return d.Now() - began, err
		})
	})
}

// An address that is silent takes a part of the time only, and then the others are asked first; now and then one dial finds out how it is.
func TestASilentAddressLeavesTimeForTheOthers(t *testing.T) {
	for connect, cost := range map[time.Duration]time.Duration{time.Second: time.Second / 2, time.Minute: time.Second, 0: time.Second} {
		named(t, 2, func(f *fakeNet, dial func(time.Duration) (time.Duration, error)) {
			f.set("192.0.2.1")
			var waited time.Duration
			for range 20 {
				took, err := dial(connect)
				if err != nil {
					t.Error(connect, err)
				}
				waited += took
			}
			if waited != cost {
				t.Errorf("connect %v: 20 dials have waited for %v", connect, waited)
			}
			f.set()
			<-time.After(avoidFor)
			f.look()
			for range 4 {
				_, _ = dial(connect)
			}
			if got := f.look(); strings.Count(got, "192.0.2.1") != 2 {
				t.Errorf("connect %v: it answers again, and these are tried: %s", connect, got)
			}
		})
	}
}

func TestAllAddressesAreTriedInTurn(t *testing.T) {
	named(t, 3, func(f *fakeNet, dial func(time.Duration) (time.Duration, error)) {
		for range 3 {
			_, _ = dial(time.Second)
		}
		if got := f.look(); got != "192.0.2.2 192.0.2.3 192.0.2.1" {
			t.Error(got)
		}
		f.set("192.0.2.1", "192.0.2.2", "192.0.2.3")
		for range 2 { // also when all are avoided
			if took, err := dial(3 * time.Second); !loop.IsTimeout(err) || took != 3*time.Second {
				t.Error(took, err)
			}
			if got := f.look(); strings.Count(got, " ") != 2 {
				t.Error(got)
			}
		}
	})
}

// eachDriver runs body in a task of each driver.
func eachDriver(t *testing.T, body func(t *testing.T, d loop.Driver)) {
	t.Helper()
	t.Run("goroutines", func(t *testing.T) {
		d := loop.NewGoroutines(nil)
		defer d.Stop()
		body(t, d)
	})
	t.Run("loop", func(t *testing.T) {
		sys, err := loop.NewSystem(loop.WaitingOf(1))
		if err != nil {
			t.Skip(err)
		}
		l := loop.New(0, sys, loop.SystemClock{}, slog.New(slog.DiscardHandler))
		go l.Run()
		defer l.Stop()
		done := make(chan struct{})
		l.Post(func() { l.Go(func() { defer close(done); body(t, l) }) })
		<-done
	})
}

// The kernel refuses to queue more than so many connections of a Unix socket, without any later event. They wait for their turn, until their deadline.
func TestAFullUnixSocketIsWaitedFor(t *testing.T) {
	eachDriver(t, func(t *testing.T, d loop.Driver) {
		path := filepath.Join(t.TempDir(), "s")
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err == nil {
			err = errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Listen(fd, 0))
		}
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(fd)
		e := New("unix", path, nil)
		dial := func(timeout time.Duration) error {
			c, err := e.Dial(d, d.Now()+timeout, nil)
			if err == nil {
				c.Close()
			}
			return err
		}
		if err := dial(time.Minute); err != nil {
			t.Fatal("the first one: ", err)
		}
		if err := dial(20 * time.Millisecond); !loop.IsTimeout(err) {
			t.Error("the queue is full: ", err)
		}
		go func() {
			for range 2 {
				if c, _, err := syscall.Accept(fd); err == nil {
					_ = syscall.Close(c)
				}
			}
		}()
		if err := dial(time.Minute); err != nil {
			t.Error("the queue has room again: ", err)
		}
		_ = d.Offload(func() { _ = syscall.Shutdown(fd, syscall.SHUT_RDWR) })
	})
}

func TestAnAttemptGetsItsShareOfTheTime(t *testing.T) {
	for _, c := range []struct {
		now, by time.Duration
		left    int
		want    time.Duration
	}{{10, 0, 1, 0}, {10, 30, 1, 30}, {10, 30, 2, 20}, {40, 30, 2, 40}, {10, 0, 2, 10 + attemptMax}, {10, 10 + 4*attemptMax, 2, 10 + attemptMax}} {
		if got := share(c.now, c.by, c.left); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
